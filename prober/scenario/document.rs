//! A JSON document that somebody sent, with every digit of its numbers.
//!
//! The tree has numbers of 64 bits. A longer one would be another number there, and as the id in a URL it would lead to
//! something else. So the digits of those few are kept beside the tree, found by their place in memory. The tree cannot
//! have the greatest ones at all, such as 1e400, which JSON allows (RFC 8259, section 6): there it has the greatest that
//! it can, with the digits beside it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::decimal;
use crate::value::{Reading, Value};

/// The longest number that is written out where it has an exponent, in digits.
const DIGITS_MAX: usize = 1024;

/// The digits of numbers that a tree rounds, by the address of the number in the tree.
type Digits = HashMap<usize, Box<str>>;

/// A document, and the digits of the numbers that its tree rounds.
#[derive(Debug)]
pub struct Document {
    /// In a place of its own, which does not move with the document.
    root: Box<Json>,
    rounded: Digits,
}

/// An object of a document, with every digit.
#[derive(Copy, Clone, Debug)]
pub struct Object<'a> {
    map: &'a serde_json::Map<String, Json>,
    /// `None` for one that is part of no document.
    rounded: Option<&'a Digits>,
}

impl<'a> Object<'a> {
    /// One that is part of no document.
    pub(crate) const fn alone(map: &'a serde_json::Map<String, Json>) -> Self {
        Self { map, rounded: None }
    }

    /// Its tree, in which long numbers are rounded.
    pub(crate) const fn tree(self) -> &'a serde_json::Map<String, Json> {
        self.map
    }

    /// The value of `key`, if it has one.
    pub(crate) fn get(self, key: &str) -> Option<Value<'a>> {
        self.map.get(key).map(|node| value(node, self.rounded))
    }

    /// Its keys and values, in their order.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.map.iter().map(move |(key, node)| (key.as_str(), value(node, self.rounded)))
    }
}

impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.map.len() == other.map.len()
            && self.entries().all(|(key, value)| other.get(key).is_some_and(|other| value == other))
    }
}

fn value<'a>(node: &'a Json, rounded: Option<&'a Digits>) -> Value<'a> {
    match node {
        Json::Array(items) => Value::List(items.iter().map(|item| value(item, rounded)).collect()),
        Json::Object(map) => Value::Object(Object { map, rounded }),
        Json::Number(_) => match rounded.and_then(|digits| digits.get(&address(node))) {
            Some(digits) => Value::Decimal(digits),
            None => Value::of_json(node),
        },
        _ => Value::of_json(node),
    }
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// The bytes are not JSON, or beyond the reader's limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let root: Box<Json> = match serde_json::from_slice(bytes) {
            Ok(root) => root,
            Err(error) => match within_bounds(bytes) {
                Some(bounded) => serde_json::from_slice(&bounded)?,
                None => return Err(error),
            },
        };
        let rounded = rounded(&root, bytes);
        Ok(Self { root, rounded })
    }

    /// The tree, in which long numbers are rounded.
    pub fn tree(&self) -> &Json {
        &self.root
    }

    /// What `path` finds, with every digit.
    pub fn at(&self, path: &JsonPath) -> Reading<'_> {
        let nodes = path.query(&self.root).all();
        Reading::of(nodes.into_iter().map(|node| value(node, Some(&self.rounded))).collect())
    }
}

fn address(node: &Json) -> usize {
    std::ptr::from_ref(node).addr()
}

/// The digits of the numbers in `root` that are not those in `bytes`, of which it was read.
///
/// Tree and text have the same numbers in the same order, unless a key is there twice; what does not fit is left out.
fn rounded(root: &Json, bytes: &[u8]) -> Digits {
    let written: Vec<_> = numbers(bytes).filter(|text| !is_whole(text)).collect();
    let is_kept = |text: &str| !is_too_great(text) && decimal::is_kept(text);
    if written.iter().all(|text| is_kept(text)) {
        return HashMap::new();
    }
    let mut floats = Vec::new();
    collect_floats(root, &mut floats);
    if floats.len() != written.len() {
        return HashMap::new();
    }
    let pairs = floats.into_iter().zip(written);
    let near = |text: &str| text.parse().ok().map(|near: f64| near.clamp(f64::MIN, f64::MAX));
    let is_its = |(node, text): &(&Json, &str)| node.as_f64() == near(text) && !is_kept(text);
    pairs.filter(is_its).map(|(node, text)| (address(node), spelled(text).into())).collect()
}

