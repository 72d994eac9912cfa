//! Writing: on the path of every run, so nothing is built that is not written.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::timing_key;
use crate::attribute::Attributes;
use crate::event::{SCHEMA, SliEvent, Trigger};
use crate::high_mark::{HighMark, MarkValue};
use crate::outcome::Failure;
use crate::step::{
    AddressAttempt, AssertionRecord, AttemptRecord, Exchange, Hop, Message, Part, Phase, PhaseSpan,
    PollRecord, StepRecord,
};

impl Serialize for SliEvent {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA)?;
        map.serialize_entry("prober.slot.id", &self.slot.id)?;
        map.serialize_entry("prober.slot.scheduled", &self.slot.scheduled)?;
        map.serialize_entry("prober.verdict", self.verdict().as_str())?;
        map.serialize_entry("prober.verdict.reason", self.outcome.reason.as_str())?;
        self.origin_entries(&mut map)?;
        self.run_entries(&mut map)?;
        if let Some(failure) = &self.outcome.failure {
            failure_entries(failure, &mut map)?;
        }
        self.outcome_entries(&mut map)?;
        map.end()
    }
}

impl SliEvent {
    fn origin_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let origin = &*self.origin;
        map.serialize_entry("prober.scenario.name", &*origin.stream.scenario)?;
        map.serialize_entry("prober.scenario.version", &*origin.version)?;
        map.serialize_entry("prober.scenario.kind", &*origin.kind)?;
        map.serialize_entry("prober.region", &*origin.stream.region)?;
        if origin.stream.replica > 0 {
            map.serialize_entry("prober.replica", &origin.stream.replica)?;
        }
        map.serialize_entry("prober.id", &*origin.prober)?;
        if !origin.owner.is_empty() {
            map.serialize_entry("prober.scenario.owner", &*origin.owner)?;
        }
        map.serialize_entry("service.name", &*origin.service)?;
        for (name, value) in &origin.labels {
            map.serialize_entry(&format_args!("labels.{name}").to_string(), &**value)?;
        }
        Ok(())
    }

    fn run_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("prober.run.attempt", &self.attempt)?;
        if self.trigger != Trigger::Schedule {
            map.serialize_entry("prober.run.trigger", self.trigger.as_str())?;
        }
        map.serialize_entry("prober.run.recorded", &self.recorded)?;
        let Some(started) = self.started else { return Ok(()) };
        map.serialize_entry("prober.run.started", &started)?;
        if let Some(finished) = self.finished {
            map.serialize_entry("prober.run.finished", &finished)?;
        }
        map.serialize_entry("prober.run.lag", &self.lag().unwrap_or_default().as_secs_f64())?;
        map.serialize_entry("prober.run.duration", &self.outcome.duration.as_secs_f64())?;
        map.serialize_entry("trace_id", &self.slot.id)?;
        map.serialize_entry("span_id", &Hex(self.slot.id.root_span()))
    }

    fn outcome_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let outcome = &self.outcome;
        if !outcome.marks.is_empty() {
            map.serialize_entry("prober.marks", &outcome.marks)?;
        }
        if let Some(age) = outcome.freshness_age {
            map.serialize_entry("prober.freshness.age", &age)?;
        }
        if let Some(name) = &outcome.maintenance {
            map.serialize_entry(crate::maintenance::ATTRIBUTE, &**name)?;
        }
        if let Some(main) = outcome.main_step() {
            for phase in Phase::ALL {
                if let Some(time) = main.timing(phase) {
                    map.serialize_entry(timing_key(phase), &time.as_secs_f64())?;
                }
            }
            attribute_entries(&main.attributes, map)?;
        }
        if !outcome.steps.is_empty() {
            let steps: Vec<_> =
                outcome.steps.iter().enumerate().map(|(index, step)| self.step(index, step)).collect();
            map.serialize_entry("prober.steps", &steps)?;
        }
        if !outcome.assertions.is_empty() {
            map.serialize_entry("prober.assertions", &Assertions(&outcome.assertions))?;
        }
        if !outcome.high_marks.is_empty() {
            map.serialize_entry("prober.high_marks", &outcome.high_marks)?;
        }
        Ok(())
    }

    fn step<'a>(&self, index: usize, step: &'a StepRecord) -> StepForm<'a> {
        StepForm { step, main: self.outcome.main == Some(index) }
    }
}

fn failure_entries<M: SerializeMap>(failure: &Failure, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("prober.failure.class", failure.class.as_str())?;
    map.serialize_entry("error.type", &failure.error_type)?;
    map.serialize_entry("prober.failure.message", &failure.message)?;
    if !failure.step.is_empty() {
        map.serialize_entry("prober.failure.step", &failure.step)?;
    }
    Ok(())
}

fn attribute_entries<M: SerializeMap>(attributes: &Attributes, map: &mut M) -> Result<(), M::Error> {
    attributes.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))
}

struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * N);
        for byte in self.0 {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        to.serialize_str(&text)
    }
}

struct StepForm<'a> {
    step: &'a StepRecord,
    main: bool,
}

