//! The event's JSON form: flat dotted keys, written and read here and nowhere else.
//!
//! The main step's attributes stand at the top of the event, where filters look for them; the other steps
//! carry their own. Reading puts them back, so a round trip loses nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::attribute::{AttributeValue, Attributes};
use crate::event::{Origin, SCHEMA, SliEvent, Trigger};
use crate::outcome::{Failure, FailureClass, Mark, Outcome};
use crate::slot::{SlotId, Stream};
use crate::step::{AddressAttempt, AssertionRecord, Hop, Part, Phase, PhaseSpan, StepRecord, StepState};
use crate::time::Timestamp;

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
        Ok(())
    }

    fn step<'a>(&self, index: usize, step: &'a StepRecord) -> StepForm<'a> {
        StepForm { step, main: self.outcome.main == Some(index) }
    }
}

const fn timing_key(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "prober.timing.dns",
        Phase::Connect => "prober.timing.connect",
        Phase::Tls => "prober.timing.tls",
        Phase::Handshake => "prober.timing.handshake",
        Phase::Send => "prober.timing.send",
        Phase::Wait => "prober.timing.wait",
        Phase::Receive => "prober.timing.receive",
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

// Reading. Events are read by people's queries and by exporters, not on the hot path: plain and strict.

impl<'de> Deserialize<'de> for SliEvent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(from)?;
        read_event(Fields(map)).map_err(D::Error::custom)
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => Err(format!("expected an object, found {other}")),
        }
    }

    fn take<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(value) = self.0.shift_remove(key) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|error| format!("`{key}`: {error}"))
    }

    fn need<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Result<T, String> {
        self.take(key)?.ok_or_else(|| format!("`{key}` is missing"))
    }

    fn word<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, key: &str) -> Result<T, String> {
        self.need::<String>(key)?.parse().map_err(|error| format!("`{key}`: {error}"))
    }

    fn seconds(&mut self, key: &str) -> Result<Option<Duration>, String> {
        self.take::<f64>(key)?
            .map(|seconds| duration(seconds).map_err(|error| format!("`{key}`: {error}")))
            .transpose()
    }
}

