//! Takes secret values out of everything that people see.
//!
//! A value is found as it is, as its Base64 (also in the middle of a longer text, as in `Basic` credentials),
//! percent-encoded and JSON-escaped. A value shorter than [`SECRET_BYTES_MIN`] is left alone: replacing it
//! would shred every text, and anyone can guess it.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use model::attribute::AttributeValue;
use model::outcome::{Failure, MESSAGE_MAX, Outcome, cut};
use model::step::{Hop, Message, SHOWN_MAX};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::template::{Captures, Secrets};

/// The shortest secret that is looked for.
pub const SECRET_BYTES_MIN: usize = 3;

/// The shortest Base64 inside a longer Base64 text that is looked for; shorter ones appear by chance.
const INNER_BASE64_MIN: usize = 8;

/// What a URL keeps as it is beside letters and digits.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Replaces known secret values by `•••(name)`.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    search: Option<AhoCorasick>,
    patterns: Vec<Pattern>,
}

/// One spelling of one secret; never printed.
#[derive(Clone)]
struct Pattern {
    text: String,
    mask: String,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.mask)
    }
}

impl Redactor {
    /// A redactor of these secrets.
    pub fn new(secrets: &Secrets) -> Self {
        Self::default().extended(secrets.iter().map(|(name, value)| (name, Cow::Borrowed(value))))
    }

