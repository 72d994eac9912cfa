use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::outcome::Reason;
use model::time::{Clock, SystemClock, Timestamp};
use testkit::http::{Reply, Seen, Server};
use testkit::servers::{Prometheus, Python};
use tokio::sync::watch;

use super::rows::STALE;
use crate::Delivery;
use crate::prometheus::StreamInfo;
use crate::proto::{Field, fields, text_of};
use crate::sample::{event, info, origin, surroundings};

use super::*;

/// A clock that may be ahead of the machine's, wall and monotonic one apart.
#[derive(Default)]
struct Shifted(Mutex<Duration>);

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(*self.0.lock().unwrap())
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}

struct Desk {
    clock: Arc<Shifted>,
    tell: watch::Sender<Arc<[StreamInfo]>>,
    exporter: Box<dyn Exporter>,
}

impl Desk {
    fn new(url: &str, more: &[(&str, &str)]) -> Self {
        Self::ahead(Duration::ZERO, url, more)
    }

    fn ahead(by: Duration, url: &str, more: &[(&str, &str)]) -> Self {
        let clock = Arc::new(Shifted(Mutex::new(by)));
        let (tell, around) =
            surroundings(Arc::clone(&clock) as Arc<dyn Clock>, &[info("shop"), info("other")]);
        let given = [("url", url)].into_iter().chain(more.iter().copied());
        let settings = KIND.compile(given).unwrap().with_secrets(|_| Some("hush")).unwrap();
        Self { clock, tell, exporter: (KIND.build)(&settings, &around).unwrap() }
    }

    async fn deliver(&mut self, batch: &[Arc<SliEvent>]) -> Delivery {
        self.exporter.deliver(batch).await
    }
}

/// Failed runs of `shop`, one each second of `seconds` ago.
fn batch(seconds: std::ops::RangeInclusive<u64>) -> Vec<Arc<SliEvent>> {
    let (shop, now) = (origin("shop"), SystemClock.now());
    seconds
        .rev()
        .map(|ago| {
            let mut one = event(&shop, 100_000 - ago, Reason::Failed);
            one.recorded = now.minus(Duration::from_secs(ago));
            Arc::new(one)
        })
        .collect()
}

/// A sample as a receiver sees it.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    labels: Vec<(String, String)>,
    value: f64,
    at: i64,
}

