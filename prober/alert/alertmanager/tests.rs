//! The body as Alertmanager wants it; the real one is asked in the integration tests.

use std::time::Duration;

use serde_json::{Value, json};

use super::encode::{VALID_FOR, body};
use crate::notice::{Notice, Undelivered};
use crate::sample::{notice, resolved, start};

fn encoded(notices: &[Notice], after: u64) -> Value {
    let now = start().plus(Duration::from_secs(after));
    serde_json::from_slice(&body(notices, now).unwrap()).unwrap()
}

#[test]
fn an_alert_that_fires_ends_by_itself_four_tellings_later() {
    let sent = &encoded(&[notice()], 60)[0];
    assert_eq!(sent["startsAt"], "2026-01-01T00:00:00.000000000Z");
    assert_eq!(sent["endsAt"], "2026-01-01T00:05:00.000000000Z");
    assert_eq!(VALID_FOR.as_secs(), 240);
    let labels = json!({ "alertname": "SLOOutage", "service": "shop", "severity": "page", "slo": "checkout", "team": "team-checkout" });
    assert_eq!(sent["labels"], labels);
    assert_eq!(sent["generatorURL"], "http://prober.example/scenarios/checkout");
    assert_eq!(sent["annotations"]["burn_rate"], "1000");
    // Told again later: another end, the same alert.
    let again = &encoded(&[notice()], 3_600)[0];
    assert_eq!((&again["labels"], &again["startsAt"]), (&sent["labels"], &sent["startsAt"]));
    assert_eq!(again["endsAt"], "2026-01-01T01:04:00.000000000Z");
}

#[test]
fn an_alert_that_has_ended_says_when() {
    let sent = &encoded(&[resolved()], 900)[0];
    assert_eq!(sent["endsAt"], "2026-01-01T00:05:00.000000000Z");
    let mut odd = resolved();
    odd.alert.ends = Some(start());
    assert_eq!(encoded(&[odd], 900)[0]["endsAt"], "2026-01-01T00:00:00.001000000Z", "never before its start");
}

#[test]
fn an_alert_from_the_future_does_not_begin_after_its_end() {
    let mut odd = notice();
    odd.alert.starts = start().plus(Duration::from_hours(2));
    let sent = &encoded(&[odd], 0)[0];
    assert_eq!(sent["startsAt"], sent["endsAt"]);
}

#[test]
fn names_and_emptiness_are_looked_at_before_sending() {
    let mut odd = notice();
    odd.alert.id.team = "".into();
    odd.alert.annotations.insert("trace-id".into(), "x".to_owned());
    odd.alert.annotations.insert("9lives".into(), "x".to_owned());
    odd.alert.annotations.insert("empty".into(), String::new());
    let sent = &encoded(&[odd], 0)[0];
    assert!(sent["labels"].get("team").is_none());
    for name in ["trace-id", "9lives", "empty"] {
        assert!(sent["annotations"].get(name).is_none(), "{name}");
    }
    let mut nameless = notice();
    nameless.alert.id.slo = "".into();
    assert_eq!(body(&[notice(), nameless], start()), Err("the alert has no label `slo`".to_owned()));
}

#[test]
fn what_another_route_did_not_take_is_an_annotation() {
    let mut told = notice();
    told.undelivered = Some(Undelivered { route: "oncall".to_owned(), why: "503".to_owned() });
    let sent = &encoded(&[told, notice()], 0);
    assert!(
        sent[0]["annotations"]["undelivered"].as_str().unwrap().contains("`oncall` did not take this page")
    );
    assert_eq!(sent[0]["labels"], sent[1]["labels"], "it is the same alert");
}
