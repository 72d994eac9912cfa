//! The `OpenAPI` file beside the real answers: every path is served, and every answer is what the file says.

use std::collections::BTreeSet;

use jsonschema::Validator;
use model::time::Timestamp;
use serde_json::{Value, json};
use store::NewDelivery;

use super::browser;
use super::desk::Server;

/// The schema of an answer, with the components at hand.
fn validator(document: &Value, path: &str, status: &str) -> Validator {
    let mut schema =
        document["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"].clone();
    assert!(!schema.is_null(), "{path} {status} is not in the file");
    schema["components"] = document["components"].clone();
    jsonschema::validator_for(&schema).unwrap()
}

async fn check(server: &Server, document: &Value, (path, address): (&str, &str), status: u16) {
    let answer = server.get(address).await;
    assert_eq!(answer.status, status, "{address}: {}", answer.body);
    let value: Value = serde_json::from_str(&answer.body).unwrap();
    let faults: Vec<_> = validator(document, path, &status.to_string())
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .take(3)
        .collect();
    assert_eq!(faults, Vec::<String>::new(), "{address}");
}

#[test]
fn every_answer_is_what_the_file_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let desk = browser::desk();
    let page = NewDelivery {
        route: "shop-oncall".to_owned(),
        key: "1".to_owned(),
        alert: "SLOOutage".to_owned(),
        firing: true,
        urgent: true,
        state: "{}".to_owned(),
    };
    desk.sources.store.enqueue(&[page], Timestamp::from_seconds(browser::NOW)).unwrap();
    let server = runtime.block_on(desk.serve());
    runtime.block_on(async {
        let document: Value = serde_json::from_str(&server.get("/api/v1/openapi.json").await.body).unwrap();
        let mut checked = BTreeSet::from(["/api/v1/openapi.json"]);
        for (path, address) in [
            ("/api/v1/events", "/api/v1/events?limit=50"),
            ("/api/v1/explore", "/api/v1/explore?q=since%3D1h&group=scenario&low=0.3"),
            ("/api/v1/scenarios", "/api/v1/scenarios"),
            ("/api/v1/series", "/api/v1/series?scenario=checkout&hours=1"),
            ("/api/v1/account", "/api/v1/account"),
            ("/api/v1/slos", "/api/v1/slos"),
            ("/api/v1/slos/{name}", "/api/v1/slos/checkout"),
            ("/api/v1/slos/{name}/gate", "/api/v1/slos/search/gate"),
            ("/api/v1/alerts", "/api/v1/alerts"),
            ("/api/v1/outbox", "/api/v1/outbox?all=true"),
            ("/api/v1/audit", "/api/v1/audit"),
            ("/api/v1/fleet", "/api/v1/fleet"),
            ("/api/v1/reload-state", "/api/v1/reload-state"),
        ] {
            check(&server, &document, (path, address), 200).await;
            let wrong =
                format!("{}{}no-such-parameter=1", address, if address.contains('?') { "&" } else { "?" });
            check(&server, &document, (path, &wrong), 400).await;
            checked.insert(path);
        }
        check(&server, &document, ("/api/v1/slos/{name}", "/api/v1/slos/none"), 404).await;
        desk.fleet.send_replace(None);
        check(&server, &document, ("/api/v1/fleet", "/api/v1/fleet"), 404).await;
        check(&server, &document, ("/api/v1/series", "/api/v1/series?scenario=none"), 404).await;
        // Alerts fire in this data, and one waits: an empty list would show nothing.
        for (path, list) in [("/api/v1/alerts", "alerts"), ("/api/v1/outbox", "changes")] {
            let answer: Value = serde_json::from_str(&server.get(path).await.body).unwrap();
            assert_ne!(answer[list], json!([]), "{path}");
        }
        let gets: BTreeSet<&str> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, path)| path["get"].is_object())
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(gets, checked, "every path of the file is looked at");
    });
    runtime.block_on(server.end());
}
