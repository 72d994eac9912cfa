//! What a step observed, as assertions see it.

use std::borrow::Cow;
use std::time::Duration;

use model::objective::Share;

use crate::document::Object;

/// The type of a subject that is one value.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum SubjectType {
    /// A whole number.
    Int,
    /// A number of bytes: `10kB`, `1MiB`, or a plain number.
    Size,
    /// A text.
    Text,
    /// True or false.
    Bool,
    /// A duration: `300ms`, `21d`.
    Duration,
    /// A share with its sign: `5%`.
    Percent,
    /// An HTTP status: `200`, `2xx`, or a list of those.
    Status,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, ordered from least to most: `gte` and its kin work.
    Ordered(&'static [&'static str]),
    /// A list of texts: `equals_set`, `contains`, `len`, `any`, `all`.
    Texts,
    /// A list of some of these words: the operators of [`Self::Texts`], and a word that can never be in it is a mistake.
    Words(&'static [&'static str]),
    /// A text that may be a time: every text operator, `newer_than` and `older_than`.
    Any,
}

/// One observed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// JSON's or SQL's null.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above those of `Int`.
    Large(u64),
    /// Any other number.
    Float(f64),
    /// A number that none of these holds without rounding, in decimal digits.
    Decimal(&'a str),
    /// A text.
    Text(Cow<'a, str>),
    /// A duration.
    Duration(Duration),
    /// A share of a whole.
    Share(Share),
    /// A point in time.
    Time(model::time::Timestamp),
    /// A list.
    List(Vec<Value<'a>>),
    /// A JSON object.
    Object(Object<'a>),
}

impl<'a> Value<'a> {
    /// The number in decimal digits, with perhaps a sign and a point; a text if it is none.
    pub fn of_decimal(text: &'a str) -> Self {
        if let Ok(whole) = text.parse() {
            return Self::Int(whole);
        }
        if let Ok(large) = text.parse() {
            return Self::Large(large);
        }
        match crate::decimal::as_float(text) {
            Some(near) => Self::Float(near),
            None if crate::decimal::order(text, text).is_some() => Self::Decimal(text),
            None => Self::Text(Cow::Borrowed(text)),
        }
    }

    /// The value of a JSON node.
    pub fn of_json(node: &'a serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match node {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(large)) => Self::Large(large),
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(items) => Self::List(items.iter().map(Self::of_json).collect()),
            Json::Object(map) => Self::Object(Object::alone(map)),
        }
    }
}

/// What looking at a subject gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<'a> {
    /// One value.
    One(Value<'a>),
    /// Several, for a selector that matches several.
    Many(Vec<Value<'a>>),
    /// There is none: no such header, no match for the path.
    Absent,
    /// A number that is this or more, and why no more is known: rows beyond the limit were not read.
    AtLeast(i64, String),
    /// It cannot be looked at, and why: the body is not JSON, the body was cut at its limit.
    Unreadable(String),
}

impl<'a> Reading<'a> {
    /// What a selector found: nothing, one value, or several.
    pub fn of(mut found: Vec<Value<'a>>) -> Self {
        match found.len() {
            0 => Self::Absent,
            1 => Self::One(found.remove(0)),
            _ => Self::Many(found),
        }
    }

    /// What the first match of `pattern` in `text` has in its first group, or all of it without groups.
    pub fn matched(pattern: &regex::Regex, text: Cow<'a, str>) -> Self {
        let range = pattern.captures(&text).and_then(|groups| {
            let found = groups.get(1).or_else(|| groups.get(0));
            found.map(|found| found.range())
        });
        let Some(range) = range else { return Self::Absent };
        Self::One(Value::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
            Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
        }))
    }
}

/// How a value is chosen from a subject; made when the file is compiled.
#[derive(Clone, Debug)]
pub enum Selector {
    /// The subject as a whole.
    Whole,
    /// A JSON path (RFC 9535).
    JsonPath(Box<serde_json_path::JsonPath>),
    /// A path to elements of an XML document.
    Xml(crate::xml_path::XmlPath),
    /// What the kind made of a key.
    Own(crate::own::Chosen),
    /// What the kind made of a rule for the whole subject; the reading is [`Value::Bool`] `true` if it is kept, and
    /// else a text that says where it is broken.
    Rule(crate::own::Chosen),
    /// What a regular expression matches: its first group, or all of it.
    Pattern(Box<regex::Regex>),
    /// A header's name in lower case.
    Header(Box<str>),
    /// A row's number and a column's name.
    Row {
        /// Counted from 0.
        row: usize,
        /// The column.
        column: Box<str>,
    },
}
