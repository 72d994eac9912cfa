//! `newer_than` on what an HTTP answer says of its age.

use std::time::Duration;

use model::time::{Clock as _, SystemClock};
use testkit::http::{Reply, Server};

use crate::support::{Project, event, said};

#[test]
fn headers_and_json_values_have_an_age() {
    let (server, now) = (Server::start(), SystemClock.now());
    let ago = |seconds: u64| now.minus(Duration::from_secs(seconds));
    let rfc = |seconds: u64| ago(seconds).jiff().to_string();
    let http_date = |seconds: u64| ago(seconds).jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    server.on("/latest.csv", Reply::ok("x").header("last-modified", &http_date(120)));
    server.on(
        "/meta",
        Reply::json(&format!(
            "{{\"new\":\"{}\",\"old\":\"{}\",\"unix\":{},\"ms\":{},\"future\":\"{}\",\"not\":\"yesterday\"}}",
            rfc(30),
            rfc(7200),
            ago(40).as_millis() / 1000,
            ago(50).as_millis(),
            now.plus(Duration::from_hours(2)).jiff()
        )),
    );
    let json = |field: &str| {
        format!("http: {}\nexpect: {{ json: {{ $.{field}: {{ newer_than: 1h }} }} }}", server.url("/meta"))
    };
    let header = |limit: &str| {
        let url = server.url("/latest.csv");
        format!("http: HEAD {url}\nexpect: {{ headers: {{ Last-Modified: {{ newer_than: {limit} }} }} }}")
    };
    let project = Project::with(
        "",
        &[
            ("header", header("1h")),
            ("header-old", header("1m")),
            ("new", json("new")),
            ("old", json("old")),
            ("unix", json("unix")),
            ("ms", json("ms")),
            ("not", json("not")),
            ("none", json("none")),
            ("future", json("future")),
        ],
    );
    let (events, _) = project.run();
    let check = |name: &str, wanted: &str, age: Option<f64>| {
        let event = event(&events, name);
        assert!(said(event).starts_with(wanted), "{event:#}");
        let found = event["prober.freshness.age"].as_f64();
        match (age, found) {
            (Some(age), Some(found)) => assert!((age..age + 60.0).contains(&found), "{event:#}"),
            (None, None) => {}
            _ => panic!("age {found:?}, expected {age:?}: {event:#}"),
        }
    };
    check("header", "good ok", Some(120.0));
    check("header-old", "bad stale stale", Some(120.0));
    check("new", "good ok", Some(30.0));
    check("old", "bad stale stale", Some(7200.0));
    check("unix", "good ok", Some(40.0));
    check("ms", "good ok", Some(50.0));
    check("not", "bad failed assert.json", None);
    check("none", "bad failed assert.json", None);
    assert_eq!(event(&events, "future")["prober.verdict"], "bad", "{:#}", event(&events, "future"));
}
