//! YAML's traps in plain words: what the parser stumbled over, and what to type instead.

mod line;

use granit_parser::{ErrorKind, ScanError};

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use line::{Line, without_comment};

/// The diagnostic for an error of the YAML parser.
pub(crate) fn explain(file: u32, text: &str, error: &ScanError) -> Diagnostic {
    let offset = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let offset = text.floor_char_boundary(offset);
    let line = Line::at(file, text, offset);
    if let Some(trap) = known_trap(&line, error.kind()) {
        return trap;
    }
    if matches!(error.kind(), ErrorKind::TabInPlainScalar)
        && let Some(trap) = tab_below(&line, text)
    {
        return trap;
    }
    // The cause may stand in the line before: it has become one text with this line.
    let before = line.start.checked_sub(1).map(|end| Line::at(file, text, end));
    if let Some(trap) = before.and_then(|before| unseen_near(&before).or_else(|| no_space_after_key(&before)))
    {
        return trap;
    }
    if let Some(opened) = never_closed(file, text, offset, error.kind()) {
        return opened;
    }
    let span = line.token(offset);
    let message = match error.kind() {
        ErrorKind::UnclosedQuotedScalar => "this quote is never closed".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("this `{open}` is never closed"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => format!("`{open}` is closed by `{close}`"),
        ErrorKind::MisplacedFlowCollectionEnd => "this closing bracket has no opening one".to_owned(),
        ErrorKind::RecursionLimitExceeded => return too_deep(span),
        ErrorKind::DirectiveDisallowed => "a line that starts with `%` is not used here".to_owned(),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "there is text after the closing quote".to_owned()
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            "this escape is not known in a text in double quotes; single quotes take `\\` as it is".to_owned()
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::MappingKeyNotAllowed => "this line is not indented like its neighbours".to_owned(),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "a value cannot begin here: look at the indentation of this line and the one before".to_owned()
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "a key and a `:` are expected here".to_owned()
        }
        other => format!("this is not YAML: {other}"),
    };
    Diagnostic::error("E003", span, message)
}

/// An alias whose name nothing carries: usually a cron expression or a glob without quotes.
pub(crate) fn unknown_alias(text: &str, span: Span, name: &str) -> Diagnostic {
    let line = Line::at(span.file, text, span.start as usize);
    unquoted_star(&line).unwrap_or_else(|| {
        if !name.chars().all(is_name_letter) {
            let problem =
                Diagnostic::error("E016", span, "a value cannot start with `*` unless it is in quotes");
            let label = "in YAML, `*` at the start of a value names an alias";
            return problem.label(label).help(format!("put it in quotes: \"*{name}\""));
        }
        Diagnostic::error("E016", span, format!("nothing is named `&{name}` before this alias"))
            .label("in YAML, `*` at the start of a value names an alias")
            .help(format!("if it is a text, put it in quotes: \"*{name}\""))
    })
}

/// A map or list where a key must stand: `{{ name }}`, or a real one.
pub(crate) fn complex_key(text: &str, span: Span) -> Diagnostic {
    let source = text.get(..span.start as usize).unwrap_or_default();
    if source.ends_with('{') || text[span.start as usize..].starts_with("{{") {
        let line = Line::at(span.file, text, span.start as usize);
        return braces(&line);
    }
    Diagnostic::error("E014", span, "a key must be a single word, not a map or list")
        .help("a value that starts with `{`, `[` or `?` and is a text must be in quotes")
}

/// Nesting beyond the limit.
pub(crate) fn too_deep(span: Span) -> Diagnostic {
    let message = format!("lists and maps are nested more than {} deep", crate::tree::DEPTH_MAX);
    Diagnostic::error("E004", span, message)
}

fn known_trap(line: &Line<'_>, kind: &ErrorKind) -> Option<Diagnostic> {
    let tab = matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabAtBlockScalarStart
    );
    if let Some(problem) = unseen_near(line) {
        return Some(problem);
    }
    let indent_end = line.text.find(|letter: char| !letter.is_whitespace()).unwrap_or(line.text.len());
    if let Some(at) =
        line.text[..indent_end].find('\t').or_else(|| if tab { line.text.find('\t') } else { None })
    {
        return Some(tab_at(line, at));
    }
    if line.text.contains("{{") {
        return Some(braces(line));
    }
    unquoted_star(line)
        .or_else(|| hole_in_flow(line, kind))
        .or_else(|| reserved_start(line))
        .or_else(|| colon_in_text(line, kind))
        .or_else(|| sign_for_operator(line))
        .or_else(|| no_space_after_key(line))
}

fn tab_at(line: &Line<'_>, at: usize) -> Diagnostic {
    Diagnostic::error("E009", line.span(at, at + 1), "a tab cannot indent")
        .label("this is a tab")
        .help("indent with spaces")
}

