//! One value as it is written.

use granit_parser::ScalarStyle;

use super::layout::Spelling;
use super::quote::{self, Place};
use crate::tree::{ScalarKind, core_schema};

/// A written value.
#[derive(Debug, PartialEq)]
pub(super) enum Written {
    /// On one line.
    Line(String),
    /// On several lines, each but the first to be indented.
    Lines(Vec<String>),
    /// A block text: what stands behind the key, and the lines below it.
    Block { header: String, lines: Vec<String>, keeps_blanks: bool },
}

/// The value in a block map or list.
pub(super) fn in_block(spelling: &Spelling<'_>) -> Written {
    match spelling.style {
        ScalarStyle::Literal | ScalarStyle::Folded => block(spelling),
        _ if spelling.source.contains('\n') => Written::Lines(wrapped(spelling)),
        _ => Written::Line(one_line(spelling, Place { is_key: false, in_flow: false })),
    }
}

/// The value inside `{ }` or `[ ]`.
pub(super) fn in_flow(spelling: &Spelling<'_>) -> String {
    one_line(spelling, Place { is_key: false, in_flow: true })
}

fn one_line(spelling: &Spelling<'_>, place: Place) -> String {
    let plain = spelling.style == ScalarStyle::Plain;
    if plain && core_schema(&spelling.text) != ScalarKind::Text {
        // A number, a yes or no, or nothing: as it is.
        let nothing = spelling.source.is_empty() && !place.in_flow;
        return if nothing { String::new() } else { spelling.text.clone().into_owned() };
    }
    quote::text(&spelling.text, place)
}

/// The lines of a text that its author has wrapped.
fn wrapped(spelling: &Spelling<'_>) -> Vec<String> {
    let is_double = spelling.style == ScalarStyle::DoubleQuoted;
    let count = spelling.source.split('\n').count();
    let line = |(index, line): (usize, &str)| {
        let line = if index == 0 { line } else { line.trim_start_matches([' ', '\t']) };
        if index + 1 == count {
            return line.to_owned();
        }
        let trimmed = line.trim_end_matches([' ', '\t']);
        let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
        if is_double && backslashes % 2 == 1 {
            // An escaped space, or an escaped end of the line.
            let kept = line.len().min(trimmed.len() + 1);
            return line[..kept].to_owned();
        }
        trimmed.to_owned()
    };
    spelling.source.split('\n').enumerate().map(line).collect()
}

fn block(spelling: &Spelling<'_>) -> Written {
    let is_literal = spelling.style == ScalarStyle::Literal;
    let text = &*spelling.text;
    let content = text.trim_end_matches('\n');
    let ends = text.len() - content.len();
    let mut lines: Vec<String> = if content.is_empty() {
        Vec::new()
    } else if is_literal {
        content.split('\n').map(str::to_owned).collect()
    } else {
        folded(spelling, text)
    };
    let chomp = match (spelling.header.contains('+'), spelling.header.contains('-'), ends) {
        (_, true, _) | (_, _, 0) if !content.is_empty() => "-",
        (_, true, _) => "-",
        (true, ..) => "+",
        _ => "",
    };
    if chomp == "+" {
        let blanks = if content.is_empty() { ends } else { ends - 1 };
        lines.extend(std::iter::repeat_n(String::new(), blanks));
    }
    let first = lines.iter().find(|line| !line.is_empty());
    let digit = if first.is_some_and(|first| first.starts_with(' ')) { "2" } else { "" };
    let sign = if is_literal { '|' } else { '>' };
    Written::Block { header: format!("{sign}{digit}{chomp}"), lines, keeps_blanks: chomp == "+" }
}

/// The lines of a folded text, as its author has folded them.
fn folded(spelling: &Spelling<'_>, text: &str) -> Vec<String> {
    let blanks = text.len() - text.trim_start_matches('\n').len();
    let mut lines: Vec<String> = std::iter::repeat_n(String::new(), blanks).collect();
    for (index, line) in spelling.source.split('\n').enumerate() {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        let cut = if index == 0 { 0 } else { spaces.min(spelling.indent) };
        lines.push(line[cut..].to_owned());
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}
