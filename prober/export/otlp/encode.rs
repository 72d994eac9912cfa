//! The messages of the OpenTelemetry protocol, pure: events and samples → protobuf.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto>, by field numbers; decoded by the published package in
//! the tests. The monitored service is `prober.target.service`, since `service.name` is the prober's own.

use std::collections::BTreeMap;

use model::event::SliEvent;
use model::outcome::Verdict;
use model::time::Timestamp;
use serde_json::Value;

use super::names::named;
use crate::prometheus::Kind;
use crate::prometheus::read::{Family, Sample};
use crate::proto::Message;
use crate::sampler::Snapshot;

/// `INFO` and `ERROR` of `SeverityNumber`.
const INFO: u64 = 9;
const ERROR: u64 = 17;
/// The lowest bit of flags: sampled, in records and spans.
const SAMPLED: u32 = 1;
/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: u64 = 2;
/// The point says that there is no value any more.
const NO_VALUE: u64 = 1;

/// The `Resource` that everything comes from.
pub(super) fn resource(attributes: &[(String, String)]) -> Vec<u8> {
    let mut resource = Message::default();
    for (name, value) in attributes {
        resource.message(1, |pair| text_pair(pair, name, value));
    }
    resource.into_bytes()
}

/// An export request of any signal: the items, below one scope of one resource.
pub(super) fn request<'a>(
    resource: &[u8],
    version: &str,
    items: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |of_resource| {
        of_resource.bytes_always(1, resource);
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.text(1, "prober");
                scope.text(2, version);
            });
            items.into_iter().for_each(|item| of_scope.bytes_always(2, item));
        });
    });
    request.into_bytes()
}

pub(super) fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(0)
}

fn pair(message: &mut Message, name: &str, fill: impl FnOnce(&mut Message)) {
    message.text(1, name);
    message.message(2, fill);
}

pub(super) fn text_pair(message: &mut Message, name: &str, value: &str) {
    pair(message, name, |any| any.bytes_always(1, value.as_bytes()));
}

