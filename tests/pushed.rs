//! Exporters that push, through the whole program: to real receivers all of it, and hostile ones delay nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Seen, Server};
use testkit::servers::{Nats, NatsSetup, Prometheus, Python};
use testkit::wait;

use crate::support::{Project, Serving, text};

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
    let stored: BTreeSet<String> = ran.out.lines().map(id).collect();
    assert_eq!(nats.count("RUNS"), stored.len() as u64, "each once: repetitions are known by their id");
    let mut logged = BTreeSet::new();
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
    let count = |seen: &Seen| {
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

/// The ids of the slots in a request to a webhook.
fn slots(seen: &Seen) -> Vec<String> {
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    let events = body["data"]["events"].as_array().unwrap();
    events.iter().map(|event| text(event, "prober.slot.id").to_owned()).collect()
}

/// The ids of all slots that a webhook of ours was told of.
fn told(server: &Server, path: &str) -> BTreeSet<String> {
    server.seen().iter().filter(|seen| seen.path == path).flat_map(slots).collect()
}

/// A prober whose exporters change while it runs.
struct Changing {
    project: Project,
    serving: Serving,
}

impl Changing {
    /// Writes other exporters into the project's file and asks for a reload.
    fn reload(&self, exporters: &str, wanted: &str) -> Value {
        let file = std::fs::read_to_string(self.project.path("prober.yaml")).unwrap();
        let (head, rest) = file.split_once("exporters:\n").unwrap();
        let rest: Vec<_> = rest.lines().filter(|line| !line.starts_with("  - ")).collect();
        self.project.write("prober.yaml", &format!("{head}exporters:\n{exporters}{}\n", rest.join("\n")));
        let api = self.serving.api();
        let before = api.json("/api/v1/reload-state")["at"].clone();
        self.serving.signal(Signal::HUP);
        let state = wait::some_blocking("the reload", PATIENCE, || {
            let state = api.json("/api/v1/reload-state");
            (state["at"] != before).then_some(state)
        });
        assert_eq!(state["state"], wanted, "{state:#}");
        state
    }

    /// Events that a sink has sent; `None` if there is no such sink.
    fn sent(&self, sink: &str) -> Option<f64> {
        let series = format!("prober_export_sent_events_total{{sink=\"{sink}\"}} ");
        let page = self.serving.api().get("/metrics");
        page.lines().find_map(|line| line.strip_prefix(series.as_str())?.parse().ok())
    }
}

#[test]
fn a_reload_exchanges_exporters_and_loses_nothing() {
    let (server, first, second) = (Server::start(), Server::start(), Server::start());
    // The first one takes events only as long as it is there.
    let (there, taken) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(BTreeSet::new())));
    let (is_there, takes) = (Arc::clone(&there), Arc::clone(&taken));
    first.on_request("/hook", move |seen| {
        if !is_there.load(Ordering::SeqCst) {
            return Reply::status(503);
        }
        takes.lock().unwrap().extend(slots(seen));
        Reply::status(204)
    });
    second.on("/hook", Reply::status(204));
    second.on("/new", Reply::status(204));
    let hook = |url: &str| format!("  - webhook: {{ url: \"{url}\", linger: 100ms }}\n");
    let files = "  - ndjson: { directory: out }\n";
    let project = project(&server, &format!("{}{files}", hook(&first.url("/hook"))));
    let prober = Changing { serving: project.serve(), project };
    let known = |path: &str| told(&second, path).len();
    wait::until_blocking("the first receiver", PATIENCE, || taken.lock().unwrap().len() >= 4);
    // It is gone, and while events wait for it another one takes its place.
    there.store(false, Ordering::SeqCst);
    wait::until_blocking("events wait", PATIENCE, || prober.serving.err().contains("export fails"));
    let before = prober.sent("webhook").unwrap();
    prober.reload(&format!("{}{files}", hook(&second.url("/hook"))), "loaded");
    wait::until_blocking("the second receiver", PATIENCE, || known("/hook") >= 4);
    wait::until_blocking("its counters go on", PATIENCE, || prober.sent("webhook") >= Some(before + 4.0));
    let err = prober.serving.err();
    assert!(err.contains("sink=\"webhook\"") && !err.contains("sink=\"ndjson\""), "one was touched: {err}");
    // What cannot be used is refused, and what runs goes on.
    let wrong = format!("  - webhook: {{ url: \"{}\", ca: nowhere.pem }}\n", second.url("/hook"));
    let state = prober.reload(&wrong, "failed");
    assert!(text(&state, "diagnostics").contains("nowhere.pem"), "{state:#}");
    let count = known("/hook");
    wait::until_blocking("it goes on", PATIENCE, || known("/hook") >= count + 2);
    // One is taken away and one is new.
    prober.reload(&[hook(&second.url("/hook")), hook(&second.url("/new"))].concat(), "loaded");
    wait::until_blocking("the new one", PATIENCE, || known("/new") >= 2);
    assert!(prober.sent("ndjson").is_none() && prober.sent("webhook-2").is_some());
    let (code, err) = prober.serving.stop();
    assert_eq!(code, Some(0), "{err}");
    let ran = prober.project.prober(&["events", "-n", "100000", "--format", "jsonl"]);
    let id = |line: &str| text(&serde_json::from_str(line).unwrap(), "prober.slot.id").to_owned();
    let stored: BTreeSet<String> = ran.out.lines().map(id).collect();
    let mut taken = taken.lock().unwrap().clone();
    taken.extend(told(&second, "/hook"));
    let lost: Vec<_> = stored.difference(&taken).collect();
    assert!(lost.is_empty(), "{lost:?}\n{err}");
}

