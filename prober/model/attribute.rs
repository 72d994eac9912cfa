//! Facts about a step, as flat dotted keys in OpenTelemetry's words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A text of an event; one of up to 24 bytes, as most are, takes no memory of its own.
///
/// An event is made on one thread and taken apart on another, which is where allocations cost most.
pub type Text = compact_str::CompactString;

/// One value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// A yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A measured number, in base units.
    Float(f64),
    /// A text.
    Text(Text),
    /// Several texts, such as the answers of a DNS query.
    List(Vec<Text>),
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for AttributeValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for AttributeValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<String> for AttributeValue {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Text> for AttributeValue {
    fn from(value: Text) -> Self {
        Self::Text(value)
    }
}

impl From<&'static str> for AttributeValue {
    fn from(value: &'static str) -> Self {
        Self::Text(Text::const_new(value))
    }
}

impl From<Cow<'static, str>> for AttributeValue {
    fn from(value: Cow<'static, str>) -> Self {
        match value {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<Vec<String>> for AttributeValue {
    fn from(value: Vec<String>) -> Self {
        Self::List(value.into_iter().map(Text::from).collect())
    }
}

impl From<Vec<Text>> for AttributeValue {
    fn from(value: Vec<Text>) -> Self {
        Self::List(value)
    }
}

/// Attributes in the order they were noted; a key appears once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(Cow<'static, str>, AttributeValue)>);

impl Attributes {
    /// No attributes, without an allocation.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No attributes, with room for `count` of them.
    pub fn with_room(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Notes `value` under `key`; a later value replaces an earlier one.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<AttributeValue>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// The same for a fact that is not there yet, which is not looked for.
    pub fn add(&mut self, key: &'static str, value: impl Into<AttributeValue>) {
        debug_assert!(self.get(key).is_none(), "{key} is there already");
        self.0.push((Cow::Borrowed(key), value.into()));
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The text under `key`, if it is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(AttributeValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number under `key`, if it is one.
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(AttributeValue::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// All attributes in the order they were noted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// All values, to be redacted in place.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut AttributeValue> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
