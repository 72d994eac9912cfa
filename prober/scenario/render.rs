//! Mistakes as people and programs read them.
//!
//! Texts come from files that anyone may have written: control characters are made visible, so that a file
//! cannot write to the terminal.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::json;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// The most mistakes shown of one file.
pub const SHOWN_PER_FILE_MAX: usize = 50;
/// The widest source line, in columns; longer ones are cut around the token.
const COLUMNS_MAX: usize = 100;

/// Escape sequences around the parts of a message; empty texts for none.
#[derive(Copy, Clone, Debug, Default)]
pub struct Style {
    /// Before `error[…]`.
    pub error: &'static str,
    /// Before `warning[…]`.
    pub warning: &'static str,
    /// Before gutters and arrows.
    pub frame: &'static str,
    /// Before the sentence.
    pub message: &'static str,
    /// After each of them.
    pub reset: &'static str,
}

impl Style {
    /// No colours.
    pub const PLAIN: Self = Self { error: "", warning: "", frame: "", message: "", reset: "" };
    /// The colours that compilers use.
    pub const COLOUR: Self = Self {
        error: "\x1b[1;31m",
        warning: "\x1b[1;33m",
        frame: "\x1b[1;34m",
        message: "\x1b[1m",
        reset: "\x1b[0m",
    };
}

/// All mistakes with their source lines, and a summary as the last line; empty if there are none.
pub fn human(diagnostics: &[Diagnostic], sources: &[Source], style: &Style) -> String {
    let mut out = String::new();
    let masked: Vec<Span> = diagnostics.iter().filter(|one| one.masked).map(|one| one.span).collect();
    for of_file in diagnostics.chunk_by(|left, right| left.span.file == right.span.file) {
        for diagnostic in of_file.iter().take(SHOWN_PER_FILE_MAX) {
            write_one(&mut out, diagnostic, (sources, &masked), style);
            out.push('\n');
        }
        if let Some(hidden) = of_file.len().checked_sub(SHOWN_PER_FILE_MAX).filter(|hidden| *hidden > 0) {
            let path = sources.get(of_file[0].span.file as usize).map_or("?", |source| &source.path);
            line(&mut out, &format!("… and {hidden} more in {}", visible(path)));
            out.push('\n');
        }
    }
    if let Some(first) =
        diagnostics.iter().find(|one| one.severity == Severity::Error).or(diagnostics.first())
    {
        line(&mut out, &format!("what a code means, with an example: prober explain {}", first.code));
        line(&mut out, &summary(diagnostics, sources.len()));
    }
    out
}

/// `3 errors, 1 warning in 2 of 14 files`
pub fn summary(diagnostics: &[Diagnostic], files: usize) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let words = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let counts = match (errors, warnings) {
        (errors, 0) => words(errors, "error"),
        (0, warnings) => words(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", words(errors, "error"), words(warnings, "warning")),
    };
    let mut touched: Vec<u32> = diagnostics.iter().map(|diagnostic| diagnostic.span.file).collect();
    touched.sort_unstable();
    touched.dedup();
    format!("{counts} in {} of {}", touched.len(), words(files, "file"))
}

