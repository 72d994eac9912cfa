//! `grpc`, `websocket`, `smtp` and `jetstream`, each against a server that others wrote.

use testkit::hostile::{Fault, Hostile};
use testkit::servers::{Nats, NatsSetup, Python};

use super::{assert_tiled, hops, phases};
use crate::support::{Project, assert_said, event};

/// A password that nobody may see.
const SECRET: &str = "let-me-in-to-nats";

#[test]
fn peers_are_good_bad_or_silent() {
    let (grpc, live, mail) = (Python::grpc(None), Python::websocket(None), Python::smtp(None));
    let nats = Nats::start(&NatsSetup { login: Some(("probe", SECRET)), ..NatsSetup::default() });
    nats.stream("ORDERS", "[\"orders.>\"]");
    nats.publish("orders.new", "x");
    let silent = Hostile::start(Fault::HalfOpen);
    let at = |kind: &str, body: String| format!("timeout: 10s\n{kind}: {{ {body} }}");
    let late = |kind: &str, body: String| format!("timeout: 500ms\n{kind}: {{ {body} }}");
    let (health, nobody) = (grpc.addr(), silent.addr());
    let stream = format!(
        "stream: ORDERS, user: probe, password: \"${{secrets.password}}\", address: \"{}\"",
        nats.addr()
    );
    let mut project = Project::with(
        "secrets: { password: { env: NATS_PASSWORD } }\n",
        &[
            ("health", at("grpc", format!("address: \"{health}\", tls: false, service: shop.Orders"))),
            ("ill", at("grpc", format!("address: \"{health}\", tls: false, service: shop.Search"))),
            ("health-late", late("grpc", format!("address: \"{nobody}\", tls: false"))),
            ("live", at("websocket", format!("url: \"ws://{}/echo\", send: hi", live.addr()))),
            ("closed", at("websocket", format!("url: \"ws://{}/closed\", messages: 1", live.addr()))),
            ("live-late", late("websocket", format!("url: \"ws://{nobody}/\""))),
            ("mail", at("smtp", format!("address: \"{}\"", mail.addr()))),
            ("mail-late", late("smtp", format!("address: \"{nobody}\""))),
            ("stream", at("jetstream", stream.clone()) + "\nexpect: { last: { newer_than: 1h } }"),
            ("old", at("jetstream", stream.clone()) + "\nexpect: { last: { newer_than: 1ms } }"),
            ("grows", at("jetstream", stream) + "\nexpect: { sequence: { advances: { within: 1h } } }"),
            ("stream-late", late("jetstream", format!("stream: A, address: \"{nobody}\""))),
        ],
    );
    project.env("NATS_PASSWORD", SECRET);
    let (events, ran) = project.run();
    for (name, wanted) in [
        ("health", "good ok"),
        ("ill", "bad failed grpc.not_serving"),
        ("health-late", "bad failed timeout"),
        ("live", "good ok"),
        ("closed", "bad failed websocket.closed"),
        ("live-late", "bad failed timeout"),
        ("mail", "good ok"),
        ("mail-late", "bad failed timeout"),
        ("stream", "good ok"),
        ("old", "bad stale stale"),
        ("grows", "good ok"),
        ("stream-late", "bad failed timeout"),
    ] {
        assert_said(&events, name, wanted);
        assert_tiled(event(&events, name));
    }
    assert_eq!(phases(&hops(event(&events, "health"), 0)[0]), "connect send wait receive");
    let age = event(&events, "stream")["prober.freshness.age"].as_f64().unwrap();
    assert!((-1.0..60.0).contains(&age), "{age}");
    let mut shown = vec![ran.out, ran.err];
    for args in [&["run", "-vv"][..], &["run", "--format", "jsonl"], &["explain", "stream"], &["list"]] {
        let ran = project.prober(args);
        shown.extend([ran.out, ran.err]);
    }
    for text in shown {
        assert!(!text.contains(SECRET), "a secret shows: {text}");
    }
}

#[test]
fn what_is_said_and_heard_shows_to_who_asks() {
    let mail = Python::smtp(None);
    let conversation = "[{ expect: \"^220 \" }, { send: \"EHLO ${secrets.name}\\r\\n\", expect: \"250 \" }]";
    let step = format!("tcp: {{ address: \"{}\", exchange: {conversation} }}", mail.addr());
    let mut project = Project::with("secrets: { name: { env: PROBE_NAME } }\n", &[("mail", step)]);
    project.env("PROBE_NAME", "probe.secret.test");
    let ran = project.prober(&["run", "-vv"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let all = ran.out + &ran.err;
    assert!(all.contains("EHLO •••(name)") && all.contains("mail.test"), "{all}");
    assert!(!all.contains("probe.secret.test"), "{all}");
}