    /// The same, with the captures that are secret; borrowed if there are none.
    pub fn with_captures(&self, captures: &Captures) -> Cow<'_, Self> {
        let secret = captures.iter().filter(|(_, captured)| captured.secret);
        let texts: Vec<_> = secret
            .flat_map(|(name, captured)| leaves(&captured.value).map(move |text| (name, text)))
            .collect();
        if texts.is_empty() { Cow::Borrowed(self) } else { Cow::Owned(self.extended(texts)) }
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    fn extended<'a>(&self, values: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>) -> Self {
        let mut patterns = self.patterns.clone();
        for (name, value) in values {
            if value.len() < SECRET_BYTES_MIN {
                continue;
            }
            let mask = format!("•••({name})");
            let known = spellings(&value).into_iter().filter(|text| text.len() >= SECRET_BYTES_MIN);
            patterns.extend(known.map(|text| Pattern { text, mask: mask.clone() }));
        }
        let search = (!patterns.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(patterns.iter().map(|pattern| pattern.text.as_bytes()))
                .expect("secrets are far below the automaton's limit of 2^31 states")
        });
        Self { search, patterns }
    }

    /// The text with every secret replaced; borrowed if there is none.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(search) = &self.search else { return Cow::Borrowed(text) };
        let mut out = String::new();
        let mut kept = 0;
        for found in search.find_iter(text.as_bytes()) {
            out.push_str(&text[kept..found.start()]);
            out.push_str(&self.patterns[found.pattern().as_usize()].mask);
            kept = found.end();
        }
        let rest = &text[kept..];
        match (self.cut_secret(rest), kept) {
            (None, 0) => Cow::Borrowed(text),
            (None, _) => Cow::Owned(out + rest),
            (Some((start, mask)), _) => Cow::Owned(out + &rest[..start] + mask + "…"),
        }
    }

    /// Where a secret begins that was cut off at the end of a text that ends in `…`.
    fn cut_secret(&self, text: &str) -> Option<(usize, &str)> {
        let body = text
            .strip_suffix('…')
            .or_else(|| text.strip_suffix("…\""))
            .or_else(|| text.strip_suffix("…]"))?;
        let starts = self.patterns.iter().filter_map(|pattern| {
            let longest = pattern.text.len().min(body.len());
            let fits = (SECRET_BYTES_MIN..=longest).rev().find(|length| {
                pattern.text.is_char_boundary(*length) && body.ends_with(&pattern.text[..*length])
            })?;
            Some((body.len() - fits, pattern.mask.as_str()))
        });
        starts.min_by_key(|(start, _)| *start)
    }

    /// Replaces every secret in every text of an outcome.
    pub fn redact_outcome(&self, outcome: &mut Outcome) {
        if self.is_empty() {
            return;
        }
        if let Some(failure) = &mut outcome.failure {
            self.redact_failure(failure);
        }
        for step in &mut outcome.steps {
            if let Some(failure) = &mut step.failure {
                self.redact_failure(failure);
            }
            if let Some(note) = &mut step.note {
                self.replace(note, MESSAGE_MAX);
            }
            for attempt in &mut step.attempts {
                self.redact_failure(&mut attempt.failure);
                attempt.hops.iter_mut().for_each(|hop| self.redact_hop(hop));
            }
            if let Some(status) = step.poll.as_mut().and_then(|poll| poll.last_status.as_mut()) {
                self.replace(status, SHOWN_MAX);
            }
            step.hops.iter_mut().for_each(|hop| self.redact_hop(hop));
            for value in step.attributes.values_mut() {
                self.redact_attribute(value);
            }
            for (_, value) in &mut step.captures {
                self.replace(value, usize::MAX);
            }
        }
        for assertion in &mut outcome.assertions {
            self.replace(&mut assertion.actual, SHOWN_MAX);
            if let Cow::Owned(expected) = self.redact(&assertion.expected) {
                assertion.expected = Cow::Owned(cut(expected, SHOWN_MAX));
            }
            if let Cow::Owned(name) = self.redact(&assertion.name) {
                assertion.name = name.into();
            }
        }
    }

    fn redact_hop(&self, hop: &mut Hop) {
        self.replace(&mut hop.label, usize::MAX);
        if let Some(status) = &mut hop.status {
            self.replace(status, SHOWN_MAX);
        }
        if let Some(exchange) = &mut hop.exchange {
            self.redact_message(&mut exchange.request);
            exchange.answer.iter_mut().for_each(|answer| self.redact_message(answer));
        }
    }

    fn redact_message(&self, message: &mut Message) {
        message.head.iter_mut().for_each(|line| self.replace(line, usize::MAX));
        message.body.iter_mut().for_each(|body| self.replace(body, usize::MAX));
    }

    fn redact_failure(&self, failure: &mut Failure) {
        self.replace(&mut failure.message, MESSAGE_MAX);
        if let Cow::Owned(error_type) = self.redact(&failure.error_type) {
            failure.error_type = Cow::Owned(error_type);
        }
    }

    fn redact_attribute(&self, value: &mut AttributeValue) {
        match value {
            AttributeValue::Text(text) => self.replace(text, usize::MAX),
            AttributeValue::List(texts) => texts.iter_mut().for_each(|text| self.replace(text, usize::MAX)),
            AttributeValue::Bool(_) | AttributeValue::Int(_) | AttributeValue::Float(_) => {}
        }
    }

    fn replace(&self, text: &mut String, bytes_max: usize) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = cut(redacted, bytes_max);
        }
    }
}

/// Every text and number inside a captured value.
fn leaves(value: &serde_json::Value) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => Box::new(std::iter::once(Cow::Borrowed(text.as_str()))),
        Json::Number(number) => Box::new(std::iter::once(Cow::Owned(number.to_string()))),
        Json::Array(items) => Box::new(items.iter().flat_map(leaves)),
        Json::Object(map) => Box::new(map.values().flat_map(leaves)),
        Json::Null | Json::Bool(_) => Box::new(std::iter::empty()),
    }
}

