//! Words of other tools in our language: names, lengths of time, texts that are meant as they stand.

use serde_json::Value;

/// The most letters of a name that is made.
const NAME_LETTERS_MAX: usize = 60;

/// A text as a name: every letter that names cannot have becomes `-`; `other` if nothing is left.
pub(super) fn name(text: &str, other: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.') { letter } else { '-' }
    };
    let words: String = text.chars().map(plain).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(NAME_LETTERS_MAX).collect();
    let name = name.trim_start_matches(['_', '.', '-']).trim_end_matches(['-', '.']);
    if name.is_empty() { other.to_owned() } else { name.to_owned() }
}

/// A text as the name of a variable, secret or capture.
pub(super) fn variable(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    let words: String = text.chars().map(plain).collect();
    let words: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    let name: String = words.join("_").chars().take(NAME_LETTERS_MAX).collect();
    if name.starts_with(|letter: char| letter.is_ascii_alphabetic()) { name } else { format!("v_{name}") }
}

/// A text for a name: of every reference only what it is called.
pub(super) fn unreferenced(text: &str) -> String {
    text.replace("${secrets.", "").replace("${vars.", "").replace("${", "").replace('}', "")
}

/// A text that is meant as it stands: `${` is no variable in it.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// A text on one line, for a comment.
pub(super) fn line(text: &str) -> String {
    let plain = |letter: char| if is_unseen(letter) { ' ' } else { letter };
    let text: String = text.chars().map(plain).take(240).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a letter shows nothing, or changes how its neighbours are shown.
pub(super) fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Milliseconds of `90s`, `1m30s`, `1.5h` as Go writes lengths of time; a bare number counts `bare_ms` each.
pub(super) fn millis(text: &str, bare_ms: Option<f64>) -> Option<u64> {
    let text = text.trim();
    if let (Some(bare), Ok(number)) = (bare_ms, text.parse::<f64>()) {
        return whole(number * bare);
    }
    let (mut rest, mut sum) = (text, 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        sum += number * unit_ms(&rest[..end])?;
        rest = &rest[end..];
    }
    whole(sum)
}

fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit.trim() {
        "ns" => 1e-6,
        "us" | "µs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        "w" => 7.0 * 8.64e7,
        _ => return None,
    })
}

/// A number of milliseconds that is neither nothing nor longer than ten years.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bounds are looked at before"
)]
fn whole(ms: f64) -> Option<u64> {
    (0.5..3.2e11).contains(&ms).then(|| ms.round() as u64)
}

/// Milliseconds as a duration of the language, in the largest unit that holds them whole.
pub(super) fn duration(ms: u64) -> String {
    for (unit, of) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms >= of && ms.is_multiple_of(of) {
            return format!("{}{unit}", ms / of);
        }
    }
    format!("{ms}ms")
}

/// The value at the end of the keys, if there is one and it is not null.
pub(super) fn at<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The same as a text; numbers and truths as they are written.
pub(super) fn text(value: &Value, keys: &[&str]) -> Option<String> {
    said(at(value, keys)?)
}

/// A scalar as a text.
pub(super) fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A truth, as YAML 1.1 spells it too.
pub(super) fn truth(value: &Value, keys: &[&str]) -> Option<bool> {
    match text(value, keys)?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The items of a list; one that stands alone is a list of it.
pub(super) fn list<'v>(value: &'v Value, keys: &[&str]) -> Vec<&'v Value> {
    match at(value, keys) {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(other) => vec![other],
        None => Vec::new(),
    }
}

/// The entries of a map; none if it is something else.
pub(super) fn pairs<'v>(value: &'v Value, keys: &[&str]) -> Vec<(&'v String, &'v Value)> {
    at(value, keys).and_then(Value::as_object).map(|map| map.iter().collect()).unwrap_or_default()
}

/// A status as a number, if it is one of HTTP.
pub(super) fn status(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|code| (100..=599).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        for (text, wanted) in [
            ("90s", "90s"),
            ("1m30s", "90s"),
            ("1h", "1h"),
            ("1.5h", "90m"),
            ("500ms", "500ms"),
            ("48h0m0s", "2d"),
            ("2w", "14d"),
        ] {
            assert_eq!(millis(text, None).map(duration).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(millis("5", Some(1000.0)), Some(5000));
        for text in ["", "5", "s", "-1s", "1x", "1e3s", "9999999999999h", "0s", "1m-3s"] {
            assert_eq!(millis(text, None), None, "{text}");
        }
    }

    #[test]
    fn names_have_few_letters() {
        for (text, wanted) in [
            ("Front end / home", "Front-end-home"),
            ("a_b.c", "a_b.c"),
            ("--", "x"),
            ("_ö", "x"),
            ("äpfel", "pfel"),
        ] {
            assert_eq!(name(text, "x"), wanted, "{text}");
        }
        assert_eq!((variable("X-Api-Key"), variable("1st")), ("x_api_key".into(), "v_1st".into()));
        assert_eq!(line("a\n#b\u{1b}[0m"), "a #b [0m");
    }
}