impl Serialize for StepForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let step = self.step;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("name", &*step.name)?;
        map.serialize_entry("kind", &step.kind)?;
        map.serialize_entry("state", step.state.as_str())?;
        if self.main {
            map.serialize_entry("main", &true)?;
        }
        map.serialize_entry("start", &step.start.as_secs_f64())?;
        map.serialize_entry("duration", &step.duration.as_secs_f64())?;
        if let Some(failure) = &step.failure {
            map.serialize_entry("class", failure.class.as_str())?;
            map.serialize_entry("error.type", &failure.error_type)?;
            map.serialize_entry("message", &failure.message)?;
        }
        if let Some(note) = &step.note {
            map.serialize_entry("note", note)?;
        }
        if step.teardown {
            map.serialize_entry("teardown", &true)?;
        }
        if let Some(poll) = &step.poll {
            map.serialize_entry("poll", &PollForm(poll))?;
        }
        if !step.attempts.is_empty() {
            map.serialize_entry("attempts", &FailedAttempts(&step.attempts))?;
        }
        if !step.hops.is_empty() {
            map.serialize_entry("hops", &Hops(&step.hops))?;
        }
        if !step.captures.is_empty() {
            map.serialize_entry("captures", &Pairs(&step.captures))?;
        }
        if !self.main && !step.attributes.is_empty() {
            map.serialize_entry("attributes", &step.attributes)?;
        }
        map.end()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        attribute_entries(self, &mut map)?;
        map.end()
    }
}

struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct PollForm<'a>(&'a PollRecord);

impl Serialize for PollForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let poll = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("count", &poll.count)?;
        if poll.hops_left_out > 0 {
            map.serialize_entry("hops_left_out", &poll.hops_left_out)?;
        }
        if let Some(status) = &poll.last_status {
            map.serialize_entry("last_status", status)?;
        }
        map.serialize_entry("last_duration", &poll.last_duration.as_secs_f64())?;
        map.end()
    }
}

struct FailedAttempts<'a>(&'a [AttemptRecord]);

impl Serialize for FailedAttempts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(FailedAttempt))
    }
}

struct FailedAttempt<'a>(&'a AttemptRecord);

impl Serialize for FailedAttempt<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let attempt = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("start", &attempt.start.as_secs_f64())?;
        map.serialize_entry("duration", &attempt.duration.as_secs_f64())?;
        map.serialize_entry("class", attempt.failure.class.as_str())?;
        map.serialize_entry("error.type", &attempt.failure.error_type)?;
        map.serialize_entry("message", &attempt.failure.message)?;
        if !attempt.hops.is_empty() {
            map.serialize_entry("hops", &Hops(&attempt.hops))?;
        }
        map.end()
    }
}

impl Serialize for HighMark {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("step", &*self.step)?;
        map.serialize_entry("name", &*self.name)?;
        match &self.value {
            MarkValue::Int(number) => map.serialize_entry("value", number)?,
            MarkValue::Float(number) => map.serialize_entry("value", number)?,
            MarkValue::Time(at) => map.serialize_entry("value", at)?,
        }
        map.serialize_entry("since", &self.since)?;
        map.end()
    }
}

struct Hops<'a>(&'a [Hop]);

impl Serialize for Hops<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(HopForm))
    }
}

struct HopForm<'a>(&'a Hop);

impl Serialize for HopForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let hop = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("label", &hop.label)?;
        if let Some(status) = &hop.status {
            map.serialize_entry("status", status)?;
        }
        if let Some(peer) = &hop.peer {
            map.serialize_entry("peer", peer)?;
        }
        if hop.reused {
            map.serialize_entry("reused", &true)?;
        }
        map.serialize_entry("phases", &Spans(&hop.phases))?;
        if !hop.attempts.is_empty() {
            map.serialize_entry("attempts", &AttemptsForm(&hop.attempts))?;
        }
        if let Some(exchange) = &hop.exchange {
            map.serialize_entry("exchange", &ExchangeForm(exchange))?;
        }
        map.end()
    }
}

struct ExchangeForm<'a>(&'a Exchange);

impl Serialize for ExchangeForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("request", &MessageForm(&self.0.request))?;
        if let Some(answer) = &self.0.answer {
            map.serialize_entry("answer", &MessageForm(answer))?;
        }
        map.end()
    }
}

struct MessageForm<'a>(&'a Message);

impl Serialize for MessageForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("head", &self.0.head)?;
        if let Some(body) = &self.0.body {
            map.serialize_entry("body", body)?;
        }
        map.end()
    }
}

struct Spans<'a>(&'a [PhaseSpan]);

impl Serialize for Spans<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            self.0
                .iter()
                .map(|span| (span.phase.as_str(), span.start.as_secs_f64(), span.duration.as_secs_f64())),
        )
    }
}

struct AttemptsForm<'a>(&'a [AddressAttempt]);

impl Serialize for AttemptsForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|attempt| {
            (attempt.peer, attempt.start.as_secs_f64(), attempt.duration.as_secs_f64(), &attempt.error_type)
        }))
    }
}

struct Assertions<'a>(&'a [AssertionRecord]);

impl Serialize for Assertions<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(AssertionForm))
    }
}

struct AssertionForm<'a>(&'a AssertionRecord);

impl Serialize for AssertionForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let record = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("step", &*record.step)?;
        map.serialize_entry("name", &*record.name)?;
        if record.part != Part::Expect {
            map.serialize_entry("part", record.part.as_str())?;
        }
        map.serialize_entry("pass", &record.pass)?;
        map.serialize_entry("expected", &record.expected)?;
        map.serialize_entry("actual", &record.actual)?;
        map.end()
    }
}