/// The ways a secret may appear in a text.
fn spellings(value: &str) -> Vec<String> {
    let mut texts = vec![value.to_owned()];
    // A file's last line break is often not part of what is sent.
    let trimmed = value.trim();
    if trimmed.len() >= SECRET_BYTES_MIN {
        texts.push(trimmed.to_owned());
    }
    let escaped = serde_json::Value::from(value).to_string();
    texts.push(escaped[1..escaped.len() - 1].to_owned());
    for set in [NON_ALPHANUMERIC, UNRESERVED] {
        let encoded = utf8_percent_encode(value, set).to_string();
        texts.push(encoded.replace("%20", "+"));
        texts.push(encoded.to_lowercase());
        texts.push(encoded);
    }
    texts.extend(base64_spellings(value.as_bytes()));
    texts.sort();
    texts.dedup();
    texts
}

/// Base64 as it is, and the part that stays the same wherever the secret stands in a longer text.
fn base64_spellings(value: &[u8]) -> Vec<String> {
    let mut texts = vec![STANDARD_NO_PAD.encode(value), URL_SAFE_NO_PAD.encode(value)];
    for (before, skip) in [(0_usize, 0_usize), (1, 2), (2, 3)] {
        let mut longer = vec![0; before];
        longer.extend_from_slice(value);
        let whole = longer.len() * 8 / 6;
        if whole < skip + INNER_BASE64_MIN {
            continue;
        }
        texts.push(STANDARD_NO_PAD.encode(&longer)[skip..whole].to_owned());
        texts.push(URL_SAFE_NO_PAD.encode(&longer)[skip..whole].to_owned());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Captured;
    use base64::engine::general_purpose::STANDARD;
    use model::outcome::{FailureClass, Reason};

    fn redactor() -> Redactor {
        let mut secrets = Secrets::default();
        secrets.set("password", "s3cr3t p/ss\"word");
        secrets.set("long", "s3cr3t p/ss\"word-and-more");
        secrets.set("tiny", "ab");
        Redactor::new(&secrets)
    }

    #[test]
    fn every_spelling_is_found() {
        let redactor = redactor();
        let value = "s3cr3t p/ss\"word";
        for text in [
            value.to_owned(),
            STANDARD.encode(value),
            STANDARD.encode(format!("u:{value}")),
            STANDARD.encode(format!("me:{value}")),
            STANDARD.encode(format!("you:{value}:x")),
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            "s3cr3t+p%2Fss%22word".to_owned(),
            serde_json::json!({ "p": value }).to_string(),
        ] {
            let shown = redactor.redact(&text);
            assert!(shown.contains("•••(password)"), "{text} -> {shown}");
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
        assert_eq!(redactor.redact("x s3cr3t p/ss\"word-and-more y"), "x •••(long) y");
        assert_eq!(redactor.redact("about"), "about", "a secret of two letters is left alone");
        assert!(matches!(redactor.redact("nothing here"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_secret_that_was_cut_off_is_found() {
        let shown = redactor().redact("token is s3cr3t p/…").into_owned();
        assert!(shown.starts_with("token is •••(") && !shown.contains("s3cr"), "{shown}");
        assert_eq!(redactor().redact("plain end…"), "plain end…");
    }

    #[test]
    fn secret_captures_are_added_for_the_run() {
        let mut captures = Captures::default();
        let base = redactor();
        captures.set("open".into(), Captured { value: "visible".into(), secret: false });
        assert!(matches!(base.with_captures(&captures), Cow::Borrowed(_)));
        captures
            .set("token".into(), Captured { value: serde_json::json!({ "a": ["tok-1234"] }), secret: true });
        let redactor = base.with_captures(&captures);
        assert_eq!(redactor.redact("Bearer tok-1234 visible"), "Bearer •••(token) visible");
    }

    #[test]
    fn whole_outcomes_are_redacted() {
        let mut outcome = Outcome::empty(Reason::Failed);
        outcome.failure =
            Some(Failure::new(FailureClass::Incorrect, "assert.body", "got s3cr3t p/ss\"word back"));
        redactor().redact_outcome(&mut outcome);
        assert_eq!(outcome.failure.unwrap().message, "got •••(password) back");
        let debug = format!("{:?}", redactor());
        assert!(!debug.contains("s3cr3t"), "{debug}");
    }
}
