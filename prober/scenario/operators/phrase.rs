//! What is expected, in words for people.

use std::borrow::Cow;

use model::outcome::cut;
use model::step::SHOWN_MAX;

/// Expectations so common that their text is not copied into every event.
const COMMON: [&str; 24] = [
    "200",
    "201",
    "202",
    "204",
    "301",
    "302",
    "304",
    "307",
    "308",
    "400",
    "401",
    "403",
    "404",
    "2xx",
    "3xx",
    "4xx",
    "true",
    "false",
    "NOERROR",
    "NXDOMAIN",
    "trusted",
    "match",
    "any value",
    "no value",
];

/// The text, borrowed if it is a common one.
pub(super) fn shared(words: String) -> Cow<'static, str> {
    match COMMON.iter().find(|common| **common == words) {
        Some(common) => Cow::Borrowed(common),
        None => Cow::Owned(cut(words, SHOWN_MAX)),
    }
}

/// Several expectations as one text.
pub(super) fn joined(phrases: &[String]) -> String {
    phrases.join(" and ")
}

/// `a, b, c`
pub(super) fn list(items: &[String]) -> String {
    let shown = items.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
    if items.len() > 20 { format!("{shown}, …") } else { shown }
}
