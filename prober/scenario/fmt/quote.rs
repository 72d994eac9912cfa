//! When a text needs quotes, and which.

use std::fmt::Write as _;

use crate::tree::{ScalarKind, core_schema};

/// Where a text stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether it is a key.
    pub(super) is_key: bool,
    /// Whether it is inside `{ }` or `[ ]`.
    pub(super) in_flow: bool,
}

/// The text as it is written at a place: plain where every reader takes it for that text, else in quotes.
pub(super) fn text(text: &str, place: Place) -> String {
    if is_plain(text, place) { text.to_owned() } else { quoted(text) }
}

/// The text in double quotes, or in single ones where that saves escapes.
pub(super) fn quoted(text: &str) -> String {
    let escapes = text.contains(['"', '\\']);
    if escapes && !text.contains('\'') && text.chars().all(is_printable) {
        return format!("'{text}'");
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            _ if is_printable(letter) => out.push(letter),
            _ => escape(letter, &mut out),
        }
    }
    out.push('"');
    out
}

fn escape(letter: char, out: &mut String) {
    let code = u32::from(letter);
    // Writing to a text does not fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Whether the letter may stand in a line of a file: <https://yaml.org/spec/1.2.2/#51-character-set>.
///
/// The line separators of YAML 1.1 and the byte order mark may, and are better escaped.
fn is_printable(letter: char) -> bool {
    matches!(letter, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn is_plain(text: &str, place: Place) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let second = text.chars().nth(1);
    let begins = match first {
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
        | ':' | '?' | '=' | '<' => false,
        '-' => second.is_some_and(|second| second != ' ' && second != '-'),
        '.' => !text.starts_with("..."),
        _ => true,
    };
    let holds = text.contains(": ") || text.contains(" #") || text.ends_with(':');
    let in_flow = place.in_flow && text.contains(['[', ']', '{', '}', ',']);
    // A star that comes to stand first would name an alias.
    let star = !place.is_key && text.contains('*');
    begins
        && !holds
        && !in_flow
        && !star
        && text.trim() == text
        && text.chars().all(is_printable)
        && core_schema(text) == ScalarKind::Text
        && !is_misread(text)
}

/// Whether a reader of YAML 1.1 takes the plain text for something else: <https://yaml.org/type/>.
fn is_misread(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_word =
        matches!(lower.as_str(), "y" | "yes" | "n" | "no" | "on" | "off" | "true" | "false" | "null");
    is_word || is_number(&lower) || is_date(&lower)
}

/// Numbers of YAML 1.1: with underscores, in base 2, 8, 16 and 60, without digits after the point.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".nan") {
        return true;
    }
    let all = |digits: &str, of: &[u8]| {
        !digits.is_empty() && digits.bytes().all(|byte| byte == b'_' || of.contains(&byte))
    };
    if let Some(digits) = unsigned.strip_prefix("0b") {
        return all(digits, b"01");
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return all(digits, b"0123456789abcdef");
    }
    let first_is_digit = unsigned.starts_with(|letter: char| letter.is_ascii_digit());
    if text.contains(':') {
        // Base 60, and what looks so much like it that readers differ.
        return all(text, b"0123456789:.+-");
    }
    let (number, exponent) = unsigned.split_once('e').map_or((unsigned, None), |(n, e)| (n, Some(e)));
    let exponent =
        exponent.is_none_or(|exponent| all(exponent.trim_start_matches(['+', '-']), b"0123456789"));
    let starts = first_is_digit
        || unsigned[usize::from(unsigned.starts_with('.'))..]
            .starts_with(|letter: char| letter.is_ascii_digit());
    starts && exponent && all(number, b"0123456789.") && number.matches('.').count() <= 1
}

/// `2026-11-26`, and whatever time follows.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>, most: usize| {
        part.is_some_and(|part| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let year = parts.next();
    let whole_year = year.is_some_and(|year| year.len() == 4);
    whole_year && digits(year, 4) && digits(parts.next(), 2) && {
        let rest = parts.next().unwrap_or_default();
        let day = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        digits(Some(day), 2) && rest[day.len()..].bytes().all(|byte| b"0123456789tz:.+- ".contains(&byte))
    }
}