/// Whether it is a number of JSON, and no float is as great.
fn is_too_great(text: &str) -> bool {
    text.parse().is_ok_and(f64::is_infinite) && {
        // Elsewhere a number may begin with zeros, or have nothing on one side of its point.
        let base = text.split(['e', 'E']).next().unwrap_or(text).trim_start_matches('-');
        let (whole, fraction) = base.split_once('.').unwrap_or((base, "0"));
        !fraction.is_empty() && (whole == "0" || !whole.is_empty() && !whole.starts_with('0'))
    }
}

/// The document with the greatest float in place of each number that is greater; `None` if there is none.
fn within_bounds(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut bounded, mut behind) = (Vec::with_capacity(bytes.len() + 400), 0);
    for text in numbers(bytes).filter(|text| is_too_great(text)) {
        let at = text.as_ptr().addr() - bytes.as_ptr().addr();
        bounded.extend_from_slice(&bytes[behind..at]);
        let bound = if text.starts_with('-') { f64::MIN } else { f64::MAX };
        bounded.extend_from_slice(format!("{bound:e}").as_bytes());
        behind = at + text.len();
    }
    bounded.extend_from_slice(&bytes[behind..]);
    (behind > 0).then_some(bounded)
}

/// The number without an exponent, so that its digits can be compared; as it is if it would be too long.
fn spelled(text: &str) -> Cow<'_, str> {
    let Some((base, exponent)) = text.split_once(['e', 'E']) else { return text.into() };
    let (sign, base) = if let Some(rest) = base.strip_prefix('-') { ("-", rest) } else { ("", base) };
    let (whole, fraction) = base.split_once('.').unwrap_or((base, ""));
    // Only what is too great for a float comes here, so the point moves to the right.
    let Some(places) = exponent.trim_start_matches('+').parse::<usize>().ok() else { return text.into() };
    if whole.len().saturating_add(places.max(fraction.len())) > DIGITS_MAX {
        return text.into();
    }
    let zeros = "0".repeat(places.saturating_sub(fraction.len()));
    let (moved, left) = fraction.split_at(places.min(fraction.len()));
    let point = if left.is_empty() { "" } else { "." };
    format!("{sign}{whole}{moved}{zeros}{point}{left}").into()
}

/// Whether the tree has it as a whole number.
fn is_whole(text: &str) -> bool {
    text != "-0" && (text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok())
}

/// The numbers of a document that is JSON, as they are written, in their order.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let mut left = bytes;
    std::iter::from_fn(move || {
        loop {
            let (&first, rest) = left.split_first()?;
            match first {
                b'"' => left = after_text(rest),
                b'-' | b'0'..=b'9' => {
                    let part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                    let end = left.iter().position(|byte| !part(byte)).unwrap_or(left.len());
                    let (number, behind) = left.split_at(end);
                    left = behind;
                    return std::str::from_utf8(number).ok();
                }
                _ => left = rest,
            }
        }
    })
}

/// What comes after the text that has begun.
fn after_text(mut left: &[u8]) -> &[u8] {
    while let Some(end) = left.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        if left[end] == b'"' {
            return &left[end + 1..];
        }
        left = left.get(end + 2..).unwrap_or_default();
    }
    &[]
}

/// The numbers of the tree that are not whole, in their order; it is no deeper than its reader allows.
fn collect_floats<'a>(node: &'a Json, found: &mut Vec<&'a Json>) {
    match node {
        Json::Number(number) if number.is_f64() => found.push(node),
        Json::Array(items) => items.iter().for_each(|item| collect_floats(item, found)),
        Json::Object(map) => map.values().for_each(|value| collect_floats(value, found)),
        _ => {}
    }
}

