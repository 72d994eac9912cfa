//! Values that are read by what they hold, as schemas.

use serde_json::{Value, json};

use super::matchers::selector;
use super::types::{HOLES, NO_HOLES, list_or, record, scalar, setting};
use super::{Builder, Object, example, notes, object};
use crate::capture_bind::{BODY, CAPTURE_KEYS, capture_word, takeable};
use crate::fields::{Holds, Key, KeyType, Need};
use crate::file::STEPS_MAX;
use crate::kind::{Kind, Shape, Subject};
use crate::name::{LABEL, PRIVATE, PUBLIC, RESERVED};
use crate::project::routes::{ROUTE_KINDS, RouteKind};
use crate::project::{LABEL_BYTES_MAX, LABELS_MAX, SECRET_KEYS};
use crate::suggest::one_of;

/// Whose subjects a value may look at.
pub(super) enum Of<N: 'static> {
    /// It does not say yet of which kind it is.
    Nothing,
    /// A step of this kind.
    Kind(&'static Kind<N>),
    /// A scenario of several steps, as a whole.
    Flow,
}

impl<N> Copy for Of<N> {}

impl<N> Clone for Of<N> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Whether what may stand behind a key depends on the kind of the step.
pub(super) fn depends_on_kind(value: &KeyType) -> bool {
    match value {
        KeyType::Held(Holds::Assertions | Holds::Clauses | Holds::Captures) => true,
        KeyType::Held(Holds::Parts(keys)) | KeyType::Record(keys) => {
            keys.iter().any(|key| depends_on_kind(&key.value))
        }
        KeyType::OneOrMany(item) | KeyType::Map(item) => depends_on_kind(item),
        _ => false,
    }
}

