//! Every operator of the language as a table: what it asks for, what may stand behind it, what it fits.

use super::ValueType;
use super::operand::Operand;
use crate::bind::Binder;
use crate::fields::{Key, KeyType, Need};
use crate::suggest::one_of;
use crate::tree::Node;
use crate::value::SubjectType;

/// One operator of the language.
pub(crate) struct Operator {
    pub(crate) name: &'static str,
    /// What it asks for, for people.
    pub(crate) doc: &'static str,
    /// As YAML: a map with the operator.
    pub(crate) example: &'static str,
    /// What may stand behind it.
    pub(crate) takes: Takes,
    /// Whether it makes sense for a type.
    pub(crate) fits: fn(ValueType) -> bool,
    /// Compiles its operand.
    pub(super) bind: fn(&mut Binder<'_, '_>, &Node, ValueType, &str) -> Option<Operand>,
}

/// What may stand behind an operator, for the schema and for people; "value" is one of the subject's type.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Takes {
    /// A value; for a subject that is a list, a list.
    Equal,
    /// A value or a map of operators, as behind the subject itself.
    Expected,
    /// A list of values.
    Values,
    /// A value that is more or less than others.
    Limit,
    /// A value or a list of them; for a subject that is a list, its items.
    Parts,
    /// A regular expression.
    Regex,
    /// A text that is not empty.
    Text,
    /// True or false.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number or a map of operators for one.
    Length,
    /// An item's value or a map of operators for it.
    Item,
    /// A list of items.
    Items,
    /// A duration.
    Age,
    /// A map with these keys.
    Keys(&'static [Key]),
}

/// The words of `type`.
pub(super) const JSON_TYPES: &[&str] = &["string", "number", "integer", "boolean", "null", "array", "object"];

