//! `json_schema: order.schema.json`: a rule for a whole subject, which its kind compiles.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::assertion::{Assertion, Inner};
use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::fields::KeyType;
use crate::matcher::Matcher;
use crate::own::{Rule, Wrong};
use crate::source::Span;
use crate::tree::{Node, NodeValue};
use crate::value::Selector;

/// A rule as it was written: the rule, and the file that it stands in.
struct Written {
    rule: Json,
    file: Option<String>,
}

impl Binder<'_, '_> {
    /// The assertion of a rule; `None` if the report says what is wrong.
    pub(super) fn rule(
        &mut self,
        subject: &'static str,
        rule: &'static Rule,
        node: &Node,
    ) -> Option<Assertion> {
        let written = self.written(subject, rule, node)?;
        let chosen = match (rule.compile)(&written.rule) {
            Ok(chosen) => chosen,
            Err(wrong) => {
                self.report.push(refused(rule, &written, node, wrong));
                return None;
            }
        };
        let name = match &written.file {
            Some(path) => format!("{subject} {path}"),
            None => subject.to_owned(),
        };
        Some(Assertion::new(Inner {
            subject,
            selector: Selector::Rule(chosen),
            several: false,
            matchers: Box::new([Matcher::Kept]),
            name: name.into(),
            expected: Cow::Borrowed(rule.expected),
            implied: false,
            quoted: false,
        }))
    }

    fn written(&mut self, subject: &'static str, rule: &'static Rule, node: &Node) -> Option<Written> {
        match &node.value {
            NodeValue::Map(_) => {
                let rule = self.constant_json(node, subject)?;
                Some(Written { rule, file: None })
            }
            NodeValue::List(_) => {
                let message = format!("expected {}, found {}", rule.words, node.describe());
                self.report.push(Diagnostic::error("E103", node.span, message));
                None
            }
            NodeValue::Scalar(_) => {
                let path = self.constant(node, &KeyType::Text, subject)?.text.into_string();
                let read = self.names.beside().read(&path);
                let parsed = read.and_then(|text| {
                    serde_json::from_str(&text).map_err(|error| format!("it is not JSON: {error}"))
                });
                match parsed {
                    Ok(rule) => Some(Written { rule, file: Some(path) }),
                    Err(why) => {
                        let shown = model::outcome::cut(path, 200);
                        let message = format!("the file `{shown}` cannot be used: {why}");
                        let problem = Diagnostic::error(rule.code, node.span, message);
                        self.report.push(problem.help(format!("expected {}", rule.words)));
                        None
                    }
                }
            }
        }
    }
}

/// What is wrong with a rule, at the place in this file, or with the place in its own.
fn refused(rule: &Rule, written: &Written, node: &Node, wrong: Wrong) -> Diagnostic {
    let (message, at) = match &written.file {
        Some(path) if wrong.at.is_empty() => (format!("{path}: {}", wrong.message), node.span),
        Some(path) => (format!("{path} at {}: {}", wrong.at, wrong.message), node.span),
        None => (wrong.message, place(node, &wrong.at)),
    };
    Diagnostic::error(rule.code, at, message).help(wrong.help)
}

/// The place that a JSON pointer leads to, or as far as it leads.
fn place(node: &Node, pointer: &str) -> Span {
    let mut here = node;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let next = match &here.value {
            NodeValue::Map(_) => here.get(&step),
            NodeValue::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            NodeValue::Scalar(_) => None,
        };
        let Some(next) = next else { break };
        here = next;
    }
    here.span
}
