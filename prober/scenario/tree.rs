//! YAML text to a tree in which every key and value knows its place.
//!
//! Scalars follow the YAML 1.2 core schema: `NO` is a text. Every limit of the language's safety rules is enforced
//! while reading.

mod builder;
mod core_schema;
mod doubts;

pub(crate) use builder::duplicate;
pub use builder::parse;
pub(crate) use core_schema::core_schema;
pub(crate) use doubts::{unseen, unseen_in};

use crate::diagnostic::Diagnostic;
use crate::source::{Span, Spanned};

/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting of lists and maps.
pub const DEPTH_MAX: usize = 32;
/// The most values in one file, those that aliases stand for included.
pub const NODES_MAX: usize = 20_000;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Its place.
    pub span: Span,
}

/// The three shapes of YAML.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the file's order; no key appears twice.
    Map(Vec<(Spanned<String>, Node)>),
}

/// A single value: its text and what the core schema makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text after quotes and escapes.
    pub text: Box<str>,
    /// Its type.
    pub kind: ScalarKind,
    /// From the start of its place to the text's first byte, if the file has the text byte for byte.
    pub verbatim: Option<u8>,
    /// Whether it is a block, begun by `|` or `>`.
    pub is_block: bool,
}

/// What the core schema makes of a scalar.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum ScalarKind {
    /// A text in quotes or in a block.
    Quoted,
    /// A plain text.
    Text,
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
}

impl Scalar {
    /// The empty text.
    pub(crate) fn empty() -> Self {
        Self { text: "".into(), kind: ScalarKind::Quoted, verbatim: None, is_block: false }
    }

    /// The value in words for messages, see [`Node::describe`].
    pub fn describe(&self) -> String {
        match self.kind {
            ScalarKind::Null => "nothing".to_owned(),
            ScalarKind::Bool(value) => format!("`{value}`"),
            ScalarKind::Int(_) | ScalarKind::Float(_) => format!("the number {}", self.text),
            ScalarKind::Quoted | ScalarKind::Text => {
                format!("the text `{}`", model::outcome::cut(self.text.to_string(), 60))
            }
        }
    }
}

impl Node {
    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            NodeValue::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    pub fn map(&self) -> Option<&[(Spanned<String>, Self)]> {
        match &self.value {
            NodeValue::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under `key`, if it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The items, if it is a list.
    pub fn list(&self) -> Option<&[Self]> {
        match &self.value {
            NodeValue::List(items) => Some(items),
            _ => None,
        }
    }

    /// The place of the bytes `from..to` of a scalar's text; the whole place if the file spells it otherwise.
    pub fn part(&self, from: usize, to: usize) -> Span {
        match self.scalar().and_then(|scalar| scalar.verbatim) {
            Some(offset) => self.span.part(from + usize::from(offset), to + usize::from(offset)),
            None => self.span,
        }
    }

    /// What it is, in words for its author: `the number 60`.
    pub fn describe(&self) -> String {
        match &self.value {
            NodeValue::List(_) => "a list".to_owned(),
            NodeValue::Map(_) => "a map".to_owned(),
            NodeValue::Scalar(scalar) => scalar.describe(),
        }
    }

    /// The value as JSON, without places: what other programs see in the file.
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            NodeValue::List(items) => items.iter().map(Self::json).collect(),
            NodeValue::Map(entries) => {
                entries.iter().map(|(name, node)| (name.value.clone(), node.json())).collect()
            }
            NodeValue::Scalar(scalar) => match scalar.kind {
                ScalarKind::Null => serde_json::Value::Null,
                ScalarKind::Bool(value) => value.into(),
                ScalarKind::Int(number) => number.into(),
                ScalarKind::Float(number) => number.into(),
                ScalarKind::Quoted | ScalarKind::Text => (&*scalar.text).into(),
            },
        }
    }

    fn count(&self) -> (usize, usize) {
        let add = |(nodes, bytes): (usize, usize), node: &Self| {
            let (more_nodes, more_bytes) = node.count();
            (nodes + more_nodes, bytes + more_bytes)
        };
        match &self.value {
            NodeValue::Scalar(scalar) => (1, scalar.text.len()),
            NodeValue::List(items) => items.iter().fold((1, 0), add),
            NodeValue::Map(entries) => entries.iter().fold((1, 0), |sum, (key, node)| {
                let (nodes, bytes) = add(sum, node);
                (nodes, bytes + key.value.len())
            }),
        }
    }
}

/// The diagnostic for a file that is not UTF-8, whose first wrong byte is at `offset`.
pub fn not_utf8(file: u32, offset: usize) -> Diagnostic {
    let start = u32::try_from(offset).unwrap_or(u32::MAX);
    let span = Span { file, start, end: start.saturating_add(1) };
    Diagnostic::error("E001", span, "this file is not UTF-8 text").help("save it as UTF-8")
}