/// `AnyValue`
fn any(message: &mut Message, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => message.int_always(2, i64::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => message.int_always(3, whole),
            None => message.double_always(4, number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => message.bytes_always(1, text.as_bytes()),
        Value::Array(items) => message.message(5, |list| {
            for item in items {
                list.message(1, |inner| any(inner, item));
            }
        }),
        Value::Object(entries) => message.message(6, |map| {
            for (name, value) in entries {
                map.message(1, |entry| pair(entry, name, |inner| any(inner, value)));
            }
        }),
    }
}

/// One `LogRecord` for an event: all of its fields.
pub(super) fn record(event: &SliEvent) -> Vec<u8> {
    let mut record = Message::default();
    let bad = event.verdict() == Verdict::Bad;
    record.fixed64(1, nanos(event.slot.scheduled));
    record.fixed64(11, nanos(event.recorded));
    record.uint(2, if bad { ERROR } else { INFO });
    record.text(3, if bad { "ERROR" } else { "INFO" });
    record.message(5, |body| body.bytes_always(1, sentence(event).as_bytes()));
    if let Value::Object(fields) = event.to_value() {
        for (name, value) in &fields {
            let name = match name.as_str() {
                // They have places of their own.
                "trace_id" | "span_id" => continue,
                "service.name" => super::TARGET_SERVICE,
                other => other,
            };
            record.message(6, |attribute| pair(attribute, name, |inner| any(inner, value)));
        }
    }
    if event.started.is_some() {
        record.fixed32(8, SAMPLED);
        record.bytes(9, event.slot.id.as_bytes());
        record.bytes(10, &event.slot.id.root_span());
    }
    record.text(12, "prober.run");
    record.into_bytes()
}

/// What came of the slot, for people.
fn sentence(event: &SliEvent) -> String {
    let (stream, outcome) = (&event.origin.stream, &event.outcome);
    let start = format!("{stream} {}: {}", outcome.verdict(), outcome.reason);
    match &outcome.failure {
        Some(failure) => format!("{start}: {} {}", failure.error_type, failure.message),
        None => start,
    }
}

/// One metric while it is gathered.
#[derive(Default)]
pub(super) struct Gathered {
    unit: &'static str,
    help: String,
    kind: Option<Kind>,
    points: Vec<Vec<u8>>,
}

/// Metrics by name, with the points of all snapshots.
pub(super) fn gather(snapshots: &[Snapshot]) -> BTreeMap<String, Gathered> {
    let mut metrics = BTreeMap::<String, Gathered>::new();
    for snapshot in snapshots {
        let there = snapshot.families.iter().map(|family| (family, true));
        for (family, there) in there.chain(snapshot.gone.iter().map(|family| (family, false))) {
            let (name, unit) = named(&family.name);
            let metric = metrics.entry(name).or_default();
            (metric.unit, metric.kind) = (unit, Some(family.kind));
            metric.help.clone_from(&family.help);
            let times = Times { born: snapshot.born, at: snapshot.at, there };
            match family.kind {
                Kind::Histogram => metric.points.extend(histograms(family, &times)),
                kind => {
                    metric.points.extend(family.samples.iter().map(|sample| number(sample, kind, &times)));
                }
            }
        }
    }
    metrics
}

/// How many points a metric has.
pub(super) fn points(metric: &Gathered) -> usize {
    metric.points.len()
}

/// The `Metric` of what was gathered.
pub(super) fn metric(name: &str, gathered: &Gathered) -> Vec<u8> {
    let mut metric = Message::default();
    metric.text(1, name);
    metric.text(2, &gathered.help);
    metric.text(3, gathered.unit);
    let kind = gathered.kind.unwrap_or(Kind::Gauge);
    let field = match kind {
        Kind::Gauge => 5,
        Kind::Counter => 7,
        Kind::Histogram => 9,
    };
    metric.message(field, |data| {
        gathered.points.iter().for_each(|point| data.bytes_always(1, point));
        if kind != Kind::Gauge {
            data.uint(2, CUMULATIVE);
        }
        if kind == Kind::Counter {
            data.uint(3, 1);
        }
    });
    metric.into_bytes()
}

struct Times {
    born: Timestamp,
    at: Timestamp,
    there: bool,
}

/// `NumberDataPoint`
fn number(sample: &Sample, kind: Kind, times: &Times) -> Vec<u8> {
    let mut point = Message::default();
    if !kind.is_gauge() {
        point.fixed64(2, nanos(times.born));
    }
    point.fixed64(3, nanos(times.at));
    if times.there {
        match whole(sample.value) {
            Some(count) if kind == Kind::Counter => point.fixed64_always(6, count),
            _ => point.double_always(4, sample.value),
        }
    } else {
        point.uint(8, NO_VALUE);
    }
    exemplar(&mut point, 5, sample, times.at);
    for (name, value) in &sample.labels {
        point.message(7, |attribute| text_pair(attribute, name, value));
    }
    point.into_bytes()
}

/// The number if it is a whole one that a float holds exactly.
fn whole(value: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in bounds")]
    (value.fract() == 0.0 && (0.0..=EXACT).contains(&value)).then_some(value as u64)
}

fn exemplar(point: &mut Message, field: u32, sample: &Sample, at: Timestamp) {
    let Some((trace, value)) = &sample.exemplar else { return };
    let Ok(id) = trace.parse::<model::slot::SlotId>() else { return };
    point.message(field, |exemplar| {
        exemplar.fixed64(2, nanos(at));
        exemplar.double_always(3, *value);
        exemplar.bytes(4, &id.root_span());
        exemplar.bytes(5, id.as_bytes());
    });
}

/// `HistogramDataPoint`s: one for each set of labels, of which the exposition has the buckets, sum and count in a row.
fn histograms(family: &Family, times: &Times) -> Vec<Vec<u8>> {
    let mut points = Vec::new();
    let mut buckets = Vec::<&Sample>::new();
    let mut sum = 0.0;
    for sample in &family.samples {
        match sample.name.strip_prefix(family.name.as_str()) {
            Some("_bucket") => buckets.push(sample),
            Some("_sum") => sum = sample.value,
            Some("_count") => {
                points.push(histogram(&std::mem::take(&mut buckets), (sum, sample), times));
            }
            _ => {}
        }
    }
    points
}

fn histogram(buckets: &[&Sample], (sum, count): (f64, &Sample), times: &Times) -> Vec<u8> {
    let mut point = Message::default();
    point.fixed64(2, nanos(times.born));
    point.fixed64(3, nanos(times.at));
    if times.there {
        let cumulative: Vec<u64> = buckets.iter().map(|bucket| whole(bucket.value).unwrap_or(0)).collect();
        let before = std::iter::once(0).chain(cumulative.iter().copied());
        let counts = before.zip(&cumulative).map(|(before, upto)| upto.saturating_sub(before));
        let edges = buckets.iter().filter_map(|bucket| {
            let (_, edge) = bucket.labels.iter().find(|(name, _)| name == "le")?;
            edge.parse::<f64>().ok().filter(|edge| edge.is_finite())
        });
        point.fixed64(4, whole(count.value).unwrap_or(0));
        point.double_always(5, sum);
        point.packed_fixed64(6, counts.collect::<Vec<_>>());
        point.packed_fixed64(7, edges.map(f64::to_bits).collect::<Vec<_>>());
        for bucket in buckets {
            exemplar(&mut point, 8, bucket, times.at);
        }
    } else {
        point.uint(10, NO_VALUE);
    }
    for (name, value) in &count.labels {
        point.message(9, |attribute| text_pair(attribute, name, value));
    }
    point.into_bytes()
}
