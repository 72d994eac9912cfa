//! What may be looked at and what must hold, as schemas.

use serde_json::{Value, json};

use super::held::Of;
use super::types::{choice, list_or, record, scalar};
use super::{Builder, Object, notes, object};
use crate::fields::KeyType;
use crate::kind::{LATENCY_SUBJECT, Shape, Subject};
use crate::operators::{OPERATORS, Operator, TIMELY, TOLERANCE_KEY, Takes, ValueType, item_type, type_words};
use crate::suggest::one_of;
use crate::value::SubjectType;

impl<N> Builder<'_, N> {
    /// A map from subjects to what must hold.
    pub(super) fn subjects(
        &mut self,
        kind: &str,
        subjects: impl Iterator<Item = &'static Subject>,
    ) -> Object {
        let mut shows = record(&self.subject_properties(kind, subjects), &[]);
        shows.insert("minProperties".to_owned(), 1.into());
        shows
    }

    /// The same as properties; every kind has a latency.
    pub(super) fn subject_properties(
        &mut self,
        kind: &str,
        subjects: impl Iterator<Item = &'static Subject>,
    ) -> Object {
        let mut properties = Object::new();
        for subject in subjects.chain([&LATENCY_SUBJECT]) {
            properties.insert(subject.name.to_owned(), self.subject(kind, subject).into());
        }
        properties
    }

    /// One subject and what must hold for it.
    pub(super) fn subject(&mut self, kind: &str, subject: &'static Subject) -> Object {
        let schema = match subject.shape {
            Shape::One(value) => self.matcher(ValueType::One(value), &format!("{kind}.{}", subject.name)),
            Shape::Agree => self.agree(kind),
            Shape::Rule(rule) => object(json!({
                "type": ["object", "string"],
                "minProperties": 1,
                "errorMessage": format!("expected {}", rule.words),
            })),
            shape => object(json!({
                "type": "object",
                "minProperties": 1,
                "propertyNames": selector(shape),
                "additionalProperties": self.matcher(ValueType::chosen(shape), ""),
            })),
        };
        let mut noted = notes::described(subject.doc, "", subject.name, subject.example);
        if let Shape::One(SubjectType::Choice(words) | SubjectType::Ordered(words)) = subject.shape {
            notes::offer_words(&mut noted, words, subject.doc);
        }
        notes::put(&mut noted, schema);
        noted
    }

    /// The names of what several answers must agree on.
    fn agree(&mut self, kind: &str) -> Object {
        let kind = self.kinds.iter().find(|known| known.name == kind);
        let comparable = kind.map_or_else(Vec::new, |kind| {
            let one = kind.subjects.iter().filter(|subject| matches!(subject.shape, Shape::One(_)));
            one.map(|subject| subject.name).collect()
        });
        let expected = format!("expected {}", one_of(comparable.iter().copied()));
        list_or(choice(&comparable, &expected), None)
    }

    /// A bare value or a map of operators; `own` names the definition of a type that no other subject has.
    fn matcher(&mut self, value: ValueType, own: &str) -> Object {
        let name = match value {
            ValueType::Dynamic => "match.value".to_owned(),
            ValueType::Found => "match.found-text".to_owned(),
            ValueType::FoundMany => "match.found-texts".to_owned(),
            ValueType::One(SubjectType::Int) => "match.number".to_owned(),
            ValueType::One(SubjectType::Size) => "match.size".to_owned(),
            ValueType::One(SubjectType::Text) => "match.text".to_owned(),
            ValueType::One(SubjectType::Bool) => "match.yes-no".to_owned(),
            ValueType::One(SubjectType::Duration) => "match.duration".to_owned(),
            ValueType::One(SubjectType::Percent) => "match.percent".to_owned(),
            ValueType::One(SubjectType::Status) => "match.status".to_owned(),
            ValueType::One(SubjectType::Texts) => "match.texts".to_owned(),
            ValueType::One(SubjectType::Words(_)) => format!("match.list.{own}"),
            ValueType::One(SubjectType::Any) => "match.text-or-time".to_owned(),
            ValueType::One(SubjectType::Choice(_) | SubjectType::Ordered(_)) => format!("match.{own}"),
        };
        self.definition(&name, |builder| {
            let fitting = OPERATORS.iter().filter(|operator| (operator.fits)(value));
            let operators = fitting.map(|operator| {
                let mut noted = notes::described(operator.doc, "", operator.name, operand_example(operator));
                notes::put(&mut noted, builder.operand(operator, value, own));
                (operator.name.to_owned(), Value::from(noted))
            });
            let mut operators: Object = operators.collect();
            let timely = TIMELY.iter().any(|operator| operators.contains_key(*operator));
            if timely {
                let tolerance = builder.key(&TOLERANCE_KEY, Of::Nothing);
                operators.insert(TOLERANCE_KEY.name.to_owned(), tolerance.into());
            }
            let mut operators = record(&operators, &[]);
            if timely {
                operators.insert("allOf".to_owned(), json!([lonely_tolerance()]));
            }
            operators.insert("minProperties".to_owned(), 1.into());
            object(json!({ "if": { "type": "object" }, "then": operators, "else": bare(value) }))
        })
    }

    /// What may stand behind an operator.
    fn operand(&mut self, operator: &'static Operator, value: ValueType, own: &str) -> Object {
        let item = item_type(value);
        match &operator.takes {
            Takes::Equal => match value {
                ValueType::One(SubjectType::Texts | SubjectType::Words(_)) => list_of(&single(item)),
                other => bare(other),
            },
            Takes::Expected => self.matcher(value, own),
            Takes::Values => match value {
                ValueType::One(SubjectType::Status) => bare(value),
                _ => list_of(&single(item)),
            },
            Takes::Limit => limit(value),
            Takes::Parts => {
                let mut one = single(item);
                if let ValueType::One(SubjectType::Choice(_)) = item {
                    return list_or(one, None);
                }
                one.insert("minLength".to_owned(), 1.into());
                if one.contains_key("type") {
                    return list_or(one, None);
                }
                one.insert("items".to_owned(), json!({ "minLength": 1 }));
                one.insert("minItems".to_owned(), 1.into());
                one
            }
            Takes::Regex => scalar(&KeyType::Text),
            Takes::Text => {
                let mut text = scalar(&KeyType::Text);
                text.insert("minLength".to_owned(), 1.into());
                text
            }
            Takes::Bool => scalar(&KeyType::Bool),
            Takes::Word(words) => choice(words, &format!("expected {}", one_of(words.iter().copied()))),
            Takes::Length => self.matcher(ValueType::One(SubjectType::Int), ""),
            Takes::Item => self.matcher(item, own),
            Takes::Items => object(json!({ "type": "array", "items": single(item) })),
            Takes::Age => scalar(&KeyType::Duration),
            Takes::Keys(keys) => self.record(keys, Of::Nothing),
        }
    }
}

