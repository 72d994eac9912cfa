use std::collections::BTreeMap;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Reason;
use model::time::SystemClock;
use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::servers::Python;
use testkit::wait;

use super::*;
use crate::Delivery;
use crate::sample::{event, origin, surroundings};

const TOPIC: &str = "prober.runs.v1";

fn exporter(given: &[(&'static str, &str)]) -> Box<dyn Exporter> {
    let (_, around) = surroundings(Arc::new(SystemClock), &[]);
    let settings = KIND.compile(given.iter().copied()).unwrap().with_secrets(|_| Some("hush")).unwrap();
    (KIND.build)(&settings, &around).unwrap()
}

fn batch(scenario: &str, seconds: std::ops::Range<u64>) -> Vec<Arc<SliEvent>> {
    let origin = origin(scenario);
    seconds.map(|second| Arc::new(event(&origin, second, Reason::Failed))).collect()
}

/// The brokers of a mock cluster.
fn brokers(cluster: &Python) -> String {
    let first = wait::some_blocking("the brokers' addresses", Duration::from_secs(20), || {
        cluster.lines().into_iter().find(|line| line.starts_with("{\"brokers\""))
    });
    serde_json::from_str::<Value>(&first).unwrap()["brokers"].as_str().unwrap().to_owned()
}

/// The records that its consumer has read, once there are `count`.
fn records(cluster: &Python, count: usize) -> Vec<Value> {
    wait::some_blocking("the records", Duration::from_secs(30), || {
        let lines = cluster.lines();
        let values = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let records: Vec<_> = values.filter(|value| value.get("key").is_some()).collect();
        (records.len() >= count).then_some(records)
    })
}

#[tokio::test]
async fn librdkafka_reads_every_event_in_the_order_of_its_stream() {
    let cluster = Python::kafka(TOPIC);
    let brokers = brokers(&cluster);
    let mut exporter = exporter(&[("brokers", &brokers)]);
    let names = ["shop", "cart", "search", "a/b é"];
    let mut sent = 0;
    for seconds in [0..1, 1..40, 40..400] {
        let events: Vec<_> = names.iter().flat_map(|name| batch(name, seconds.clone())).collect();
        assert_eq!(exporter.deliver(&events).await, Delivery::Done);
        sent += events.len();
    }
    let records = records(&cluster, sent);
    assert_eq!(records.len(), sent);
    let mut streams = BTreeMap::<String, Vec<SliEvent>>::new();
    for record in &records {
        let event = SliEvent::from_json(record["value"].as_str().unwrap()).unwrap();
        let headers = &record["headers"];
        assert_eq!(headers["ce_id"], format!("{}.0", event.slot.id));
        assert_eq!(
            (&headers["ce_specversion"], &headers["ce_type"]),
            (&"1.0".into(), &"io.prober.run.v1".into())
        );
        assert_eq!(
            (&headers["ce_partitionkey"], &headers["content-type"]),
            (&record["key"], &"application/json".into())
        );
        assert_eq!(record["timestamp"], event.recorded.as_millis());
        streams.entry(record["key"].as_str().unwrap().to_owned()).or_default().push(event);
    }
    assert_eq!(streams.keys().collect::<Vec<_>>(), ["a/b é/eu", "cart/eu", "search/eu", "shop/eu"]);
    for (stream, events) in &streams {
        assert!(events.is_sorted_by(|one, next| one.slot.scheduled < next.slot.scheduled), "{stream}");
        let partitions: std::collections::BTreeSet<_> = records
            .iter()
            .filter(|record| record["key"] == **stream)
            .map(|record| record["partition"].as_u64())
            .collect();
        assert_eq!(partitions.len(), 1, "{stream}");
    }
    let source = &records.iter().find(|record| record["key"] == "a/b é/eu").unwrap()["headers"]["ce_source"];
    assert_eq!(source, "/a%2Fb%20%C3%A9/eu");
}

#[tokio::test]
async fn one_broker_that_answers_is_enough_and_none_is_waited_for() {
    let cluster = Python::kafka(TOPIC);
    let alive = brokers(&cluster);
    let dead = format!("127.0.0.1:{}", wait::free_port());
    let mut some = exporter(&[("brokers", &format!("{dead}, {alive}"))]);
    assert_eq!(some.deliver(&batch("shop", 0..3)).await, Delivery::Done);
    let mut none = exporter(&[("brokers", &dead)]);
    let Delivery::Retry { why, .. } = none.deliver(&batch("shop", 0..3)).await else {
        panic!("stored by nobody")
    };
    assert!(why.contains(&dead), "{why}");
    assert_eq!(records(&cluster, 3).len(), 3);
}

#[tokio::test]
async fn hostile_brokers_are_waited_for_in_time() {
    let faults = [
        Fault::HalfOpen,
        Fault::CloseOnAccept,
        Fault::ResetAfterRequest,
        Fault::Flood(vec![0xff; 1_000]),
        Fault::Flood(vec![0; 1_000]),
        Fault::Answer(vec![0, 0, 0, 4, 0, 0, 0, 1]),
        // An answer to the first request whose lists never end.
        Fault::Answer([&[0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0][..], &[0x7f, 0xff, 0xff, 0xff]].concat()),
    ];
    for fault in faults {
        let hostile = Hostile::start(fault.clone());
        let brokers = hostile.addr().to_string();
        for tls in ["false", "true"] {
            let mut exporter = exporter(&[("brokers", &brokers), ("timeout", "500ms"), ("tls", tls)]);
            let events = batch("shop", 0..1);
            let delivery = tokio::time::timeout(Duration::from_secs(20), exporter.deliver(&events)).await;
            assert!(matches!(delivery, Ok(Delivery::Retry { .. })), "{fault:?}: {delivery:?}");
        }
    }
}

#[test]
fn settings_that_cannot_be_used_are_said() {
    let (_, around) = surroundings(Arc::new(SystemClock), &[]);
    for (given, expected) in [
        (&[("brokers", "a:b")][..], "`a:b` is no host and port"),
        (&[("brokers", "a, ,b")], "is no host and port"),
        (&[("brokers", "a"), ("topic", "a b")], "`a b` is no name of a topic"),
        (&[("brokers", "a"), ("user", "a")], "belong together"),
        (&[("brokers", "a"), ("user", "a"), ("password", "${secrets.x}")], "in TLS only"),
    ] {
        let settings = KIND.compile(given.iter().copied()).unwrap().with_secrets(|_| Some("hush")).unwrap();
        let error = (KIND.build)(&settings, &around).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(seed("[::1]:9093"), Some(("::1".to_owned(), 9093)));
    assert_eq!(seed("kafka.example"), Some(("kafka.example".to_owned(), PORT)));
    assert_eq!(seed(""), None);
}
