//! JSON Schemas for the files that people write, made from the tables that the binder reads them with.
//!
//! Draft 7: every editor's YAML support reads it. A schema sees less than the binder: what `${…}` stands for,
//! whether names exist, whether a regular expression is one. What it refuses, the binder refuses too; what
//! the binder takes, it takes.
//!
//! Alternatives are told apart by `if` on the value's type, not by `oneOf`, whose messages say only that
//! nothing fits. Beside the standard's words there are those that editors know: `errorMessage`,
//! `markdownDescription` and `defaultSnippets`.
//!
//! | module | holds |
//! | --- | --- |
//! | [`files`] | whole files: a scenario with its steps, a project |
//! | [`held`] | values that are read by what they hold |
//! | [`matchers`] | subjects and operators |
//! | [`types`] | typed keys |
//! | [`notes`] | what editors show: descriptions, examples, snippets |
//! | [`example`] | a table's examples from YAML to JSON |

mod example;
mod files;
mod held;
mod matchers;
mod notes;
mod types;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::fields::Key;
use crate::kind::Kind;

/// A JSON object.
type Object = Map<String, Value>;

/// Something that a project names with its settings, and that this crate does not know: an exporter.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name in the project file.
    pub name: &'static str,
    /// What it is, in one sentence for people.
    pub doc: &'static str,
    /// Its settings.
    pub keys: Vec<Key>,
}

/// The schema of a scenario file.
pub fn scenario<N>(kinds: &'static [Kind<N>]) -> Value {
    let mut builder = Builder { kinds, exporters: &[], definitions: BTreeMap::new() };
    let root = builder.scenario();
    builder.document("prober scenario", "What a system is supposed to do, and how that is looked at.", root)
}

/// The schema of a template file.
pub fn template<N>(kinds: &'static [Kind<N>]) -> Value {
    let mut builder = Builder { kinds, exporters: &[], definitions: BTreeMap::new() };
    let root = builder.template();
    builder.document("prober template", "What scenarios share that differ in a few values.", root)
}

/// The schema of an SLO file.
pub fn slo<N>(kinds: &'static [Kind<N>]) -> Value {
    let mut builder = Builder { kinds, exporters: &[], definitions: BTreeMap::new() };
    let root = builder.slo();
    builder.document("prober SLO", "What is promised of several scenarios together.", root)
}

/// The schema of a project file, `prober.yaml`.
pub fn project<N>(kinds: &'static [Kind<N>], exporters: &[Section]) -> Value {
    let mut builder = Builder { kinds, exporters, definitions: BTreeMap::new() };
    let root = builder.project();
    builder.document("prober project", "What all scenarios share.", root)
}

/// Collects the definitions that a schema refers to.
struct Builder<'a, N: 'static> {
    kinds: &'static [Kind<N>],
    exporters: &'a [Section],
    definitions: BTreeMap<String, Value>,
}

impl<N> Builder<'_, N> {
    /// A reference to the definition `name`, made by `make` if it is not there yet.
    ///
    /// While it is made it may refer to itself.
    fn definition(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Object) -> Object {
        if !self.definitions.contains_key(name) {
            self.definitions.insert(name.to_owned(), Value::Null);
            let made = make(self);
            self.definitions.insert(name.to_owned(), made.into());
        }
        object(json!({ "$ref": format!("#/definitions/{name}") }))
    }

    /// The whole schema.
    fn document(self, title: &str, description: &str, root: Object) -> Value {
        let mut document = object(json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": title,
            "description": description,
        }));
        document.extend(root);
        if !self.definitions.is_empty() {
            document.insert("definitions".to_owned(), self.definitions.into_iter().collect());
        }
        document.into()
    }
}

/// The object that a `json!({ … })` is.
fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
