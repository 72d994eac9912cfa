//! `capture: { order_id: { json: $.id } }` bound against a kind's subjects.

use std::sync::Arc;

use crate::bind::Binder;
use crate::capture::CapturePlan;
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, Key, KeyType, Need};
use crate::kind::{Kind, Shape, Subject};
use crate::operators::{Selected, select_key};
use crate::source::Spanned;
use crate::suggest::nearest;
use crate::tree::{Node, NodeValue};
use crate::value::{Selector, SubjectType};

/// The keys of a capture beside the subject that it takes from.
pub(crate) const CAPTURE_KEYS: &[Key] = &[
    Key {
        name: "regex",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "Takes what this regular expression matches in the text: its first group, or all of it.",
        example: "'order-(\\d+)'",
    },
    Key {
        name: "secret",
        value: KeyType::Bool,
        need: Need::Default("false"),
        doc: "Whether the value is replaced in everything that people see.",
        example: "true",
    },
];

/// The subject that a lone `regex` looks at.
pub(crate) const BODY: &str = "body";

impl Binder<'_, '_> {
    /// The captures of a step; mistakes are reported and leave theirs out.
    pub(crate) fn captures<N>(&mut self, node: &Node, kind: &'static Kind<N>) -> Vec<CapturePlan> {
        let NodeValue::Map(entries) = &node.value else {
            let message = format!("expected a map of names and what they take, found {}", node.describe());
            let problem = Diagnostic::error("E103", node.span, message);
            self.report.push(problem.help("write capture: { order_id: { json: $.id } }"));
            return Vec::new();
        };
        entries.iter().filter_map(|(name, node)| self.capture(name, node, kind)).collect()
    }

    fn capture<N>(
        &mut self,
        name: &Spanned<String>,
        node: &Node,
        kind: &'static Kind<N>,
    ) -> Option<CapturePlan> {
        let NodeValue::Map(entries) = &node.value else {
            let message = format!("expected what to take, found {}", node.describe());
            let problem = Diagnostic::error("E309", node.span, message);
            let meant = node.scalar().and_then(|scalar| meant(&scalar.text, kind.subjects));
            let taken = meant.unwrap_or_else(|| example(kind.subjects));
            self.report.push(problem.help(format!("write {}: {{ {taken} }}", name.value)));
            return None;
        };
        let mut from = None;
        let (mut regex, mut secret, mut sound) = (None, false, true);
        for (key, value) in entries {
            match key.value.as_str() {
                "regex" => {
                    regex = self.regex(value, "regex");
                    sound &= regex.is_some();
                }
                "secret" => match self.value(value, &KeyType::Bool, "secret") {
                    Some(Bound::Bool(value)) => secret = value,
                    _ => sound = false,
                },
                word => match find(kind.subjects, word) {
                    Some(subject) if from.is_none() => {
                        from = self.source(subject, key, value);
                        sound &= from.is_some();
                    }
                    Some(_) => {
                        self.report.push(Diagnostic::error(
                            "E309",
                            key.span,
                            "a capture takes one value from one place",
                        ));
                        sound = false;
                    }
                    None => {
                        self.report.push(unknown(key, kind.subjects));
                        sound = false;
                    }
                },
            }
        }
        if !sound {
            return None;
        }
        let (subject, selector, shown) = match (from, &regex) {
            (Some(from), _) => from,
            (None, Some(_)) if find(kind.subjects, BODY).is_some() => (BODY, Selector::Whole, BODY.into()),
            (None, _) => {
                let problem = Diagnostic::error(
                    "E309",
                    node.span,
                    format!("`{}` does not say what to take", name.value),
                );
                self.report.push(problem.help(format!(
                    "write {}: {{ {} }}",
                    name.value,
                    example(kind.subjects)
                )));
                return None;
            }
        };
        Some(CapturePlan { name: name.value.as_str().into(), subject, selector, regex, secret, shown })
    }