/// The tab that indents the next line with something on it: the parser takes that line for more of a text above it.
fn tab_below(above: &Line<'_>, text: &str) -> Option<Diagnostic> {
    let mut offset = above.start + above.text.len();
    loop {
        offset += text.get(offset..)?.find('\n')? + 1;
        let line = Line::at(above.file, text, offset);
        let indent = line.text.find(|letter: char| !letter.is_whitespace());
        if let Some(indent) = indent {
            return line.text[..indent].find('\t').map(|at| tab_at(&line, at));
        }
    }
}

/// A space that is none in this line; what follows from it may be noticed only in the next.
fn unseen_near(line: &Line<'_>) -> Option<Diagnostic> {
    let (at, letter) = crate::tree::unseen_in(line.text)?;
    Some(crate::tree::unseen(line.span(at, at + letter.len_utf8()), letter))
}

/// `status: >= 200`: to YAML, `>` begins a text of several lines.
fn sign_for_operator(line: &Line<'_>) -> Option<Diagnostic> {
    let (key, at) = line.value()?;
    let value = without_comment(&line.text[at..]);
    let rest = value.strip_prefix('>')?;
    let (operator, rest) = rest.strip_prefix('=').map_or(("gt", rest), |rest| ("gte", rest));
    let number = rest.trim();
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let span = line.span(at, at + value.len() - rest.len());
    let problem = Diagnostic::error(
        "E003",
        span,
        "operators are words, and to YAML `>` begins a text of several lines",
    );
    Some(problem.help(format!("write {key}: {{ {operator}: {number} }}")))
}

/// `every:1m` and `name = shop`.
fn no_space_after_key(line: &Line<'_>) -> Option<Diagnostic> {
    let body = line.text.trim_start_matches([' ', '-']);
    let start = line.text.len() - body.len();
    let length = body.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))?;
    let (key, rest) = body.split_at(length);
    if key.is_empty() || line.value().is_some_and(|(key, _)| !key.is_empty()) {
        return None;
    }
    let sign = start + length;
    if let Some(value) =
        rest.strip_prefix(':').filter(|value| !value.is_empty() && !value.starts_with([' ', '/']))
    {
        let problem =
            Diagnostic::error("E003", line.span(sign, sign + 1), "a space is missing after this `:`");
        return Some(problem.help(format!("write {key}: {}", without_comment(value))));
    }
    let value = rest.trim_start().strip_prefix('=')?;
    let at = line.text.find('=').unwrap_or(sign);
    let problem = Diagnostic::error(
        "E003",
        line.span(at, at + 1),
        "a key and its value are joined by `: `, not by `=`",
    );
    Some(problem.help(format!("write {key}: {}", without_comment(value.trim_start()))))
}

fn braces(line: &Line<'_>) -> Diagnostic {
    let start = line.text.find("{{").unwrap_or(0);
    let end = line.text[start..].find("}}").map_or(line.text.len(), |end| start + end + 2);
    let name = line.text[start..end].trim_matches(['{', '}', ' ']);
    let name = if name.is_empty() || name.len() > 60 { "name" } else { name };
    Diagnostic::error(
        "E011",
        line.span(start, end),
        "`{{ }}` is not used here, and to YAML it is a map in a map",
    )
    .help(format!("write ${{vars.{}}} instead", name.trim_start_matches('.').trim_start_matches("vars.")))
}

/// `cron: */5 * * * *` without quotes.
fn unquoted_star(line: &Line<'_>) -> Option<Diagnostic> {
    let (key, value_at) = line.value()?;
    let value = &line.text[value_at..];
    if !value.starts_with('*') {
        return None;
    }
    let value = without_comment(value);
    let span = line.span(value_at, value_at + 1);
    let label = "in YAML, `*` at the start of a value names an alias";
    let quoted = if key.is_empty() { format!("\"{value}\"") } else { format!("{key}: \"{value}\"") };
    if key == "cron" {
        let problem = Diagnostic::error("E118", span, "this is not a cron expression");
        return Some(problem.label(label).help(format!("put it in quotes: {quoted}")));
    }
    // A plain name after the star may be meant as an alias.
    let name_like = value[1..].chars().all(is_name_letter);
    if name_like && value.len() > 1 {
        return None;
    }
    let problem = Diagnostic::error("E016", span, "a value cannot start with `*` unless it is in quotes");
    Some(problem.label(label).help(format!("put it in quotes: {quoted}")))
}

fn is_name_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