impl<N> Builder<'_, N> {
    /// A value that is read by what it holds.
    pub(super) fn held(&mut self, holds: &'static Holds, of: Of<N>) -> Object {
        match holds {
            Holds::Assertions => self.assertions(of),
            Holds::Clauses => self.clauses(of),
            Holds::Captures => self.captures(of),
            Holds::Steps | Holds::Teardown => self.steps(),
            Holds::Labels => labels(),
            Holds::Vars => vars(),
            Holds::Secrets => self.secrets(),
            Holds::Regions(keys) => self.regions(keys),
            Holds::Exporters => self.exporters(),
            Holds::Routes => self.routes(),
            Holds::Template => object(
                json!({ "type": ["string", "number", "boolean"], "pattern": NO_HOLES, "errorMessage": "expected the name of a template" }),
            ),
            Holds::Arguments => arguments(),
            Holds::Matrix => matrix(),
            Holds::Params(keys) => self.params(keys),
            Holds::Constant => constant("a default is a single value"),
            Holds::Body => self.definition("body", Self::body),
            Holds::Parts(keys) => self.record(keys, of),
        }
    }

    fn assertions(&mut self, of: Of<N>) -> Object {
        match of {
            Of::Nothing => object(json!({ "type": "object", "minProperties": 1 })),
            Of::Kind(kind) => {
                let name = format!("{}.shows", kind.name);
                self.definition(&name, |builder| builder.subjects(kind.name, kind.subjects.iter()))
            }
            Of::Flow => self.definition("flow.shows", |builder| builder.subjects("flow", [].iter())),
        }
    }

    /// A clause of a scenario of several steps looks at any step that shows what it asks for.
    fn clauses(&mut self, of: Of<N>) -> Object {
        let one = match of {
            Of::Flow => self.definition("any.shows", Self::any_subjects),
            other => self.assertions(other),
        };
        list_or(one, None)
    }

    /// The subjects of all kinds; where several kinds have one of a name, it may be any of theirs.
    fn any_subjects(&mut self) -> Object {
        let mut all: Vec<(&'static str, &'static Subject)> = Vec::new();
        for kind in self.kinds {
            for subject in kind.subjects {
                match all.iter_mut().find(|(_, known)| known.name == subject.name) {
                    Some((_, known)) if known.shape == subject.shape => {}
                    Some(entry) => entry.0 = "",
                    None => all.push((kind.name, subject)),
                }
            }
        }
        let mut properties = self.subject_properties("any", [].iter());
        for (kind, subject) in all {
            let schema = if kind.is_empty() { Object::new() } else { self.subject(kind, subject) };
            properties.insert(subject.name.to_owned(), schema.into());
        }
        let mut shows = record(&properties, &[]);
        shows.insert("minProperties".to_owned(), 1.into());
        shows
    }

    fn captures(&mut self, of: Of<N>) -> Object {
        let one: Value = match of {
            Of::Kind(kind) => {
                let name = format!("{}.capture", kind.name);
                self.definition(&name, |builder| builder.capture(kind)).into()
            }
            Of::Nothing | Of::Flow => json!({ "type": "object" }),
        };
        object(json!({
            "type": "object",
            "propertyNames": names(PRIVATE, "name"),
            "additionalProperties": one,
        }))
    }

    /// What one capture takes: one subject, or what a regular expression finds in the body.
    fn capture(&mut self, kind: &'static Kind<N>) -> Object {
        let mut properties = Object::new();
        let mut sources = Vec::new();
        let source = |word: &str| {
            let words = takeable(kind.subjects).map(capture_word);
            json!({ "required": [word], "errorMessage": format!("say what to take: {}", one_of(words)) })
        };
        for subject in takeable(kind.subjects) {
            let word = capture_word(subject);
            properties.insert(word.to_owned(), taken(subject, word).into());
            sources.push(source(word));
            if word != subject.name {
                let mut other = taken(subject, word);
                other.insert("doNotSuggest".to_owned(), true.into());
                properties.insert(subject.name.to_owned(), other.into());
                sources.push(source(subject.name));
            }
        }
        if kind.subjects.iter().any(|subject| subject.name == BODY) {
            sources.push(json!({ "required": ["regex"], "not": { "anyOf": sources.clone() } }));
        }
        properties.extend(self.properties(CAPTURE_KEYS, Of::Kind(kind)));
        let mut capture = record(&properties, &[]);
        capture.insert("oneOf".to_owned(), sources.into());
        capture
    }

    fn steps(&mut self) -> Object {
        let step = self.definition("step", Self::step);
        object(json!({ "type": "array", "minItems": 1, "maxItems": STEPS_MAX, "items": step }))
    }

    fn secrets(&mut self) -> Object {
        let mut source = self.record(SECRET_KEYS, Of::Nothing);
        // The binder wants a plain text here, and exactly one of them.
        for property in source.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(property) = property.1.as_object_mut() {
                property.insert("type".to_owned(), "string".into());
                property.insert("minLength".to_owned(), 1.into());
            }
        }
        source.insert("minProperties".to_owned(), 1.into());
        source.insert("maxProperties".to_owned(), 1.into());
        source.insert(
            "errorMessage".to_owned(),
            "a secret is named by its source, never by its value: { env: NAME } or { file: NAME }".into(),
        );
        source.insert(
            "description".to_owned(),
            "Where the value comes from; the value itself never stands in a file.".into(),
        );
        object(json!({
            "type": "object",
            "propertyNames": names(PRIVATE, "name"),
            "additionalProperties": source,
        }))
    }

    fn regions(&mut self, keys: &'static [Key]) -> Object {
        let mut region = self.record(keys, Of::Nothing);
        region.insert("type".to_owned(), json!(["object", "null"]));
        region.insert("description".to_owned(), "One place where scenarios run.".into());
        object(json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": names(PUBLIC, "region"),
            "additionalProperties": region,
        }))
    }

    fn params(&mut self, keys: &'static [Key]) -> Object {
        let mut param = self.record(keys, Of::Nothing);
        param.insert("description".to_owned(), "A parameter: what an argument must be.".into());
        object(json!({
            "type": "object",
            "propertyNames": names(PRIVATE, "parameter"),
            "additionalProperties": param,
        }))
    }

    /// Each route has one kind, in its short form or with keys.
    fn routes(&mut self) -> Object {
        let mut kinds = Object::new();
        for kind in ROUTE_KINDS {
            let keys = self.record(kind.keys, Of::Nothing);
            let short = kind.keys.iter().find(|key| key.name == kind.short);
            let short = short.map_or_else(Object::new, |key| self.value(&key.value, Of::Nothing));
            kinds.insert(
                kind.name.to_owned(),
                json!({
                    "description": kind.summary,
                    "examples": [short_example(kind)],
                    "if": { "type": "object" },
                    "then": keys,
                    "else": short,
                }),
            );
        }
        let mut route = record(&kinds, &[]);
        route.insert("minProperties".to_owned(), 1.into());
        route.insert("maxProperties".to_owned(), 1.into());
        object(json!({
            "type": "object",
            "propertyNames": names(PUBLIC, "route"),
            "additionalProperties": route,
        }))
    }

    fn exporters(&mut self) -> Object {
        let mut each = Object::new();
        for exporter in self.exporters {
            let mut properties = Object::new();
            for key in &exporter.keys {
                let schema = setting(&key.value);
                properties.insert(key.name.to_owned(), notes::of_key(key, schema).into());
            }
            let needed: Vec<_> =
                exporter.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
            let optional = needed.is_empty();
            let mut settings = record(&properties, &needed);
            if optional {
                settings.insert("type".to_owned(), json!(["object", "null"]));
            }
            settings.insert("description".to_owned(), exporter.doc.into());
            each.insert(exporter.name.to_owned(), settings.into());
        }
        let mut item = record(&each, &[]);
        item.insert("minProperties".to_owned(), 1.into());
        item.insert("maxProperties".to_owned(), 1.into());
        object(json!({ "type": "array", "items": item }))
    }
}

