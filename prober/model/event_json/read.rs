//! Reading: for people's queries and for exporters, not on the hot path; plain and strict.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::timing_key;
use crate::attribute::{AttributeValue, Attributes};
use crate::event::{Origin, SCHEMA, SliEvent, Trigger};
use crate::failure::{Failure, FailureClass};
use crate::high_mark::{HighMark, MarkValue};
use crate::outcome::{Mark, Outcome};
use crate::slot::{SlotId, Stream};
use crate::step::{
    AddressAttempt, AssertionRecord, AttemptRecord, Exchange, Hop, Message, Part, Phase, PhaseSpan,
    PollRecord, StepRecord, StepState,
};
use crate::time::Timestamp;

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

pub(super) fn duration(seconds: f64) -> Result<Duration, String> {
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
        None | Some("schedule") => Trigger::Schedule,
        Some("ci") => Trigger::Ci,
        // A word of a later version is no slot's: counting it would be wrong, and losing the event too.
        Some(_) => Trigger::Manual,
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
        side_effects: fields.take("prober.scenario.side_effects")?.unwrap_or(false),
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
    outcome.maybe_sent = fields.take("prober.slot.maybe_sent")?;
    outcome.freshness_age = fields.take("prober.freshness.age")?;
    outcome.maintenance = fields.take::<String>(crate::maintenance::ATTRIBUTE)?.map(Into::into);
    let steps: Vec<Value> = fields.take("prober.steps")?.unwrap_or_default();
    let assertions: Vec<Value> = fields.take("prober.assertions")?.unwrap_or_default();
    let high_marks: Vec<Value> = fields.take("prober.high_marks")?.unwrap_or_default();
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
    outcome.high_marks = high_marks
        .into_iter()
        .map(|value| read_high_mark(Fields::of(value)?))
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
    let poll: Option<Value> = fields.take("poll")?;
    let attempts: Vec<Value> = fields.take("attempts")?.unwrap_or_default();
    let captures: Map<String, Value> = fields.take("captures")?.unwrap_or_default();
    let attributes: Map<String, Value> = fields.take("attributes")?.unwrap_or_default();
    let step = StepRecord {
        kind: Cow::Owned(fields.need("kind")?),
        state,
        start: fields.seconds("start")?.unwrap_or_default(),
        duration: fields.seconds("duration")?.unwrap_or_default(),
        failure,
        note: fields.take("note")?,
        teardown: fields.take("teardown")?.unwrap_or(false),
        poll: poll.map(|poll| read_poll(Fields::of(poll)?)).transpose()?,
        attempts: attempts
            .into_iter()
            .map(|attempt| read_attempt(Fields::of(attempt)?, &name))
            .collect::<Result<_, String>>()?,
        hops: read_hops(&mut fields)?,
        attributes: read_attributes(attributes)?,
        captures: captures.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        name: name.into(),
    };
    Ok((step, fields.take("main")?.unwrap_or(false)))
}

fn read_hops(fields: &mut Fields) -> Result<Vec<Hop>, String> {
    let hops: Vec<Value> = fields.take("hops")?.unwrap_or_default();
    hops.into_iter().map(|hop| read_hop(Fields::of(hop)?)).collect()
}

fn read_poll(mut fields: Fields) -> Result<PollRecord, String> {
    Ok(PollRecord {
        count: fields.need("count")?,
        hops_left_out: fields.take("hops_left_out")?.unwrap_or(0),
        last_status: fields.take("last_status")?,
        last_duration: fields.seconds("last_duration")?.unwrap_or_default(),
    })
}

fn read_attempt(mut fields: Fields, step: &str) -> Result<AttemptRecord, String> {
    let failure = read_failure(&mut fields, ["class", "error.type", "message", "step"])?;
    let mut failure = failure.ok_or("an attempt has no `class`")?;
    step.clone_into(&mut failure.step);
    Ok(AttemptRecord {
        start: fields.seconds("start")?.unwrap_or_default(),
        duration: fields.seconds("duration")?.unwrap_or_default(),
        failure,
        hops: read_hops(&mut fields)?,
    })
}

fn read_high_mark(mut fields: Fields) -> Result<HighMark, String> {
    let value = match fields.need::<Value>("value")? {
        Value::String(text) => MarkValue::Time(text.parse().map_err(|error| format!("`value`: {error}"))?),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => MarkValue::Int(number),
            (None, Some(number)) => MarkValue::Float(number),
            (None, None) => return Err(format!("`value`: {number} is too large")),
        },
        other => return Err(format!("`value`: {other} is neither a number nor a time")),
    };
    Ok(HighMark {
        step: fields.need::<String>("step")?.into(),
        name: fields.need::<String>("name")?.into(),
        value,
        since: fields.need("since")?,
    })
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
        exchange: fields.take("exchange")?.map(read_exchange).transpose()?.map(Box::new),
    })
}

fn read_exchange(value: Value) -> Result<Exchange, String> {
    let mut fields = Fields::of(value)?;
    let message = |value: Value| {
        let mut fields = Fields::of(value)?;
        Ok::<_, String>(Message { head: fields.need("head")?, body: fields.take("body")? })
    };
    Ok(Exchange {
        request: message(fields.need("request")?)?,
        answer: fields.take("answer")?.map(message).transpose()?,
    })
}

fn read_assertion(mut fields: Fields) -> Result<AssertionRecord, String> {
    let part = match fields.take::<String>("part")?.as_deref() {
        None => Part::Expect,
        Some(word) => Part::ALL
            .into_iter()
            .find(|part| part.as_str() == word)
            .ok_or_else(|| format!("`{word}` is not a known part"))?,
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
