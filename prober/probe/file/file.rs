//! The keys and subjects of a `file` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::meant;
use scenario::value::SubjectType;

use super::run::File;
use crate::net::shared::Net;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "path",
        value: KeyType::Template,
        need: Need::Required,
        doc: "The file's path; a relative one starts at the prober's working directory.",
        example: "/var/exports/orders.csv",
    },
    Key {
        name: "read",
        value: KeyType::Bool,
        need: Need::Default("false"),
        doc: "Whether the content is read (at most 1 MiB), which the subject `content` needs.",
        example: "true",
    },
];

/// The words of the subject `type`.
pub(super) const TYPES: &[&str] = &["file", "directory", "other"];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "exists",
        doc: "Whether something is there under the path.",
        shape: Shape::One(SubjectType::Bool),
        example: "false",
    },
    Subject {
        name: "modified",
        doc: "When the file was last written.",
        shape: Shape::One(SubjectType::Any),
        example: "{ newer_than: 24h }",
    },
    Subject {
        name: "size",
        doc: "The file's size.",
        shape: Shape::One(SubjectType::Size),
        example: "{ gte: 1kB }",
    },
    Subject {
        name: "type",
        doc: "What is there: a plain file, a directory, or something else such as a pipe.",
        shape: Shape::One(SubjectType::Choice(TYPES)),
        example: "file",
    },
    Subject {
        name: "content",
        doc: "The file's text; needs the key `read: true`.",
        shape: Shape::One(SubjectType::Text),
        example: "{ contains: complete }",
    },
    Subject {
        name: "regex",
        doc: "What regular expressions match in the content, as with `content`: the first group, or all of it.",
        shape: Shape::Pattern,
        example: "{ '^# written (\\S+)': { newer_than: 24h } }",
    },
];

/// `file: /var/exports/orders.csv` is its path.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("path", 0..text.len())]
}

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let path = fields.template("path")?;
    let read = fields.bool("read").is_some_and(|given| given.value);
    if let Some(text) = path.value.constant()
        && let Some(what) = flaw(text)
    {
        let diagnostic = Diagnostic::error("E132", path.span, format!("this path {what}"));
        report.push(diagnostic.help("write the path of a file, like /var/exports/orders.csv"));
        return None;
    }
    let help = "write the whole path of one file; of many, look at what makes them";
    report.extend(path.value.constant().and_then(|text| meant::path(text, path.span, help)));
    Some(Box::new(File { path: path.value, read }))
}

/// Why no file can have this path.
fn flaw(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("is empty")
    } else if path.contains('\0') {
        Some("has a NUL character in it")
    } else if path.starts_with("file:") {
        Some("is a URL")
    } else {
        None
    }
}
