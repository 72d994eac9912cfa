//! Events as PagerDuty takes them, and what its answers mean.

use model::alert::Severity;
use serde_json::{Value, json};
use testkit::http::Server;

use super::encode::body;
use crate::answer::Delivery;
use crate::notice::{Notice, Undelivered};
use crate::sample::{notice, resolved, start};
use crate::{Receiver, ReceiverKind, Values};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn encoded(notice: &Notice) -> Value {
    serde_json::from_slice(&body(notice, KEY)).unwrap()
}

#[test]
fn an_alert_opens_an_incident_and_its_end_closes_the_same() {
    let opened = encoded(&notice());
    assert_eq!((&opened["event_action"], &opened["routing_key"]), (&json!("trigger"), &json!(KEY)));
    let payload = &opened["payload"];
    assert_eq!(payload["summary"], "Checkout is down in 2 of 2 regions");
    assert_eq!((&payload["severity"], &payload["component"]), (&json!("critical"), &json!("checkout")));
    assert_eq!((&payload["source"], &payload["group"]), (&json!("checkout"), &json!("shop")));
    assert_eq!(
        (&payload["class"], &payload["timestamp"]),
        (&json!("SLOOutage"), &json!("2026-01-01T00:00:00.000000000Z"))
    );
    assert_eq!(payload["custom_details"]["burn_rate"], "1000");
    assert_eq!(opened["links"][0], json!({ "href": "https://wiki.example/checkout", "text": "Runbook" }));
    let closed = encoded(&resolved());
    assert_eq!(
        closed,
        json!({ "routing_key": KEY, "event_action": "resolve", "dedup_key": opened["dedup_key"] })
    );
}

#[test]
fn the_key_is_the_fingerprint_of_the_labels() {
    let key = encoded(&notice())["dedup_key"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 16);
    let mut other = notice();
    other.alert.annotations.clear();
    other.alert.starts = start().plus(std::time::Duration::from_secs(9));
    assert_eq!(encoded(&other)["dedup_key"], key, "annotations and episodes do not matter");
    other.alert.id.region = Some("eu".into());
    assert_ne!(encoded(&other)["dedup_key"], key);
}

#[test]
fn sizes_are_kept() {
    let mut large = notice();
    large.alert.annotations.insert("summary".into(), "\u{1f980}".repeat(9_000));
    assert_eq!(encoded(&large)["payload"]["summary"].as_str().unwrap().chars().count(), 1_024);
    for number in 0..200 {
        large.alert.annotations.insert(format!("a{number}").into(), "\u{1f980}".repeat(9_000));
    }
    let event = body(&large, KEY);
    assert!(event.len() <= 512_000, "{}", event.len());
    let event: Value = serde_json::from_slice(&event).unwrap();
    assert!(event["payload"]["custom_details"]["left_out"].is_string());
}

#[test]
fn a_ticket_is_a_warning_and_what_was_not_delivered_is_said() {
    let mut told = notice();
    told.alert.id.severity = Severity::Ticket;
    told.undelivered = Some(Undelivered { route: "chat".to_owned(), why: "404".to_owned() });
    let event = encoded(&told);
    assert_eq!(event["payload"]["severity"], "warning");
    assert!(event["payload"]["summary"].as_str().unwrap().ends_with("(not delivered by route chat)"));
}

fn receiver(server: &Server) -> Box<dyn Receiver> {
    let mut values = Values::default();
    values.add("routing_key", KEY);
    values.add("url", server.url("/v2/enqueue"));
    let client = post::Client::new("prober-tests", &[]).unwrap();
    (ReceiverKind::named("pagerduty").unwrap().build)(&values, &client).unwrap().remove(0)
}

#[tokio::test]
async fn answers_mean_what_the_documentation_says() {
    let server = Server::start();
    let mut receiver = receiver(&server);
    for (status, expected) in [
        (202, "done"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
        (302, "retry"),
        (400, "reject"),
        (403, "reject"),
    ] {
        server.on("/v2/enqueue", testkit::http::Reply::status(status).body("{\"message\":\"because\"}"));
        let delivery = receiver.deliver(&[notice()], start()).await;
        let found = match &delivery {
            Delivery::Done => "done",
            Delivery::Retry { .. } => "retry",
            Delivery::Reject { .. } => "reject",
            Delivery::Gone { .. } => "gone",
        };
        assert_eq!(found, expected, "{status}: {delivery:?}");
        assert!(!format!("{delivery:?}").contains(KEY));
    }
    assert_eq!(receiver.examine().await.unwrap(), format!("{} answers (404)", receiver.place()));
}
