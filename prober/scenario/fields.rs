//! The typed keys of a map, as a table that the binder, the JSON Schema and the documentation share.

use std::time::Duration;

use model::objective::Share;

use crate::source::{Span, Spanned};
use crate::template::Template;

/// One key of a map in a scenario file.
#[derive(Copy, Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub value: KeyType,
    /// Whether it must be there, and what holds if it is not.
    pub need: Need,
    /// What it is, in one sentence for people.
    pub doc: &'static str,
    /// An example for the schema: the YAML value.
    pub example: &'static str,
}

impl Key {
    /// A key; see the fields for what each is.
    pub const fn new(
        name: &'static str,
        value: KeyType,
        need: Need,
        doc: &'static str,
        example: &'static str,
    ) -> Self {
        Self { name, value, need, doc, example }
    }
}

/// Whether a key must be there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may be left out.
    Optional,
    /// It may be left out, and then this value holds, as YAML (shown by `explain` and the schema).
    Default(&'static str),
    /// It may be left out, and then this holds, in words for people: no value that could be written.
    Otherwise(&'static str),
}

/// What a key's value must be.
#[derive(Copy, Clone, Debug)]
pub enum KeyType {
    /// A text that may have `${…}` in it; becomes [`Bound::Template`].
    Template,
    /// A text that is needed when the file is compiled; `${vars.…}` is allowed, captures are not.
    Text,
    /// A duration with its unit: `300ms`, `24h`.
    Duration,
    /// True or false.
    Bool,
    /// A whole number between two bounds.
    Int(i64, i64),
    /// A number of bytes: `64kB`, `1MiB`, or a plain number.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A share with its sign, from 0% to 100%: `99.9%`, at most four digits after the point.
    Percent,
    /// A duration, or one of these words; becomes [`Bound::Duration`] or [`Bound::Choice`].
    DurationOr(&'static [&'static str]),
    /// Any YAML value with `${…}` in its texts; becomes [`Bound::Json`].
    Json,
    /// A list of these, or a single one.
    OneOrMany(&'static KeyType),
    /// A map from any name to these.
    Map(&'static KeyType),
    /// A map with its own table of keys.
    Record(&'static [Key]),
    /// The same type, of which only some texts make sense; bound as that type.
    Formed(&'static KeyType, &'static Form),
    /// Read by what it holds, by code of its own; the binder only knows that the key is right here.
    Held(Holds),
}

/// What texts under a key look like, for editors.
///
/// The binder does not look at it: the key's reader knows better and has the better message. So a form says
/// what every right text has in common, and a text that it refuses is refused by the reader too.
#[derive(Copy, Clone, Debug)]
pub struct Form {
    /// A regular expression that all right texts match; one with `${…}` in it is right anyway.
    pub pattern: &'static str,
    /// What is wanted, for people: "a URL like `https://shop.example/`".
    pub words: &'static str,
}

/// What a value holds that is not bound by a table of typed keys.
///
/// The schema has a definition for each, so that a new key of one of these shapes is a line in a table.
#[derive(Copy, Clone, Debug)]
pub enum Holds {
    /// Subjects of the step's kind, and what must hold for each: `expect` and its kin.
    Assertions,
    /// One such map, or a list of them of which any may hold.
    Clauses,
    /// Names, and what each takes out of what the step's kind shows.
    Captures,
    /// A list of steps.
    Steps,
    /// A list of steps beside those of the run itself.
    Teardown,
    /// Names of labels and their texts.
    Labels,
    /// Names and constants.
    Vars,
    /// Names, and where the value of each secret comes from.
    Secrets,
    /// Names of regions, and a map with these keys (or nothing) for each.
    Regions(&'static [Key]),
    /// A list of exporters, each a name with its settings; whoever knows the exporters checks those.
    Exporters,
    /// Names, and one kind of route for each.
    Routes,
    /// The name of a template.
    Template,
    /// Names of a template's parameters and their values.
    Arguments,
    /// Names and lists of values.
    Matrix,
    /// Names of parameters, each with these keys.
    Params(&'static [Key]),
    /// A single value.
    Constant,
    /// The keys of a scenario, but for those that make it one of its own.
    Body,
    /// A map with these keys, each read by what it holds.
    Parts(&'static [Key]),
}

/// A bound value.
#[derive(Clone, Debug)]
pub enum Bound {
    /// From [`KeyType::Template`].
    Template(Template),
    /// From [`KeyType::Text`].
    Text(String),
    /// From [`KeyType::Duration`].
    Duration(Duration),
    /// From [`KeyType::Bool`].
    Bool(bool),
    /// From [`KeyType::Int`].
    Int(i64),
    /// From [`KeyType::Size`].
    Size(u64),
    /// From [`KeyType::Choice`].
    Choice(&'static str),
    /// From [`KeyType::Percent`].
    Percent(Share),
    /// From [`KeyType::Json`].
    Json(JsonTemplate),
    /// From [`KeyType::OneOrMany`].
    List(Vec<Spanned<Bound>>),
    /// From [`KeyType::Map`], in the file's order.
    Map(Vec<(Spanned<String>, Spanned<Bound>)>),
    /// From [`KeyType::Record`].
    Record(Fields),
}

/// A JSON value whose texts (and object keys) may have holes.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTemplate {
    /// No holes below here.
    Constant(serde_json::Value),
    /// A text with holes; a single hole keeps the type of what fills it.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// The value with every hole filled.
    ///
    /// # Errors
    /// A capture or secret has no value in this run, or a capture is `null` where it is not the whole value.
    pub fn render(
        &self,
        scope: &crate::template::Scope<'_>,
    ) -> Result<serde_json::Value, crate::template::Unresolved> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Text(template) => match template.single_hole() {
                Some((hole, [])) => crate::template::fill_value(hole, scope),
                _ => Ok(template.render(scope)?.into_owned().into()),
            },
            Self::List(items) => items.iter().map(|item| item.render(scope)).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| Ok((key.clone(), value.render(scope)?))).collect()
            }
        }
    }
}

/// The bound keys of one map; a kind takes out what it knows.
///
/// The binder has checked every key and type against the table before, so a missing value means that the
/// author left it out.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The place of the whole map (or of the short form).
    pub span: Span,
    entries: Vec<(&'static str, Spanned<Bound>)>,
}

macro_rules! takers {
    ($($(#[doc = $doc:literal])* $name:ident: $variant:ident => $type:ty),* $(,)?) => {
        impl Fields {
            $($(#[doc = $doc])*
            pub fn $name(&mut self, key: &str) -> Option<Spanned<$type>> {
                let taken = self.take(key)?;
                match taken.value {
                    Bound::$variant(value) => Some(Spanned::new(value, taken.span)),
                    _ => None,
                }
            })*
        }
    };
}

takers! {
    /// Takes a template.
    template: Template => Template,
    /// Takes a text.
    text: Text => String,
    /// Takes a duration.
    duration: Duration => Duration,
    /// Takes a yes or no.
    bool: Bool => bool,
    /// Takes a whole number.
    int: Int => i64,
    /// Takes a number of bytes.
    size: Size => u64,
    /// Takes a word.
    choice: Choice => &'static str,
    /// Takes a share.
    percent: Percent => Share,
    /// Takes a JSON template.
    json: Json => JsonTemplate,
    /// Takes a list.
    list: List => Vec<Spanned<Bound>>,
    /// Takes a map.
    map: Map => Vec<(Spanned<String>, Spanned<Bound>)>,
    /// Takes a map with its own keys.
    record: Record => Fields,
}

impl Fields {
    /// The bound keys of the map at `span`.
    pub const fn new(span: Span, entries: Vec<(&'static str, Spanned<Bound>)>) -> Self {
        Self { span, entries }
    }

    /// Whether the author gave `key`.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| *name == key)
    }

    /// Puts back what was taken, or in its place what it became.
    pub fn put(&mut self, key: &'static str, value: Spanned<Bound>) {
        self.entries.push((key, value));
    }

    /// The place of the value under `key`.
    pub fn span_of(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value.span)
    }

    /// Takes whatever stands under `key`.
    pub fn take(&mut self, key: &str) -> Option<Spanned<Bound>> {
        let index = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.swap_remove(index).1)
    }
}