/// Every operator, in the order they are listed to people.
pub(crate) const OPERATORS: &[Operator] = &[
    Operator {
        name: "equals",
        doc: "Is exactly this value; a bare value means the same. A text is never equal to a number.",
        example: "{ equals: UP }",
        takes: Takes::Equal,
        fits: |value| !is_duration(value),
        bind: |binder, node, value, name| binder.equals(node, value, name),
    },
    Operator {
        name: "not",
        doc: "Is anything but this value, or does not meet these operators.",
        example: "{ not: { starts_with: ERR } }",
        takes: Takes::Expected,
        fits: |_| true,
        bind: |binder, node, value, name| binder.negated(node, value, name),
    },
    Operator {
        name: "in",
        doc: "Is one of these values.",
        example: "{ in: [pending, confirmed] }",
        takes: Takes::Values,
        fits: is_single,
        bind: |binder, node, value, name| binder.one_of(node, value, name),
    },
    Operator {
        name: "not_in",
        doc: "Is none of these values.",
        example: "{ not_in: [failed, cancelled] }",
        takes: Takes::Values,
        fits: is_single,
        bind: |binder, node, value, name| binder.one_of(node, value, name),
    },
    Operator {
        name: "gt",
        doc: "Is greater than this.",
        example: "{ gt: 0 }",
        takes: Takes::Limit,
        fits: is_ordered,
        bind: |binder, node, value, name| binder.compare(node, value, name),
    },
    Operator {
        name: "gte",
        doc: "Is this or greater.",
        example: "{ gte: 1 }",
        takes: Takes::Limit,
        fits: is_ordered,
        bind: |binder, node, value, name| binder.compare(node, value, name),
    },
    Operator {
        name: "lt",
        doc: "Is less than this.",
        example: "{ lt: 100 }",
        takes: Takes::Limit,
        fits: is_ordered,
        bind: |binder, node, value, name| binder.compare(node, value, name),
    },
    Operator {
        name: "lte",
        doc: "Is this or less.",
        example: "{ lte: 300 }",
        takes: Takes::Limit,
        fits: is_ordered,
        bind: |binder, node, value, name| binder.compare(node, value, name),
    },
    Operator {
        name: "contains",
        doc: "A text has this text in it, a list this item; of several, all of them.",
        example: "{ contains: Welcome }",
        takes: Takes::Parts,
        fits: is_texty,
        bind: |binder, node, value, name| binder.contains(node, value, name),
    },
    Operator {
        name: "not_contains",
        doc: "A text does not have this text in it, a list not this item; of several, none of them.",
        example: "{ not_contains: error }",
        takes: Takes::Parts,
        fits: is_texty,
        bind: |binder, node, value, name| binder.contains(node, value, name),
    },
    Operator {
        name: "matches",
        doc: "A text in which this regular expression matches somewhere; `^` and `$` tie it to the ends. Linear time: no look-around, no backreferences.",
        example: "{ matches: \"^v[0-9]+\" }",
        takes: Takes::Regex,
        fits: is_text,
        bind: |binder, node, _, name| binder.matches(node, name),
    },
    Operator {
        name: "starts_with",
        doc: "A text that begins with this.",
        example: "{ starts_with: \"<!doctype\" }",
        takes: Takes::Text,
        fits: is_text,
        bind: |binder, node, _, name| binder.affix(node, name),
    },
    Operator {
        name: "ends_with",
        doc: "A text that ends with this.",
        example: "{ ends_with: /home }",
        takes: Takes::Text,
        fits: is_text,
        bind: |binder, node, _, name| binder.affix(node, name),
    },
    Operator {
        name: "exists",
        doc: "Whether there is a value at all; without `exists: false`, no value is a failure.",
        example: "{ exists: true }",
        takes: Takes::Bool,
        fits: |_| true,
        bind: |binder, node, _, name| binder.exists(node, name),
    },
    Operator {
        name: "type",
        doc: "The value's type in JSON.",
        example: "{ type: array }",
        takes: Takes::Word(JSON_TYPES),
        fits: is_dynamic,
        bind: |binder, node, _, name| binder.json_type(node, name),
    },
    Operator {
        name: "len",
        doc: "How many characters a text or items a list has, or how many matches a path or selector has that may have several: a number, or operators for it.",
        example: "{ len: { gte: 1 } }",
        takes: Takes::Length,
        fits: is_texty,
        bind: |binder, node, _, name| binder.length(node, name),
    },
    Operator {
        name: "any",
        doc: "At least one item of a list is this value or meets these operators.",
        example: "{ any: { starts_with: \"10.\" } }",
        takes: Takes::Item,
        fits: is_listy,
        bind: |binder, node, value, name| binder.each(node, value, name),
    },
    Operator {
        name: "all",
        doc: "Every item of a list is this value or meets these operators.",
        example: "{ all: { starts_with: \"10.\" } }",
        takes: Takes::Item,
        fits: is_listy,
        bind: |binder, node, value, name| binder.each(node, value, name),
    },
    Operator {
        name: "equals_set",
        doc: "A list of exactly these items, in any order.",
        example: "{ equals_set: [203.0.113.10, 203.0.113.11] }",
        takes: Takes::Items,
        fits: is_listy,
        bind: |binder, node, value, name| binder.equals_set(node, value, name),
    },
    Operator {
        name: "newer_than",
        doc: "A time that is not longer ago than this: RFC 3339, an HTTP date, unix seconds or milliseconds, an SQL timestamp. The age is recorded. One that lies in the future fails too.",
        example: "{ newer_than: 24h }",
        takes: Takes::Age,
        fits: is_timely,
        bind: |binder, node, _, name| binder.age(node, name),
    },
    Operator {
        name: "older_than",
        doc: "A time that is longer ago than this.",
        example: "{ older_than: 7d }",
        takes: Takes::Age,
        fits: is_timely,
        bind: |binder, node, _, name| binder.age(node, name),
    },
    Operator {
        name: "advances",
        doc: "A value that has grown since the last one that this scenario saw in this region, at least once in so long.",
        example: "{ advances: { within: 2h } }",
        takes: Takes::Keys(ADVANCES_KEYS),
        fits: is_growing,
        bind: |binder, node, _, _| binder.advances(node),
    },
];

/// The keys of `advances`.
pub(super) const ADVANCES_KEYS: &[Key] = &[Key {
    name: "within",
    value: KeyType::Duration,
    need: Need::Required,
    doc: "How long the value may stand still.",
    example: "2h",
}];

