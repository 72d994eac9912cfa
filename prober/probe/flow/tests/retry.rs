//! Retries: which failures are tried again, and that nothing hides that one was.

use super::fake::{message, run_fake};
use super::*;

fn retry(script: &str, more: &str) -> String {
    format!("timeout: 10s\nsteps:\n  - name: pay\n    timeout: 2s\n    fake: {script}\n{more}")
}

const TWICE: &str = "    retry: { attempts: 3, on: [connect, timeout, protocol], backoff: 500ms }\n";

#[tokio::test(start_paused = true)]
async fn a_run_that_was_saved_is_good_and_says_so() {
    let outcome = run_fake(&retry("refused hangs up", TWICE)).await;
    assert_eq!((outcome.reason, &outcome.failure), (Reason::Ok, &None), "no error.type on the outside");
    assert_eq!(outcome.marks, [Mark::Flaky]);
    let step = &outcome.steps[0];
    assert_eq!((step.state, &step.failure), (StepState::Passed, &None));
    let attempts: Vec<_> = step
        .attempts
        .iter()
        .map(|one| {
            (one.start.as_millis(), one.duration.as_millis(), &*one.failure.error_type, one.hops.len())
        })
        .collect();
    assert_eq!(attempts, [(0, 10, "connect.refused", 1), (510, 2_000, "timeout", 1)]);
    // The last attempt's hop counts from the step's start too.
    assert_eq!(step.hops[0].phases[0].start.as_millis(), 3_010);
    assert_eq!(step.duration.as_millis(), 3_020);
}

#[tokio::test(start_paused = true)]
async fn the_strict_form_makes_it_bad() {
    let outcome = run_fake(&format!("sli: {{ retried: bad }}\n{}", retry("refused up", TWICE))).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "connect", "connect.refused", "pay"));
    assert_eq!(
        message(&outcome),
        "pay passed only at attempt 2, and `sli.retried` is bad; attempt 1: it refused"
    );
    assert_eq!(outcome.marks, [Mark::Flaky]);
    let first = run_fake(&format!("sli: {{ retried: bad }}\n{}", retry("up", TWICE))).await;
    assert_eq!((first.reason, first.marks.is_empty()), (Reason::Ok, true));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_named_is_tried_again() {
    for (script, more, error, attempts) in [
        ("refused", TWICE, "connect.refused", 2),
        ("500 500 up", TWICE.replace("500ms }", "500ms }\n    expect: { state: up }").as_str(), "", 2),
        (
            "down up",
            TWICE.replace("500ms }", "500ms }\n    expect: { state: up }").as_str(),
            "assert.state",
            0,
        ),
        ("local up", TWICE, "local.fd", 0),
        ("hangs up", "    retry: { on: connect }\n", "timeout", 0),
        ("refused up", "    retry: { attempts: 1 }\n", "connect.refused", 0),
        ("refused up", "    retry: {}\n", "", 1),
        // There is no time left for a second attempt.
        ("hangs up", "    retry: { on: timeout, backoff: 9s }\n", "timeout", 0),
        // A connection that was reset after the request may have done its work.
        ("once reset up", "    retry: { on: connect }\n", "connect.reset", 0),
        ("once refused up", "    retry: { on: connect }\n", "", 1),
        ("reset up", "    retry: { on: connect }\n", "", 1),
    ] {
        let outcome = run_fake(&retry(script, more)).await;
        let found = outcome.failure.as_ref().map_or("", |failure| &failure.error_type);
        assert_eq!((found, outcome.steps[0].attempts.len()), (error, attempts), "{script} {more}");
        assert_eq!(outcome.marks.contains(&Mark::Flaky), error.is_empty(), "{script} {more}");
        let note = more.contains("9s").then_some("no time was left for another attempt");
        assert_eq!(outcome.steps[0].note.as_deref(), note, "{script} {more}");
    }
}

#[tokio::test]
async fn each_attempt_has_its_number_and_the_run_one_id() {
    let server = Server::start();
    server.on_request("/0", |_| Reply::status(503));
    server.on_request("/1", |_| Reply::ok("fine"));
    let yaml = "name: a\naim: Up.\nevery: 1m\nhttp: { method: POST, url: \"${vars.shop}/${run.attempt}\", headers: { Idempotency-Key: \"${run.id}\" } }\nretry: { on: protocol, backoff: 10ms }\n";
    let outcome = run(&server, yaml).await;
    assert_eq!((outcome.reason, outcome.marks.as_slice()), (Reason::Ok, [Mark::Flaky].as_slice()));
    let seen = server.seen();
    let keys: Vec<_> = seen.iter().map(|seen| seen.header("idempotency-key").unwrap()).collect();
    assert!(seen.len() == 2 && keys[0] == keys[1], "{keys:?}");
    assert_eq!(outcome.steps[0].attempts[0].failure.error_type, "503");
}

#[tokio::test(start_paused = true)]
async fn the_latency_is_that_of_all_attempts() {
    // The attempts take 10 ms each, with half a second between them.
    for (limit, expected) in [("520ms", "assert.latency"), ("521ms", "")] {
        let more = format!("{TWICE}    expect: {{ latency: {{ lt: {limit} }} }}\n");
        let outcome = run_fake(&retry("refused up", &more)).await;
        let found = outcome.failure.as_ref().map_or("", |failure| &failure.error_type);
        assert_eq!(found, expected, "{limit}");
    }
    let first = format!("{TWICE}    expect: {{ latency: {{ lt: 11ms }} }}\n");
    assert_eq!(run_fake(&retry("up", &first)).await.reason, Reason::Ok);
}
