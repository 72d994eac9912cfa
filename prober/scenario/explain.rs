//! The language in words: every kind, operator and key, for `prober explain`.
//!
//! Made from the tables that the binder reads files with, so that nothing can be allowed and not explained.

use std::fmt::Write as _;

use crate::bind::wanted_words;
use crate::capture_bind::{CAPTURE_KEYS, capture_word};
use crate::fields::{Holds, Key, KeyType, Need};
use crate::file::{SCENARIO_KEYS, STEP_KEYS, STEP_PARTS};
use crate::kind::{Kind, LATENCY_SUBJECT, Shape, Subject};
use crate::operators::{
    OPERATORS, Operator, TIMELY, TOLERANCE_KEY, Takes, ValueType, selector_words, type_words,
};
use crate::project::{PROJECT_KEYS, SECRET_KEYS};
use crate::reuse::{ENVELOPE_KEYS, TEMPLATE_KEYS};
use crate::slo::SLO_FILE_KEYS;
use crate::suggest::one_of;
use crate::value::SubjectType;

/// What a word of the language means: `language`, `kinds`, `operators`, a kind or an operator.
///
/// `None` if it is none of these; keys have a text of their own, [`key`].
pub fn word<N>(word: &str, kinds: &'static [Kind<N>]) -> Option<String> {
    match word {
        "language" => Some(language(kinds)),
        "kinds" => Some(list("Kinds of steps", kinds.iter().map(|kind| (kind.name, kind.summary)))),
        "operators" => {
            let all = OPERATORS.iter().map(|operator| (operator.name, operator.doc));
            let beside = &TOLERANCE_KEY;
            let all =
                list("Operators, under anything that is looked at; several in one map must all hold", all);
            Some(format!("{all}\nBeside {}: {}, {}", one_of(TIMELY), beside.name, beside.doc))
        }
        _ => {
            let kind = kinds.iter().find(|kind| kind.name == word).map(explain_kind);
            kind.or_else(|| OPERATORS.iter().find(|operator| operator.name == word).map(explain_operator))
        }
    }
}

/// What a key means at every place where it may stand: `timeout`, or `sli.good` with the keys above it.
pub fn key<N>(path: &str, kinds: &'static [Kind<N>]) -> Option<String> {
    let mut out = String::new();
    for (place, keys) in tables(kinds) {
        search(&mut out, path, &place, "", keys);
    }
    for kind in kinds {
        for subject in kind.subjects.iter().filter(|subject| subject.name == path) {
            let _ = writeln!(out, "{} under `expect` of `{}`", subject.name, kind.name);
            subject_lines(&mut out, subject, 2);
            out.push('\n');
        }
    }
    if path == LATENCY_SUBJECT.name {
        let _ = writeln!(out, "{path}, of every step\n  {}\n", LATENCY_SUBJECT.doc);
    }
    (!out.is_empty()).then(|| out.trim_end().to_owned())
}

/// The tables of keys that stand by themselves, and where.
fn tables<N>(kinds: &'static [Kind<N>]) -> Vec<(String, &'static [Key])> {
    let mut tables = vec![
        ("in a scenario".to_owned(), SCENARIO_KEYS),
        ("in a step".to_owned(), STEP_KEYS),
        ("in a step".to_owned(), STEP_PARTS),
        ("in a capture".to_owned(), CAPTURE_KEYS),
        ("in prober.yaml".to_owned(), PROJECT_KEYS),
        ("in a secret".to_owned(), SECRET_KEYS),
        ("in a template".to_owned(), TEMPLATE_KEYS),
        ("in an SLO file".to_owned(), SLO_FILE_KEYS),
        ("in an envelope".to_owned(), ENVELOPE_KEYS),
    ];
    tables.extend(kinds.iter().map(|kind| (format!("under `{}`", kind.name), kind.keys)));
    tables
}

fn search(out: &mut String, path: &str, place: &str, above: &str, keys: &'static [Key]) {
    for key in keys {
        let full = if above.is_empty() { key.name.to_owned() } else { format!("{above}.{}", key.name) };
        if full == path || key.name == path {
            let _ = writeln!(out, "{full} {place}");
            key_lines(out, key, 2);
            out.push('\n');
        }
        search(out, path, place, &full, below(&key.value));
    }
}