/// The key beside `newer_than` and `advances` that says how far in the future a time may lie.
pub(crate) static TOLERANCE_KEY: Key = Key {
    name: "future_tolerance",
    value: KeyType::Duration,
    need: Need::Default("1m"),
    doc: "How far in the future a time may lie; beside `newer_than` or `advances`.",
    example: "5m",
};
/// The operators that it may stand beside.
pub(crate) const TIMELY: [&str; 2] = ["newer_than", "advances"];

pub(super) fn is_duration(value: ValueType) -> bool {
    value == ValueType::One(SubjectType::Duration)
}

/// Whether it is a text that a key finds.
pub(super) fn is_found(value: ValueType) -> bool {
    matches!(value, ValueType::Found | ValueType::FoundMany)
}

fn is_growing(value: ValueType) -> bool {
    matches!(
        value,
        ValueType::Dynamic
            | ValueType::Found
            | ValueType::FoundMany
            | ValueType::One(SubjectType::Int | SubjectType::Size | SubjectType::Any)
    )
}

fn is_dynamic(value: ValueType) -> bool {
    value == ValueType::Dynamic
}

fn is_single(value: ValueType) -> bool {
    !matches!(
        value,
        ValueType::One(
            SubjectType::Texts | SubjectType::Words(_) | SubjectType::Bool | SubjectType::Duration
        )
    )
}

fn is_ordered(value: ValueType) -> bool {
    !is_found(value)
        && !matches!(
            value,
            ValueType::One(
                SubjectType::Text
                    | SubjectType::Texts
                    | SubjectType::Words(_)
                    | SubjectType::Bool
                    | SubjectType::Choice(_)
                    | SubjectType::Any
            )
        )
}

fn is_text(value: ValueType) -> bool {
    is_found(value)
        || matches!(value, ValueType::Dynamic | ValueType::One(SubjectType::Text | SubjectType::Any))
}

fn is_texty(value: ValueType) -> bool {
    is_text(value) || is_listy(value)
}

fn is_listy(value: ValueType) -> bool {
    matches!(value, ValueType::Dynamic | ValueType::FoundMany) || is_list(value)
}

/// Whether it is a list whatever the target says.
pub(super) fn is_list(value: ValueType) -> bool {
    matches!(value, ValueType::One(SubjectType::Texts | SubjectType::Words(_)))
}

fn is_timely(value: ValueType) -> bool {
    is_found(value) || matches!(value, ValueType::Dynamic | ValueType::One(SubjectType::Any))
}

/// A type in words for people.
pub(crate) fn type_words(value: ValueType) -> String {
    match value {
        ValueType::Dynamic => "a value".to_owned(),
        ValueType::Found | ValueType::FoundMany => "a text or time".to_owned(),
        ValueType::One(subject) => match subject {
            SubjectType::Int => "a whole number".to_owned(),
            SubjectType::Size => "a size like `64kB`".to_owned(),
            SubjectType::Text => "a text".to_owned(),
            SubjectType::Bool => "`true` or `false`".to_owned(),
            SubjectType::Duration => "a duration like `300ms`".to_owned(),
            SubjectType::Percent => "a share like `5%`".to_owned(),
            SubjectType::Status => "a whole number of 100–599, `2xx`, or a list of those".to_owned(),
            SubjectType::Choice(words) | SubjectType::Ordered(words) if words.len() <= 8 => {
                one_of(words.iter().copied())
            }
            SubjectType::Choice(_) | SubjectType::Ordered(_) => "one of its words".to_owned(),
            SubjectType::Texts => "a list of texts".to_owned(),
            SubjectType::Words(_) => "a list of words".to_owned(),
            SubjectType::Any => "a text or time".to_owned(),
        },
    }
}

/// The type of one item.
pub(crate) fn item_type(value: ValueType) -> ValueType {
    match value {
        ValueType::One(SubjectType::Texts) => ValueType::One(SubjectType::Text),
        ValueType::One(SubjectType::Words(words)) => ValueType::One(SubjectType::Choice(words)),
        ValueType::FoundMany => ValueType::Found,
        other => other,
    }
}