/// A quote or bracket of an earlier line, where the parser notices only later that it was never closed.
fn never_closed(file: u32, text: &str, offset: usize, kind: &ErrorKind) -> Option<Diagnostic> {
    let quote =
        matches!(kind, ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar);
    let bracket = matches!(
        kind,
        ErrorKind::InvalidColonPlacement
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::InvalidFlowScalarIndent
    );
    if !quote && !bracket {
        return None;
    }
    let mut end = text[..offset].rfind('\n')?;
    for _ in 0..LINES_BACK {
        let line = Line::at(file, text, end);
        if let Some(at) = line.open_at_end() {
            let letter = &line.text[at..=at];
            if quote == matches!(letter, "\"" | "'") {
                let message = format!("this `{letter}` is never closed");
                return Some(Diagnostic::error("E003", line.span(at, at + 1), message));
            }
        }
        end = line.start.checked_sub(1)?;
    }
    None
}

/// How many lines before an error are searched for what was left open.
const LINES_BACK: usize = 50;

/// `{ Authorization: Bearer ${token} }`: the braces of `${…}` end the map.
fn hole_in_flow(line: &Line<'_>, kind: &ErrorKind) -> Option<Diagnostic> {
    // The map may have begun on a line before.
    let inside =
        matches!(kind, ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator);
    let mut depth = usize::from(inside);
    let mut quote = None;
    let mut letters = line.text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '$') if letters.peek().is_some_and(|(_, next)| *next == '{') && depth > 0 => {
                let end = line.text[at..].find('}').map_or(line.text.len(), |end| at + end + 1);
                return Some(hole_needs_quotes(line, at, end));
            }
            (None, '$') if letters.peek().is_some_and(|(_, next)| *next == '{') => {
                letters.next();
            }
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, '#') if at == 0 || line.text[..at].ends_with(' ') => return None,
            _ => {}
        }
    }
    None
}

fn hole_needs_quotes(line: &Line<'_>, at: usize, end: usize) -> Diagnostic {
    let before = &line.text[..at];
    // The colon of `https://` is part of the value.
    let is_start = |(at, letter): &(usize, char)| match letter {
        ',' | '{' | '[' => true,
        ':' => before[at + 1..].starts_with([' ', '\t']) || before[at + 1..].is_empty(),
        _ => false,
    };
    let start = before.char_indices().rfind(is_start).map_or(at, |(before, _)| before + 1);
    let rest = &line.text[end..];
    let stop = rest.find([',', '}', ']']).map_or(line.text.len(), |stop| end + stop);
    let value = line.text[start..stop].trim();
    Diagnostic::error("E010", line.span(at, end), "`${…}` inside `{ }` or `[ ]` needs quotes")
        .label("to YAML, this `{` begins a map")
        .help(format!("put the value in quotes: \"{value}\""))
}

/// A plain value that starts with a letter that YAML keeps for itself.
fn reserved_start(line: &Line<'_>) -> Option<Diagnostic> {
    let (key, value_at) = line.value()?;
    let value = without_comment(&line.text[value_at..]);
    let first = value.chars().next()?;
    if let Some(interval) = value.strip_prefix("@every") {
        let problem = Diagnostic::error(
            "E013",
            line.span(value_at, value_at + value.len()),
            "`@every` is not used here",
        );
        return Some(problem.help(format!("write every: {}", interval.trim())));
    }
    if !matches!(first, '@' | '`' | '%') {
        return None;
    }
    let span = line.span(value_at, value_at + first.len_utf8());
    let problem = Diagnostic::error(
        "E013",
        span,
        format!("a value cannot start with `{first}` unless it is in quotes"),
    );
    let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    Some(problem.help(if key.is_empty() {
        format!("put it in quotes: {quoted}")
    } else {
        format!("put it in quotes: {key}: {quoted}")
    }))
}

/// `aim: Users: they can shop`.
fn colon_in_text(line: &Line<'_>, kind: &ErrorKind) -> Option<Diagnostic> {
    if !matches!(
        kind,
        ErrorKind::MappingValueNotAllowed
            | ErrorKind::InvalidColonPlacement
            | ErrorKind::SimpleKeyExpected
            | ErrorKind::ExpectedBlockMappingKey
            | ErrorKind::MappingKeyNotAllowed
    ) {
        return None;
    }
    let (key, value_at) = line.value()?;
    let value = without_comment(&line.text[value_at..]);
    if key.is_empty() || value.starts_with(['"', '\'', '{', '[']) {
        return None;
    }
    let colon = value.find(": ").or_else(|| value.strip_suffix(':').map(str::len))?;
    let span = line.span(value_at + colon, value_at + colon + 1);
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    let problem = Diagnostic::error("E012", span, "a text with `: ` in it must be in quotes");
    Some(problem.label("to YAML, this begins a new value").help(format!("write {key}: \"{quoted}\"")))
}