    fn source(
        &mut self,
        subject: &'static Subject,
        key: &Spanned<String>,
        value: &Node,
    ) -> Option<(&'static str, Selector, Arc<str>)> {
        if let Shape::One(_) = subject.shape {
            if subject.name == BODY
                && let Some(scalar) = value.scalar().filter(|scalar| is_pattern(&scalar.text))
            {
                let problem = Diagnostic::error("E309", value.span, "`body` takes the body as a whole");
                let pattern = scalar.text.replace('\'', "''");
                self.report.push(problem.help(format!("write regex: '{pattern}' for what matches in it")));
                return None;
            }
            return match self.value(value, &KeyType::Bool, &key.value) {
                Some(Bound::Bool(true)) => Some((subject.name, Selector::Whole, subject.name.into())),
                Some(_) => {
                    let problem = Diagnostic::error("E309", value.span, "`false` takes nothing");
                    self.report
                        .push(problem.help(format!("write {}: true to take it, or leave it out", key.value)));
                    None
                }
                None => None,
            };
        }
        let Some(Bound::Text(text)) = self.value(value, &KeyType::Text, &key.value) else { return None };
        let chosen =
            select_key(subject.name, subject.shape, &Spanned::new(text, value.span), self.names.patterns());
        let Selected { selector, name, .. } = self.report_err(chosen)?;
        Some((subject.name, selector, name))
    }
}

