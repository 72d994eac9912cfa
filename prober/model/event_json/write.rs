//! Writing: on the path of every run, so nothing is built that is not written.

use std::net::SocketAddr;

use super::json::{Object, any, array, object, seconds, text, word};
use super::timing_key;
use crate::address_text::write_socket;
use crate::attribute::{AttributeValue, Attributes};
use crate::event::{SCHEMA, SliEvent, Trigger};
use crate::failure::Failure;
use crate::high_mark::{HighMark, MarkValue};
use crate::step::{
    AddressAttempt, AssertionRecord, AttemptRecord, Exchange, Hop, Message, Part, Phase, PhaseSpan,
    PollRecord, StepRecord,
};

/// Appends the event to `out` as one line.
pub(crate) fn event(event: &SliEvent, out: &mut Vec<u8>) {
    object(out, |map| {
        map.word("schema", SCHEMA.as_bytes());
        map.word("prober.slot.id", &event.slot.id.digits());
        map.word("prober.slot.scheduled", &event.slot.scheduled.digits());
        map.word("prober.verdict", event.verdict().as_str().as_bytes());
        map.word("prober.verdict.reason", event.outcome.reason.as_str().as_bytes());
        origin_entries(event, map);
        run_entries(event, map);
        if let Some(failure) = &event.outcome.failure {
            failure_entries(failure, map);
        }
        outcome_entries(event, map);
    });
}

fn origin_entries(event: &SliEvent, map: &mut Object<'_>) {
    let origin = &*event.origin;
    map.text("prober.scenario.name", &origin.stream.scenario);
    map.text("prober.scenario.version", &origin.version);
    map.text("prober.scenario.kind", &origin.kind);
    map.text("prober.region", &origin.stream.region);
    if origin.stream.replica > 0 {
        map.value("prober.replica", &origin.stream.replica);
    }
    map.text("prober.id", &origin.prober);
    if !origin.owner.is_empty() {
        map.text("prober.scenario.owner", &origin.owner);
    }
    map.text("service.name", &origin.service);
    if origin.side_effects {
        map.yes("prober.scenario.side_effects");
    }
    for (name, value) in &origin.labels {
        text(map.foreign_key(&format!("labels.{name}")), value);
    }
}

fn run_entries(event: &SliEvent, map: &mut Object<'_>) {
    map.value("prober.run.attempt", &event.attempt);
    if event.trigger != Trigger::Schedule {
        map.word("prober.run.trigger", event.trigger.as_str().as_bytes());
    }
    map.word("prober.run.recorded", &event.recorded.digits());
    let Some(started) = event.started else { return };
    map.word("prober.run.started", &started.digits());
    if let Some(finished) = event.finished {
        map.word("prober.run.finished", &finished.digits());
    }
    map.seconds("prober.run.lag", event.lag().unwrap_or_default());
    map.seconds("prober.run.duration", event.outcome.duration);
    map.word("trace_id", &event.slot.id.digits());
    map.word("span_id", &hex(event.slot.id.root_span()));
}

