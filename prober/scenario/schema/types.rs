//! Typed keys as schemas.

use serde_json::{Value, json};

use super::held::Of;
use super::{Builder, Object, notes, object};
use crate::bind::wanted_words;
use crate::fields::{Key, KeyType, Need};
use crate::tree::{ScalarKind, core_schema};
use crate::units::{DURATION_UNITS, SIZE_UNITS};

/// A text that is exactly one `${…}`, which keeps the type of what fills it.
const HOLE: &str = r"^\$\{[^{}]+\}$";
/// A text with a `${…}` in it, whose value nobody knows yet.
pub(super) const HOLES: &str = r"\$\{";
/// A text without `${…}`, for keys, in which none is filled.
pub(super) const NO_HOLES: &str = r"^((?!\$\{)[\s\S])*$";

impl<N> Builder<'_, N> {
    /// A map with these keys and no others.
    pub(super) fn record(&mut self, keys: &'static [Key], of: Of<N>) -> Object {
        let properties = self.properties(keys, of);
        let needed = keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name);
        record(&properties, &needed.collect::<Vec<_>>())
    }

    /// The schemas of these keys by name.
    pub(super) fn properties(&mut self, keys: &'static [Key], of: Of<N>) -> Object {
        keys.iter().map(|key| (key.name.to_owned(), self.key(key, of).into())).collect()
    }

    /// A key with everything there is to say of it.
    pub(super) fn key(&mut self, key: &'static Key, of: Of<N>) -> Object {
        let schema = self.value(&key.value, of);
        notes::of_key(key, schema)
    }

    /// What may stand behind a key.
    pub(super) fn value(&mut self, wanted: &'static KeyType, of: Of<N>) -> Object {
        match wanted {
            KeyType::OneOrMany(item) => one_or_many(self.value(item, of), wanted),
            KeyType::Map(value) => map_of(&self.value(value, of)),
            KeyType::Record(keys) => self.record(keys, of),
            KeyType::Held(holds) => self.held(holds, of),
            _ => scalar(wanted),
        }
    }
}

/// What may stand behind an exporter's setting.
pub(super) fn setting(wanted: &KeyType) -> Object {
    match wanted {
        KeyType::OneOrMany(item) => one_or_many(scalar(item), wanted),
        KeyType::Map(value) => map_of(&scalar(value)),
        _ => scalar(wanted),
    }
}

/// A map of the author's own names.
fn map_of(value: &Object) -> Object {
    object(json!({
        "type": "object",
        "propertyNames": { "pattern": NO_HOLES, "errorMessage": "`${…}` is not filled in keys, only in values" },
        "additionalProperties": value,
    }))
}

/// A map with these properties and no others.
pub(super) fn record(properties: &Object, needed: &[&str]) -> Object {
    let mut record = object(json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    }));
    if !needed.is_empty() {
        record.insert("required".to_owned(), needed.into());
    }
    record
}

/// A single value.
pub(super) fn scalar(wanted: &KeyType) -> Object {
    let expected = format!("expected {}", wanted_words(wanted));
    object(match wanted {
        KeyType::Json => json!({}),
        KeyType::Duration => json!({
            "type": "string", "pattern": duration_pattern(), "errorMessage": expected,
        }),
        KeyType::Size => json!({
            "type": ["string", "integer"], "pattern": size_pattern(), "minimum": 0, "errorMessage": expected,
        }),
        KeyType::Bool => json!({ "type": ["boolean", "string"], "pattern": HOLE, "errorMessage": expected }),
        KeyType::Int(least, most) => return int(*least, *most, expected),
        KeyType::Percent => json!({
            "type": "string", "pattern": format!(r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$|{HOLES}"), "errorMessage": expected,
        }),
        KeyType::DurationOr(words) => json!({
            "type": "string",
            "pattern": format!("^({})$|{}", words.join("|"), duration_pattern()),
            "errorMessage": expected,
        }),
        KeyType::Choice(words) => return choice(words, &expected),
        KeyType::Formed(wanted, form) => {
            let mut formed = scalar(wanted);
            formed.insert("pattern".to_owned(), format!("{}|{HOLES}", form.pattern).into());
            formed.insert("errorMessage".to_owned(), expected.into());
            return formed;
        }
        _ => json!({ "type": ["string", "integer"], "errorMessage": expected }),
    })
}

fn int(least: i64, most: i64, expected: String) -> Object {
    let mut int = object(json!({ "type": ["integer", "string"], "pattern": HOLE }));
    if least > i64::MIN {
        int.insert("minimum".to_owned(), least.into());
    }
    if most < i64::MAX {
        int.insert("maximum".to_owned(), most.into());
    }
    int.insert("errorMessage".to_owned(), expected.into());
    int
}

/// One of these words, in quotes or not: a plain `1.1` is a number to YAML.
pub(super) fn choice(words: &[&str], expected: &str) -> Object {
    let mut values: Vec<Value> = words.iter().map(|word| Value::from(*word)).collect();
    values.extend(words.iter().filter_map(|word| match core_schema(word) {
        ScalarKind::Null => Some(Value::Null),
        ScalarKind::Bool(value) => Some(value.into()),
        ScalarKind::Int(number) => Some(number.into()),
        ScalarKind::Float(number) => Some(number.into()),
        ScalarKind::Text | ScalarKind::Quoted => None,
    }));
    object(json!({
        "anyOf": [
            { "enum": values, "errorMessage": expected },
            { "type": "string", "pattern": HOLES },
        ],
    }))
}

/// A list of these, or a single one.
pub(super) fn one_or_many(item: Object, wanted: &KeyType) -> Object {
    let expected = format!("expected {}", wanted_words(wanted));
    list_or(item, Some(expected))
}

/// What `item` allows, or a list of those with at least one.
pub(super) fn list_or(item: Object, expected: Option<String>) -> Object {
    let types = match item.get("type") {
        Some(Value::String(one)) => vec![Value::from(one.as_str()), "array".into()],
        Some(Value::Array(several)) => several.iter().cloned().chain(["array".into()]).collect(),
        _ => {
            let list = json!({ "type": "array", "items": item, "minItems": 1 });
            return object(json!({ "if": { "type": "array" }, "then": list, "else": item }));
        }
    };
    let mut both = item.clone();
    both.insert("type".to_owned(), types.into());
    both.insert("items".to_owned(), item.into());
    both.insert("minItems".to_owned(), 1.into());
    // A map's own messages name the key; one message for everything would hide them.
    if let Some(expected) = expected.filter(|_| !both.contains_key("properties")) {
        both.insert("errorMessage".to_owned(), expected.into());
    }
    both
}

fn duration_pattern() -> String {
    let units: Vec<_> = DURATION_UNITS.iter().map(|(unit, _)| *unit).collect();
    format!(r"^\s*[0-9]+(\.[0-9]+)?\s*({})\s*$|{HOLES}", units.join("|"))
}

fn size_pattern() -> String {
    let units: Vec<_> = SIZE_UNITS.iter().map(|(unit, _)| *unit).collect();
    format!(r"^\s*[0-9]+((\.[0-9]+)?\s*({})|)\s*$|{HOLES}", units.join("|"))
}
