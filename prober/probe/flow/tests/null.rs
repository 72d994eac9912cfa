//! A value that is captured as `null` is none where a text is made of it.

use super::*;

/// Captures `$.id` of an answer, and goes on with `next`; what is removed at the end is `/orders/ID`.
fn flow(next: &str) -> String {
    format!(
        "name: a\naim: Up.\nevery: 1m\ntimeout: 5s\nsteps:\n  - name: order\n    http: ${{vars.shop}}/order\n    capture: {{ id: {{ json: $.id }}, list: {{ json: $.list }} }}\n  - name: next\n{next}teardown:\n  - name: delete\n    needs: id\n    http: {{ method: DELETE, url: \"${{vars.shop}}/orders/${{id}}\" }}\n"
    )
}

fn server(answer: &str) -> Server {
    let server = Server::start();
    server.on("/order", Reply::json(answer));
    server.on("*", Reply::ok("whatever"));
    server
}

#[tokio::test]
async fn no_request_is_made_of_it() {
    for next in [
        "    http: ${vars.shop}/orders/${id}\n",
        "    http: { url: \"${vars.shop}/\", headers: { Authorization: \"Bearer ${id}\" } }\n",
        "    http: { url: \"${vars.shop}/\", auth: { bearer: \"${id}\" } }\n",
        "    http: { url: \"${vars.shop}/\", method: POST, form: { id: \"${id}\" } }\n",
        "    http: { url: \"${vars.shop}/\", method: POST, json: { id: \"order ${id}\" } }\n",
        "    http: { url: \"${vars.shop}/${id|urlencode}\" }\n",
        // That the step could be passed over would make the run good.
        "    needs: id\n    http: ${vars.shop}/orders/${id}\n",
    ] {
        let server = server(r#"{"id":null,"list":[1]}"#);
        let outcome = run(&server, &flow(next)).await;
        let failure = outcome.failure.as_ref().unwrap();
        let told = (outcome.reason, failure.class, &*failure.error_type, &*failure.step);
        let expected = (Reason::Failed, FailureClass::Incorrect, "assert.capture", "next");
        assert_eq!(told, expected, "{next}: {outcome:?}");
        assert_eq!(failure.message, "`id` was captured as null, which is no text");
        assert_eq!(server.requests(), 1, "{next}");
        // Nor is there anything to remove.
        assert_eq!(outcome.steps[2].note.as_deref(), Some("id was captured as null"));
        assert_eq!((outcome.steps[2].state, &*outcome.marks), (StepState::Skipped, &[][..]));
    }
}

#[tokio::test]
async fn as_a_value_of_json_it_is_what_it_is() {
    let next =
        "    http: { url: \"${vars.shop}/\", method: POST, json: { id: \"${id}\", list: \"${list}\" } }\n";
    let as_text = "    http: { url: \"${vars.shop}/\", method: POST, body: '{\"id\":${id|json},\"list\":${list|json}}' }\n";
    for (id, next) in [("null", next), ("null", as_text), ("17", as_text), (r#""o-1""#, as_text)] {
        let server = server(&format!(r#"{{"id":{id},"list":[1]}}"#));
        let outcome = run(&server, &flow(next)).await;
        assert_eq!(outcome.reason, Reason::Ok, "{outcome:?}");
        let sent = String::from_utf8(server.seen()[1].body.to_vec()).unwrap();
        assert_eq!(sent, format!(r#"{{"id":{id},"list":[1]}}"#));
    }
}
