//! What stands behind each operator, as a matcher; a wrong operand is a mistake with its place.

use std::borrow::Cow;

use super::table::{
    ADVANCES_KEYS, JSON_TYPES, TOLERANCE_KEY, is_duration, is_found, is_list, item_type, type_words,
};
use super::{ValueType, phrase};
use crate::bind::{Binder, Place};
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, KeyType};
use crate::kind::Wants;
use crate::matcher::{Comparison, FUTURE_TOLERANCE, JsonType, Literal, Matcher};
use crate::source::Spanned;
use crate::tree::{Node, NodeValue, Scalar, ScalarKind};
use crate::value::SubjectType;

/// A compiled operator and its words for people.
pub(super) struct Operand {
    pub(super) matcher: Matcher,
    pub(super) words: String,
}

impl Binder<'_, '_> {
    /// A bare value: `status: 200`.
    pub(super) fn bare(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        if is_duration(value) {
            self.bare_duration(node, key, Wants::Nothing);
            return None;
        }
        if let Some(item) = node.scalar().filter(|_| is_list(value)) {
            let shown = model::outcome::cut(item.text.to_string(), 60);
            let shown = if item.kind == ScalarKind::Quoted { format!("\"{shown}\"") } else { shown };
            let problem = Diagnostic::error("E305", node.span, "say how the list is compared");
            self.report.push(problem.help(format!(
                "write {key}: {{ contains: {shown} }}, or equals_set: [{shown}] in its place"
            )));
            return None;
        }
        if is_found(value) && node.list().is_some() {
            let help = match value {
                ValueType::FoundMany => {
                    "write { equals_set: […] } for the same texts in any order, or { in: […] } for one of them"
                }
                _ => "for one of several texts write { in: […] }",
            };
            self.report.push(wrong(value, node).help(help));
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

    /// `rtt_avg: 50ms`: which bound is meant is what the subject wants.
    pub(super) fn bare_duration(&mut self, node: &Node, key: &str, wants: Wants) {
        let Some((_, words)) = self.literal(node, ValueType::One(SubjectType::Duration), key) else { return };
        let help = match wants {
            Wants::AtLeast => format!("write {key}: {{ gte: {words} }}"),
            Wants::AtMost => format!("write {key}: {{ lt: {words} }}"),
            Wants::Nothing => format!("write lt: {words} or gte: {words}"),
        };
        let problem = Diagnostic::error("E305", node.span, "a duration is never exactly this long");
        self.report.push(problem.help(help));
    }

    pub(super) fn equals(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
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
                Literal::Duration(_) | Literal::Share(_) => None,
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

    pub(super) fn negated(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        if node.map().is_some() {
            let (matchers, words) = self.nested(node, value, key)?;
            return Some(Operand { matcher: Matcher::Not(matchers), words: format!("not {words}") });
        }
        if value != ValueType::One(SubjectType::Status) && !is_list(value) && self.none_of_meant(node, value)
        {
            return None;
        }
        let Operand { matcher, words } = self.bare(node, value, key)?;
        Some(Operand { matcher: Matcher::Not(Box::new([matcher])), words: format!("not {words}") })
    }

    /// Reports `not: [a, b]`: of a value that is no list, it would hold whatever that is.
    fn none_of_meant(&mut self, node: &Node, value: ValueType) -> bool {
        let items = node.list().unwrap_or_default();
        let texts: Vec<_> = items.iter().filter_map(Node::scalar).map(written).collect();
        if texts.is_empty() || texts.len() < items.len() {
            return false;
        }
        let list = model::outcome::cut(texts.join(", "), 100);
        let problem = Diagnostic::error("E305", node.span, "`not` compares with the list as a whole");
        let problem = problem.help(format!("for none of these write not_in: [{list}]"));
        self.report.push(match value {
            ValueType::Dynamic => {
                problem.help(format!("for any other list than this write not: {{ equals: [{list}] }}"))
            }
            _ => problem,
        });
        true
    }

    pub(super) fn one_of(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
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

    pub(super) fn compare(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
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
        let orderable = matches!(
            &literal,
            Literal::Duration(_) | Literal::Share(_) | Literal::Json(serde_json::Value::Number(_))
        );
        if !orderable {
            let message = format!("`{key}` compares numbers, found {}", node.describe());
            let problem = Diagnostic::error("E305", node.span, message);
            self.report.push(problem.help("for times use newer_than or older_than"));
            return None;
        }
        Some(Operand { matcher: Matcher::Compare(comparison, literal), words: format!("{sign} {words}") })
    }

    pub(super) fn contains(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
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

    pub(super) fn matches(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let regex = self.regex(node, key)?;
        let words = format!("matching /{}/", regex.as_str());
        Some(Operand { matcher: Matcher::Matches(regex), words })
    }

    pub(super) fn affix(&mut self, node: &Node, key: &str) -> Option<Operand> {
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

    pub(super) fn exists(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let Some(Bound::Bool(wanted)) = self.value(node, &KeyType::Bool, key) else { return None };
        let words = if wanted { "any value" } else { "no value" };
        Some(Operand { matcher: Matcher::Exists(wanted), words: words.to_owned() })
    }

    pub(super) fn json_type(&mut self, node: &Node, key: &str) -> Option<Operand> {
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

    pub(super) fn length(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let (matchers, words) = self.nested(node, ValueType::One(SubjectType::Int), key)?;
        Some(Operand { matcher: Matcher::Len(matchers), words: format!("length {words}") })
    }

    pub(super) fn each(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
        let (matchers, words) = self.nested(node, item_type(value), key)?;
        Some(if key == "any" {
            Operand { matcher: Matcher::Any(matchers), words: format!("any item {words}") }
        } else {
            Operand { matcher: Matcher::All(matchers), words: format!("every item {words}") }
        })
    }

    pub(super) fn equals_set(&mut self, node: &Node, value: ValueType, key: &str) -> Option<Operand> {
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

    pub(super) fn age(&mut self, node: &Node, key: &str) -> Option<Operand> {
        let scalar = self.constant(node, &KeyType::Duration, key)?;
        let bound = crate::bind::scalar_duration(&scalar, key, node.span);
        let limit = self.fitted(node, key, bound)?;
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
    pub(super) fn advances(&mut self, node: &Node) -> Option<Operand> {
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

fn wrong(value: ValueType, node: &Node) -> Diagnostic {
    Diagnostic::error("E103", node.span, format!("expected {}, found {}", type_words(value), node.describe()))
}

/// A value as its author wrote it.
fn written(scalar: &Scalar) -> String {
    if scalar.kind == ScalarKind::Quoted { format!("\"{}\"", scalar.text) } else { scalar.text.to_string() }
}
