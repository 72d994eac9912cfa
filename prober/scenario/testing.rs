//! Kinds of step for the tests of this crate: they observe what a test hands them.

use std::ops::Range;

use model::outcome::Outcome;
use model::probe::BoxFuture;

use crate::compile::{Compiled, Options, Sources, compile};
use crate::diagnostic::{Diagnostic, Report};
use crate::document::Document;
use crate::fields::{Fields, Key, KeyType, Need};
use crate::kind::{Action, Evidence, Kind, Nothing, Shape, StepContext, StepOutcome, Subject};
use crate::render::{Style, human};
use crate::source::Source;
use crate::template::Template;
use crate::value::{Reading, Selector, SubjectType, Value};

/// What an action of these kinds needs: nothing.
pub(crate) struct Net;

/// An action whose `Debug` shows what it was compiled from.
pub(crate) struct Fetch {
    url: Template,
    fields: String,
}

impl std::fmt::Debug for Fetch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.fields)
    }
}

impl Action<Net> for Fetch {
    fn target(&self) -> String {
        format!("GET {}", self.url)
    }

    fn run<'a>(&'a self, _: &'a mut Net, _: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        let outcome = StepOutcome {
            hops: Vec::new(),
            attributes: model::attribute::Attributes::new(),
            failure: Outcome::empty(model::outcome::Reason::Ok).failure,
            evidence: Box::new(Nothing),
        };
        Box::pin(std::future::ready(outcome))
    }
}

const fn key(name: &'static str, value: KeyType, need: Need, example: &'static str) -> Key {
    Key { name, value, need, doc: "A key.", example }
}

const TLS_KEYS: &[Key] = &[
    key("sni", KeyType::Text, Need::Required, "shop.example"),
    key("verify", KeyType::Bool, Need::Optional, "true"),
];

const KEYS: &[Key] = &[
    key("url", KeyType::Template, Need::Required, "https://shop.example/"),
    key("method", KeyType::Choice(&["GET", "HEAD", "POST"]), Need::Default("GET"), "POST"),
    key("headers", KeyType::Map(&KeyType::Template), Need::Optional, "{ Accept: text/html }"),
    key("json", KeyType::Json, Need::Optional, "{ user: probe }"),
    key("redirects", KeyType::Int(0, 20), Need::Default("5"), "0"),
    key("wait", KeyType::Duration, Need::Optional, "300ms"),
    key("body_limit", KeyType::Size, Need::Default("1MiB"), "64kB"),
    key("tags", KeyType::OneOrMany(&KeyType::Text), Need::Optional, "[a, b]"),
    key("tls", KeyType::Record(TLS_KEYS), Need::Optional, "{ sni: shop.example }"),
    key("insecure", KeyType::Bool, Need::Default("false"), "true"),
];

const fn one(name: &'static str, value: SubjectType) -> Subject {
    Subject::new(name, Shape::One(value), "A subject.", "200")
}

const fn many(name: &'static str, shape: Shape) -> Subject {
    Subject::new(name, shape, "A subject.", "{}")
}

const SUBJECTS: &[Subject] = &[
    one("status", SubjectType::Status),
    many("json", Shape::JsonPath),
    many("headers", Shape::Header),
    one("body", SubjectType::Text),
    one("size", SubjectType::Size),
    one("redirected", SubjectType::Bool),
    one("expires_in", SubjectType::Duration),
    one("chain", SubjectType::Choice(&["trusted", "untrusted", "expired"])),
    one("protocol", SubjectType::Ordered(&["TLS1.2", "TLS1.3"])),
    one("answers", SubjectType::Texts),
    one("accepts", SubjectType::Words(&["old", "new"])),
    one("modified", SubjectType::Any),
    one("count", SubjectType::Int),
    one("loss", SubjectType::Percent),
    many("rows", Shape::Row),
];

fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    match text.split_once(' ') {
        Some((method, rest)) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            vec![("method", 0..method.len()), ("url", text.len() - rest.len()..text.len())]
        }
        _ => vec![("url", 0..text.len())],
    }
}

