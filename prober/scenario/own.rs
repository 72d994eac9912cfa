//! Parts of the language that a kind reads by itself: keys that choose values, and rules for a whole subject.
//!
//! The language knows how such a part is written, named and explained; what it means only its kind knows. So a
//! library that one kind needs stays out of this crate.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The longest file that a scenario names and that is read with it, in bytes.
pub const BESIDE_BYTES_MAX: u64 = 1 << 20;

/// A way to choose values of a subject: `css: { "h1.title": Shop }`.
#[derive(Debug)]
pub struct Chooser {
    /// What the keys are, for people: `CSS selectors`.
    pub words: &'static str,
    /// An entry, for people: `h1.title: Shop`.
    pub entry: &'static str,
    /// A key alone, as a capture has it.
    pub example: &'static str,
    /// What all right keys look like, for editors: a regular expression.
    pub pattern: &'static str,
    /// The code of a key that is wrong.
    pub code: &'static str,
    /// Takes a key apart.
    pub parse: fn(&str) -> Result<Chosen, Wrong>,
}

/// A rule for a whole subject, in a language of its own: `json_schema: order.schema.json`.
#[derive(Debug)]
pub struct Rule {
    /// What may be written, for people: `a JSON Schema: a map, or the path of a file`.
    pub words: &'static str,
    /// What is expected, for people: `a body that fits`.
    pub expected: &'static str,
    /// The code of a rule that is wrong.
    pub code: &'static str,
    /// Compiles it.
    pub compile: fn(&serde_json::Value) -> Result<Chosen, Wrong>,
}

/// They are the same if they are the same one.
impl PartialEq for Chooser {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// They are the same if they are the same one.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// What is wrong with a key or a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What helps.
    pub help: String,
    /// Where in a rule: a JSON pointer, empty for the whole.
    pub at: String,
}

/// What a kind made of a key or a rule, for its own evidence.
#[derive(Clone)]
pub struct Chosen {
    text: Arc<str>,
    made: Arc<dyn Any + Send + Sync>,
}

impl Chosen {
    /// What was made of `text`; two of one text must mean the same.
    pub fn new(text: impl Into<Arc<str>>, made: impl Any + Send + Sync) -> Self {
        Self { text: text.into(), made: Arc::new(made) }
    }

    /// What was made; `None` if it is not a `T`.
    pub fn made<T: Any>(&self) -> Option<&T> {
        self.made.downcast_ref()
    }
}

/// The text alone: by it assertions are compared.
impl fmt::Debug for Chosen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, out)
    }
}

type Reader = dyn Fn(&str) -> Result<String, String> + Send + Sync;

/// Reads files that scenarios name and that must be there when they are compiled.
///
/// Nothing here does I/O: whoever compiles hands in how. The default has no files.
#[derive(Clone, Default)]
pub struct Beside(Option<Arc<Reader>>);

impl Beside {
    /// Reads with `read`, which takes a path relative to the project and gives the text, or why there is none; it
    /// reads no more than [`BESIDE_BYTES_MAX`].
    pub fn new(read: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(read)))
    }

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub fn read(&self, path: &str) -> Result<String, String> {
        match &self.0 {
            Some(read) => read(path),
            None => Err("no other files can be read here".to_owned()),
        }
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Beside({})", self.0.is_some())
    }
}
