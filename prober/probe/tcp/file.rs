//! The keys and subjects of a `tcp` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::{Span, Spanned};
use scenario::template::{Part, Template};
use scenario::value::SubjectType;

use super::run::{Reach, Reading, Tcp};
use crate::net::address::HostPort;
use crate::net::shared::Net;

const LIMIT_DEFAULT: usize = 64 * 1024;
const LIMIT_MAX: u64 = 1024 * 1024;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "address",
        value: KeyType::Template,
        need: Need::Required,
        doc: "The host and the port.",
        example: "mail.example:25",
    },
    Key {
        name: "send",
        value: KeyType::Template,
        need: Need::Optional,
        doc: "What is sent once connected; `\\r`, `\\n`, `\\t`, `\\0` and `\\\\` stand for the characters.",
        example: "\"PING\\r\\n\"",
    },
    Key {
        name: "read_until",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The answer is read up to and with this text; the same escapes as in `send`.",
        example: "\"\\n\"",
    },
    Key {
        name: "read",
        value: KeyType::Bool,
        need: Need::Optional,
        doc: "Whether an answer is read; true if there is `send` or `read_until`.",
        example: "true",
    },
    Key {
        name: "read_limit",
        value: KeyType::Size,
        need: Need::Default("64KiB"),
        doc: "How much is read at most; up to 1 MiB.",
        example: "1kB",
    },
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "response",
        doc: "What the server sent, as text; bytes that are not UTF-8 are shown as �.",
        shape: Shape::One(SubjectType::Text),
        example: "{ starts_with: \"220\" }",
    },
    Subject {
        name: "size",
        doc: "How much the server sent.",
        shape: Shape::One(SubjectType::Size),
        example: "{ gt: 0 }",
    },
];

/// `tcp: mail.example:25` is its address.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("address", 0..text.len())]
}

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let send = fields.template("send").map(|given| unescaped(&given, report).ok_or(())).transpose();
    let until = fields.text("read_until").map(|given| marker(&given, report).ok_or(())).transpose();
    let read = fields.bool("read");
    let limit = limit(&mut fields, report);
    let reach = reach(fields.template("address")?, report);
    let (send, until) = (send.ok()?, until.ok()?);
    if let (Some(read), Some(_)) = (&read, &until)
        && !read.value
    {
        let message = "`read: false` and `read_until` contradict each other";
        report.push(Diagnostic::error("E135", read.span, message).help("leave one of them out"));
        return None;
    }
    let wanted = read.map_or(send.is_some() || until.is_some(), |given| given.value);
    let reading = match until {
        Some(until) => Reading::Until(until.into()),
        None if wanted => Reading::UntilQuiet,
        None => Reading::Nothing,
    };
    Some(Box::new(Tcp { reach: reach?, send, reading, limit: limit? }))
}

fn reach(address: Spanned<Template>, report: &mut Report) -> Option<Reach> {
    let Some(text) = address.value.constant() else { return Some(Reach::Later(address.value)) };
    match HostPort::parse(text, None) {
        Ok(parsed) => Some(Reach::Now(parsed)),
        Err(error) => {
            let help = "write a host and a port, like mail.example:25";
            report.push(Diagnostic::error("E134", address.span, error.to_string()).help(help));
            None
        }
    }
}

fn limit(fields: &mut Fields, report: &mut Report) -> Option<usize> {
    let Some(given) = fields.size("read_limit") else { return Some(LIMIT_DEFAULT) };
    if (1..=LIMIT_MAX).contains(&given.value) {
        return usize::try_from(given.value).ok();
    }
    report.push(Diagnostic::error("E104", given.span, "`read_limit` must be between 1 byte and 1 MiB"));
    None
}

fn marker(given: &Spanned<String>, report: &mut Report) -> Option<String> {
    let text = unescape(&given.value, given.span, report)?;
    if text.is_empty() {
        report.push(Diagnostic::error("E104", given.span, "`read_until` is empty"));
        return None;
    }
    Some(text)
}

/// The template with its escapes replaced; what fills its holes is sent as it is.
fn unescaped(given: &Spanned<Template>, report: &mut Report) -> Option<Template> {
    let parts = given.value.parts().iter().map(|part| match part {
        Part::Text(text) => Some(Part::Text(unescape(text, given.span, report)?.into())),
        hole @ Part::Hole(..) => Some(hole.clone()),
    });
    parts.collect::<Option<Vec<_>>>().map(Template::new)
}

fn unescape(text: &str, span: Span, report: &mut Report) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match letters.next() {
            Some('r') => '\r',
            Some('n') => '\n',
            Some('t') => '\t',
            Some('0') => '\0',
            Some('\\') => '\\',
            other => {
                let shown = other.map_or_else(|| "\\".to_owned(), |letter| format!("\\{letter}"));
                let message = format!("`{shown}` is not an escape that is known here");
                let help = "known are \\r \\n \\t \\0, and \\\\ for a backslash";
                report.push(Diagnostic::error("E136", span, message).help(help));
                return None;
            }
        });
    }
    Some(out)
}