fn fetch(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let shown = format!("{fields:?}");
    let url = fields.template("url")?;
    if url.value.constant().is_some_and(|text| !text.starts_with("http")) {
        report.push(Diagnostic::error("E122", url.span, "this is not a URL"));
        return None;
    }
    Some(Box::new(Fetch { url: url.value, fields: shown }))
}

fn ping(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let address = fields.text("address")?;
    if address.value.is_empty() {
        report.push(Diagnostic::error("E101", address.span, "nothing to ping"));
        return None;
    }
    Some(Box::new(Fetch { url: Template::text(address.value), fields: format!("{fields:?}") }))
}

/// The kinds `http`, with one key of every type, and `ping`, without a short form.
pub(crate) static KINDS: &[Kind<Net>] = &[
    Kind {
        name: "http",
        summary: "Fetches.",
        keys: KEYS,
        short: Some(short),
        subjects: SUBJECTS,
        implied: &[("status", "2xx")],
        classify: |_, _, _| None,
        compile: fetch,
    },
    Kind {
        name: "ping",
        summary: "Pings.",
        keys: &[
            key("address", KeyType::Text, Need::Required, "shop.example"),
            key("count", KeyType::Int(1, 10), Need::Optional, "3"),
        ],
        short: None,
        subjects: &[one("lost", SubjectType::Int), many("agree", Shape::Agree)],
        implied: &[("lost", "0")],
        classify: |_, _, _| None,
        compile: ping,
    },
];

pub(crate) fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// Compiles one project text (none if empty) and scenario texts.
pub(crate) fn compiled(project: &str, scenarios: &[&str]) -> Compiled<Net> {
    let path = |index: usize| {
        if index == 0 { "scenarios/a.yaml".to_owned() } else { format!("scenarios/{index}.yaml") }
    };
    let sources = Sources {
        project: (!project.is_empty()).then(|| source("prober.yaml", project)),
        scenarios: scenarios.iter().enumerate().map(|(index, text)| source(&path(index), text)).collect(),
        ..Sources::default()
    };
    compile(sources, KINDS, &Options { prober: "test".to_owned(), ..Options::default() })
}

/// What people would see.
/// Compiles a scenario of the kind `http` that expects this, and compares the codes of what is wrong with it.
pub(crate) fn check_expect(expect: &str, expected: &[&str]) {
    let file = format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ {expect} }}\n");
    let found: Vec<_> = compiled("", &[&file]).diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(found, expected, "{expect}");
}

pub(crate) fn rendered(project: &str, scenarios: &[&str]) -> String {
    let compiled = compiled(project, scenarios);
    human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN)
}

/// Evidence by subject name; keyed subjects by the name and the selector's text.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) values: Vec<(&'static str, Value<'static>)>,
    pub(crate) many: Vec<(&'static str, Vec<Value<'static>>)>,
    pub(crate) json: Option<serde_json::Value>,
    pub(crate) document: Option<Document>,
    pub(crate) unreadable: Option<&'static str>,
    /// A number of which only this much is known.
    pub(crate) at_least: Option<i64>,
}

impl Evidence for Facts {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        if let Some(why) = self.unreadable {
            return Reading::Unreadable(why.to_owned());
        }
        if let Some(least) = self.at_least {
            return Reading::AtLeast(least, "the rest was not read".to_owned());
        }
        if let (Selector::JsonPath(path), Some(json)) = (selector, &self.json) {
            return Reading::of(path.query(json).all().into_iter().map(Value::of_json).collect());
        }
        if let (Selector::JsonPath(path), Some(document)) = (selector, &self.document) {
            return document.at(path);
        }
        if let Some((_, values)) = self.many.iter().find(|(name, _)| *name == subject) {
            return Reading::Many(values.clone());
        }
        let found = self.values.iter().find(|(name, _)| *name == subject);
        found.map_or(Reading::Absent, |(_, value)| Reading::One(value.clone()))
    }
}