fn duration(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn read_event(mut fields: Fields) -> Result<SliEvent, String> {
    let schema: String = fields.need("schema")?;
    if schema != SCHEMA {
        return Err(format!("event format `{schema}` is not `{SCHEMA}`, the only one this version reads"));
    }
    let id: SlotId = fields.need("prober.slot.id")?;
    let scheduled: Timestamp = fields.need("prober.slot.scheduled")?;
    fields.0.shift_remove("prober.verdict");
    let mut outcome = Outcome::empty(fields.word("prober.verdict.reason")?);
    let origin = Arc::new(read_origin(&mut fields)?);
    let attempt = fields.need("prober.run.attempt")?;
    let trigger = match fields.take::<String>("prober.run.trigger")?.as_deref() {
        Some("manual") => Trigger::Manual,
        _ => Trigger::Schedule,
    };
    let recorded = fields.need("prober.run.recorded")?;
    let started = fields.take("prober.run.started")?;
    let finished = fields.take("prober.run.finished")?;
    for derived in ["prober.run.lag", "trace_id", "span_id"] {
        fields.0.shift_remove(derived);
    }
    outcome.duration = fields.seconds("prober.run.duration")?.unwrap_or_default();
    outcome.failure = read_failure(
        &mut fields,
        ["prober.failure.class", "error.type", "prober.failure.message", "prober.failure.step"],
    )?;
    read_outcome(fields, &mut outcome)?;
    let slot = crate::slot::Slot { id, scheduled };
    Ok(SliEvent { origin, slot, attempt, trigger, started, finished, recorded, outcome })
}

fn read_origin(fields: &mut Fields) -> Result<Origin, String> {
    let text = |value: String| -> Arc<str> { value.into() };
    let stream = Stream {
        scenario: text(fields.need("prober.scenario.name")?),
        region: text(fields.need("prober.region")?),
        replica: fields.take("prober.replica")?.unwrap_or(0),
    };
    let names: Vec<String> = fields.0.keys().filter(|key| key.starts_with("labels.")).cloned().collect();
    let mut labels = Vec::with_capacity(names.len());
    for name in names {
        let value: String = fields.need(&name)?;
        labels.push((text(name["labels.".len()..].to_owned()), text(value)));
    }
    Ok(Origin {
        stream,
        version: text(fields.need("prober.scenario.version")?),
        kind: text(fields.need("prober.scenario.kind")?),
        owner: text(fields.take("prober.scenario.owner")?.unwrap_or_default()),
        service: text(fields.need("service.name")?),
        labels,
        prober: text(fields.need("prober.id")?),
    })
}

fn read_failure(fields: &mut Fields, keys: [&str; 4]) -> Result<Option<Failure>, String> {
    let [class, error_type, message, step] = keys;
    let Some(class) = fields.take::<FailureClass>(class)? else { return Ok(None) };
    Ok(Some(Failure {
        class,
        error_type: Cow::Owned(fields.need(error_type)?),
        message: fields.take(message)?.unwrap_or_default(),
        step: fields.take(step)?.unwrap_or_default(),
    }))
}

/// Fills in what is left of the event; every unknown key is an attribute of the main step.
fn read_outcome(mut fields: Fields, outcome: &mut Outcome) -> Result<(), String> {
    outcome.marks = fields.take::<Vec<Mark>>("prober.marks")?.unwrap_or_default();
    outcome.freshness_age = fields.take("prober.freshness.age")?;
    let steps: Vec<Value> = fields.take("prober.steps")?.unwrap_or_default();
    let assertions: Vec<Value> = fields.take("prober.assertions")?.unwrap_or_default();
    for phase in Phase::ALL {
        fields.0.shift_remove(timing_key(phase));
    }
    for (index, step) in steps.into_iter().enumerate() {
        let (mut step, main) = read_step(Fields::of(step)?)?;
        if main {
            outcome.main = Some(index);
            step.attributes = read_attributes(std::mem::take(&mut fields.0))?;
        }
        outcome.steps.push(step);
    }
    outcome.assertions = assertions
        .into_iter()
        .map(|value| read_assertion(Fields::of(value)?))
        .collect::<Result<_, String>>()?;
    Ok(())
}

fn read_attributes(map: Map<String, Value>) -> Result<Attributes, String> {
    let mut attributes = Attributes::new();
    for (key, value) in map {
        let value: AttributeValue =
            serde_json::from_value(value).map_err(|error| format!("attribute `{key}`: {error}"))?;
        attributes.set(key, value);
    }
    Ok(attributes)
}

fn read_step(mut fields: Fields) -> Result<(StepRecord, bool), String> {
    let name: String = fields.need("name")?;
    let state = match fields.need::<String>("state")?.as_str() {
        "passed" => StepState::Passed,
        "failed" => StepState::Failed,
        "skipped" => StepState::Skipped,
        other => return Err(format!("`{other}` is not a known step state")),
    };
    let mut failure = read_failure(&mut fields, ["class", "error.type", "message", "step"])?;
    if let Some(failure) = &mut failure {
        failure.step.clone_from(&name);
    }
    let hops: Vec<Value> = fields.take("hops")?.unwrap_or_default();
    let captures: Map<String, Value> = fields.take("captures")?.unwrap_or_default();
    let attributes: Map<String, Value> = fields.take("attributes")?.unwrap_or_default();
    let step = StepRecord {
        kind: Cow::Owned(fields.need("kind")?),
        state,
        start: fields.seconds("start")?.unwrap_or_default(),
        duration: fields.seconds("duration")?.unwrap_or_default(),
        failure,
        note: fields.take("note")?,
        hops: hops.into_iter().map(|hop| read_hop(Fields::of(hop)?)).collect::<Result<_, String>>()?,
        attributes: read_attributes(attributes)?,
        captures: captures.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        name: name.into(),
    };
    Ok((step, fields.take("main")?.unwrap_or(false)))
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn read_hop(mut fields: Fields) -> Result<Hop, String> {
    let phases: Vec<(String, f64, f64)> = fields.need("phases")?;
    let attempts: Vec<(std::net::SocketAddr, f64, f64, String)> =
        fields.take("attempts")?.unwrap_or_default();
    let span = |(phase, start, time): (String, f64, f64)| {
        Ok(PhaseSpan { phase: phase.parse()?, start: duration(start)?, duration: duration(time)? })
    };
    let attempt = |(peer, start, time, error_type): (std::net::SocketAddr, f64, f64, String)| {
        let error_type = Cow::Owned(error_type);
        Ok(AddressAttempt { peer, start: duration(start)?, duration: duration(time)?, error_type })
    };
    Ok(Hop {
        label: fields.need("label")?,
        reused: fields.take("reused")?.unwrap_or(false),
        phases: phases.into_iter().map(span).collect::<Result<_, String>>()?,
        status: fields.take("status")?,
        peer: fields.take("peer")?,
        attempts: attempts.into_iter().map(attempt).collect::<Result<_, String>>()?,
    })
}

fn read_assertion(mut fields: Fields) -> Result<AssertionRecord, String> {
    let part = match fields.take::<String>("part")?.as_deref() {
        None | Some("expect") => Part::Expect,
        Some("warn") => Part::Warn,
        Some("sli.good") => Part::Good,
        Some("sli.ineligible") => Part::Ineligible,
        Some(other) => return Err(format!("`{other}` is not a known part")),
    };
    Ok(AssertionRecord {
        step: fields.need::<String>("step")?.into(),
        name: fields.need::<String>("name")?.into(),
        part,
        pass: fields.need("pass")?,
        expected: Cow::Owned(fields.need("expected")?),
        actual: fields.need("actual")?,
    })
}

#[cfg(test)]
pub(crate) mod tests;
