use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Failure, FailureClass, Reason};
use model::step::{AttemptRecord, StepRecord, StepState};
use model::time::{Clock, SystemClock};
use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki};
use testkit::servers::Python;

use super::signal::Signal::{Logs, Metrics, Traces};
use super::*;
use crate::Delivery;
use crate::sample::{event, info, origin, surroundings};

fn exporter(given: &[(&'static str, &str)]) -> Box<dyn Exporter> {
    let (_, around) = surroundings(Arc::new(SystemClock), &[info("shop")]);
    let settings = KIND.compile(given.iter().copied()).unwrap().with_secrets(|_| Some("hush")).unwrap();
    (KIND.build)(&settings, &around).unwrap()
}

/// A bad run of three steps: one that passed at its second attempt, one that failed, and one that was skipped.
fn bad() -> Arc<SliEvent> {
    let mut one = event(&origin("shop"), 7, Reason::Failed);
    let now = SystemClock.now();
    (one.started, one.finished, one.recorded) =
        (Some(now), Some(now.plus(Duration::from_millis(200))), now.plus(Duration::from_millis(201)));
    let failure = Failure::new(FailureClass::Incorrect, "assert.status", "503 is not 200");
    let step = |name: &str, state| StepRecord {
        start: Duration::from_millis(100),
        ..StepRecord::new(name.into(), "http", state)
    };
    one.outcome.steps[0].attempts.push(AttemptRecord {
        start: Duration::ZERO,
        duration: Duration::from_millis(10),
        failure: failure.clone(),
        hops: Vec::new(),
    });
    let attributes = &mut one.outcome.steps[0].attributes;
    attributes.set("url.full", "https://shop.example/");
    attributes.set("http.response.status_code", 200_i64);
    attributes.set("dns.answers", vec!["192.0.2.1".to_owned()]);
    one.outcome.steps.push(StepRecord { failure: Some(failure.clone()), ..step("pay", StepState::Failed) });
    one.outcome.steps.push(step("thank", StepState::Skipped));
    one.outcome.failure = Some(Failure { step: "pay".into(), ..failure });
    one.outcome.main = Some(1);
    Arc::new(one)
}

fn good() -> Arc<SliEvent> {
    let mut one = event(&origin("shop"), 8, Reason::Ok);
    one.recorded = SystemClock.now();
    Arc::new(one)
}

fn missed() -> Arc<SliEvent> {
    let mut one = event(&origin("shop"), 9, Reason::Late);
    one.recorded = SystemClock.now();
    Arc::new(one)
}

fn got(collector: &Python, signal: &str) -> Vec<Value> {
    let lines = collector.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    lines.filter(|line| line["signal"] == signal).collect()
}

/// The items below the one scope of each request.
fn items(requests: &[Value], places: [&str; 3]) -> Vec<Value> {
    let [of_resource, of_scope, of_item] = places;
    let scopes = requests.iter().map(|request| &request["message"][of_resource][0][of_scope][0]);
    scopes.flat_map(|scope| scope[of_item].as_array().unwrap().clone()).collect()
}

/// Attributes as a map of plain values.
fn attributes(of: &Value) -> std::collections::BTreeMap<String, Value> {
    let pairs = of["attributes"].as_array().cloned().unwrap_or_default();
    let plain = |value: &Value| value.as_object().unwrap().values().next().cloned().unwrap_or_default();
    pairs.iter().map(|pair| (pair["key"].as_str().unwrap().to_owned(), plain(&pair["value"]))).collect()
}

/// What a collector got of a good, a bad and a missed slot, whatever the protocol.
fn check(collector: &Python) {
    let events = [good(), bad(), missed()];
    let logs = items(&got(collector, "logs"), ["resource_logs", "scope_logs", "log_records"]);
    assert_eq!(logs.len(), 3);
    let (fine, failed) = (&logs[0], &logs[1]);
    assert_eq!((&fine["severity_text"], &failed["severity_text"]), (&"INFO".into(), &"ERROR".into()));
    assert_eq!(failed["event_name"], "prober.run");
    assert_eq!(failed["trace_id"], events[1].slot.id.to_string());
    assert_eq!(fine["time_unix_nano"], events[0].slot.scheduled.as_nanos().to_string());
    assert!(logs[2].get("trace_id").is_none(), "no run, no trace");
    assert!(failed["body"]["string_value"].as_str().unwrap().contains("assert.status 503 is not 200"));
    let facts = attributes(failed);
    assert_eq!(facts["prober.target.service"], "shop");
    assert_eq!(facts["error.type"], "assert.status");
    assert_eq!(facts["prober.run.attempt"], "0");
    assert!(!facts.contains_key("service.name") && facts.contains_key("prober.steps"), "{facts:?}");
    let resource = &got(collector, "logs")[0]["message"]["resource_logs"][0]["resource"];
    let about = attributes(resource);
    assert_eq!((&about["service.name"], &about["service.instance.id"]), (&"prober".into(), &"p1".into()));
    assert_eq!(about["deployment.environment.name"], "test");
    spans(collector, &events[1]);
    metrics(collector);
}

fn spans(collector: &Python, bad: &SliEvent) {
    let all = items(&got(collector, "traces"), ["resource_spans", "scope_spans", "spans"]);
    let trace = bad.slot.id.to_string();
    let spans: Vec<_> = all.iter().filter(|span| span["trace_id"] == trace).collect();
    assert_eq!(spans.len(), 4, "root, two attempts of the first step, and the second: {spans:?}");
    let root = spans[0];
    let hex = format!("{:016x}", u64::from_be_bytes(bad.slot.id.root_span()));
    assert_eq!((&root["span_id"], &root["kind"]), (&hex.as_str().into(), &"SPAN_KIND_INTERNAL".into()));
    assert!(root.get("parent_span_id").is_none());
    assert_eq!(root["status"]["code"], "STATUS_CODE_ERROR");
    for child in &spans[1..] {
        assert_eq!(
            (&child["parent_span_id"], &child["kind"]),
            (&root["span_id"], &"SPAN_KIND_CLIENT".into())
        );
    }
    let (earlier, last) = (spans[1], spans[2]);
    assert_eq!(last["links"][0]["span_id"], earlier["span_id"]);
    assert!(last.get("status").is_none(), "it passed in the end");
    assert_eq!(last["events"].as_array().unwrap().len(), 3, "three phases");
    assert_eq!(attributes(last)["http.response.status_code"], "200");
    assert_eq!(
        (&spans[3]["name"], &spans[3]["status"]["message"]),
        (&"pay".into(), &"503 is not 200".into())
    );
    let good = all.iter().find(|span| span["trace_id"] != trace).unwrap();
    assert!(good.get("status").is_none());
}

fn metrics(collector: &Python) {
    let requests = got(collector, "metrics");
    let all = items(&requests, ["resource_metrics", "scope_metrics", "metrics"]);
    let named = |name: &str| all.iter().filter(|metric| metric["name"] == name).collect::<Vec<_>>();
    let bad = named("prober.sli.bad.events").last().copied().unwrap()["sum"].clone();
    assert_eq!(bad["is_monotonic"], true);
    assert_eq!(bad["aggregation_temporality"], "AGGREGATION_TEMPORALITY_CUMULATIVE");
    let last = bad["data_points"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["as_int"], "1");
    assert_eq!(attributes(&last)["slo"], "shop");
    assert!(last["start_time_unix_nano"].as_str() <= last["time_unix_nano"].as_str());
    let duration = named("prober.run.duration")[0].clone();
    assert_eq!(duration["unit"], "s");
    let points = duration["histogram"]["data_points"].as_array().unwrap();
    let point = points.last().unwrap();
    assert_eq!(point["count"], "2");
    let counts: Vec<u64> = point["bucket_counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| count.as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (15, 2));
    assert_eq!(point["explicit_bounds"].as_array().unwrap().len(), 14);
    let failures = named("prober.run.failures");
    let exemplar = failures
        .iter()
        .flat_map(|metric| metric["sum"]["data_points"].as_array().unwrap())
        .find_map(|point| point.get("exemplars"));
    assert_eq!(exemplar.unwrap()[0]["trace_id"], self::bad().slot.id.to_string());
    assert!(!named("prober.build.info").is_empty(), "the process' own");
}

#[tokio::test]
async fn a_collector_understands_all_of_it_over_http() {
    let collector = Python::otlp_http();
    let url = format!("http://{}/", collector.addr());
    let mut exporter = exporter(&[
        ("url", &url),
        ("resource", "deployment.environment.name: test"),
        ("headers", "x-tenant: ${secrets.tenant}"),
    ]);
    assert_eq!(exporter.deliver(&[good(), bad(), missed()]).await, Delivery::Done);
    check(&collector);
    for line in collector.lines() {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["headers"]["x-tenant"], &line["headers"]["content-encoding"]),
            (&"hush".into(), &"gzip".into())
        );
    }
}

#[tokio::test]
async fn a_collector_understands_all_of_it_over_grpc() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    for (identity, scheme, gzip) in [(None, "http", "true"), (Some(&identity), "https", "false")] {
        let collector = Python::otlp_grpc(identity);
        let url = format!("{scheme}://{}", collector.addr());
        let ca = pki.root_file();
        let mut exporter = exporter(&[
            ("url", &url),
            ("protocol", "grpc"),
            ("gzip", gzip),
            ("ca", ca.to_str().unwrap()),
            ("resource", "deployment.environment.name: test"),
        ]);
        assert_eq!(exporter.deliver(&[good(), bad(), missed()]).await, Delivery::Done);
        check(&collector);
    }
}

