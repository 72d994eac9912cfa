//! Exporters that push, through the whole program: to real receivers all of it, and hostile ones delay nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::servers::{Nats, NatsSetup, Prometheus, Python};
use testkit::wait;

use crate::support::{Project, text};

const PATIENCE: Duration = Duration::from_mins(3);

fn project(server: &Server, exporters: &str) -> Project {
    server.on("/", Reply::ok("x"));
    let scenario = |path: &str| format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url(path));
    let head = format!("secrets: {{ token: {{ env: TOKEN }} }}\nexporters:\n{exporters}");
    let mut project = Project::with(&head, &[("good", scenario("/")), ("bad", scenario("/missing"))]);
    project.env("TOKEN", "t0ken-hush-hush");
    project
}

/// The counters of streams on a metrics page, by their series.
fn counters(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| line.starts_with("prober_") && line.contains("region=\""));
    let counter = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let name = series.split('{').next()?;
        (name.ends_with("_total") || name.ends_with("_count"))
            .then(|| (series.to_owned(), value.parse().unwrap()))
    };
    lines.filter_map(counter).collect()
}

/// The value of an expression at a Prometheus; `None` if there is no such series.
fn asked(prometheus: &Prometheus, query: &str) -> Option<f64> {
    let answer: Value = serde_json::from_str(&prometheus.query(query)).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn prometheus_gets_by_remote_write_what_a_scrape_would_see() {
    let (server, prometheus) = (Server::start(), Prometheus::receiver());
    let url = format!("http://{}/api/v1/write", prometheus.addr());
    let project = project(&server, &format!("  - remote_write: {{ url: \"{url}\", linger: 100ms }}\n"));
    let serving = project.serve();
    serving.api().until_events("verdict=bad", 4);
    let page = counters(&serving.api().get("/metrics"));
    assert!(page.len() > 60, "{page:?}");
    for (series, least) in &page {
        // It goes on meanwhile, so what is there is at least what the page had.
        wait::until_blocking(series, PATIENCE, || {
            asked(&prometheus, series).is_some_and(|value| value >= *least && value <= least + 1_000.0)
        });
    }
    // A restart begins anew; what happened over it is there in the increase.
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    let total = || asked(&prometheus, r#"sum(increase(prober_sli_bad_events_total{slo="bad"}[10m]))"#);
    let before = total().unwrap_or_default();
    let serving = project.serve();
    wait::until_blocking("the count goes on after a restart", PATIENCE, || {
        total().is_some_and(|now| now > before + 2.0)
    });
    let own = r#"prober_export_sent_events_total{sink="remote_write",job="prober"}"#;
    wait::until_blocking("the process' own metrics", PATIENCE, || asked(&prometheus, own).is_some());
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn nats_and_a_collector_get_every_event_over_a_kill() {
    let (server, collector) = (Server::start(), Python::otlp_http());
    let nats = Nats::start(&NatsSetup::default());
    nats.stream("RUNS", r#"["prober.runs.v1.>"]"#);
    let exporters = format!(
        "  - nats: {{ url: \"nats://{}\", linger: 100ms }}\n  - otlp: {{ url: \"http://{}\", signals: [logs], linger: 100ms }}\n",
        nats.addr(),
        collector.addr()
    );
    let project = project(&server, &exporters);
    let serving = project.serve();
    serving.api().until_events("verdict=bad", 3);
    serving.kill();
    let serving = project.serve();
    serving.api().until_events("verdict=bad", 5);
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    let ran = project.prober(&["events", "-n", "100000", "--format", "jsonl"]);
    let id = |line: &str| text(&serde_json::from_str(line).unwrap(), "prober.slot.id").to_owned();
    let stored: std::collections::BTreeSet<String> = ran.out.lines().map(id).collect();
    assert_eq!(nats.count("RUNS"), stored.len() as u64, "each once: repetitions are known by their id");
    let mut logged = std::collections::BTreeSet::new();
    for line in collector.lines() {
        // A line of something else is what the server's library has to say.
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        let records = &line["message"]["resource_logs"][0]["scope_logs"][0]["log_records"];
        for record in records.as_array().unwrap() {
            let attributes = record["attributes"].as_array().unwrap();
            let id = attributes.iter().find(|pair| pair["key"] == "prober.slot.id").unwrap();
            logged.insert(id["value"]["string_value"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(logged, stored);
}

#[test]
fn hostile_receivers_delay_no_run_and_no_other_exporter() {
    let server = Server::start();
    let hangs = Hostile::start(Fault::HalfOpen);
    let endless = Hostile::start(Fault::EndlessHeaders);
    let drips = Hostile::start(Fault::Drip(Duration::from_secs(1)));
    let garbage = Hostile::start(Fault::TlsGarbage);
    let failing = Server::start();
    failing.on("/v1/logs", Reply::status(503));
    let fine = Server::start();
    fine.on("/hook", Reply::status(204));
    let exporters = format!(
        "  - webhook: {{ url: \"http://{}/\" }}\n  - remote_write: {{ url: \"http://{}/\" }}\n  \
         - otlp: {{ url: \"http://{}\", protocol: grpc }}\n  - otlp: {{ url: \"{}\", signals: logs }}\n  \
         - webhook: {{ url: \"https://{}/\" }}\n  - nats: {{ url: \"nats://{}\" }}\n  \
         - webhook: {{ url: \"{}\", linger: 100ms }}\n  - ndjson: {{ directory: out }}\n",
        hangs.addr(),
        endless.addr(),
        drips.addr(),
        failing.url(""),
        garbage.addr(),
        hangs.addr(),
        fine.url("/hook"),
    );
    let project = project(&server, &exporters);
    let serving = project.serve();
    let api = serving.api();
    let events = api.until_events("verdict=good", 12);
    assert!(events.iter().all(|event| event["prober.run.lag"].as_f64().unwrap() < 0.9), "no run waited");
    // A machine that is busy with other tests may miss a slot; a runner that waits for an exporter misses most.
    let missed = api.events("verdict=missed").len();
    assert!(missed * 3 < events.len(), "{missed} of {}", events.len());
    let count = |seen: &testkit::http::Seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        body["data"]["events"].as_array().unwrap().len()
    };
    wait::until_blocking("the webhook that works", PATIENCE, || {
        fine.seen().iter().map(count).sum::<usize>() >= 20
    });
    let page = api.get("/metrics");
    let of = |metric: &str, sink: &str| -> f64 {
        let series = format!("{metric}{{sink=\"{sink}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(series.as_str()));
        line.unwrap_or_else(|| panic!("{series} is not on the page")).parse().unwrap()
    };
    for sink in ["webhook", "remote_write", "otlp", "otlp-2", "webhook-2", "nats"] {
        assert!(of("prober_export_sent_events_total", sink) < 0.5, "{sink}");
        assert!(of("prober_export_queue_length", sink) >= 12.0, "{sink}");
    }
    for sink in ["webhook-3", "ndjson"] {
        assert!(of("prober_export_sent_events_total", sink) >= 12.0, "{sink}");
    }
    assert!(of("prober_export_failed_events_total", "otlp-2") >= 1.0);
    let asked = std::time::Instant::now();
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(asked.elapsed() < Duration::from_mins(1), "a stop is not held up: {:?}", asked.elapsed());
}

#[test]
fn secrets_are_sent_and_never_shown() {
    let server = Server::start();
    // A receiver that says back all that it was told.
    let echo = Server::start();
    for path in ["/v1/logs", "/api/v1/write", "/hook"] {
        echo.on_request(path, |seen| {
            let told = seen.header("authorization").or(seen.header("x-key")).unwrap_or_default().to_owned();
            Reply::status(503).body(format!("what do you mean by {told}?"))
        });
    }
    let bearer = "bearer: \"${secrets.token}\"";
    let exporters = format!(
        "  - otlp: {{ url: \"{}\", signals: logs, {bearer} }}\n  - remote_write: {{ url: \"{}\", {bearer} }}\n  \
         - webhook: {{ url: \"{}\", headers: {{ x-key: \"${{secrets.token}}\" }}, linger: 100ms }}\n",
        echo.url(""),
        echo.url("/api/v1/write"),
        echo.url("/hook"),
    );
    let project = project(&server, &exporters);
    let serving = project.serve();
    let api = serving.api();
    let told = |path: &str, header: &str, value: &str| {
        let seen = echo.seen();
        seen.iter().any(|seen| seen.path == path && seen.header(header) == Some(value))
    };
    wait::until_blocking("all three are told", PATIENCE, || {
        told("/v1/logs", "authorization", "Bearer t0ken-hush-hush")
            && told("/api/v1/write", "authorization", "Bearer t0ken-hush-hush")
            && told("/hook", "x-key", "t0ken-hush-hush")
    });
    wait::until_blocking("their answers", PATIENCE, || {
        serving.err().matches("what do you mean").count() >= 3
    });
    let pages =
        ["/", "/metrics", "/api/v1/scenarios", "/api/v1/reload-state"].map(|path| api.get(path)).concat();
    let (_, err) = serving.stop();
    let configuration = project.prober(&["config"]);
    for shown in [&pages, &err, &configuration.out, &configuration.err] {
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[test]
fn what_is_wrong_with_an_exporter_is_said_before_anything_runs() {
    let server = Server::start();
    let with = |exporter: &str| project(&server, &format!("  - {exporter}\n"));
    for (exporter, code, says) in [
        ("webhook: { url: \"ftp://x\" }", "E141", "expected an address like `http://receiver.example`"),
        ("webhook: {}", "E141", "setting `url` is missing"),
        ("remote_write: { url: \"http://x/\", protocol: \"3.0\" }", "E141", "one of: auto, 1.0, 2.0"),
        ("remote_write: { url: \"http://x/\", bearer: hush-hush }", "E180", "stands in this file"),
        ("webhook: { url: \"http://x/\", secret: \"${secrets.other}\" }", "E203", "`other` is not defined"),
        ("otlp: { headers: { a: \"${vars.x}\" } }", "E205", "${secrets.NAME}"),
        ("otlp: { signals: [logs, smoke] }", "E141", "some of: logs, traces, metrics"),
        ("otlp: { headers: [a, b] }", "E141", "map of names"),
        ("nats: { url: \"http://x\" }", "E141", "nats://"),
        ("pigeon: {}", "E140", "kafka, nats, ndjson, otlp, remote_write, webhook"),
    ] {
        let ran = with(exporter).prober(&["validate"]);
        assert_eq!(ran.code, Some(2), "{exporter}: {ran:?}");
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains(code) && all.contains(says), "{exporter}: {all}");
        assert!(!all.contains("hush"), "{all}");
    }
    // What only the place can say is said at the start.
    let mut missing = with("webhook: { url: \"http://x/\", bearer: \"${secrets.token}\" }");
    missing.env("TOKEN", "");
    let ran = missing.refused(&[]);
    assert!(ran.code == Some(3) && ran.err.contains("TOKEN is empty"), "{ran:?}");
    let ran = with("webhook: { url: \"http://x/\", secret: \"${secrets.token}\" }").refused(&[]);
    assert!(ran.code == Some(3) && ran.err.contains("whsec_") && !ran.err.contains("hush"), "{ran:?}");
    // Runs that nobody exports need none of it.
    assert_eq!(missing.prober(&["validate"]).code, Some(0));
    let ran = missing.prober(&["run", "good"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