/// The table that a value has below it.
fn below(value: &'static KeyType) -> &'static [Key] {
    match value {
        KeyType::Record(keys)
        | KeyType::Held(Holds::Parts(keys) | Holds::Regions(keys) | Holds::Params(keys)) => keys,
        KeyType::OneOrMany(item) | KeyType::Map(item) => below(item),
        _ => &[],
    }
}

fn language<N>(kinds: &'static [Kind<N>]) -> String {
    let mut out = String::new();
    for (title, keys) in [
        ("A scenario file", SCENARIO_KEYS),
        ("A step: its kind, and", STEP_KEYS),
        ("What a step must show", STEP_PARTS),
        ("The project file, prober.yaml", PROJECT_KEYS),
        ("A template file", TEMPLATE_KEYS),
        ("An SLO file, over several scenarios", SLO_FILE_KEYS),
    ] {
        out.push_str(&list(title, keys.iter().map(|key| (key.name, key.doc))));
        out.push('\n');
    }
    out.push_str(&list("Kinds of steps", kinds.iter().map(|kind| (kind.name, kind.summary))));
    out.push('\n');
    out.push_str(&list("Operators", OPERATORS.iter().map(|operator| (operator.name, operator.doc))));
    out.push_str("\nMore about each: prober explain WORD, such as prober explain newer_than");
    out
}

fn list(title: &str, entries: impl Iterator<Item = (&'static str, &'static str)>) -> String {
    let entries: Vec<_> = entries.collect();
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = format!("{title}\n");
    for (name, doc) in entries {
        let _ = writeln!(out, "  {name:width$}  {doc}");
    }
    out
}

fn explain_kind<N>(kind: &'static Kind<N>) -> String {
    let mut out = format!("{}  {}\n", kind.name, kind.summary);
    if kind.short.is_some()
        && let Some(first) = kind.keys.iter().find(|key| key.need == Need::Required)
    {
        let _ = writeln!(out, "\nShort form\n  {}: {}", kind.name, first.example);
    }
    let _ = writeln!(out, "\nKeys under `{}`", kind.name);
    for key in kind.keys {
        let _ = writeln!(out, "  {}", key.name);
        key_lines(&mut out, key, 4);
    }
    out.push_str("\nWhat it shows, for expect, warn, capture and sli\n");
    for subject in kind.subjects {
        let _ = writeln!(out, "  {}", subject.name);
        subject_lines(&mut out, subject, 4);
    }
    let Subject { name, doc, example, .. } = LATENCY_SUBJECT;
    let _ = writeln!(out, "  {name}\n    {doc}\n    {name}: {example}");
    for (subject, value) in kind.implied {
        let _ = write!(out, "\nWhere nothing is said of `{subject}`, `{subject}: {value}` is expected.");
    }
    out.trim_end().to_owned()
}

fn key_lines(out: &mut String, key: &Key, indent: usize) {
    let _ = writeln!(out, "{:indent$}{}", "", key.doc);
    let need = match key.need {
        Need::Required => "required".to_owned(),
        Need::Optional => "may be left out".to_owned(),
        Need::Default(value) => format!("default: {value}"),
        Need::Otherwise(words) => format!("default: {words}"),
    };
    let _ = writeln!(out, "{:indent$}{}; {need}", "", value_words(&key.value));
    let _ = writeln!(out, "{:indent$}{}: {}", "", key.name, key.example);
}

fn subject_lines(out: &mut String, subject: &Subject, indent: usize) {
    let words = match subject.shape {
        Shape::One(kind) => type_words(ValueType::One(kind)),
        Shape::Agree => "names of what it shows".to_owned(),
        Shape::Rule(rule) => rule.words.to_owned(),
        shape => format!("a map of {} and what must hold", selector_words(shape).0),
    };
    let _ = writeln!(out, "{:indent$}{}", "", subject.doc);
    let captured = match subject.shape {
        Shape::Agree | Shape::Rule(_) => String::new(),
        _ => format!("; captured with `{}`", capture_word(subject)),
    };
    let _ = writeln!(out, "{:indent$}{words}{captured}", "");
    let _ = writeln!(out, "{:indent$}{}: {}", "", subject.name, subject.example);
}

/// What a key's value must be, for people.
pub(crate) fn value_words(value: &KeyType) -> String {
    let KeyType::Held(holds) = value else { return wanted_words(value) };
    let words = match holds {
        Holds::Assertions => "a map of what to look at and what must hold",
        Holds::Clauses => "a map of what to look at and what must hold, or a list of those",
        Holds::Captures => "a map of names and what each takes",
        Holds::Steps | Holds::Teardown => "a list of steps",
        Holds::Labels => "a map of names and texts",
        Holds::Vars => "a map of names and values",
        Holds::Secrets => "a map of names, each with `env` or `file`",
        Holds::Regions(_) => "a map of names of regions",
        Holds::Exporters => "a list of exporters",
        Holds::Template => "the name of a template",
        Holds::Arguments => "a map of parameters and their values",
        Holds::Matrix => "a map of names and lists of values",
        Holds::Params(_) => "a map of names, each with its type",
        Holds::Constant => "a single value",
        Holds::Body => "a map with keys of a scenario",
        Holds::Routes => "a map of names, each with one kind of route",
        Holds::Parts(keys) => {
            let names: Vec<_> = keys.iter().map(|key| key.name).collect();
            return format!("a map of {}", names.join(", "));
        }
    };
    words.to_owned()
}

fn explain_operator(operator: &'static Operator) -> String {
    let mut out = format!("{}  {}\n\n", operator.name, operator.doc);
    let _ = writeln!(out, "  takes    {}", takes_words(&operator.takes));
    let _ = writeln!(out, "  used on  {}", fitting(operator));
    let _ = write!(out, "  example  {}", operator.example);
    out
}

/// What may stand behind an operator, for people.
fn takes_words(takes: &Takes) -> String {
    let words = match takes {
        Takes::Equal => "a value",
        Takes::Expected => "a value, or a map of operators",
        Takes::Values => "a list of values",
        Takes::Limit => "a number, duration, size or word to compare with",
        Takes::Parts => "a text, or a list of those",
        Takes::Regex => "a regular expression",
        Takes::Text => "a text",
        Takes::Bool => "`true` or `false`",
        Takes::Length => "a whole number, or a map of operators for it",
        Takes::Item => "the value of an item, or a map of operators for it",
        Takes::Items => "a list of items",
        Takes::Age => "a duration like `24h`",
        Takes::Keys(keys) => {
            let names: Vec<_> = keys.iter().map(|key| key.name).collect();
            return format!("a map of {}", names.join(", "));
        }
        Takes::Word(words) => return one_of(words.iter().copied()),
    };
    words.to_owned()
}

/// The types that an operator can be used with, for people.
fn fitting(operator: &Operator) -> String {
    const TYPES: [(ValueType, &str); 15] = [
        (ValueType::Dynamic, "values in JSON and rows"),
        (ValueType::Found, "matches"),
        (ValueType::FoundMany, "headers, elements of pages and documents"),
        (ValueType::One(SubjectType::Status), "statuses"),
        (ValueType::One(SubjectType::Int), "whole numbers"),
        (ValueType::One(SubjectType::Size), "sizes"),
        (ValueType::One(SubjectType::Duration), "durations"),
        (ValueType::One(SubjectType::Percent), "shares"),
        (ValueType::One(SubjectType::Bool), "yes and no"),
        (ValueType::One(SubjectType::Text), "texts"),
        (ValueType::One(SubjectType::Any), "texts that may be times"),
        (ValueType::One(SubjectType::Texts), "lists of texts"),
        (ValueType::One(SubjectType::Words(&[])), "lists of words"),
        (ValueType::One(SubjectType::Choice(&[])), "words"),
        (ValueType::One(SubjectType::Ordered(&[])), "words with an order"),
    ];
    let fits = TYPES.iter().filter(|(value, _)| (operator.fits)(*value));
    fits.map(|(_, words)| *words).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::KINDS;

    #[test]
    fn words_of_the_language_have_a_text() {
        for known in ["language", "kinds", "operators", "http", "ping", "equals", "newer_than", "len"] {
            let text = word(known, KINDS).unwrap_or_else(|| panic!("{known} is explained"));
            assert!(text.lines().count() > 2, "{text}");
        }
        assert_eq!(word("carrier-pigeon", KINDS), None);
        let all = word("language", KINDS).unwrap();
        for operator in OPERATORS {
            assert!(all.contains(operator.doc), "{}", operator.name);
            assert!(operator.example.starts_with(&format!("{{ {}: ", operator.name)), "{}", operator.name);
        }
    }

    #[test]
    fn keys_are_explained_wherever_they_may_stand() {
        let timeout = key("timeout", KINDS).unwrap();
        for place in ["timeout in a scenario", "timeout in a step", "defaults.timeout in prober.yaml"] {
            assert!(timeout.contains(place), "{timeout}");
        }
        assert!(key("sli.good", KINDS).unwrap().contains("latency: { lt: 300ms }"));
        assert!(key("tls.sni", KINDS).unwrap().contains("tls.sni under `http`"));
        assert!(key("latency", KINDS).is_some() && key("status", KINDS).is_some());
        assert_eq!(key("statuss", KINDS), None);
    }
}