/// Sixteen hex digits.
fn hex(bytes: [u8; 8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn outcome_entries(event: &SliEvent, map: &mut Object<'_>) {
    let outcome = &event.outcome;
    if !outcome.marks.is_empty() {
        map.value("prober.marks", &outcome.marks);
    }
    if let Some(maybe_sent) = outcome.maybe_sent {
        map.value("prober.slot.maybe_sent", &maybe_sent);
    }
    if let Some(age) = outcome.freshness_age {
        map.value("prober.freshness.age", &age);
    }
    if let Some(name) = &outcome.maintenance {
        map.text(crate::maintenance::ATTRIBUTE, name);
    }
    if let Some(main) = outcome.main_step() {
        for phase in Phase::ALL {
            if let Some(time) = main.timing(phase) {
                map.seconds(timing_key(phase), time);
            }
        }
        attribute_entries(&main.attributes, map);
    }
    if !outcome.steps.is_empty() {
        map.array("prober.steps", outcome.steps.iter().enumerate(), |out, (index, step)| {
            object(out, |map| step_entries(step, outcome.main == Some(index), map));
        });
    }
    if !outcome.assertions.is_empty() {
        map.array("prober.assertions", &outcome.assertions, |out, record| {
            object(out, |map| assertion_entries(record, map));
        });
    }
    if !outcome.high_marks.is_empty() {
        map.array("prober.high_marks", &outcome.high_marks, |out, mark| {
            object(out, |map| mark_entries(mark, map));
        });
    }
}

fn failure_entries(failure: &Failure, map: &mut Object<'_>) {
    map.word("prober.failure.class", failure.class.as_str().as_bytes());
    map.text("error.type", &failure.error_type);
    map.text("prober.failure.message", &failure.message);
    if !failure.step.is_empty() {
        map.text("prober.failure.step", &failure.step);
    }
}

fn attribute_entries(attributes: &Attributes, map: &mut Object<'_>) {
    for (key, value) in attributes.iter() {
        let out = map.foreign_key(key);
        match value {
            AttributeValue::Text(value) => text(out, value),
            AttributeValue::List(values) => array(out, values, |out, value| text(out, value)),
            other => any(out, other),
        }
    }
}

fn step_entries(step: &StepRecord, main: bool, map: &mut Object<'_>) {
    map.text("name", &step.name);
    map.text("kind", &step.kind);
    map.word("state", step.state.as_str().as_bytes());
    if main {
        map.yes("main");
    }
    map.seconds("start", step.start);
    map.seconds("duration", step.duration);
    if let Some(failure) = &step.failure {
        wrong_entries(failure, map);
    }
    if let Some(note) = &step.note {
        map.value("note", note);
    }
    if step.teardown {
        map.yes("teardown");
    }
    if let Some(poll) = &step.poll {
        map.object("poll", |map| poll_entries(poll, map));
    }
    if !step.attempts.is_empty() {
        map.array("attempts", &step.attempts, |out, attempt| {
            object(out, |map| attempt_entries(attempt, map));
        });
    }
    if !step.hops.is_empty() {
        map.array("hops", &step.hops, hop);
    }
    if !step.captures.is_empty() {
        map.object("captures", |map| {
            for (name, value) in &step.captures {
                text(map.foreign_key(name), value);
            }
        });
    }
    if !main && !step.attributes.is_empty() {
        map.object("attributes", |map| attribute_entries(&step.attributes, map));
    }
}

/// What was wrong, inside a step.
fn wrong_entries(failure: &Failure, map: &mut Object<'_>) {
    map.word("class", failure.class.as_str().as_bytes());
    map.text("error.type", &failure.error_type);
    map.text("message", &failure.message);
}

fn poll_entries(poll: &PollRecord, map: &mut Object<'_>) {
    map.value("count", &poll.count);
    if poll.hops_left_out > 0 {
        map.value("hops_left_out", &poll.hops_left_out);
    }
    if let Some(status) = &poll.last_status {
        map.text("last_status", status);
    }
    map.seconds("last_duration", poll.last_duration);
}

fn attempt_entries(attempt: &AttemptRecord, map: &mut Object<'_>) {
    map.seconds("start", attempt.start);
    map.seconds("duration", attempt.duration);
    wrong_entries(&attempt.failure, map);
    if !attempt.hops.is_empty() {
        map.array("hops", &attempt.hops, hop);
    }
}

fn mark_entries(mark: &HighMark, map: &mut Object<'_>) {
    map.text("step", &mark.step);
    map.text("name", &mark.name);
    match &mark.value {
        MarkValue::Int(number) => map.value("value", number),
        MarkValue::Float(number) => map.value("value", number),
        MarkValue::Time(at) => map.value("value", at),
    }
    map.word("since", &mark.since.digits());
}

fn hop(out: &mut Vec<u8>, hop: &Hop) {
    object(out, |map| {
        map.text("label", &hop.label);
        if let Some(status) = &hop.status {
            map.text("status", status);
        }
        if let Some(peer) = &hop.peer {
            socket(map.key("peer"), *peer);
        }
        if hop.reused {
            map.yes("reused");
        }
        map.array("phases", &hop.phases, span);
        if !hop.attempts.is_empty() {
            map.array("attempts", &hop.attempts, address);
        }
        if let Some(exchange) = &hop.exchange {
            map.object("exchange", |map| exchange_entries(exchange, map));
        }
    });
}

fn exchange_entries(exchange: &Exchange, map: &mut Object<'_>) {
    map.object("request", |map| message_entries(&exchange.request, map));
    if let Some(answer) = &exchange.answer {
        map.object("answer", |map| message_entries(answer, map));
    }
}

fn message_entries(message: &Message, map: &mut Object<'_>) {
    map.value("head", &message.head);
    if let Some(body) = &message.body {
        map.value("body", body);
    }
}

fn span(out: &mut Vec<u8>, span: &PhaseSpan) {
    out.push(b'[');
    word(out, span.phase.as_str().as_bytes());
    out.push(b',');
    seconds(out, span.start);
    out.push(b',');
    seconds(out, span.duration);
    out.push(b']');
}

fn address(out: &mut Vec<u8>, attempt: &AddressAttempt) {
    out.push(b'[');
    socket(out, attempt.peer);
    out.push(b',');
    seconds(out, attempt.start);
    out.push(b',');
    seconds(out, attempt.duration);
    out.push(b',');
    text(out, &attempt.error_type);
    out.push(b']');
}

/// Digits, dots and colons: nothing to escape.
fn socket(out: &mut Vec<u8>, address: SocketAddr) {
    out.push(b'"');
    write_socket(address, out);
    out.push(b'"');
}

fn assertion_entries(record: &AssertionRecord, map: &mut Object<'_>) {
    map.text("step", &record.step);
    map.text("name", &record.name);
    if record.part != Part::Expect {
        map.word("part", record.part.as_str().as_bytes());
    }
    map.value("pass", &record.pass);
    map.text("expected", &record.expected);
    map.text("actual", &record.actual);
}
