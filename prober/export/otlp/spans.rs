//! The trace of a run: a root span, and one for each step, all from the event.
//!
//! The root is the span that targets were told of as `traceparent`, so that what they did stands below it.

use std::time::Duration;

use model::attribute::AttributeValue;
use model::event::SliEvent;
use model::outcome::{Failure, Verdict};
use model::slot::SlotId;
use model::step::{AttemptRecord, Hop, StepRecord, StepState};
use model::time::Timestamp;

use super::encode::{nanos, text_pair};
use crate::proto::Message;

/// `INTERNAL` and `CLIENT` of `SpanKind`.
const INTERNAL: u64 = 1;
const CLIENT: u64 = 3;
/// `STATUS_CODE_ERROR`
const ERROR: u64 = 2;
/// Sampled; and that whether the parent is remote is known, and it is not.
const FLAGS: u32 = 0x101;
/// Phases of a step that are told as events.
const PHASES_MAX: usize = 128;

type SpanId = [u8; 8];

/// The spans of a run, the root first; none if there was no run.
pub(super) fn spans(event: &SliEvent) -> Vec<Vec<u8>> {
    let Some(started) = event.started else { return Vec::new() };
    let run = Run { event, started, id: event.slot.id, root: event.slot.id.root_span() };
    let mut spans = vec![run.root_span()];
    for (index, step) in event.outcome.steps.iter().enumerate() {
        if step.state == StepState::Skipped {
            continue;
        }
        let earlier: Vec<_> =
            (0..step.attempts.len()).map(|attempt| span_id(&run.id, index, attempt + 1)).collect();
        for (attempt, id) in step.attempts.iter().zip(&earlier) {
            spans.push(run.attempt_span(step, attempt, *id));
        }
        spans.push(run.step_span(step, span_id(&run.id, index, 0), &earlier));
    }
    spans
}

struct Run<'a> {
    event: &'a SliEvent,
    started: Timestamp,
    id: SlotId,
    root: SpanId,
}

/// The start of a span and how long it was.
type Time = (Timestamp, Duration);

impl Run<'_> {
    fn span(
        &self,
        name: &str,
        kind: u64,
        (start, duration): Time,
        fill: impl FnOnce(&mut Message),
    ) -> Vec<u8> {
        let mut span = Message::default();
        span.bytes(1, self.id.as_bytes());
        fill(&mut span);
        span.text(5, name);
        span.uint(6, kind);
        span.fixed64(7, nanos(start));
        span.fixed64(8, nanos(start.plus(duration)));
        span.fixed32(16, FLAGS);
        span.into_bytes()
    }

    fn root_span(&self) -> Vec<u8> {
        let (origin, outcome) = (&self.event.origin, &self.event.outcome);
        let end = self.event.finished.unwrap_or_else(|| self.started.plus(outcome.duration));
        let time = (self.started, end.since(self.started));
        let stream = &origin.stream;
        self.span(&stream.scenario, INTERNAL, time, |span| {
            span.bytes(2, &self.root);
            for (name, value) in [
                ("prober.scenario.name", &*stream.scenario),
                ("prober.scenario.version", &*origin.version),
                ("prober.scenario.kind", &*origin.kind),
                ("prober.region", &*stream.region),
                (super::TARGET_SERVICE, &*origin.service),
                ("prober.verdict", outcome.verdict().as_str()),
                ("prober.verdict.reason", outcome.reason.as_str()),
            ] {
                span.message(9, |pair| text_pair(pair, name, value));
            }
            self.failure(span, outcome.failure.as_ref());
            if outcome.failure.is_none() {
                self.status(span, outcome.reason.as_str());
            }
        })
    }

    fn step_span(&self, step: &StepRecord, id: SpanId, earlier: &[SpanId]) -> Vec<u8> {
        let start = self.started.plus(step.start);
        self.span(&step.name, CLIENT, (start, step.duration), |span| {
            self.child(span, id, step);
            for (name, value) in step.attributes.iter() {
                span.message(9, |pair| attribute(pair, name, value));
            }
            phases(span, start, &step.hops);
            for other in earlier {
                span.message(13, |link| {
                    link.bytes(1, self.id.as_bytes());
                    link.bytes(2, other);
                });
            }
            if step.teardown {
                span.message(9, |pair| attribute(pair, "prober.step.teardown", &AttributeValue::Bool(true)));
            } else {
                self.failure(span, step.failure.as_ref());
            }
        })
    }

    /// An attempt that failed and was followed by another one.
    fn attempt_span(&self, step: &StepRecord, attempt: &AttemptRecord, id: SpanId) -> Vec<u8> {
        let start = self.started.plus(step.start + attempt.start);
        self.span(&step.name, CLIENT, (start, attempt.duration), |span| {
            self.child(span, id, step);
            phases(span, self.started.plus(step.start), &attempt.hops);
            self.failure(span, Some(&attempt.failure));
        })
    }

    fn child(&self, span: &mut Message, id: SpanId, step: &StepRecord) {
        span.bytes(2, &id);
        span.bytes(4, &self.root);
        span.message(9, |pair| text_pair(pair, "prober.step.kind", &step.kind));
    }

    /// What failed; an error only where it made the run bad.
    fn failure(&self, span: &mut Message, failure: Option<&Failure>) {
        let Some(failure) = failure else { return };
        span.message(9, |pair| text_pair(pair, "error.type", &failure.error_type));
        span.message(9, |pair| text_pair(pair, "prober.failure.class", failure.class.as_str()));
        self.status(span, &failure.message);
    }

    fn status(&self, span: &mut Message, why: &str) {
        if self.event.verdict() == Verdict::Bad {
            span.message(15, |status| {
                status.text(2, why);
                status.uint(3, ERROR);
            });
        }
    }
}

/// Each phase as an event at its start, with how long it took.
fn phases(span: &mut Message, start: Timestamp, hops: &[Hop]) {
    for phase in hops.iter().flat_map(|hop| &hop.phases).take(PHASES_MAX) {
        span.message(11, |event| {
            event.fixed64(1, nanos(start.plus(phase.start)));
            event.text(2, phase.phase.as_str());
            let seconds = AttributeValue::Float(phase.duration.as_secs_f64());
            event.message(3, |pair| attribute(pair, "prober.phase.duration", &seconds));
        });
    }
}

fn attribute(pair: &mut Message, name: &str, value: &AttributeValue) {
    pair.text(1, name);
    pair.message(2, |any| match value {
        AttributeValue::Bool(value) => any.int_always(2, i64::from(*value)),
        AttributeValue::Int(value) => any.int_always(3, *value),
        AttributeValue::Float(value) => any.double_always(4, *value),
        AttributeValue::Text(text) => any.bytes_always(1, text.as_bytes()),
        AttributeValue::List(texts) => any.message(5, |list| {
            for text in texts {
                list.message(1, |item| item.bytes_always(1, text.as_bytes()));
            }
        }),
    });
}

/// The id of a step's span, of its last attempt for 0: the same however often it is told, and never all zero.
///
/// FNV-1a over trace, step and attempt (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn span_id(trace: &SlotId, step: usize, attempt: usize) -> SpanId {
    let places = [step as u64, attempt as u64].map(u64::to_le_bytes);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in trace.as_bytes().iter().chain(places.as_flattened()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash | 1).to_be_bytes()
}