/// Whether the value has a number in it that its text may have had more digits of.
pub(crate) fn may_be_rounded(node: &Json) -> bool {
    /// Whole numbers from here on are not all floats.
    const ROUNDED_FROM: f64 = 9_007_199_254_740_992.0;
    match node {
        Json::Number(number) if number.is_f64() => number.as_f64().is_none_or(|it| it.abs() >= ROUNDED_FROM),
        Json::Array(items) => items.iter().any(may_be_rounded),
        Json::Object(map) => map.values().any(may_be_rounded),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `path` finds, for comparison.
    fn at(document: &str, path: &str) -> String {
        let document = Document::parse(document.as_bytes()).unwrap();
        match document.at(&JsonPath::parse(path).unwrap()) {
            Reading::One(value) => format!("{value:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        const LONG: &str = r#"{"text":"1e5, \"9\\","id":20000000000000000001,"all":[1,-0,1.5,[0.12345678901234567891]],
            "in":{"n":-99999999999999999999.5},"max":18446744073709551615,"e":1e300}"#;
        for (path, expected) in [
            ("$.id", r#"Decimal("20000000000000000001")"#),
            ("$.in.n", r#"Decimal("-99999999999999999999.5")"#),
            (
                "$.all",
                r#"List([Int(1), Float(-0.0), Float(1.5), List([Decimal("0.12345678901234567891")])])"#,
            ),
            ("$.max", "Large(18446744073709551615)"),
            ("$.e", "Float(1e300)"),
            ("$.all[2]", "Float(1.5)"),
            ("$.none", "Absent"),
        ] {
            assert_eq!(at(LONG, path), expected, "{path}");
        }
        assert_eq!(at("20000000000000000001", "$"), r#"Decimal("20000000000000000001")"#);
        assert_eq!(at("100000000000000000000", "$"), "Float(1e20)", "a float has all of its digits");
        assert_eq!(at(r#"{"a":1.5}"#, "$.a"), "Float(1.5)");
    }

    #[test]
    fn a_key_that_is_there_twice_gives_no_digits_to_another() {
        let twice = r#"{"a":1,"b":20000000000000000001.5,"a":30000000000000000001.5}"#;
        assert_eq!(at(twice, "$.a"), "Float(3e19)");
        assert_eq!(at(twice, "$.b"), "Float(2e19)");
        assert_eq!(at(r#"{"a":20000000000000000001,"a":20000000000000000002}"#, "$.a"), "Float(2e19)");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in
            ["", "{", "[1,]", "1e400,", "[1e400", "1e", "01e400", "1.e400", "-", "1e400e1", "{\"a\":1e+}"]
        {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_no_float_can_be_are_json_all_the_same() {
        let zeros = |count| "0".repeat(count);
        for (text, digits) in [
            ("1e400", format!("1{}", zeros(400))),
            ("-1.25E+309", format!("-125{}", zeros(307))),
            ("12345.6789e306", format!("123456789{}", zeros(302))),
            ("1e999999999999999999999", "1e999999999999999999999".to_owned()),
        ] {
            assert_eq!(at(text, "$"), format!("Decimal({digits:?})"));
            let inside = format!(r#"{{"text":"1e400","a":[1,{text},2.5],"b":"\"{text}"}}"#);
            assert_eq!(at(&inside, "$.a"), format!("List([Int(1), Decimal({digits:?}), Float(2.5)])"));
            assert_eq!(at(&inside, "$.text"), r#"Text("1e400")"#);
        }
        // What is all digits needs no exponent to be too great.
        let long = "9".repeat(400);
        assert_eq!(at(&long, "$"), format!("Decimal({long:?})"));
        assert_eq!(at("1e-400", "$"), "Float(0.0)");
    }

    #[test]
    fn an_object_has_every_digit_of_its_numbers() {
        let [one, same, other] = [
            r#"{"a":{"id":20000000000000000001},"n":1e400}"#,
            r#"{"n":1e400,"a":{"id":20000000000000000001}}"#,
            r#"{"a":{"id":20000000000000000002},"n":1e400}"#,
        ]
        .map(|text| Document::parse(text.as_bytes()).unwrap());
        let whole = |document: &'static str| JsonPath::parse(document).unwrap();
        let root = whole("$");
        assert_eq!(one.tree()["a"], other.tree()["a"], "the trees are the same");
        assert_eq!(one.at(&root), same.at(&root));
        assert_ne!(one.at(&root), other.at(&root));
    }
}
