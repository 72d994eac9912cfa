use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Reason;
use model::time::SystemClock;
use post::standard_webhooks;
use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Seen, Server};

use super::*;
use crate::Delivery;
use crate::sample::{event, origin, surroundings};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn exporter(url: &str, more: &[(&'static str, &str)]) -> Box<dyn Exporter> {
    let (_, around) = surroundings(Arc::new(SystemClock), &[]);
    let given = [("url", url)].into_iter().chain(more.iter().copied());
    let settings = KIND.compile(given).unwrap().with_secrets(|_| Some(SECRET)).unwrap();
    (KIND.build)(&settings, &around).unwrap()
}

fn batch(reasons: &[Reason]) -> Vec<Arc<SliEvent>> {
    let shop = origin("shop");
    (0..).zip(reasons).map(|(second, reason)| Arc::new(event(&shop, second, *reason))).collect()
}

fn events(seen: &Seen) -> Vec<SliEvent> {
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    let events = body["data"]["events"].as_array().unwrap();
    events.iter().map(|event| SliEvent::from_json(&event.to_string()).unwrap()).collect()
}

#[tokio::test]
async fn batches_are_whole_events_and_signed() {
    let server = Server::start();
    server.on("/hook", Reply::status(202));
    let mut exporter = exporter(&server.url("/hook"), &[("secret", "${secrets.key}"), ("events_max", "2")]);
    let events_sent = batch(&[Reason::Ok, Reason::Failed, Reason::Late]);
    assert_eq!(exporter.deliver(&events_sent).await, Delivery::Done);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    let got: Vec<_> = seen.iter().flat_map(events).map(|event| (event.slot, event.outcome.reason)).collect();
    let expected = events_sent.iter().map(|event| (event.slot, event.outcome.reason));
    assert_eq!(got, expected.collect::<Vec<_>>());
    for seen in &seen {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body["type"], "prober.run.recorded");
        let at = seen.header("webhook-timestamp").unwrap().parse().unwrap();
        let keys = standard_webhooks::Key::parse_all(SECRET).unwrap();
        let signature = standard_webhooks::sign(&keys, seen.header("webhook-id").unwrap(), at, &seen.body);
        assert_eq!(seen.header("webhook-signature"), Some(signature.as_str()));
    }
    assert_ne!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
}

#[tokio::test]
async fn only_bad_runs_if_that_is_wanted() {
    let server = Server::start();
    server.on("/hook", Reply::status(200));
    let mut exporter = exporter(&server.url("/hook"), &[("only", "bad")]);
    assert_eq!(exporter.deliver(&batch(&[Reason::Ok, Reason::Late])).await, Delivery::Done);
    assert!(server.seen().is_empty());
    assert_eq!(exporter.deliver(&batch(&[Reason::Ok, Reason::Failed])).await, Delivery::Done);
    let seen = server.seen();
    assert_eq!((seen.len(), events(&seen[0]).len()), (1, 1));
    assert!(
        seen[0].body.starts_with(b"{\"type\":\"prober.run.failed\"")
            && seen[0].header("webhook-signature").is_none()
    );
}

#[tokio::test]
async fn a_repetition_has_the_same_id_and_what_was_taken_is_left_out() {
    let server = Server::start();
    let third = |seen: &Seen| seen.body.windows(4).any(|four| four == b"late");
    server.on_request("/hook", move |seen| {
        Reply::status(if third(seen) { 503 } else { 200 }).header("retry-after", "9")
    });
    let events_sent = batch(&[Reason::Ok, Reason::Failed, Reason::Late]);
    let settings: &[(&'static str, &str)] = &[("events_max", "2")];
    let mut first = exporter(&server.url("/hook"), settings);
    for _ in 0..2 {
        let Delivery::Retry { after: Some(after), .. } = first.deliver(&events_sent).await else {
            panic!("taken")
        };
        assert_eq!(after, Duration::from_secs(9));
    }
    let ids =
        || server.seen().iter().map(|seen| seen.header("webhook-id").unwrap().to_owned()).collect::<Vec<_>>();
    let seen = ids();
    assert_eq!(seen.len(), 3, "the first part is not sent again");
    assert_eq!(seen[1], seen[2]);
    // After a restart it comes again, under the id that it had.
    let _ = exporter(&server.url("/hook"), settings).deliver(&events_sent).await;
    assert_eq!(ids()[3..], seen[..2]);
}

#[tokio::test]
async fn statuses_mean_what_the_standard_says() {
    let poison = |seen: &Seen| seen.body.windows(7).any(|seven| seven == b"refused");
    let server = Server::start();
    server.on_request("/hook", move |seen| {
        Reply::status(if poison(seen) { 400 } else { 200 }).body("bad event")
    });
    let delivery =
        exporter(&server.url("/hook"), &[]).deliver(&batch(&[Reason::Ok, Reason::Failed, Reason::Ok])).await;
    let Delivery::Part { dropped: 1, refused: 0, why } = delivery else { panic!("{delivery:?}") };
    assert!(why.contains("bad event"));
    for status in [301, 307, 401, 404, 429, 500, 503] {
        let server = Server::start();
        server.on("/hook", Reply::redirect(status, "http://127.0.0.1:1/"));
        let delivery = exporter(&server.url("/hook"), &[]).deliver(&batch(&[Reason::Ok])).await;
        assert!(matches!(delivery, Delivery::Retry { .. }), "{status}: {delivery:?}");
    }
    let server = Server::start();
    server.on("/hook", Reply::status(410));
    let mut gone = exporter(&server.url("/hook"), &[]);
    for _ in 0..3 {
        let delivery = gone.deliver(&batch(&[Reason::Ok, Reason::Ok])).await;
        assert!(matches!(delivery, Delivery::Part { dropped: 2, .. }), "{delivery:?}");
    }
    assert_eq!(server.seen().len(), 1, "it was asked once");
}

#[tokio::test]
async fn hostile_receivers_are_waited_for_in_time() {
    for fault in [Fault::HalfOpen, Fault::EndlessHeaders, Fault::ResetAfterRequest, Fault::Garbage] {
        let hostile = Hostile::start(fault.clone());
        let url = format!("http://{}/secret-path", hostile.addr());
        let mut exporter = exporter(&url, &[("timeout", "300ms")]);
        let Delivery::Retry { why, .. } = exporter.deliver(&batch(&[Reason::Ok])).await else {
            panic!("{fault:?}")
        };
        assert!(!why.contains("secret-path"), "{why}");
    }
}

#[test]
fn a_secret_that_is_none_is_refused_and_not_told() {
    let (_, around) = surroundings(Arc::new(SystemClock), &[]);
    let given = [("url", "https://x.example/"), ("secret", "${secrets.key}")];
    let settings = KIND.compile(given).unwrap().with_secrets(|_| Some("hush")).unwrap();
    let error = (KIND.build)(&settings, &around).err().unwrap().to_string();
    assert!(error.contains("`webhook`") && error.contains("whsec_") && !error.contains("hush"), "{error}");
}
