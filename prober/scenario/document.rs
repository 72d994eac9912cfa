//! A JSON document that somebody sent, with every digit of its numbers.
//!
//! The tree has numbers of 64 bits. A longer one would be another number there, and as the id in a URL it would lead to
//! something else. So the digits of those few are kept beside the tree, found by their place in memory.

use std::collections::HashMap;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::decimal;
use crate::value::{Reading, Value};

/// A document, and the digits of the numbers that its tree rounds.
#[derive(Debug)]
pub struct Document {
    /// In a place of its own, which does not move with the document.
    root: Box<Json>,
    /// By the address of the number in the tree.
    rounded: HashMap<usize, Box<str>>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// The bytes are not JSON, or beyond the reader's limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let root: Box<Json> = serde_json::from_slice(bytes)?;
        let rounded = rounded(&root, bytes);
        Ok(Self { root, rounded })
    }

    /// The tree, in which long numbers are rounded.
    pub fn tree(&self) -> &Json {
        &self.root
    }

    /// What `path` finds, with every digit.
    pub fn at(&self, path: &JsonPath) -> Reading<'_> {
        Reading::of(path.query(&self.root).all().into_iter().map(|node| self.value(node)).collect())
    }

    fn value<'a>(&'a self, node: &'a Json) -> Value<'a> {
        match node {
            Json::Array(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            Json::Number(_) => match self.rounded.get(&address(node)) {
                Some(digits) => Value::Decimal(digits),
                None => Value::of_json(node),
            },
            _ => Value::of_json(node),
        }
    }
}

fn address(node: &Json) -> usize {
    std::ptr::from_ref(node).addr()
}

/// The digits of the numbers in `root` that are not those in `bytes`, of which it was read.
///
/// Tree and text have the same numbers in the same order, unless a key is there twice; what does not fit is left out.
fn rounded(root: &Json, bytes: &[u8]) -> HashMap<usize, Box<str>> {
    let written: Vec<_> = numbers(bytes).filter(|text| !is_whole(text)).collect();
    if written.iter().all(|text| decimal::is_kept(text)) {
        return HashMap::new();
    }
    let mut floats = Vec::new();
    collect_floats(root, &mut floats);
    if floats.len() != written.len() {
        return HashMap::new();
    }
    let pairs = floats.into_iter().zip(written);
    let is_its = |(node, text): &(&Json, &str)| node.as_f64() == text.parse().ok() && !decimal::is_kept(text);
    pairs.filter(is_its).map(|(node, text)| (address(node), text.into())).collect()
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
        for text in ["", "{", "1e400", "[1,]"] {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