impl Got {
    fn is(&self, name: &str) -> bool {
        self.label("__name__") == Some(name)
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn inner(bytes: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(bytes).filter_map(move |(known, field)| match field {
        Field::Bytes(inner) if known == number => Some(inner),
        _ => None,
    })
}

fn samples(series: &[u8], labels: &[(String, String)]) -> Vec<Got> {
    let sample = |bytes: &[u8]| {
        let mut got = Got { labels: labels.to_vec(), value: 0.0, at: 0 };
        for field in fields(bytes) {
            match field {
                (1, Field::Fixed64(bits)) => got.value = f64::from_bits(bits),
                (2, Field::Varint(at)) => got.at = at.cast_signed(),
                _ => {}
            }
        }
        got
    };
    inner(series, 2).map(sample).collect()
}

fn message(seen: &Seen) -> Vec<u8> {
    assert_eq!(seen.header("content-encoding"), Some("snappy"));
    snap::raw::Decoder::new().decompress_vec(&seen.body).unwrap()
}

fn got(seen: &Seen) -> Vec<Got> {
    let message = message(seen);
    if seen.header("x-prometheus-remote-write-version") == Some("0.1.0") {
        assert_eq!(seen.header("content-type"), Some("application/x-protobuf"));
        let of = |series: &[u8]| {
            let label = |label: &[u8]| (text_of(label, 1).unwrap(), text_of(label, 2).unwrap());
            let labels: Vec<_> = inner(series, 1).map(label).collect();
            samples(series, &labels)
        };
        return inner(&message, 1).flat_map(of).collect();
    }
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-protobuf;proto=io.prometheus.write.v2.Request")
    );
    let symbols: Vec<_> = inner(&message, 4).map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
    assert_eq!(symbols.first().map(String::as_str), Some(""));
    let of = |series: &[u8]| {
        // Places below 128 and above are read the same way.
        let packed: Vec<u8> = inner(series, 1).flatten().copied().collect();
        let mut places = Vec::new();
        let mut place = (0_usize, 0);
        for byte in packed {
            place = (place.0 | usize::from(byte & 0x7f) << place.1, place.1 + 7);
            if byte & 0x80 == 0 {
                places.push(place.0);
                place = (0, 0);
            }
        }
        let labels: Vec<_> =
            places.chunks(2).map(|pair| (symbols[pair[0]].clone(), symbols[pair[1]].clone())).collect();
        samples(series, &labels)
    };
    inner(&message, 5).flat_map(of).collect()
}

fn all(server: &Server) -> Vec<Got> {
    server.seen().iter().flat_map(got).collect()
}

fn taken(seen: &Seen) -> Reply {
    let count = got(seen).len().to_string();
    Reply::status(204).header("x-prometheus-remote-write-samples-written", &count)
}

const BAD: &str = "prober_sli_bad_events_total";

#[tokio::test]
async fn samples_are_those_of_the_page_in_both_versions() {
    let mut pages = Vec::new();
    for protocol in ["1.0", "2.0"] {
        let server = Server::start();
        server.on_request("/w", taken);
        let more = [("protocol", protocol), ("labels", "cluster: a\nregion: never")];
        let mut desk = Desk::new(&server.url("/w"), &more);
        assert_eq!(desk.deliver(&batch(0..=0)).await, Delivery::Done);
        let page = all(&server);
        let bad: Vec<_> = page.iter().filter(|got| got.is(BAD) && got.label("slo") == Some("shop")).collect();
        assert_eq!(bad.iter().map(|got| got.value).collect::<Vec<_>>(), [0.0, 1.0], "born before it counts");
        let expected = [("cluster", "a"), ("instance", "p1"), ("job", "prober"), ("region", "eu")];
        for (name, value) in expected {
            assert_eq!(bad[0].label(name), Some(value));
        }
        assert!(page.iter().all(|got| got.labels.is_sorted_by(|one, next| one.0 < next.0)));
        assert!(page.iter().all(|got| got.labels.iter().all(|(_, value)| !value.is_empty())));
        assert!(page.iter().any(|got| got.label("slo") == Some("other")), "one without an event");
        assert!(page.iter().any(|got| got.is("prober_build_info")), "the process' own");
        pages.push(page.len());
    }
    assert_eq!(pages[0], pages[1]);
}

#[tokio::test]
async fn who_does_not_know_two_gets_one() {
    for (answer, protocol, understood) in
        [(415, "auto", true), (204, "auto", true), (415, "2.0", false), (204, "2.0", false)]
    {
        let server = Server::start();
        server.on_request("/w", move |seen| {
            let one = seen.header("x-prometheus-remote-write-version") == Some("0.1.0");
            Reply::status(if one { 204 } else { answer })
        });
        let mut desk = Desk::new(&server.url("/w"), &[("protocol", protocol)]);
        let delivery = desk.deliver(&batch(0..=0)).await;
        assert_eq!(delivery == Delivery::Done, understood, "{answer} {protocol}: {delivery:?}");
        let versions: Vec<_> = server
            .seen()
            .iter()
            .filter(|seen| !got(seen).is_empty())
            .map(|seen| seen.header("x-prometheus-remote-write-version").unwrap().to_owned())
            .collect();
        assert_eq!(versions[0], "2.0.0");
        assert!(!understood || versions[1..].iter().all(|version| version == "0.1.0"), "{versions:?}");
    }
}

#[tokio::test]
async fn one_bad_sample_loses_only_itself() {
    let server = Server::start();
    let bad = |got: &Got| got.is(BAD) && got.label("slo") == Some("shop") && (got.value - 1.0).abs() < 0.5;
    server.on_request("/w", move |seen| {
        if got(seen).iter().any(bad) { Reply::status(400).body("out of order") } else { Reply::status(204) }
    });
    let mut desk = Desk::new(&server.url("/w"), &[("protocol", "1.0")]);
    let delivery = desk.deliver(&batch(0..=0)).await;
    let Delivery::Part { dropped: 0, refused: 1, why } = delivery else { panic!("{delivery:?}") };
    assert!(why.contains("out of order"), "{why}");
    let log = server.seen();
    let taken: Vec<_> = log.iter().map(got).filter(|batch| !batch.iter().any(bad)).flatten().collect();
    let whole = log.iter().map(got).map(|batch| batch.len()).max().unwrap();
    let first: Vec<_> = log.iter().map(got).find(|batch| batch.len() == whole).unwrap();
    for sample in first.iter().filter(|got| !bad(got)) {
        assert_eq!(taken.iter().filter(|other| *other == sample).count(), 1, "{sample:?}");
    }
    assert!(log.len() < 20, "halving takes a logarithm: {}", log.len());
    assert_eq!(desk.deliver(&batch(0..=0)).await, Delivery::Done, "the next is 2");
}

#[tokio::test]
async fn nothing_is_endless_when_everything_is_refused() {
    let server = Server::start();
    server.on("/w", Reply::status(400).body("out of bounds"));
    let mut desk = Desk::new(&server.url("/w"), &[("protocol", "1.0"), ("samples_max", "10000")]);
    let delivery = desk.deliver(&batch(1..=200)).await;
    assert!(matches!(delivery, Delivery::Part { dropped: 200, refused: 500.., .. }), "{delivery:?}");
    assert!(server.seen().len() < 9_000, "{}", server.seen().len());
}

#[tokio::test]
async fn what_is_tried_again_and_what_is_not() {
    for (status, again) in
        [(500, true), (503, true), (429, true), (307, true), (401, false), (404, false), (409, false)]
    {
        let server = Server::start();
        server.on("/w", Reply::status(status).header("retry-after", "7").body("no"));
        let mut desk = Desk::new(&server.url("/w"), &[("bearer", "${secrets.token}")]);
        let events = batch(0..=0);
        match desk.deliver(&events).await {
            Delivery::Retry { after, why } => {
                assert!(again, "{status}");
                assert!(after == Some(Duration::from_secs(7)) && why.contains("no"), "{status}: {why}");
            }
            Delivery::Part { dropped: 1, refused: 1.., why } => {
                assert!(!again && why.contains("no"), "{why}");
            }
            other => panic!("{status}: {other:?}"),
        }
        assert!(server.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer hush")));
        if again {
            // The same batch again is the same bytes: the receiver knows it.
            let before = server.seen().last().unwrap().body.clone();
            desk.deliver(&events).await;
            assert_eq!(server.seen().last().unwrap().body, before);
        }
    }
}

#[tokio::test]
async fn a_clock_ahead_refuses_to_send() {
    let hour = Duration::from_hours(1);
    let server = Server::start();
    server.on("/w", Reply::status(204));
    // Ahead from the start: the receiver's clock tells.
    let mut desk = Desk::ahead(hour, &server.url("/w"), &[]);
    let mut late = (*batch(0..=0)[0]).clone();
    late.recorded = desk.clock.now();
    let events = [Arc::new(late)];
    let Delivery::Retry { why, .. } = desk.deliver(&events).await else { panic!("it was sent") };
    assert!(why.contains("s ahead of the receiver's clock"), "{why}");
    assert!(all(&server).is_empty(), "nothing with a sample in it");
    *desk.clock.0.lock().unwrap() = Duration::ZERO;
    assert!(matches!(desk.deliver(&batch(0..=0)).await, Delivery::Retry { .. }), "the first still waits");
    // A receiver that tells no time: a jump shows against the monotonic clock.
    let silent = Server::start();
    silent.on("/w", Reply::status(204).header("date", "today"));
    let mut desk = Desk::new(&silent.url("/w"), &[("protocol", "1.0")]);
    assert_eq!(desk.deliver(&batch(0..=0)).await, Delivery::Done);
    *desk.clock.0.lock().unwrap() = hour;
    let sent = all(&silent).len();
    let Delivery::Retry { why, .. } = desk.deliver(&events).await else { panic!("it was sent") };
    assert!(why.contains("gone on"), "{why}");
    assert_eq!(all(&silent).len(), sent);
}

#[tokio::test]
async fn what_waited_too_long_is_dropped_and_counted() {
    let server = Server::start();
    server.on("/w", Reply::status(204));
    let mut desk = Desk::new(&server.url("/w"), &[("protocol", "1.0"), ("drop_after", "60s")]);
    let events = [batch(100..=102), batch(1..=2)].concat();
    let delivery = desk.deliver(&events).await;
    assert!(matches!(delivery, Delivery::Part { dropped: 3, refused: 0, .. }), "{delivery:?}");
    let most = all(&server).iter().filter(|got| got.is(BAD)).map(|got| got.value).fold(0.0, f64::max);
    assert!((most - 2.0).abs() < f64::EPSILON, "{most}");
}

#[test]
fn settings_that_cannot_be_used_are_said() {
    let (_tell, around) = surroundings(Arc::new(SystemClock), &[]);
    for (more, expected) in [
        (&[("labels", "a-b: c")][..], "`a-b` is no label's name"),
        (&[("labels", "a: c\na: d")], "`a` is given twice"),
        (&[("user", "x")], "`user` and `password` belong together"),
        (&[("ca", "/nowhere.pem")], "/nowhere.pem"),
    ] {
        let given = [("url", "http://127.0.0.1:1/w")].into_iter().chain(more.iter().copied());
        let settings = KIND.compile(given).unwrap().with_secrets(|_| None).unwrap();
        let error = (KIND.build)(&settings, &around).err().expect("refused").to_string();
        assert!(error.contains(expected) && error.contains("`remote_write`"), "{error}");
    }
}

/// A real receiver, and the value of `query` there.
struct Real(Prometheus);

impl Real {
    fn url(&self) -> String {
        format!("http://{}/api/v1/write", self.0.addr())
    }

    /// The values of a query, as text.
    fn values(&self, query: &str) -> Vec<String> {
        let answer = self.0.query(query);
        let value: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let results = value["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let mut values: Vec<_> = results
            .iter()
            .map(|one| one["value"][1].as_str().map_or_else(|| one["values"].to_string(), str::to_owned))
            .collect();
        values.sort();
        values
    }

    fn bad(&self) -> Vec<String> {
        self.values(r#"prober_sli_bad_events_total{slo="shop"}"#)
    }
}

/// Writes a body to a real receiver as it was sent elsewhere.
async fn write(real: &Real, body: Vec<u8>) -> post::Answer {
    let client = post::Client::new("tests", &[]).unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("content-encoding", "snappy".parse().unwrap());
    client.post(&real.url().parse().unwrap(), headers, body.into()).await.unwrap()
}

#[tokio::test]
async fn prometheus_takes_a_backlog_of_ten_minutes_as_it_happened() {
    let real = Real(Prometheus::receiver());
    // The receiver is down for ten minutes of events: nobody listens there.
    let nobody = format!("http://127.0.0.1:{}/api/v1/write", testkit::wait::free_port());
    let events = batch(1..=600);
    let mut down = Desk::new(&nobody, &[("timeout", "1s")]);
    for part in [&events[..100], &events[..], &events[..]] {
        assert!(matches!(down.deliver(part).await, Delivery::Retry { .. }));
    }
    // And it is there again.
    let mut desk = Desk::new(&real.url(), &[]);
    assert_eq!(desk.deliver(&events).await, Delivery::Done);
    let told = || {
        assert_eq!(real.bad(), ["600"]);
        let range = r#"count_over_time(prober_sli_bad_events_total{slo="shop"}[11m])"#;
        let count: u32 = real.values(range)[0].parse().unwrap();
        assert!((60..=63).contains(&count), "as it happened, every ten seconds: {count}");
        let half = real.values(r#"prober_sli_bad_events_total{slo="shop"} offset 5m"#);
        let half: f64 = half[0].parse().unwrap();
        assert!((285.0..=360.0).contains(&half), "{half}");
        assert_eq!(real.values(r#"prober_sli_bad_events_total{slo="other"}"#), ["0"]);
    };
    told();
    // Once more from a process that knows nothing of the first: what is known is refused, and nothing is spoilt.
    let mut again = Desk::new(&real.url(), &[]);
    let delivery = again.deliver(&events).await;
    assert!(matches!(delivery, Delivery::Part { dropped: 0, .. }), "{delivery:?}");
    told();
}

#[tokio::test]
async fn prometheus_takes_every_request_twice() {
    let real = Real(Prometheus::receiver());
    let tap = Server::start();
    tap.on("/w", Reply::status(204));
    let mut desk = Desk::new(&tap.url("/w"), &[("protocol", "1.0")]);
    assert_eq!(desk.deliver(&batch(1..=60)).await, Delivery::Done);
    for seen in tap.seen() {
        // An answer that was lost: the request comes again.
        for _ in 0..2 {
            let answer = write(&real, seen.body.to_vec()).await;
            assert_eq!(answer.status, 204, "{}", answer.reason());
        }
    }
    assert_eq!(real.bad(), ["60"]);
}

#[tokio::test]
async fn prometheus_refuses_one_sample_and_takes_the_rest() {
    let real = Real(Prometheus::receiver());
    // One series is ahead of the others already: what comes for it now is out of order.
    let labels = [
        ("__name__", BAD),
        ("instance", "p1"),
        ("job", "prober"),
        ("region", "eu"),
        ("service", "shop"),
        ("slo", "shop"),
    ];
    let row = rows::Row {
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        value: 5.0,
        at: SystemClock.now(),
        about: Arc::new(rows::About {
            kind: crate::prometheus::Kind::Counter,
            help: String::new(),
            born: None,
        }),
        exemplar: None,
    };
    let body = encode::body(encode::Protocol::One, &[row]);
    let answer = write(&real, body).await;
    assert_eq!(answer.status, 204, "{}", answer.reason());
    let mut desk = Desk::new(&real.url(), &[]);
    let delivery = desk.deliver(&batch(60..=60)).await;
    let Delivery::Part { dropped: 0, refused, why } = delivery else { panic!("{delivery:?}") };
    // Its birth and its first value are both too old.
    assert!(refused == 2 && why.contains("out of order"), "{refused} {why}");
    assert_eq!(real.bad(), ["5"]);
    assert_eq!(real.values(r#"prober_sli_events_total{slo="shop"}"#), ["1"]);
    assert_eq!(
        real.values(r#"count({__name__=~"prober_.*",slo="shop"})"#),
        real.values(r#"count({__name__=~"prober_.*",slo="other"}) + 1"#)
    );
}

#[tokio::test]
async fn prometheus_forgets_a_stream_that_is_removed_and_keeps_its_present() {
    let real = Real(Prometheus::receiver());
    let mut desk = Desk::new(&real.url(), &[]);
    assert_eq!(desk.deliver(&batch(1..=3)).await, Delivery::Done);
    assert_eq!(real.bad(), ["3"]);
    // Samples of the future would spoil the server for everyone; none gets there.
    *desk.clock.0.lock().unwrap() = Duration::from_mins(90);
    let mut late = (*batch(0..=0)[0]).clone();
    late.recorded = desk.clock.now();
    assert!(matches!(desk.deliver(&[Arc::new(late)]).await, Delivery::Retry { .. }));
    *desk.clock.0.lock().unwrap() = Duration::ZERO;
    let mut desk = Desk::new(&real.url(), &[]);
    assert_eq!(desk.deliver(&batch(0..=0)).await, Delivery::Done);
    assert_eq!(real.bad(), ["1"]);
    desk.tell.send_replace(Arc::from([info("other")]));
    desk.exporter.idle().await;
    assert!(real.bad().is_empty(), "stale at once, not after five minutes");
    assert_eq!(real.values(r#"count({slo="shop"} or {scenario="shop"})"#), Vec::<String>::new());
    assert_eq!(real.values(r#"prober_sli_bad_events_total{slo="other"}"#), ["0"]);
    assert!(f64::from_bits(STALE).is_nan());
}

#[tokio::test]
async fn a_clock_ahead_does_not_spoil_a_real_prometheus() {
    let hour = Duration::from_hours(1);
    let real = Real(Prometheus::receiver());
    let mut desk = Desk::ahead(hour, &real.url(), &[]);
    let mut ahead = (*batch(0..=0)[0]).clone();
    ahead.recorded = desk.clock.now();
    let Delivery::Retry { why, .. } = desk.deliver(&[Arc::new(ahead)]).await else { panic!("it was sent") };
    assert!(why.contains("ahead of"), "{why}");
    assert_eq!(real.values("count({__name__=~\"prober_.+\"})"), Vec::<String>::new());
    // So that everyone's present is still taken.
    let mut other = Desk::new(&real.url(), &[]);
    assert_eq!(other.deliver(&batch(0..=0)).await, Delivery::Done);
    assert_eq!(real.bad(), ["1"]);
}

/// Messages of 2.0 as Google's protobuf reads them, by the published definition and the specification's demands.
#[tokio::test]
async fn two_is_what_an_independent_decoder_reads() {
    let receiver = Python::remote_write();
    let url = format!("http://{}/api/v1/write", receiver.addr());
    let more = [("protocol", "2.0"), ("labels", "cluster: a\nregion: never")];
    let mut desk = Desk::new(&url, &more);
    let began = SystemClock.now();
    assert_eq!(desk.deliver(&batch(1..=45)).await, Delivery::Done);
    let lines: Vec<serde_json::Value> =
        receiver.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line["wrong"].is_null()), "{lines:?}");
    assert_eq!(lines[0]["headers"]["content-encoding"], "snappy");
    let all: Vec<_> = lines.iter().flat_map(|line| line["series"].as_array().unwrap()).collect();
    let of = |name: &str, slo: &str| {
        let series =
            all.iter().filter(|one| one["labels"]["__name__"] == name && one["labels"]["slo"] == slo);
        series.map(|one| (*one).clone()).collect::<Vec<_>>()
    };
    let bad = of(BAD, "shop");
    let values: Vec<_> = bad.iter().flat_map(|one| one["samples"].as_array().unwrap()).collect();
    // What is 0 is not on the wire.
    let values: Vec<_> = values.iter().map(|one| one["value"].as_f64().unwrap_or(0.0)).collect();
    assert_eq!((values.first(), values.last()), (Some(&0.0), Some(&45.0)), "{values:?}");
    assert!(values.is_sorted(), "{values:?}");
    assert_eq!(bad[0]["metadata"]["type"], "METRIC_TYPE_COUNTER");
    assert_eq!((&bad[0]["help"], &bad[0]["labels"]["cluster"]), (&"Bad events.".into(), &"a".into()));
    assert_eq!(bad[0]["labels"]["region"], "eu");
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let born = number(&bad[0]["created_timestamp"]);
    let age = began.as_millis() - born;
    assert!((44_000..=60_000).contains(&age), "as old as its first event: {age} ms");
    assert!(bad.iter().all(|one| number(&one["created_timestamp"]) == born), "and it stays so");
    let gauge = of("prober_sli_consecutive_bad_events", "shop");
    assert_eq!(gauge[0]["metadata"]["type"], "METRIC_TYPE_GAUGE");
    assert!(gauge[0]["created_timestamp"].is_null(), "a gauge is not created: {}", gauge[0]);
    let traces = all.iter().filter_map(|one| one["exemplars"].as_array()).flatten();
    assert!(traces.count() >= 1, "a failure has a run to look at");
    // The receiver says what is wrong, so that it can find something.
    let client = post::Client::new("tests", &[]).unwrap();
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("content-encoding", "snappy"),
        ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        ("x-prometheus-remote-write-version", "2.0.0"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    // One sample of a series without a name: field 5 with field 2 in it.
    let body = snap::raw::Encoder::new().compress_vec(&[0x22, 0, 0x2a, 2, 0x12, 0]).unwrap();
    let answer = client.post(&url.parse().unwrap(), headers, body.into()).await.unwrap();
    assert_eq!(answer.status, 400);
}