/// How a capture names a subject: one value is taken with `true`, of many one is chosen.
fn taken(subject: &Subject, word: &str) -> Object {
    let doc = format!("Takes: {}", subject.doc);
    let (example, schema) = match subject.shape {
        Shape::One(_) | Shape::Agree | Shape::Rule(_) | Shape::Pattern => {
            ("true", json!({ "enum": [true], "errorMessage": "write `true` to take it, or leave it out" }))
        }
        Shape::JsonPath => ("$.id", chosen(subject.shape)),
        Shape::XmlPath => ("/feed/entry[1]/id", chosen(subject.shape)),
        Shape::Own(chooser) => (chooser.example, chosen(subject.shape)),
        Shape::Header => ("Location", chosen(subject.shape)),
        Shape::Row => ("\"[0].id\"", chosen(subject.shape)),
    };
    let mut noted = notes::described(&doc, "", word, example);
    noted.extend(object(schema));
    noted
}

/// What the short form of a route looks like.
fn short_example(kind: &RouteKind) -> Value {
    let short = kind.keys.iter().find(|key| key.name == kind.short);
    short.and_then(|key| example::json(key.example)).unwrap_or_default()
}

/// A selector as a value, in which `${…}` is filled.
fn chosen(shape: Shape) -> Value {
    let mut text = object(selector(shape));
    let pattern = text.get("pattern").and_then(Value::as_str).unwrap_or_default();
    let pattern = format!("{pattern}|{HOLES}");
    text.insert("pattern".to_owned(), pattern.into());
    text.insert("type".to_owned(), json!(["string", "integer"]));
    text.remove("title");
    text.into()
}

/// A value that is no map and no list.
fn constant(expected: &str) -> Object {
    object(json!({ "type": ["string", "number", "boolean", "null"], "errorMessage": expected }))
}

fn arguments() -> Object {
    object(json!({
        "type": "object",
        "propertyNames": { "title": "parameter" },
        "additionalProperties": constant("an argument is a single value"),
    }))
}

fn matrix() -> Object {
    let value = object(json!({
        "type": ["string", "number", "boolean"],
        "pattern": "^[0-9A-Za-z_.:@+-]{1,64}$",
        "errorMessage": "a value of the matrix has letters a–z, digits and - _ . : @ +, at most 64 of them",
    }));
    object(json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 5,
        "propertyNames": label_names(),
        "additionalProperties": list_or(value, Some("expected a list of single values".to_owned())),
    }))
}

fn label_names() -> Value {
    let (pattern, rules) = LABEL;
    let pattern = format!("^(?!__)(?!({})$){}", RESERVED.join("|"), pattern.trim_start_matches('^'));
    names((&pattern, rules), "name")
}

fn labels() -> Object {
    let mut text = scalar(&KeyType::Text);
    text.insert("maxLength".to_owned(), LABEL_BYTES_MAX.into());
    object(json!({
        "type": "object",
        "maxProperties": LABELS_MAX,
        "propertyNames": label_names(),
        "additionalProperties": text,
    }))
}

fn vars() -> Object {
    object(json!({
        "type": "object",
        "propertyNames": names(PRIVATE, "name"),
        "additionalProperties": {
            "type": ["string", "number", "boolean", "null"],
            "pattern": NO_HOLES,
            "errorMessage": "a variable is a text, number or yes-no value, without `${…}`",
        },
    }))
}

/// The names that the author chooses.
fn names((pattern, rules): (&str, &str), title: &str) -> Value {
    json!({ "title": title, "pattern": pattern, "errorMessage": format!("a name has {rules}") })
}
