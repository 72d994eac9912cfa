//! The ways a secret may be written once escapes are undone.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::SECRET_BYTES_MIN;
use super::view::{View, Way};

/// The shortest Base64 inside a longer Base64 text that is looked for; shorter ones appear by chance.
const INNER_BASE64_MIN: usize = 4;

/// The shortest value that is looked for in the other case too: host names and some headers lose theirs.
const CASELESS_BYTES_MIN: usize = 6;

/// The shortest part of a value that is looked for by itself: a line of it, what a secret URL has behind its host.
const PART_BYTES_MIN: usize = 8;

/// The most parts of one value.
const PARTS_MAX: usize = 128;

/// What a URL keeps as it is beside letters and digits.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a spelling stands in a text.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Anywhere.
    Plain,
    /// With no letter or digit before and after it.
    Word,
    /// In Base64; says whether the digits before and after it hold some of its bits.
    Base64 { before: bool, after: bool },
}

/// One way to write a value; never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spelling {
    pub(super) text: Box<[u8]>,
    pub(super) form: Form,
}

impl Spelling {
    /// What goes of `bytes` if they have the spelling at `start..end`; `None` if it does not count there.
    pub(super) fn place(&self, bytes: &[u8], mut start: usize, mut end: usize) -> Option<(usize, usize)> {
        match self.form {
            Form::Plain => {}
            Form::Word => {
                let of_word = |byte: Option<&u8>| {
                    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
                };
                if of_word(start.checked_sub(1).and_then(|at| bytes.get(at))) || of_word(bytes.get(end)) {
                    return None;
                }
            }
            Form::Base64 { before, after } => {
                let digit =
                    |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| is_base64(*byte));
                start -= usize::from(before && digit(start.checked_sub(1)));
                end += usize::from(after && digit(Some(end)));
                end += bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
            }
        }
        Some((start, end))
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Every spelling of `value`; none for the empty text.
pub(super) fn of(value: &str) -> BTreeSet<Spelling> {
    let mut all = BTreeSet::new();
    let mut add = |text: &[u8], form| {
        let form = if text.len() < SECRET_BYTES_MIN { Form::Word } else { form };
        if !text.is_empty() {
            all.insert(Spelling { text: text.into(), form });
        }
    };
    let trimmed = value.trim();
    add(value.as_bytes(), Form::Plain);
    add(trimmed.as_bytes(), Form::Plain);
    if trimmed.len() < SECRET_BYTES_MIN {
        return all;
    }
    for text in unescaped(value).into_iter().chain(parts(trimmed)) {
        add(&text, Form::Plain);
    }
    for text in other_bytes(trimmed) {
        add(&text, Form::Plain);
    }
    if trimmed.len() >= CASELESS_BYTES_MIN {
        add(trimmed.to_ascii_lowercase().as_bytes(), Form::Plain);
        add(trimmed.to_ascii_uppercase().as_bytes(), Form::Plain);
    }
    for text in escaped(value) {
        add(text.as_bytes(), Form::Plain);
    }
    for text in wrapped(value, trimmed) {
        let digits = hex(text.as_bytes());
        add(digits.to_ascii_uppercase().as_bytes(), Form::Plain);
        add(digits.as_bytes(), Form::Plain);
        for (text, form) in base64_spellings(text.as_bytes()) {
            add(text.as_bytes(), form);
        }
    }
    all
}

/// The value with what looks like escapes in it undone: so it stands in a text all of whose escapes are undone.
fn unescaped(value: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for value in [value, &value.replace(' ', "+")] {
        all.push(value.as_bytes().to_vec());
        let mut layer = View::whole(value).unescaped(&Way::ALL);
        while let Some(view) = layer.filter(|_| all.len() < PARTS_MAX) {
            all.push(view.bytes().to_vec());
            layer = view.unescaped(&Way::ALL);
        }
    }
    // What is left of a value that is little but escapes may be anything.
    let enough = value.len().min(SECRET_BYTES_MIN);
    all.retain(|text| text.len() >= enough);
    all
}

/// The lines of a value that has several, and what tells a secret URL from its host.
fn parts(value: &str) -> Vec<Vec<u8>> {
    let lines = value.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let mut parts: Vec<&str> = if value.contains('\n') { lines.collect() } else { Vec::new() };
    if let Some(("http" | "https", rest)) = value.split_once("://")
        && let Some(slash) = rest.find(['/', '?'])
    {
        let (path, query) = rest[slash..].split_once('?').unwrap_or((&rest[slash..], ""));
        parts.push(path.trim_start_matches('/'));
        parts.extend(query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value));
    }
    parts.retain(|part| part.len() >= PART_BYTES_MIN);
    parts.truncate(PARTS_MAX);
    parts.into_iter().map(|part| part.as_bytes().to_vec()).collect()
}

/// A value beyond ASCII as Latin-1, and as what is left of that where UTF-8 is expected.
fn other_bytes(value: &str) -> Vec<Vec<u8>> {
    if value.is_ascii() {
        return Vec::new();
    }
    let latin: Option<Vec<u8>> = value.chars().map(|letter| u8::try_from(letter).ok()).collect();
    let lossy = latin.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned().into_bytes());
    // What has nothing but lost characters could be anything.
    let lossy = lossy.filter(|text| text.iter().filter(|byte| byte.is_ascii()).count() >= SECRET_BYTES_MIN);
    latin.into_iter().chain(lossy).collect()
}

/// The value as JSON and URLs escape it.
///
/// They are found by undoing escapes too, but not if what stands before looks like the beginning of one.
fn escaped(value: &str) -> [String; 4] {
    let quoted = serde_json::Value::from(value).to_string();
    [
        quoted[1..quoted.len() - 1].to_owned(),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(value, UNRESERVED).to_string(),
        form_urlencoded::byte_serialize(value.as_bytes()).collect(),
    ]
}

/// The texts of which there may be Base64 or hexadecimal digits.
fn wrapped(value: &str, trimmed: &str) -> BTreeSet<String> {
    let more = [value.to_owned(), trimmed.to_owned(), STANDARD.encode(value)];
    escaped(value).into_iter().chain(more).collect()
}

/// Base64 as it is, and the part that stays the same wherever the value stands in a longer text.
fn base64_spellings(value: &[u8]) -> Vec<(String, Form)> {
    let alone = Form::Base64 { before: false, after: false };
    let mut texts = vec![(STANDARD_NO_PAD.encode(value), alone), (URL_SAFE_NO_PAD.encode(value), alone)];
    for (before, skip) in [(0_usize, 0_usize), (1, 2), (2, 3)] {
        let mut longer = vec![0; before];
        longer.extend_from_slice(value);
        let bits = longer.len() * 8;
        let whole = bits / 6;
        if whole < skip + INNER_BASE64_MIN {
            continue;
        }
        let form = Form::Base64 { before: before > 0, after: bits % 6 > 0 };
        texts.push((STANDARD_NO_PAD.encode(&longer)[skip..whole].to_owned(), form));
        texts.push((URL_SAFE_NO_PAD.encode(&longer)[skip..whole].to_owned(), form));
    }
    texts
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
