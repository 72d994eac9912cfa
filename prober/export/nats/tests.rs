use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Reason;
use model::time::SystemClock;
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki};
use testkit::servers::{Nats, NatsSetup};

use super::*;
use crate::Delivery;
use crate::sample::{event, origin, surroundings};

fn exporter(given: &[(&'static str, &str)]) -> Box<dyn Exporter> {
    let (_, around) = surroundings(Arc::new(SystemClock), &[]);
    let settings = KIND.compile(given.iter().copied()).unwrap().with_secrets(|_| Some("hush")).unwrap();
    (KIND.build)(&settings, &around).unwrap()
}

fn batch(seconds: std::ops::Range<u64>) -> Vec<Arc<SliEvent>> {
    let shop = origin("shop");
    seconds.map(|second| Arc::new(event(&shop, second, Reason::Failed))).collect()
}

#[tokio::test]
async fn events_are_stored_once_with_their_headers() {
    let server = Nats::start(&NatsSetup { login: Some(("probe", "hush")), ..NatsSetup::default() });
    server.stream("RUNS", r#"["prober.runs.v1.>"]"#);
    let url = format!("nats://{}", server.addr());
    let mut first = exporter(&[("url", &url), ("user", "probe"), ("password", "${secrets.x}")]);
    assert_eq!(first.deliver(&batch(0..3)).await, Delivery::Done);
    first.idle().await;
    // The same again, and from a process that knows nothing of the first.
    assert_eq!(first.deliver(&batch(0..300)).await, Delivery::Done);
    let mut again = exporter(&[("url", &url), ("user", "probe"), ("password", "${secrets.x}")]);
    assert_eq!(again.deliver(&batch(0..300)).await, Delivery::Done);
    assert_eq!(server.count("RUNS"), 300);
    let (subject, headers, payload) = server.stored("RUNS", 2);
    assert_eq!(subject, "prober.runs.v1.eu.shop");
    let expected = &batch(1..2)[0];
    assert_eq!(SliEvent::from_json(&payload).unwrap(), **expected);
    let id = format!("{}.0", expected.slot.id);
    for header in [
        format!("Nats-Msg-Id: {id}"),
        format!("ce-id: {id}"),
        "ce-specversion: 1.0".to_owned(),
        "ce-type: io.prober.run.v1".to_owned(),
        "ce-source: /shop/eu".to_owned(),
        "content-type: application/json".to_owned(),
    ] {
        assert!(headers.contains(&format!("{header}\r\n")), "{headers}");
    }
}

#[tokio::test]
async fn what_no_stream_takes_waits() {
    let server = Nats::start(&NatsSetup::default());
    let url = format!("nats://{}", server.addr());
    let mut exporter = exporter(&[("url", &url), ("subject", "other")]);
    let Delivery::Retry { why, .. } = exporter.deliver(&batch(0..2)).await else { panic!("taken by nobody") };
    assert!(why.contains("other.eu.shop: no stream takes it"), "{why}");
    server.stream("RUNS", r#"["other.>"]"#);
    assert_eq!(exporter.deliver(&batch(0..2)).await, Delivery::Done);
    assert_eq!(server.count("RUNS"), 2);
}

#[tokio::test]
async fn without_jetstream_a_pong_is_enough() {
    let server = Nats::start(&NatsSetup { without_jetstream: true, ..NatsSetup::default() });
    let url = format!("nats://{}", server.addr());
    let mut with = exporter(&[("url", &url)]);
    assert!(matches!(with.deliver(&batch(0..1)).await, Delivery::Retry { .. }));
    let mut without = exporter(&[("url", &url), ("jetstream", "false")]);
    assert_eq!(without.deliver(&batch(0..100)).await, Delivery::Done);
    without.idle().await;
    assert_eq!(without.deliver(&batch(0..1)).await, Delivery::Done);
}

#[tokio::test]
async fn tls_is_used_where_it_is_wanted_and_checked() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let server = Nats::start(&NatsSetup {
        identity: Some(&identity),
        without_jetstream: true,
        ..NatsSetup::default()
    });
    let url = format!("tls://{}", server.addr());
    let ca = pki.root_file();
    let mut trusting = exporter(&[("url", &url), ("jetstream", "false"), ("ca", ca.to_str().unwrap())]);
    assert_eq!(trusting.deliver(&batch(0..1)).await, Delivery::Done);
    let mut stranger = exporter(&[("url", &url), ("jetstream", "false")]);
    let Delivery::Retry { why, .. } = stranger.deliver(&batch(0..1)).await else { panic!("trusted") };
    assert!(why.contains("certificate"), "{why}");
    let plain = Nats::start(&NatsSetup { without_jetstream: true, ..NatsSetup::default() });
    let mut insisting = exporter(&[("url", &format!("tls://{}", plain.addr()))]);
    let Delivery::Retry { why, .. } = insisting.deliver(&batch(0..1)).await else { panic!("in the clear") };
    assert!(why.contains("does not offer TLS"), "{why}");
}

#[tokio::test]
async fn who_may_not_sign_in_is_told_without_the_secret() {
    let server = Nats::start(&NatsSetup { login: Some(("probe", "other")), ..NatsSetup::default() });
    let url = format!("nats://{}", server.addr());
    let mut exporter = exporter(&[("url", &url), ("user", "probe"), ("password", "${secrets.x}")]);
    let Delivery::Retry { why, .. } = exporter.deliver(&batch(0..1)).await else { panic!("let in") };
    assert!(why.contains("Authorization Violation") && !why.contains("hush"), "{why}");
}

#[tokio::test]
async fn hostile_servers_are_waited_for_in_time() {
    let info = b"INFO {\"headers\":true}\r\n";
    let faults = [
        Fault::HalfOpen,
        Fault::CloseOnAccept,
        Fault::ResetOnAccept,
        Fault::Flood(b"x".repeat(1_000)),
        Fault::Flood(b"INFO {}\r\n".to_vec()),
        Fault::Flood(info.to_vec()),
        Fault::Trickle(info.to_vec(), Duration::from_millis(20)),
        Fault::Trickle(b"INFO [[[[\r\n".to_vec(), Duration::ZERO),
        Fault::Trickle(
            b"INFO {\"headers\":true}\r\nPONG\r\nMSG a 1 99999999999\r\n".to_vec(),
            Duration::ZERO,
        ),
        Fault::Trickle(b"INFO {\"headers\":true}\r\nPONG\r\nHMSG a 1 9 3\r\n".to_vec(), Duration::ZERO),
        Fault::Trickle(b"INFO {\"headers\":true}\r\n\xff\xff\r\n".to_vec(), Duration::ZERO),
    ];
    for fault in faults {
        let hostile = Hostile::start(fault.clone());
        let url = format!("nats://{}", hostile.addr());
        let mut exporter = exporter(&[("url", &url), ("timeout", "500ms")]);
        let delivery = tokio::time::timeout(Duration::from_secs(20), exporter.deliver(&batch(0..1))).await;
        assert!(matches!(delivery, Ok(Delivery::Retry { .. })), "{fault:?}: {delivery:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_said() {
    let (_, around) = surroundings(Arc::new(SystemClock), &[]);
    for (more, expected) in [
        (&[("url", "nats://a:b@x")][..], "not in `url`"),
        (&[("url", "nats://x"), ("subject", "a.*")], "`a.*` is no subject"),
        (&[("url", "nats://x"), ("user", "a")], "belong together"),
    ] {
        let settings = KIND.compile(more.iter().copied()).unwrap().with_secrets(|_| None).unwrap();
        let error = (KIND.build)(&settings, &around).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