/// All mistakes as a JSON array: severity, code, message, file, line, column, label, other place, help.
pub fn json(diagnostics: &[Diagnostic], sources: &[Source]) -> serde_json::Value {
    // Line starts once a file: counting them for every mistake would take the square of its length.
    let starts: Vec<Vec<usize>> = sources.iter().map(line_starts).collect();
    let place = |span: Span| {
        let (path, at) = locate_in(span, sources, &starts);
        json!({ "file": path, "line": at.line, "column": at.column, "start": span.start, "end": span.end })
    };
    let one = |diagnostic: &Diagnostic| {
        let mut value = json!({
            "severity": severity(diagnostic.severity),
            "code": diagnostic.code,
            "message": diagnostic.message,
            "at": place(diagnostic.span),
            "label": diagnostic.label,
            "help": diagnostic.help,
        });
        if let Some((span, text)) = diagnostic.other.as_deref() {
            let mut other = place(*span);
            other["label"] = text.as_str().into();
            value["other"] = other;
        }
        value
    };
    diagnostics.iter().map(one).collect()
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A place in lines and columns, counted from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// The path and position of a place.
pub fn locate(span: Span, sources: &[Source]) -> (&str, Position) {
    let Some(source) = sources.get(span.file as usize) else { return ("?", Position { line: 1, column: 1 }) };
    let start = source.text.floor_char_boundary((span.start as usize).min(source.text.len()));
    let before = &source.text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (&source.path, Position { line, column: before[line_start..].chars().count() + 1 })
}

/// Where the lines of a file begin.
fn line_starts(source: &Source) -> Vec<usize> {
    std::iter::once(0).chain(source.text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// The same as [`locate`], with the starts of all lines at hand.
fn locate_in<'s>(span: Span, sources: &'s [Source], starts: &[Vec<usize>]) -> (&'s str, Position) {
    let file = span.file as usize;
    let (Some(source), Some(starts)) = (sources.get(file), starts.get(file)) else {
        return locate(span, sources);
    };
    let at = source.text.floor_char_boundary((span.start as usize).min(source.text.len()));
    let line = starts.partition_point(|start| *start <= at);
    let begins = starts[line.saturating_sub(1)];
    (&source.path, Position { line, column: source.text[begins..at].chars().count() + 1 })
}

fn write_one(
    out: &mut String,
    diagnostic: &Diagnostic,
    (sources, masked): (&[Source], &[Span]),
    style: &Style,
) {
    let (word, colour) = match diagnostic.severity {
        Severity::Error => ("error", style.error),
        Severity::Warning => ("warning", style.warning),
    };
    let Style { frame, message, reset, .. } = style;
    let text = visible(&diagnostic.message);
    line(out, &format!("{colour}{word}[{}]{reset}{message}: {text}{reset}", diagnostic.code));
    let (_, at) = locate(diagnostic.span, sources);
    let last =
        diagnostic.other.as_deref().map_or(at.line, |(span, _)| locate(*span, sources).1.line.max(at.line));
    let gutter = last.to_string().len();
    let pad = " ".repeat(gutter);
    let snippet = Snippet { masked, gutter, style, sources };
    snippet.write(out, diagnostic.span, &diagnostic.label, ["^", "-->"]);
    if let Some((span, label)) = diagnostic.other.as_deref() {
        snippet.write(out, *span, label, ["-", ":::"]);
    }
    for help in &diagnostic.help {
        line(out, &format!("{pad} {frame}={reset} help: {}", visible(help)));
    }
}

/// How source lines are shown with a mistake.
struct Snippet<'a> {
    /// Places whose text may be a secret; dots are shown for it, whichever mistake shows the line.
    masked: &'a [Span],
    gutter: usize,
    style: &'a Style,
    sources: &'a [Source],
}

impl Snippet<'_> {
    /// `mark` and `arrow` tell the first place (`^`, `-->`) from the second one (`-`, `:::`).
    fn write(&self, out: &mut String, span: Span, label: &str, [mark, arrow]: [&str; 2]) {
        let Style { frame, error, reset, .. } = self.style;
        let pad = " ".repeat(self.gutter);
        let (path, at) = locate(span, self.sources);
        line(out, &format!("{pad}{frame}{arrow}{reset} {}:{}:{}", visible(path), at.line, at.column));
        let Some(shown) = self.source_line(span) else { return };
        line(out, &format!("{pad} {frame}|{reset}"));
        line(out, &format!("{frame}{:>width$} |{reset} {}", at.line, shown.text, width = self.gutter));
        let marks = mark.repeat(shown.mark_width.max(1));
        let colour = if mark == "^" { error } else { frame };
        let label = visible(label);
        let gap = if label.is_empty() { "" } else { " " };
        let indent = " ".repeat(shown.mark_start);
        line(out, &format!("{pad} {frame}|{reset} {indent}{colour}{marks}{gap}{label}{reset}"));
    }

    /// The first line of a place, with tabs widened, cut around the token if it is long.
    fn source_line(&self, span: Span) -> Option<Shown> {
        let text = &self.sources.get(span.file as usize)?.text;
        let start = text.floor_char_boundary((span.start as usize).min(text.len()));
        let end = text.ceil_char_boundary((span.end as usize).clamp(start, text.len()));
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = end.min(to);
        let part =
            |from: usize, to: usize| visible(self.hidden(span.file, text, from..to).trim_end_matches('\r'));
        let (before, token, after) = (part(from, start), part(start, end), part(end, to));
        let after = after.trim_end().to_owned();
        Some(fit(&before, &token, &after))
    }
}

impl Snippet<'_> {
    /// A part of a file with dots for what may be a secret.
    fn hidden(&self, file: u32, text: &str, part: Range<usize>) -> String {
        let mut out = String::new();
        let mut at = part.start;
        for span in self.masked.iter().filter(|span| span.file == file) {
            let (start, end) = ((span.start as usize).clamp(at, part.end), (span.end as usize).min(part.end));
            if start < end {
                out += text.get(at..start).unwrap_or_default();
                out += "•••";
                at = end;
            }
        }
        out + text.get(at..part.end).unwrap_or_default()
    }
}

/// A source line as it is shown, and where the marks under it go, in columns.
struct Shown {
    text: String,
    mark_start: usize,
    mark_width: usize,
}

fn fit(before: &str, token: &str, after: &str) -> Shown {
    let widths = (width(before), width(token), width(after));
    if widths.0 + widths.1 + widths.2 <= COLUMNS_MAX {
        return Shown { text: format!("{before}{token}{after}"), mark_start: widths.0, mark_width: widths.1 };
    }
    let token = first_columns(token, COLUMNS_MAX / 2);
    let token_width = width(&token);
    let room = COLUMNS_MAX - token_width;
    let before = if widths.0 > room / 2 {
        format!("…{}", last_columns(before, room / 2))
    } else {
        before.to_owned()
    };
    let before_width = width(&before);
    let after_room = COLUMNS_MAX.saturating_sub(before_width + token_width);
    let after = if widths.2 > after_room {
        format!("{}…", first_columns(after, after_room))
    } else {
        after.to_owned()
    };
    Shown { text: format!("{before}{token}{after}"), mark_start: before_width, mark_width: token_width }
}

fn first_columns(text: &str, columns: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|letter| {
            used += letter_width(*letter);
            used <= columns
        })
        .collect()
}

fn last_columns(text: &str, columns: usize) -> String {
    let mut used = 0;
    let kept: Vec<char> = text
        .chars()
        .rev()
        .take_while(|letter| {
            used += letter_width(*letter);
            used <= columns
        })
        .collect();
    kept.into_iter().rev().collect()
}

/// The text with tabs as spaces and control characters as visible ones.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => out.push_str("    "),
            // The picture of the control character; the block begins with that of NUL.
            '\0'..='\x1f' => out.push(char::from_u32(0x2400 + letter as u32).unwrap_or('?')),
            '\x7f'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            other => out.push(other),
        }
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().map(letter_width).sum()
}

/// How many columns a terminal gives a character: close enough for carets.
fn letter_width(letter: char) -> usize {
    match letter as u32 {
        0x300..=0x36f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{}", text.trim_end()).expect("a String takes every text");
}