/// `future_tolerance` means nothing alone.
fn lonely_tolerance() -> Value {
    let beside: Vec<_> = TIMELY.iter().map(|operator| json!({ "required": [operator] })).collect();
    let name = TOLERANCE_KEY.name;
    json!({
        "if": { "required": [name], "not": { "anyOf": beside } },
        "then": {
            "properties": { (name): false },
            "errorMessage": format!("`{name}` stands beside {}", one_of(TIMELY)),
        },
    })
}

/// The operand in an operator's example, which is a map with the operator.
fn operand_example(operator: &'static Operator) -> &'static str {
    let inside = operator.example.trim_start_matches("{ ").trim_start_matches(operator.name);
    inside.trim_start_matches(": ").strip_suffix(" }").unwrap_or(inside)
}

/// A value without an operator.
fn bare(value: ValueType) -> Object {
    let ValueType::One(subject) = value else { return single(value) };
    match subject {
        SubjectType::Duration => {
            refused("a duration is never exactly this long: write { lt: … } or { gte: … }")
        }
        SubjectType::Texts | SubjectType::Words(_) => {
            refused("say how the list is compared: { equals_set: […] } or { contains: … }")
        }
        SubjectType::Status => list_or(single(value), Some(format!("expected {}", type_words(value)))),
        _ => single(value),
    }
}

/// Nothing but a map of operators.
fn refused(why: &str) -> Object {
    object(json!({ "type": "object", "errorMessage": why }))
}

/// One value of the type.
fn single(value: ValueType) -> Object {
    let subject = match value {
        ValueType::One(subject) => subject,
        ValueType::Found | ValueType::FoundMany => SubjectType::Text,
        ValueType::Dynamic => return Object::new(),
    };
    match subject {
        SubjectType::Int => scalar(&KeyType::Int(i64::MIN, i64::MAX)),
        SubjectType::Size => scalar(&KeyType::Size),
        SubjectType::Bool => scalar(&KeyType::Bool),
        SubjectType::Duration => scalar(&KeyType::Duration),
        SubjectType::Percent => scalar(&KeyType::Percent),
        SubjectType::Text | SubjectType::Texts | SubjectType::Any => scalar(&KeyType::Text),
        SubjectType::Choice(words) | SubjectType::Ordered(words) | SubjectType::Words(words) => {
            choice(words, &format!("expected {}", one_of(words.iter().copied())))
        }
        SubjectType::Status => object(json!({
            "type": ["integer", "string"],
            "minimum": 100,
            "maximum": 599,
            "pattern": r"^([1-5](xx|XX)|[1-5][0-9][0-9])$|\$\{",
            "errorMessage": "expected a whole number of 100–599, or `2xx`",
        })),
    }
}

/// A value that others are more or less than.
fn limit(value: ValueType) -> Object {
    match value {
        ValueType::Dynamic | ValueType::Found | ValueType::FoundMany => object(json!({
            "type": ["number", "string"],
            "pattern": r"^\$\{[^{}]+\}$",
            "errorMessage": "expected a number; for times there are newer_than and older_than",
        })),
        ValueType::One(SubjectType::Status) => single(ValueType::One(SubjectType::Int)),
        other @ ValueType::One(_) => single(other),
    }
}

fn list_of(item: &Object) -> Object {
    object(json!({ "type": "array", "items": item, "minItems": 1 }))
}

/// The keys of a subject of which one value is chosen, or how a capture names it.
pub(super) fn selector(shape: Shape) -> Value {
    let (pattern, title, message) = match shape {
        Shape::JsonPath => (r"^\$", "$.path", "a JSON path starts with `$`, like $.status or $.items[0].id"),
        Shape::XmlPath => {
            ("^/[^/]", "/path", "an XML path names every element from the top, like /feed/entry[1]/title")
        }
        Shape::Pattern => (r"^[\s\S]", "regular expression", "a regular expression that matches in the text"),
        Shape::Header => (
            r"^[0-9A-Za-z!#$%&'*+.^_`|~-]{1,256}$",
            "Header-Name",
            "header names have letters, digits and `-`",
        ),
        Shape::Row => (
            r"^\[\+?[0-9]+\]\.[\s\S]+$",
            "[0].column",
            "write the row's number, counted from 0, and the column's name: \"[0].last\"",
        ),
        Shape::Own(chooser) => (chooser.pattern, "key", chooser.words),
        Shape::One(_) | Shape::Agree | Shape::Rule(_) => (r"^", "key", ""),
    };
    json!({ "type": "string", "title": title, "pattern": pattern, "errorMessage": message })
}