/// The subjects that are values; that sources agree or that a rule is kept is none, and a regular expression has a key
/// of its own here.
pub(crate) fn takeable(subjects: &'static [Subject]) -> impl Iterator<Item = &'static Subject> {
    let none = |shape| matches!(shape, Shape::Agree | Shape::Rule(_) | Shape::Pattern);
    subjects.iter().filter(move |subject| !none(subject.shape))
}

/// Whether the text was hardly meant as yes or no.
fn is_pattern(text: &str) -> bool {
    text.contains(['(', '\\', '*', '+', '[', '.'])
}

/// Words of other tools under a capture, and what to write here.
const FOREIGN: [(&[&str], &str); 3] = [
    (&["attribute", "attr"], "the attribute stands behind the selector: css: 'input[name=csrf] @value'"),
    (
        &["cookie", "cookies"],
        "cookies go along with later steps by themselves; as a text it is header: Set-Cookie",
    ),
    (&["jsonpath", "json_path", "jsonPath"], "write json: $.id"),
];

/// The subject under its own name or its singular.
fn find(subjects: &'static [Subject], word: &str) -> Option<&'static Subject> {
    takeable(subjects).find(|subject| subject.name == word || capture_word(subject) == word)
}

/// What a text was probably meant to take: `$.id`, `json $.id`, `header:Location`, `status`.
fn meant(text: &str, subjects: &'static [Subject]) -> Option<String> {
    let text = text.trim();
    let (word, rest) = match text.split_once([' ', ':', '=']) {
        _ if text.starts_with('$') => ("json", text),
        Some((word, rest)) => (word.trim_end_matches('s'), rest.trim()),
        None => (text, ""),
    };
    let plural = format!("{word}s");
    let subject = find(subjects, word).or_else(|| find(subjects, &plural))?;
    let is_one = matches!(subject.shape, Shape::One(_));
    if rest.is_empty() != is_one {
        return None;
    }
    let taken = if is_one { "true".to_owned() } else { quoted(rest) };
    Some(format!("{}: {taken}", capture_word(subject)))
}

/// The text as it can stand between braces.
fn quoted(text: &str) -> String {
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '$' | '.' | '_' | '-' | '/');
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn words(subjects: &'static [Subject]) -> Vec<&'static str> {
    let own = CAPTURE_KEYS.iter().map(|key| key.name);
    takeable(subjects).map(capture_word).chain(own).collect()
}

/// The word for a subject under a capture's name: one header of the `headers`.
pub(crate) fn capture_word(subject: &Subject) -> &'static str {
    match subject.shape {
        Shape::Header | Shape::Row => subject.name.strip_suffix('s').unwrap_or(subject.name),
        _ => subject.name,
    }
}

fn unknown(key: &Spanned<String>, subjects: &'static [Subject]) -> Diagnostic {
    let problem = Diagnostic::error("E102", key.span, format!("unknown key `{}`", key.value));
    let words = words(subjects);
    let foreign = FOREIGN.iter().find(|(typed, _)| typed.contains(&key.value.as_str()));
    let problem = match nearest(&key.value, words.iter().copied()) {
        _ if let Some((_, hint)) = foreign => problem.label(*hint),
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem,
    };
    problem.help(format!("keys allowed here: {}", words.join(", ")))
}

fn example(subjects: &'static [Subject]) -> String {
    let keyed = takeable(subjects).find(|subject| !matches!(subject.shape, Shape::One(_)));
    let own = keyed.map_or("", |subject| subject.name);
    match keyed.map(|subject| subject.shape) {
        Some(Shape::JsonPath) => "json: $.id".to_owned(),
        Some(Shape::XmlPath) => "xml: /feed/entry[1]/id".to_owned(),
        Some(Shape::Own(chooser)) => format!("{own}: {}", chooser.example),
        Some(Shape::Header) => "header: Location".to_owned(),
        Some(Shape::Row) => "row: \"[0].id\"".to_owned(),
        _ => {
            let text = subjects.iter().find(|subject| subject.shape == Shape::One(SubjectType::Text));
            format!("{}: true", text.or(subjects.first()).map_or("subject", |subject| subject.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compiled;

    #[test]
    fn what_was_meant_is_what_to_type() {
        for (text, wanted) in [
            ("$.id", "write a: { json: $.id }"),
            ("json $.items[0].id", "write a: { json: '$.items[0].id' }"),
            ("header Location", "write a: { header: Location }"),
            ("\"headers: X-Id\"", "write a: { header: X-Id }"),
            ("body", "write a: { body: true }"),
            ("what", "write a: { json: $.id }"),
        ] {
            let file = |capture: &str| {
                format!(
                    "name: a\naim: A.\nevery: 1m\nsteps:\n  - http: https://x.example\n    capture:\n      a: {capture}\n  \
                     - http: https://x.example/${{a}}\n    name: b\n"
                )
            };
            let found = compiled("", &[&file(text)]).diagnostics;
            let help: Vec<_> = found.iter().flat_map(|one| one.help.iter().cloned()).collect();
            assert_eq!(help, [wanted], "{text}: {found:?}");
            let typed = wanted.strip_prefix("write a: ").unwrap();
            let left = compiled("", &[&file(typed)]).diagnostics;
            assert!(left.is_empty(), "{typed}: {left:?}");
        }
    }

    /// What is told of `capture: { a: … }`: labels and helps.
    fn told(capture: &str) -> Vec<String> {
        let file =
            format!("name: a\naim: A.\nevery: 1m\nhttp: https://x.example\ncapture: {{ a: {capture} }}\n");
        let found = compiled("", &[&file]).diagnostics;
        found.iter().flat_map(|one| std::iter::once(&one.label).chain(&one.help).cloned()).collect()
    }

    #[test]
    fn ways_of_other_tools_are_told_what_to_write() {
        for (capture, part) in [
            ("{ css: input, attribute: value }", "css: 'input[name=csrf] @value'"),
            ("{ cookie: SESSION }", "header: Set-Cookie"),
            ("{ jsonpath: $.id }", "write json: $.id"),
            (r"{ body: 'id=(\d+)' }", r"write regex: 'id=(\d+)'"),
        ] {
            let told = told(capture);
            assert!(told.iter().any(|one| one.contains(part)), "{capture}: {told:?}");
        }
    }
}
