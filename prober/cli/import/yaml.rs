//! A value as YAML: maps in blocks, short lists on one line, quotes only where they are needed.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::words::is_unseen;

/// The entries of a map, one below the other, indented by `depth` levels.
pub(super) fn entries(map: &Map<String, Value>, depth: usize, text: &mut String) {
    for (key, value) in map {
        write!(text, "{}{}:", "  ".repeat(depth), scalar(key)).expect("a String takes every text");
        below(value, depth, text);
    }
}

/// What stands behind a key.
fn below(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            entries(map, depth + 1, text);
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            text.push('\n');
            for one in items {
                item(one, depth + 1, text);
            }
        }
        value => writeln!(text, " {}", flow(value)).expect("a String takes every text"),
    }
}

fn item(value: &Value, depth: usize, text: &mut String) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut lines = String::new();
            entries(map, depth + 1, &mut lines);
            let begin = pad.len() + 2;
            writeln!(text, "{pad}- {}", lines[begin..].trim_end_matches('\n'))
                .expect("a String takes every text");
        }
        value => writeln!(text, "{pad}- {}", flow(value)).expect("a String takes every text"),
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value));
            format!("{{ {} }}", map.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text that YAML reads as this text and nothing else.
pub(super) fn scalar(text: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=%+@ ".contains(letter);
    let plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/')
        && text.chars().all(fits)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !is_word_of_yaml(text);
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes; what would not be seen is written as its number.
fn quoted(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.chars().fold(String::with_capacity(quoted.len()), |mut all, letter| {
        if is_unseen(letter) {
            write!(all, "\\u{:04x}", u32::from(letter)).expect("a String takes every text");
        } else {
            all.push(letter);
        }
        all
    })
}

/// Whether some version of YAML reads it as something else than a text.
fn is_word_of_yaml(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    matches!(&*word, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf")
}

#[cfg(test)]
mod tests {
    use scenario::diagnostic::Report;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({
            "plain": "a b/c.d", "colon": "a: b", "hash": "a #b", "no": "no", "number": "1.10", "int": 7, "float": 0.5,
            "empty": "", "quotes": "say \"x\" \\ y", "lines": "a\nb\tc", "unicode": "Grüße •", "list": ["a", 1, true],
            "maps": [{ "a": { "b": [] }, "c": "d" }, { "e": {} }], "nested": { "x": { "y": null } }, "$.a['b']": "{}",
            "control": "\u{1}\u{7f}\u{85}\u{202e}\u{feff}",
        });
        let mut text = String::new();
        entries(value.as_object().unwrap(), 0, &mut text);
        let mut report = Report::default();
        let read = scenario::tree::parse(0, &text, &mut report).map(|node| node.json());
        assert!(!report.has_errors(), "{text}");
        assert_eq!(read, Some(value), "{text}");
    }
}
