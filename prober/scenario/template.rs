//! `${…}` interpolation: parsed once, rendered in every run.
//!
//! `${vars.…}` and `${region}` are resolved when the file is compiled for a region; what is left at run time
//! is captures, secrets and the facts of the run. Interpolation works on values after YAML is parsed, never
//! on the file's text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986, section 2.3, wants to be left as it is everywhere in a URL: these, letters and digits.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Box<[Part]>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(Box<str>),
    /// A value that is known only in the run, after its filters.
    Hole(Hole, Vec<Filter>),
}

/// What fills a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hole {
    /// `${order_id}`: captured by an earlier step.
    Capture(Arc<str>),
    /// `${secrets.password}`
    Secret(Arc<str>),
    /// `${run.id}`
    RunId,
    /// `${run.started_at}`
    RunStartedAt,
    /// `${run.attempt}`
    RunAttempt,
}

/// A change to a value before it is put in place.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Percent-encoded for a URL.
    UrlEncode,
    /// Base64, standard alphabet.
    Base64,
    /// As a JSON value, texts quoted.
    Json,
}

/// Why a hole cannot be filled in this run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The capture has no value.
    #[error("`{0}` has no value")]
    Capture(Arc<str>),
    /// The capture is a JSON `null`, which a text would turn into a value that nobody meant: `/orders/null`.
    #[error("`{0}` was captured as null, which is no text")]
    Null(Arc<str>),
    /// The region has no such secret.
    #[error("the secret `{0}` is not there")]
    Secret(Arc<str>),
}

/// What holes are filled from.
#[derive(Debug)]
pub struct Scope<'a> {
    /// Facts of the run.
    pub run: &'a RunFacts,
    /// What earlier steps captured.
    pub captures: &'a Captures,
    /// The secrets of this region.
    pub secrets: &'a Secrets,
}

/// Facts of one run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The slot id, 32 hex digits; unique to the run, and its trace id.
    pub id: model::slot::SlotId,
    /// The wall clock at the start.
    pub started_at: Timestamp,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The scenario's name, for a request to say who sends it.
    pub scenario: Arc<str>,
}

/// Captured values by name, in the order they were captured.
#[derive(Clone, Debug, Default)]
pub struct Captures(Vec<(Arc<str>, Captured)>);

/// One captured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    /// The value with its type.
    pub value: serde_json::Value,
    /// Whether it is replaced in everything that people see.
    pub secret: bool,
}

impl Captures {
    /// Nothing captured yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes a captured value; a later capture of the same name replaces the earlier one.
    pub fn set(&mut self, name: Arc<str>, captured: Captured) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = captured,
            None => self.0.push((name, captured)),
        }
    }

    /// The value under `name`.
    pub fn get(&self, name: &str) -> Option<&Captured> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, captured)| captured)
    }

    /// Whether there is a value under `name` that is not `null`.
    pub fn names_something(&self, name: &str) -> bool {
        self.get(name).is_some_and(|captured| !captured.value.is_null())
    }

    /// All captures in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Captured)> {
        self.0.iter().map(|(name, captured)| (&**name, captured))
    }
}

/// Secret values by name; cannot be printed.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<Arc<str>, Arc<str>>);

impl Secrets {
    /// Adds or replaces a secret.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value under `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, to build a redactor.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

impl Template {
    /// A template without holes.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self { parts: Box::new([Part::Text(text.into())]) }
    }

    /// A template of these parts; neighbouring texts are joined.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => *before = [&**before, &*text].concat().into(),
                (_, part) => joined.push(part),
            }
        }
        Self { parts: joined.into() }
    }

    /// The whole text, if there are no holes.
    pub fn constant(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The only hole, if the template is exactly one `${…}`: it then keeps the value's type.
    pub fn single_hole(&self) -> Option<(&Hole, &[Filter])> {
        match &*self.parts {
            [Part::Hole(hole, filters)] => Some((hole, filters)),
            _ => None,
        }
    }

    /// The parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether a secret, or a capture (which may be one), is part of it.
    pub fn has_holes(&self) -> bool {
        self.constant().is_none()
    }

    /// The text with every hole filled.
    ///
    /// # Errors
    /// A capture or secret has no value in this run, or a capture is `null`.
    pub fn render<'t>(&'t self, scope: &Scope<'_>) -> Result<Cow<'t, str>, Unresolved> {
        if let Some(text) = self.constant() {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(hole, filters) => out.push_str(&fill(hole, filters, scope)?),
            }
        }
        Ok(Cow::Owned(out))
    }
}

/// As the author wrote it: captures and secrets stay names.
impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.write_str(text)?,
                Part::Hole(hole, _) => match hole {
                    Hole::Capture(name) => write!(out, "${{{name}}}")?,
                    Hole::Secret(name) => write!(out, "${{secrets.{name}}}")?,
                    Hole::RunId => out.write_str("${run.id}")?,
                    Hole::RunStartedAt => out.write_str("${run.started_at}")?,
                    Hole::RunAttempt => out.write_str("${run.attempt}")?,
                },
            }
        }
        Ok(())
    }
}

fn fill(hole: &Hole, filters: &[Filter], scope: &Scope<'_>) -> Result<String, Unresolved> {
    let text = match (fill_value(hole, scope)?, hole) {
        // Of JSON in JSON it is null, a number or an object as it is.
        (value, _) if filters.first() == Some(&Filter::Json) => {
            return Ok(filters.iter().skip(1).fold(value.to_string(), |text, filter| filter.apply(&text)));
        }
        (serde_json::Value::String(text), _) => text,
        (serde_json::Value::Null, Hole::Capture(name)) => return Err(Unresolved::Null(Arc::clone(name))),
        (other, _) => other.to_string(),
    };
    Ok(filters.iter().fold(text, |text, filter| filter.apply(&text)))
}

/// The value of a hole with its type, before filters.
///
/// # Errors
/// A capture or secret has no value in this run.
pub fn fill_value(hole: &Hole, scope: &Scope<'_>) -> Result<serde_json::Value, Unresolved> {
    match hole {
        Hole::Capture(name) => {
            let captured = scope.captures.get(name).ok_or_else(|| Unresolved::Capture(Arc::clone(name)))?;
            Ok(captured.value.clone())
        }
        Hole::Secret(name) => {
            let value = scope.secrets.get(name).ok_or_else(|| Unresolved::Secret(Arc::clone(name)))?;
            Ok(value.into())
        }
        Hole::RunId => Ok(scope.run.id.to_string().into()),
        Hole::RunStartedAt => Ok(scope.run.started_at.to_string().into()),
        Hole::RunAttempt => Ok(scope.run.attempt.into()),
    }
}

impl Filter {
    /// The changed text.
    pub fn apply(self, text: &str) -> String {
        use base64::Engine as _;
        match self {
            Self::UrlEncode => utf8_percent_encode(text, UNRESERVED).to_string(),
            Self::Base64 => base64::engine::general_purpose::STANDARD.encode(text),
            Self::Json => serde_json::Value::from(text).to_string(),
        }
    }
}
