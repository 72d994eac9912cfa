//! The keys of `json:`, `headers:` and `rows:`: how one value is chosen.

use std::sync::Arc;

use serde_json_path::JsonPath;

use super::path_help::{compared, suggested};
use crate::diagnostic::Diagnostic;
use crate::kind::Shape;
use crate::pattern::Patterns;
use crate::source::Spanned;
use crate::value::Selector;
use crate::xml_path::XmlPath;

/// The longest JSON path, in bytes; the parser works recursively.
const PATH_BYTES_MAX: usize = 512;
/// The deepest nesting of brackets in a JSON path.
const PATH_DEPTH_MAX: usize = 16;

/// What JSON paths look like.
const FORMS: &str = "paths follow RFC 9535: $.a.b, $.items[0], $.items[*].id, $['odd key']";

/// A selector and its name for people.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) selector: Selector,
    /// Whether it may find several values, however many there are today.
    pub(crate) several: bool,
    /// `json $.status`, `header Last-Modified`, `rows [0].last`.
    pub(crate) name: Arc<str>,
}

/// What a keyed subject's keys are, and an example entry.
pub(crate) const fn words(shape: Shape) -> (&'static str, &'static str) {
    match shape {
        Shape::JsonPath => ("JSON paths", "$.status: UP"),
        Shape::XmlPath => ("XML paths", "/feed/title: Orders"),
        Shape::Pattern => ("regular expressions", "'updated: (\\S+)': { newer_than: 24h }"),
        Shape::Header => ("header names", "Content-Type: { contains: json }"),
        Shape::Row => ("rows and columns", "\"[0].total\": { gte: 1 }"),
        Shape::Own(chooser) => (chooser.words, chooser.entry),
        Shape::One(_) | Shape::Agree | Shape::Rule(_) => ("keys", "key: value"),
    }
}

/// The selector that a key of a keyed subject stands for; a regular expression is compiled if `patterns` do not know it.
pub(crate) fn select_key(
    subject: &'static str,
    shape: Shape,
    key: &Spanned<String>,
    patterns: &Patterns,
) -> Result<Selected, Diagnostic> {
    let text = key.value.as_str();
    let selector = match shape {
        Shape::One(_) | Shape::Agree | Shape::Rule(_) => Selector::Whole,
        Shape::Own(chooser) => Selector::Own(
            (chooser.parse)(text)
                .map_err(|wrong| Diagnostic::error(chooser.code, key.span, wrong.message).help(wrong.help))?,
        ),
        Shape::JsonPath => Selector::JsonPath(Box::new(json_path(key)?)),
        Shape::XmlPath => Selector::Xml(
            XmlPath::parse(text)
                .map_err(|(message, help)| Diagnostic::error("E312", key.span, message).help(help))?,
        ),
        Shape::Pattern => Selector::Pattern(Box::new(patterns.find(text, key.span)?.regex)),
        Shape::Header => Selector::Header(header(key)?),
        Shape::Row => row(key)?,
    };
    let several = match &selector {
        // Only what finds one value at most can be compared (RFC 9535, section 2.3.5.1).
        Selector::JsonPath(_) => JsonPath::parse(&format!("$[?{text} == 0]")).is_err(),
        Selector::Xml(path) => path.steps.iter().skip(1).any(|step| step.nth.is_none()),
        Selector::Own(_) => true,
        _ => false,
    };
    let word = if subject == "headers" { "header" } else { subject };
    Ok(Selected { selector, several, name: format!("{word} {text}").into() })
}

fn json_path(key: &Spanned<String>) -> Result<JsonPath, Diagnostic> {
    let text = key.value.as_str();
    let wrong = |message: String| Diagnostic::error("E302", key.span, message);
    let depth = text.bytes().filter(|byte| matches!(byte, b'(' | b'[')).count();
    if text.len() > PATH_BYTES_MAX || depth > PATH_DEPTH_MAX {
        return Err(wrong(format!(
            "a JSON path may have {PATH_BYTES_MAX} bytes and {PATH_DEPTH_MAX} brackets at most"
        )));
    }
    if !text.starts_with('$') {
        let problem = wrong(format!("`{text}` is not a JSON path")).label("a JSON path starts with `$`");
        return Err(problem.help(match suggested(text) {
            Some(fixed) => format!("write {fixed}"),
            None => FORMS.to_owned(),
        }));
    }
    JsonPath::parse(text).map_err(|error| {
        let at = error.position().min(text.len());
        let problem = wrong(format!("`{text}` is not a JSON path: it goes wrong at character {at}"));
        if let Some(path) = compared(text) {
            return problem.help(format!("the path stands alone, and what must hold behind it: {path}: …"));
        }
        match suggested(text) {
            Some(fixed) => problem.help(format!("write {fixed}")),
            None => problem.help(FORMS),
        }
    })
}

fn header(key: &Spanned<String>) -> Result<Box<str>, Diagnostic> {
    let text = key.value.as_str();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || text.len() > 256 || !text.bytes().all(token) {
        let problem =
            Diagnostic::error("E303", key.span, format!("`{}` is not a header name", text.escape_debug()));
        return Err(problem.help("header names have letters, digits and `-`"));
    }
    Ok(text.to_ascii_lowercase().into())
}

/// `[0].last`: a row counted from 0, and a column.
fn row(key: &Spanned<String>) -> Result<Selector, Diagnostic> {
    let parsed = key.value.strip_prefix('[').and_then(|rest| rest.split_once("]."));
    let row = parsed
        .and_then(|(row, column)| Some((row.parse::<usize>().ok().filter(|row| *row < 100_000)?, column)));
    match row {
        Some((row, column)) if !column.is_empty() => Ok(Selector::Row { row, column: column.into() }),
        _ => Err(Diagnostic::error(
            "E304",
            key.span,
            format!("`{}` does not name a row and a column", key.value),
        )
        .help("write the row's number, counted from 0, and the column's name: \"[0].last\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn a_pattern_is_compiled_once_for_all_who_choose_by_it() {
        let patterns = Patterns::default();
        let select = |text: &str| {
            let key = Spanned::new(text.to_owned(), Span::default());
            select_key("regex", Shape::Pattern, &key, &patterns)
        };
        for _ in 0..3 {
            let Selector::Pattern(regex) = select("id=(\\d+)").unwrap().selector else {
                panic!("it is a pattern");
            };
            assert_eq!(regex.as_str(), "id=(\\d+)");
        }
        assert_eq!(patterns.count(), 1);
        assert_eq!(select("id=(").unwrap_err().code, "E301");
        assert_eq!(patterns.count(), 1, "what is none is not kept");
    }
}