#[test]
fn a_prometheus_that_was_gone_for_a_while_has_all_of_it_and_once() {
    let (server, mut prometheus) = (Server::start(), Prometheus::receiver());
    let url = format!("http://{}/api/v1/write", prometheus.addr());
    let project =
        project(&server, &format!("  - remote_write: {{ url: \"{url}\", linger: 100ms, timeout: 1s }}\n"));
    let serving = project.serve();
    let api = serving.api();
    let bad = r#"prober_sli_bad_events_total{slo="bad"}"#;
    wait::until_blocking("the first samples", PATIENCE, || asked(&prometheus, bad) >= Some(2.0));
    prometheus.stop();
    let before = api.events("verdict=bad").len();
    api.until_events("verdict=bad", before + 15);
    assert!(serving.err().contains("export fails"), "{}", serving.err());
    prometheus.start_again();
    let known = || api.events("verdict=bad").len() as f64;
    wait::until_blocking("the backlog", PATIENCE, || {
        let at_least = known();
        wait::some_blocking("a value", PATIENCE, || asked(&prometheus, bad)) >= at_least - 2.0
            && asked(&prometheus, r#"prober_export_queue_length{sink="remote_write"}"#).is_some()
    });
    // As it happened: the samples of the time without a receiver are there, in their order, and never shrink.
    let answer: Value = serde_json::from_str(&prometheus.query(&format!("{bad}[10m]"))).unwrap();
    let values = answer["data"]["result"][0]["values"].as_array().unwrap().clone();
    let numbers: Vec<f64> = values.iter().map(|pair| pair[1].as_str().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.len() >= 3, "{numbers:?}");
    let times: Vec<f64> = values.iter().map(|pair| pair[0].as_f64().unwrap()).collect();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(gap < 15.0, "every ten seconds at least: {times:?}");
    assert_eq!(asked(&prometheus, &format!("resets({bad}[10m])")), Some(0.0));
    let page = api.get("/metrics");
    for metric in ["prober_export_dropped_events_total", "prober_export_refused_items_total"] {
        assert!(page.contains(&format!("{metric}{{sink=\"remote_write\"}} 0\n")), "{page}");
    }
    assert_eq!(serving.stop().0, Some(0));
}