#[tokio::test]
async fn what_is_partly_taken_is_counted_and_never_sent_again() {
    for grpc in [false, true] {
        let collector = if grpc { Python::otlp_grpc(None) } else { Python::otlp_http() };
        let url = format!("http://{}", collector.addr());
        let protocol = if grpc { "grpc" } else { "http" };
        let mut exporter = exporter(&[
            ("url", &url),
            ("protocol", protocol),
            ("signals", "logs"),
            ("headers", "x-say: partial:2"),
        ]);
        let delivery = exporter.deliver(&[good(), bad(), missed()]).await;
        let Delivery::Part { dropped: 0, refused: 2, why } = delivery else { panic!("{delivery:?}") };
        assert!(why.contains("no roomfor them"), "{why}");
        assert_eq!(collector.lines().len(), 1);
    }
}

#[tokio::test]
async fn only_what_may_pass_is_tried_again() {
    let cases = [
        ("http", "503", true),
        ("http", "429", true),
        ("http", "502", true),
        ("http", "504", true),
        ("http", "500", false),
        ("http", "400", false),
        ("http", "401", false),
        ("grpc", "14", true),
        ("grpc", "4", true),
        ("grpc", "8", false),
        ("grpc", "3", false),
        ("grpc", "13", false),
    ];
    let (http, grpc) = (Python::otlp_http(), Python::otlp_grpc(None));
    for (protocol, status, again) in cases {
        let collector = if protocol == "grpc" { &grpc } else { &http };
        let url = format!("http://{}", collector.addr());
        let say = format!("x-say: once:{status}");
        let mut exporter =
            exporter(&[("url", &url), ("protocol", protocol), ("signals", "logs"), ("headers", &say)]);
        let before = collector.lines().len();
        match exporter.deliver(&[bad(), good()]).await {
            Delivery::Retry { after, why } => {
                assert!(again && why.contains("not now"), "{protocol} {status}: {why}");
                assert_eq!(after, (protocol == "http").then(|| Duration::from_secs(7)));
                assert_eq!(exporter.deliver(&[bad(), good()]).await, Delivery::Done);
                let lines = got(collector, "logs");
                let [.., first, second] = &lines[..] else { panic!("two requests") };
                assert_eq!(first["message"], second["message"]);
            }
            Delivery::Part { dropped: 2, refused: 2, why } => {
                assert!(!again && why.contains("not now"), "{protocol} {status}: {why}");
                assert_eq!(collector.lines().len(), before + 1);
            }
            other => panic!("{protocol} {status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn hostile_collectors_are_waited_for_in_time() {
    let faults = [
        Fault::HalfOpen,
        Fault::ResetAfterRequest,
        Fault::EndlessHeaders,
        Fault::Drip(Duration::from_millis(50)),
        Fault::Garbage,
        Fault::TlsGarbage,
    ];
    for protocol in ["http", "grpc"] {
        for fault in &faults {
            let hostile = Hostile::start(fault.clone());
            let url = format!("http://{}", hostile.addr());
            let mut exporter = exporter(&[("url", &url), ("protocol", protocol), ("timeout", "300ms")]);
            let delivery = tokio::time::timeout(Duration::from_secs(20), exporter.deliver(&[good()])).await;
            assert!(matches!(delivery, Ok(Delivery::Retry { .. })), "{protocol} {fault:?}: {delivery:?}");
        }
    }
    // An answer without end is read as far as it may be, and is a success all the same.
    let endless = Hostile::start(Fault::EndlessBody);
    let url = format!("http://{}", endless.addr());
    assert_eq!(exporter(&[("url", &url), ("signals", "logs")]).deliver(&[good()]).await, Delivery::Done);
    // A redirect is not followed: what would be sent may be secret.
    let (here, there) = (Server::start(), Server::start());
    here.on("/v1/logs", Reply::redirect(307, &there.url("/v1/logs")));
    let delivery = exporter(&[("url", &here.url("")), ("signals", "logs")]).deliver(&[good()]).await;
    assert!(matches!(delivery, Delivery::Part { dropped: 1, .. }), "{delivery:?}");
    assert!(there.seen().is_empty());
}

#[test]
fn the_environment_is_understood() {
    let env = |name: &str| {
        let value = match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://collector:4318/base",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" => "http://logs:9999/as/it/stands",
            "OTEL_EXPORTER_OTLP_HEADERS" => "api-key=a%20b%3D,x=y",
            "OTEL_EXPORTER_OTLP_TIMEOUT" => "2500",
            "OTEL_EXPORTER_OTLP_COMPRESSION" => "none",
            "OTEL_RESOURCE_ATTRIBUTES" => "service.name=mine,a=b",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let settings = KIND.compile([]).unwrap().with_secrets(|_| None).unwrap();
    let plain = settings.clone();
    let settings = settings.with_env(KIND.keys, &env).unwrap();
    let url = |settings: &Settings, signal: signal::Signal, grpc| signal.url(settings, grpc).to_string();
    assert_eq!(url(&settings, Traces, false), "http://collector:4318/base/v1/traces");
    assert_eq!(url(&settings, Logs, false), "http://logs:9999/as/it/stands");
    assert_eq!(url(&plain, Metrics, false), "http://localhost:4318/v1/metrics");
    assert_eq!(
        url(&plain, Metrics, true),
        "http://localhost:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    );
    assert_eq!(settings.pairs("headers"), [("api-key", "a b="), ("x", "y")]);
    assert_eq!(settings.duration("timeout"), Duration::from_millis(2_500));
    assert!(!settings.bool("gzip") && !format!("{settings:?}").contains("a b="));
    let wrong = |name: &str| (name == "OTEL_EXPORTER_OTLP_PROTOCOL").then(|| "http/json".to_owned());
    assert!(plain.with_env(KIND.keys, &wrong).unwrap_err().contains("OTEL_EXPORTER_OTLP_PROTOCOL"));
}
