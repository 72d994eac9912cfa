//! Operands as values: literals, words and regular expressions.

use super::ValueType;
use super::table::item_type;
use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, KeyType};
use crate::matcher::Literal;
use crate::suggest::{nearest, one_of};
use crate::tree::Node;
use crate::value::SubjectType;

impl Binder<'_, '_> {
    /// A list of values, or a single one.
    pub(super) fn literals(
        &mut self,
        node: &Node,
        value: ValueType,
        key: &str,
    ) -> Option<(Vec<Literal>, Vec<String>)> {
        let Some(items) = node.list() else {
            let message = format!("`{key}` takes a list, found {}", node.describe());
            let shown = node.scalar().map_or("…", |scalar| &scalar.text);
            let problem = Diagnostic::error("E305", node.span, message);
            self.report
                .push(problem.help(format!("write {key}: [{}]", model::outcome::cut(shown.to_owned(), 60))));
            return None;
        };
        if items.is_empty() {
            self.report.push(Diagnostic::error("E104", node.span, format!("the list of `{key}` is empty")));
            return None;
        }
        let bound: Vec<_> = items.iter().map(|item| self.literal(item, item_type(value), key)).collect();
        bound.into_iter().collect::<Option<Vec<_>>>().map(|bound| bound.into_iter().unzip())
    }

    /// One value of the type, and its text for people.
    pub(super) fn literal(&mut self, node: &Node, value: ValueType, key: &str) -> Option<(Literal, String)> {
        let wanted = match value {
            ValueType::Dynamic => {
                let literal = Literal::Json(self.constant_json(node, key)?);
                let words = literal.show();
                return Some((literal, words));
            }
            ValueType::One(SubjectType::Int | SubjectType::Status) => &KeyType::Int(i64::MIN, i64::MAX),
            ValueType::One(SubjectType::Size) => &KeyType::Size,
            ValueType::One(SubjectType::Bool) => &KeyType::Bool,
            ValueType::One(SubjectType::Duration) => &KeyType::Duration,
            ValueType::One(SubjectType::Percent) => &KeyType::Percent,
            ValueType::One(
                SubjectType::Choice(words) | SubjectType::Ordered(words) | SubjectType::Words(words),
            ) => {
                let word = self.word(node, words, key)?;
                return Some((Literal::text(word), word.to_owned()));
            }
            ValueType::Found | ValueType::FoundMany => return self.found_text(node, key),
            ValueType::One(SubjectType::Text | SubjectType::Texts | SubjectType::Any) => &KeyType::Text,
        };
        let scalar = self.constant(node, wanted, key)?;
        let bound = crate::bind::scalar(&scalar, wanted, key, node.span);
        let literal = match self.fitted(node, key, bound)? {
            Bound::Int(number) => Literal::Json(number.into()),
            Bound::Size(size) => Literal::Json(size.into()),
            Bound::Bool(value) => Literal::Json(value.into()),
            Bound::Duration(duration) => Literal::Duration(duration),
            Bound::Percent(share) => Literal::Share(share),
            Bound::Text(text) => Literal::text(text),
            _ => return None,
        };
        let words = if value.is_quoted() { literal.show() } else { scalar.text.to_string() };
        Some((literal, words))
    }

    /// The text that a key is to find; what a variable holds is taken as it is.
    fn found_text(&mut self, node: &Node, key: &str) -> Option<(Literal, String)> {
        let is_written = node.scalar().is_some_and(|scalar| !scalar.text.contains("${"));
        let scalar = self.constant(node, &KeyType::Text, key)?;
        let text = match crate::bind::scalar(&scalar, &KeyType::Text, key, node.span) {
            Err(problem) if is_written => {
                self.report.push(problem);
                return None;
            }
            _ => scalar.text.to_string(),
        };
        let literal = Literal::text(text);
        let words = literal.show();
        Some((literal, words))
    }

    pub(super) fn word(
        &mut self,
        node: &Node,
        words: &'static [&'static str],
        key: &str,
    ) -> Option<&'static str> {
        let scalar = self.constant(node, &KeyType::Choice(words), key)?;
        let known = words.iter().find(|word| ***word == *scalar.text).copied();
        if known.is_none() {
            let shown = model::outcome::cut(scalar.text.to_string(), 60);
            let message = match words.len() {
                ..=8 => format!("`{shown}` is not {}", one_of(words.iter().copied())),
                _ => format!("`{shown}` is not one of the known words"),
            };
            let problem = Diagnostic::error("E105", node.span, message);
            let same = words.iter().find(|word| word.eq_ignore_ascii_case(&shown)).copied();
            // `2.0` is `2`, and not the `1.0` that differs by one letter.
            let whole = || words.iter().find(|word| shown.strip_suffix(".0") == Some(**word)).copied();
            let near = same.or_else(whole).or_else(|| nearest(&shown, words.iter().copied()));
            self.report.push(match near {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None if words.len() > 8 => problem.help(format!("known are {}", words.join(", "))),
                None => problem,
            });
        }
        known
    }

    /// A compiled regular expression.
    pub(crate) fn regex(&mut self, node: &Node, key: &str) -> Option<regex::Regex> {
        let Some(Bound::Text(text)) = self.value(node, &KeyType::Text, key) else { return None };
        let found = self.names.patterns().find(&text, node.span);
        self.report_err(found).map(|known| known.regex)
    }
}
