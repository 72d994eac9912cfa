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
    Subject::new(
        "exists",
        Shape::One(SubjectType::Bool),
        "Whether something is there under the path.",
        "false",
    ),
    Subject::new(
        "modified",
        Shape::One(SubjectType::Any),
        "When the file was last written.",
        "{ newer_than: 24h }",
    ),
    Subject::new("size", Shape::One(SubjectType::Size), "The file's size.", "{ gte: 1kB }"),
    Subject::new(
        "type",
        Shape::One(SubjectType::Choice(TYPES)),
        "What is there: a plain file, a directory, or something else such as a pipe.",
        "file",
    ),
    Subject::new(
        "content",
        Shape::One(SubjectType::Text),
        "The file's text; needs the key `read: true`.",
        "{ contains: complete }",
    ),
    Subject::new(
        "regex",
        Shape::Pattern,
        "What regular expressions match in the content, as with `content`: the first group, or all of it.",
        "{ '^# written (\\S+)': { newer_than: 24h } }",
    ),
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
