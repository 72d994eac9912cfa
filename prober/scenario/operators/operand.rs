//! The operators as a table, and their operands as matchers.

use std::borrow::Cow;

use super::{ValueType, phrase};
use crate::bind::{Binder, Place};
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, Key, KeyType, Need};
use crate::matcher::{Comparison, FUTURE_TOLERANCE, JsonType, Literal, Matcher};
use crate::source::Spanned;
use crate::suggest::one_of;
use crate::tree::{Node, NodeValue, ScalarKind};
use crate::value::SubjectType;

/// A compiled operator and its words for people.
pub(super) struct Operand {
    pub(super) matcher: Matcher,
    pub(super) words: String,
}

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
const JSON_TYPES: &[&str] = &["string", "number", "integer", "boolean", "null", "array", "object"];

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
        doc: "How many characters a text or items a list has: a number, or operators for it.",
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
const ADVANCES_KEYS: &[Key] = &[Key {
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

fn is_duration(value: ValueType) -> bool {
    value == ValueType::One(SubjectType::Duration)
}

fn is_growing(value: ValueType) -> bool {
    matches!(
        value,
        ValueType::Dynamic | ValueType::One(SubjectType::Int | SubjectType::Size | SubjectType::Any)
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
    !matches!(
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
    matches!(value, ValueType::Dynamic | ValueType::One(SubjectType::Text | SubjectType::Any))
}

fn is_texty(value: ValueType) -> bool {
    is_text(value) || is_listy(value)
}

fn is_listy(value: ValueType) -> bool {
    value == ValueType::Dynamic || is_list(value)
}

/// Whether it is a list whatever the target says.
fn is_list(value: ValueType) -> bool {
    matches!(value, ValueType::One(SubjectType::Texts | SubjectType::Words(_)))
}

fn is_timely(value: ValueType) -> bool {
    matches!(value, ValueType::Dynamic | ValueType::One(SubjectType::Any))
}

/// A type in words for people.
pub(crate) fn type_words(value: ValueType) -> String {
    match value {
        ValueType::Dynamic => "a value".to_owned(),
        ValueType::One(subject) => match subject {
            SubjectType::Int => "a whole number".to_owned(),
            SubjectType::Size => "a size like `64kB`".to_owned(),
            SubjectType::Text => "a text".to_owned(),
            SubjectType::Bool => "`true` or `false`".to_owned(),
            SubjectType::Duration => "a duration like `300ms`".to_owned(),
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

impl Binder<'_, '_> {
    /// A bare value: `status: 200`.
    pub(super) fn bare(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        if is_duration(value) {
            let (literal, words) = self.literal(node, value, key)?;
            let problem = Diagnostic::error("E305", node.span, "a duration is never exactly this long");
            let limit = if key == crate::assertion::LATENCY { "lt" } else { "gte" };
            self.report.push(problem.help(format!("write {key}: {{ {limit}: {words} }}")));
            drop(literal);
            return None;
        }
        if let (ValueType::One(subject), NodeValue::List(items)) = (value, &node.value) {
            if is_list(value) {
                let problem = Diagnostic::error("E305", node.span, "say how the list is compared");
                self.report.push(
                    problem.help("write equals_set: […] for the same values in any order, or contains: […]"),
                );
                return None;
            }
            if subject != SubjectType::Status {
                let problem = wrong(value, node).help("for one of several values write { in: […] }");
                self.report.push(problem);
                return None;
            }
            if items.is_empty() {
                self.report.push(Diagnostic::error("E104", node.span, "this list is empty"));
                return None;
            }
        }
        self.equals(node, value, key)
    }

    fn equals(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        if value == ValueType::One(SubjectType::Status) {
            let (ranges, words) = self.statuses(node)?;
            let words = if ranges.len() == 1 { words } else { format!("one of {words}") };
            return Some(Operand { matcher: Matcher::Status(ranges), words });
        }
        if is_list(value) {
            let texts = self.literals(node, value, key)?;
            let words = phrase::list(&texts.1);
            let json = texts.0.into_iter().filter_map(|literal| match literal {
                Literal::Json(value) => Some(value),
                Literal::Duration(_) => None,
            });
            return Some(Operand { matcher: Matcher::Equals(Literal::Json(json.collect())), words });
        }
        let (literal, words) = self.literal(node, value, key)?;
        Some(Operand { matcher: Matcher::Equals(literal), words })
    }

    /// Operators inside of another one, where no value has a history of its own.
    fn nested(
        &mut self,
        node: &Node,
        value: ValueType,
        key: &str,
    ) -> Option<(Box<[Matcher]>, Cow<'static, str>)> {
        let found = self.matchers(node, value, key)?;
        if found.0.iter().any(|matcher| matches!(matcher, Matcher::Advances(..))) {
            let message = format!("`advances` cannot stand inside `{key}`");
            let problem = Diagnostic::error("E308", node.span, message);
            self.report.push(problem.help("it follows one value from run to run: name that value"));
            return None;
        }
        Some(found)
    }

    fn negated(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        if node.map().is_some() {
            let (matchers, words) = self.nested(node, value, key)?;
            return Some(Operand { matcher: Matcher::Not(matchers), words: format!("not {words}") });
        }
        let Operand { matcher, words } = self.bare(node, value, key)?;
        Some(Operand { matcher: Matcher::Not(Box::new([matcher])), words: format!("not {words}") })
    }

    fn one_of(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        let inside = key == "in";
        if value == ValueType::One(SubjectType::Status) {
            let (ranges, words) = self.statuses(node)?;
            let matcher = Matcher::Status(ranges);
            return Some(if inside {
                Operand { matcher, words: format!("one of {words}") }
            } else {
                Operand { matcher: Matcher::Not(Box::new([matcher])), words: format!("none of {words}") }
            });
        }
        let (literals, words) = self.literals(node, value, key)?;
        let (literals, words) = (literals.into_boxed_slice(), phrase::list(&words));
        Some(if inside {
            Operand { matcher: Matcher::In(literals), words: format!("one of {words}") }
        } else {
            Operand { matcher: Matcher::NotIn(literals), words: format!("none of {words}") }
        })
    }

    fn compare(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        let (comparison, sign) = match key {
            "gt" => (Comparison::Greater, ">"),
            "gte" => (Comparison::AtLeast, "≥"),
            "lt" => (Comparison::Less, "<"),
            _ => (Comparison::AtMost, "≤"),
        };
        if let ValueType::One(SubjectType::Ordered(words)) = value {
            let word = self.word(node, words, key)?;
            let rank = words.iter().position(|known| *known == word)?;
            return Some(Operand {
                matcher: Matcher::Rank(comparison, rank, words),
                words: format!("{sign} {word}"),
            });
        }
        let (literal, words) = match value {
            ValueType::One(SubjectType::Status) => {
                self.literal(node, ValueType::One(SubjectType::Int), key)?
            }
            _ => self.literal(node, value, key)?,
        };
        let orderable =
            matches!(&literal, Literal::Duration(_) | Literal::Json(serde_json::Value::Number(_)));
        if !orderable {
            let message = format!("`{key}` compares numbers, found {}", node.describe());
            let problem = Diagnostic::error("E305", node.span, message);
            self.report.push(problem.help("for times use newer_than or older_than"));
            return None;
        }
        Some(Operand { matcher: Matcher::Compare(comparison, literal), words: format!("{sign} {words}") })
    }

    fn contains(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        let (literals, shown) = if node.list().is_some() {
            self.literals(node, value, key)?
        } else {
            let (literal, words) = self.literal(node, item_type(value), key)?;
            (vec![literal], vec![words])
        };
        let empty = |literal: &Literal| matches!(literal, Literal::Json(serde_json::Value::String(text)) if text.is_empty());
        if literals.iter().any(empty) {
            self.report.push(Diagnostic::error("E305", node.span, "every text contains the empty text"));
            return None;
        }
        let (literals, shown) = (literals.into_boxed_slice(), phrase::list(&shown));
        Some(if key == "contains" {
            Operand { matcher: Matcher::Contains(literals), words: format!("containing {shown}") }
        } else {
            Operand { matcher: Matcher::NotContains(literals), words: format!("not containing {shown}") }
        })
    }

    fn matches(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let regex = self.regex(node, key)?;
        let words = format!("matching /{}/", regex.as_str());
        Some(Operand { matcher: Matcher::Matches(regex), words })
    }

    fn affix(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let Some(Bound::Text(text)) = self.value(node, &KeyType::Text, key) else { return None };
        if text.is_empty() {
            self.report.push(Diagnostic::error(
                "E305",
                node.span,
                format!("`{key}` needs a text that is not empty"),
            ));
            return None;
        }
        let shown = Literal::text(text.clone()).show();
        Some(if key == "starts_with" {
            Operand { matcher: Matcher::StartsWith(text.into()), words: format!("starting with {shown}") }
        } else {
            Operand { matcher: Matcher::EndsWith(text.into()), words: format!("ending with {shown}") }
        })
    }

    fn exists(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let Some(Bound::Bool(wanted)) = self.value(node, &KeyType::Bool, key) else { return None };
        let words = if wanted { "any value" } else { "no value" };
        Some(Operand { matcher: Matcher::Exists(wanted), words: words.to_owned() })
    }

    fn json_type(&mut self, node: &Node, key: &str) -> Option<Operand> {
        // A bare `null` is YAML's null, and here can only mean the word.
        let null =
            node.scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Null && &*scalar.text == "null");
        let word = if null { "null" } else { self.word(node, JSON_TYPES, key)? };
        let kind = match word {
            "string" => JsonType::String,
            "number" => JsonType::Number,
            "integer" => JsonType::Integer,
            "boolean" => JsonType::Boolean,
            "null" => JsonType::Null,
            "array" => JsonType::Array,
            _ => JsonType::Object,
        };
        Some(Operand { matcher: Matcher::Type(kind), words: format!("of type {word}") })
    }

    fn length(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let (matchers, words) = self.nested(node, ValueType::One(SubjectType::Int), key)?;
        Some(Operand { matcher: Matcher::Len(matchers), words: format!("length {words}") })
    }

    fn each(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        let (matchers, words) = self.nested(node, item_type(value), key)?;
        Some(if key == "any" {
            Operand { matcher: Matcher::Any(matchers), words: format!("any item {words}") }
        } else {
            Operand { matcher: Matcher::All(matchers), words: format!("every item {words}") }
        })
    }

    fn equals_set(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        let (literals, shown) = match node.list() {
            Some([]) => (Vec::new(), Vec::new()),
            _ => self.literals(node, value, key)?,
        };
        let words = if shown.is_empty() {
            "an empty list".to_owned()
        } else {
            format!("exactly {}", phrase::list(&shown))
        };
        Some(Operand { matcher: Matcher::EqualsSet(literals.into()), words })
    }

    fn age(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let scalar = self.constant(node, &KeyType::Duration, key)?;
        let bound = crate::bind::scalar_duration(&scalar, key, node.span);
        let limit = self.report_err(bound)?;
        Some(if key == "newer_than" {
            Operand {
                matcher: Matcher::NewerThan(limit, FUTURE_TOLERANCE),
                words: format!("newer than {}", scalar.text),
            }
        } else {
            Operand { matcher: Matcher::OlderThan(limit), words: format!("older than {}", scalar.text) }
        })
    }

    /// `advances: { within: 2h }`
    fn advances(&mut self, node: &Node) -> Option<Operand> {
        if node.map().is_none() {
            let message = format!("expected a map with `within`, found {}", node.describe());
            let problem = Diagnostic::error("E103", node.span, message);
            self.report.push(problem.help("write advances: { within: 2h }"));
            return None;
        }
        let within =
            self.record(node, node.span, ADVANCES_KEYS, &Place::under("advances"))?.duration("within")?;
        let words = format!("advancing within {}", crate::units::show_duration(within.value));
        Some(Operand { matcher: Matcher::Advances(within.value, FUTURE_TOLERANCE), words })
    }

    /// `future_tolerance: 5m`, for the matcher beside it.
    pub(super) fn future_tolerance(
        &mut self,
        (key, node): (&Spanned<String>, &Node),
        matchers: &mut [Matcher],
    ) -> bool {
        let given = self.value(node, &KeyType::Duration, TOLERANCE_KEY.name);
        let Some(Bound::Duration(given)) = given else { return false };
        let mut used = false;
        for matcher in matchers {
            if let Matcher::NewerThan(_, tolerance) | Matcher::Advances(_, tolerance) = matcher {
                (*tolerance, used) = (given, true);
            }
        }
        if !used {
            let message = "`future_tolerance` stands beside `newer_than` or `advances`";
            let problem = Diagnostic::error("E308", key.span, message);
            self.report.push(problem.help("write { newer_than: 24h, future_tolerance: 5m }"));
        }
        used
    }
}

/// The type of one item.
pub(crate) fn item_type(value: ValueType) -> ValueType {
    match value {
        ValueType::One(SubjectType::Texts) => ValueType::One(SubjectType::Text),
        ValueType::One(SubjectType::Words(words)) => ValueType::One(SubjectType::Choice(words)),
        other => other,
    }
}

fn wrong(value: ValueType, node: &Node) -> Diagnostic {
    Diagnostic::error("E103", node.span, format!("expected {}, found {}", type_words(value), node.describe()))
}
