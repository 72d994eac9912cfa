//! The metrics page of a live prober in each of its states, read by promtool and by Prometheus.

use std::time::Duration;

use rustix::process::Signal;
use testkit::http::{Reply, Server};
use testkit::servers::{Prometheus, check_metrics};
use testkit::wait;

use crate::support::{Api, Project};

/// The value of the sample whose name and labels begin with `series`.
fn value(page: &str, name: &str, label: &str) -> Option<f64> {
    let line = page.lines().find(|line| {
        line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']) && line.contains(label)
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

fn checked(api: Api, state: &str) -> String {
    let page = api.get("/metrics");
    if let Err(complaint) = check_metrics(&page) {
        panic!("{state}: {complaint}");
    }
    page
}

#[test]
fn promtool_accepts_every_state_and_counters_are_born_at_zero() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    // Texts of the author's own stand in labels.
    let own = "owner: 'the \"shop\" team \\ x'\nlabels: { tier: 'a\"b' }";
    let idle = format!("cron: \"0 0 1 1 *\"\n{own}\nhttp: {}", server.url("/"));
    let project = Project::with("", &[("idle", idle.clone())]);
    let serving = project.serve();
    let api = serving.api();
    let page = checked(api, "idle");
    for counter in [
        "prober_sli_events_total",
        "prober_sli_good_events_total",
        "prober_sli_bad_events_total",
        "prober_runs_total",
        "prober_run_missed_slots_total",
    ] {
        assert_eq!(value(&page, counter, "\"idle\""), Some(0.0), "{counter} is born at 0:\n{page}");
    }
    for class in ["dns", "connect", "tls", "protocol", "timeout", "incorrect", "stale"] {
        assert_eq!(
            value(&page, "prober_run_failures_total", &format!("class=\"{class}\"")),
            Some(0.0),
            "{class}:\n{page}"
        );
    }
    // A scenario that comes with a reload is born at 0 as well, then counts.
    project.scenario("good", &format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/")));
    serving.signal(Signal::HUP);
    wait::until_blocking("the new scenario's series", Duration::from_mins(2), || {
        value(&api.get("/metrics"), "prober_sli_bad_events_total", "\"good\"") == Some(0.0)
    });
    checked(api, "after a reload");
    wait::until_blocking("a good run", Duration::from_mins(2), || {
        value(&api.get("/metrics"), "prober_sli_good_events_total", "\"good\"") >= Some(1.0)
    });
    checked(api, "after a good run");
    server.on("/", Reply::status(500));
    wait::until_blocking("a bad run", Duration::from_mins(2), || {
        value(&api.get("/metrics"), "prober_sli_bad_events_total", "\"good\"") >= Some(1.0)
    });
    let page = checked(api, "after a bad run");
    let of = |name: &str| value(&page, name, "\"good\"").unwrap();
    assert!(
        (of("prober_sli_good_events_total") + of("prober_sli_bad_events_total")
            - of("prober_sli_events_total"))
        .abs()
            < 0.5
    );
    assert!(value(&page, "prober_run_failures_total", "class=\"protocol\"").is_some());
    // A wrong file changes no series; a scenario that is gone takes its series along.
    project.write("scenarios/broken.yaml", "name: broken\n");
    serving.signal(Signal::HUP);
    wait::until_blocking("the failed reload", Duration::from_mins(2), || {
        api.json("/api/v1/reload-state")["state"] == "failed"
    });
    let page = checked(api, "after a failed reload");
    assert!(value(&page, "prober_sli_events_total", "\"idle\"").is_some());
    project.remove("scenarios/broken.yaml");
    project.remove("scenarios/idle.yaml");
    serving.signal(Signal::HUP);
    wait::until_blocking("the old series' end", Duration::from_mins(2), || {
        !api.get("/metrics").contains("\"idle\"")
    });
    checked(api, "after a scenario is gone");
}

#[test]
fn open_metrics_where_it_is_asked_for() {
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    let serving = project.serve();
    let request = |accept: &str| {
        let addr = serving.api().0;
        let text = format!("GET /metrics HTTP/1.0\r\nHost: {addr}\r\nAccept: {accept}\r\n\r\n");
        testkit::client::request(addr, &text).unwrap()
    };
    let plain = request("*/*");
    assert!(plain.header("content-type").unwrap().contains("version=0.0.4"), "{:?}", plain.headers);
    let open = request("application/openmetrics-text;version=1.0.0");
    assert!(
        open.header("content-type").unwrap().starts_with("application/openmetrics-text"),
        "{:?}",
        open.headers
    );
    assert!(open.body.ends_with("# EOF\n") && !plain.body.contains("# EOF"));
}

#[test]
fn gzip_where_it_is_asked_for() {
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    let serving = project.serve();
    let curl = |more: &[&str]| {
        let url = format!("http://{}/metrics", serving.api().0);
        let ran = std::process::Command::new("curl").args(["-sS", "-i", &url]).args(more).output();
        String::from_utf8(ran.expect("curl is missing: apt-get install curl").stdout).unwrap()
    };
    // With --compressed it asks for gzip among others, and shows the text.
    let (plain, unpacked) = (curl(&[]), curl(&["--compressed"]));
    assert!(!plain.contains("content-encoding") && unpacked.contains("content-encoding: gzip"), "{unpacked}");
    for text in [&plain, &unpacked] {
        assert!(
            text.contains("vary: accept, accept-encoding") && text.contains("prober_build_info{"),
            "{text}"
        );
    }
    assert_eq!(plain.matches("# TYPE").count(), unpacked.matches("# TYPE").count());
}

#[test]
fn prometheus_scrapes_it_and_answers() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project =
        Project::with("", &[("shop", format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/")))]);
    let serving = project.serve();
    let prometheus = Prometheus::start(serving.api().0);
    let number = |query: &str| {
        let answer: serde_json::Value = serde_json::from_str(&prometheus.query(query)).unwrap_or_default();
        answer["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok())
    };
    wait::until_blocking("three good runs in Prometheus", Duration::from_mins(3), || {
        number("sum(prober_sli_good_events_total)") >= Some(3.0)
    });
    assert_eq!(
        number("sum(prober_sli_bad_events_total)"),
        Some(0.0),
        "born at 0, so that rate() sees the first one"
    );
    // The first failure is an increase that Prometheus sees.
    server.on("/", Reply::status(500));
    wait::until_blocking("the first failure in Prometheus", Duration::from_mins(3), || {
        number("sum(increase(prober_sli_bad_events_total[1m]))") > Some(0.0)
    });
    assert!(number("prober_scenario_info") == Some(1.0));
}
