//! The event's fields, as one table: what each is, in which unit, and the JSON Schema made from it.

use serde_json::{Value, json};

/// The JSON type of a field.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A text.
    Text,
    /// An RFC 3339 time with nine digits.
    Time,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A list of texts.
    Texts,
    /// A list of objects.
    Objects,
}

/// One top-level field of the event.
#[derive(Copy, Clone, Debug)]
pub struct Field {
    /// The dotted key.
    pub key: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// Whether every event has it.
    pub required: bool,
    /// What it is, with its unit.
    pub doc: &'static str,
}

const fn field(key: &'static str, field_type: FieldType, required: bool, doc: &'static str) -> Field {
    Field { key, field_type, required, doc }
}

use FieldType::{Bool, Int, Number, Objects, Text, Texts, Time};

/// Every field that the prober itself writes; a kind's further attributes follow OpenTelemetry's names.
pub const FIELDS: &[Field] = &[
    field("schema", Text, true, "The event format, `prober.run/1`"),
    field("prober.slot.id", Text, true, "32 hex digits; equal for every delivery of the same slot"),
    field("prober.slot.scheduled", Time, true, "The planned start; SLO windows use this time"),
    field("prober.verdict", Text, true, "good, bad, ineligible or missed"),
    field("prober.verdict.reason", Text, true, "Why the slot came to its verdict"),
    field("prober.scenario.name", Text, true, "The scenario"),
    field("prober.scenario.version", Text, true, "12 hex digits over the resolved scenario"),
    field("prober.scenario.kind", Text, true, "The kind of its steps, or `flow`"),
    field("prober.scenario.owner", Text, false, "The team"),
    field("prober.scenario.side_effects", Bool, false, "true if no slot of it may be run twice"),
    field("prober.region", Text, true, "Where it ran"),
    field("prober.replica", Int, false, "Which replica inside the region; absent for the first"),
    field("prober.id", Text, true, "Which prober"),
    field("service.name", Text, true, "The monitored service"),
    field("prober.run.attempt", Int, true, "0 for the first attempt"),
    field("prober.run.trigger", Text, false, "`manual` or `ci` for a run that no slot asked for"),
    field("prober.run.recorded", Time, true, "When the event was made"),
    field("prober.run.started", Time, false, "When the run started"),
    field("prober.run.finished", Time, false, "When the run ended"),
    field("prober.run.lag", Number, false, "Seconds from the planned to the real start"),
    field("prober.run.duration", Number, false, "Seconds, on the monotonic clock"),
    field("trace_id", Text, false, "W3C trace id of the run; equal to the slot id"),
    field("span_id", Text, false, "W3C span id of the run's root span"),
    field("prober.failure.class", Text, false, "The family of the failure, nine words"),
    field("error.type", Text, false, "The stable error type, such as `connect.refused`"),
    field("prober.failure.message", Text, false, "What went wrong, for people; at most 512 bytes"),
    field("prober.failure.step", Text, false, "The step that failed"),
    field("prober.marks", Texts, false, "flaky, warned, teardown_failed, lagged, settled, unvouched"),
    field(
        "prober.slot.maybe_sent",
        Bool,
        false,
        "Of a missed slot with side effects: whether its requests may have been sent all the same",
    ),
    field("prober.freshness.age", Number, false, "Seconds; negative for a value in the future"),
    field("prober.maintenance.id", Text, false, "The planned maintenance that the slot lies in"),
    field("prober.timing.dns", Number, false, "Seconds in this phase, main step"),
    field("prober.timing.connect", Number, false, "Seconds in this phase, main step"),
    field("prober.timing.tls", Number, false, "Seconds in this phase, main step"),
    field("prober.timing.handshake", Number, false, "Seconds in this phase, main step (QUIC)"),
    field("prober.timing.send", Number, false, "Seconds in this phase, main step"),
    field("prober.timing.wait", Number, false, "Seconds in this phase, main step"),
    field("prober.timing.receive", Number, false, "Seconds in this phase, main step"),
    field(
        "prober.steps",
        Objects,
        false,
        "name, kind, state, start, duration, teardown, poll, attempts, hops with phases, …",
    ),
    field("prober.assertions", Objects, false, "step, name, part, pass, expected, actual"),
    field("prober.high_marks", Objects, false, "step, name, value, since: what `advances` compares with"),
];

/// The JSON Schema (draft 2020-12) of the event.
pub fn json_schema() -> Value {
    let properties: serde_json::Map<String, Value> = FIELDS
        .iter()
        .map(|field| {
            let mut schema = type_schema(field.field_type);
            schema["description"] = field.doc.into();
            (field.key.to_owned(), schema)
        })
        .collect();
    let required: Vec<_> = FIELDS.iter().filter(|field| field.required).map(|field| field.key).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "prober SLI event, format prober.run/1",
        "type": "object",
        "required": required,
        "properties": properties,
        "patternProperties": { "^labels\\.": { "type": "string" } },
        "additionalProperties": {
            "description": "an attribute of the main step, in OpenTelemetry's words",
            "type": ["string", "number", "boolean", "array"]
        }
    })
}

fn type_schema(field_type: FieldType) -> Value {
    match field_type {
        Text => json!({ "type": "string" }),
        Time => json!({ "type": "string", "format": "date-time" }),
        Int => json!({ "type": "integer" }),
        Number => json!({ "type": "number" }),
        Bool => json!({ "type": "boolean" }),
        Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Objects => json!({ "type": "array", "items": { "type": "object" } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/event.schema.json");
        let now = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
        if std::fs::read_to_string(path).unwrap_or_default() != now {
            std::fs::write(path, now).unwrap();
            panic!(
                "event.schema.json was out of date and has been written anew: look at the change and commit it"
            );
        }
    }

    #[test]
    fn every_written_field_is_in_the_table() {
        let event = crate::event_json::tests::full();
        let attributes = &event.outcome.main_step().unwrap().attributes;
        let Value::Object(map) = serde_json::from_str(&event.to_json()).unwrap() else { panic!("an object") };
        for key in map.keys() {
            let known = FIELDS.iter().any(|field| field.key == key);
            assert!(known || key.starts_with("labels.") || attributes.get(key).is_some(), "{key}");
        }
        for field in FIELDS.iter().filter(|field| field.required) {
            assert!(map.contains_key(field.key), "{}", field.key);
        }
    }
}
