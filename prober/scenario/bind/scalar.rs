//! One scalar against one type, with the message that helps.

use crate::decimal;
use crate::diagnostic::Diagnostic;
use crate::fields::{Bound, KeyType};
use crate::source::Span;
use crate::suggest::{nearest, one_of};
use crate::tree::{Node, Scalar, ScalarKind};
use crate::units::{
    DURATION_MAX, PercentError, UnitError, parse_duration, parse_percent, parse_size, spell_duration,
};

/// The scalar as the wanted type.
pub(crate) fn bind(scalar: &Scalar, wanted: &KeyType, key: &str, span: Span) -> Result<Bound, Diagnostic> {
    match wanted {
        KeyType::Text => text(scalar, key, span).map(Bound::Text),
        KeyType::Duration => duration(scalar, key, span).map(Bound::Duration),
        KeyType::Size => size(scalar, span).map(Bound::Size),
        KeyType::Bool => bool(scalar, key, span).map(Bound::Bool),
        KeyType::Int(least, most) => {
            int(scalar, *least, *most, span).map_err(|problem| switched(problem, key, scalar)).map(Bound::Int)
        }
        KeyType::Choice(words) => choice(scalar, words, key, span).map(Bound::Choice),
        KeyType::Percent => percent(scalar, key, span).map(Bound::Percent),
        KeyType::DurationOr(words) => duration_or(scalar, words, key, span),
        KeyType::Formed(wanted, _) => bind(scalar, wanted, key, span),
        _ => Err(wrong_type(wanted, span, &scalar.describe())),
    }
}

/// The mistake of a value that comes from a variable, a parameter or the matrix: what to type belongs where it is set.
pub(crate) fn where_set(problem: Diagnostic, node: &Node, key: &str) -> Diagnostic {
    let hole = node.scalar().and_then(|scalar| scalar.text.strip_prefix("${")?.strip_suffix('}'));
    let Some(path) = hole.filter(|path| !path.contains('$')) else { return problem };
    let typed_here = format!(" {key}: ");
    let there = |help: String| match help.split_once(&typed_here) {
        Some((what, typed)) => format!("where `{path}` is set, {what} {typed}"),
        None => help,
    };
    Diagnostic { help: problem.help.into_iter().map(there).collect(), ..problem }
}

/// The scalar as a text; a number that could be read in two ways must be in quotes.
pub(crate) fn text(scalar: &Scalar, key: &str, span: Span) -> Result<String, Diagnostic> {
    let plain_int = matches!(scalar.kind, ScalarKind::Int(number) if *number.to_string() == *scalar.text);
    if plain_int || matches!(scalar.kind, ScalarKind::Text | ScalarKind::Quoted) {
        return Ok(scalar.text.to_string());
    }
    let problem = wrong_type(&KeyType::Text, span, &scalar.describe());
    Err(match scalar.kind {
        ScalarKind::Null => problem,
        // In quotes it would be refused too.
        ScalarKind::Bool(_) if key == "insecure" => problem.help(
            "write the reason why that is right, such as insecure: \"self-signed until the move\", or leave it out",
        ),
        _ => problem.help(format!("put it in quotes: {key}: \"{}\"", scalar.text)),
    })
}

pub(crate) fn duration(scalar: &Scalar, key: &str, span: Span) -> Result<std::time::Duration, Diagnostic> {
    let wrong = || wrong_type(&KeyType::Duration, span, &scalar.describe());
    if matches!(scalar.kind, ScalarKind::Null | ScalarKind::Bool(_)) {
        return Err(wrong());
    }
    parse_duration(&scalar.text).map_err(|error| match error {
        UnitError::Bare(fixed) => {
            Diagnostic::error("E109", span, "expected a duration like `30s`, found a number")
                .label("a duration needs a unit")
                .help(with_unit(key, fixed.trim_end_matches('s')))
        }
        UnitError::Unit(unit, fixed) => {
            let problem = Diagnostic::error("E109", span, format!("`{unit}` is not a unit of time"));
            match fixed {
                Some(fixed) => problem.help(format!("write {key}: {fixed}")),
                None => problem.help("units are ms, s, m, h and d"),
            }
        }
        UnitError::TooLarge => Diagnostic::error("E104", span, "this duration is longer than ten years"),
        UnitError::Shape => match duration_meant(&scalar.text) {
            Some(meant) => wrong().help(format!("write {key}: {meant}")),
            None => wrong().help("a number and one unit: 300ms, 30s, 5m, 24h, 21d"),
        },
    })
}

/// What to type for a bare number. Only where nothing else is likely a unit is put to it: a certificate that is to last
/// for 21 days lasts for 21 seconds nearly always, and nobody would notice.
fn with_unit(key: &str, number: &str) -> String {
    match key {
        "every" | "timeout" => format!("write {key}: {number}s"),
        _ if key.ends_with("expires_in") || matches!(key, "window" | "keep") => {
            format!("write {key}: {number}d, or with h")
        }
        _ => format!(
            "write {key}: {number} with the unit that is meant: {number}ms, {number}s, {number}m, {number}h or {number}d"
        ),
    }
}

/// The duration with one unit that was probably meant: `1h30m`, `1:30`, `1,5s`.
fn duration_meant(text: &str) -> Option<String> {
    if let Some(seconds) = seconds_of_time(text) {
        return Some(format!("{seconds}s"));
    }
    let pointed = text.replace(',', ".");
    if parse_duration(&pointed).is_ok() {
        return Some(pointed);
    }
    let mut sum = std::time::Duration::ZERO;
    // Each part ends with the last letter of its unit, before the next digit.
    let mut begin = 0;
    let letters = || text.char_indices().zip(text.chars().skip(1).map(Some).chain([None]));
    for ((at, letter), next) in letters() {
        if letter.is_ascii_alphabetic() && next.is_none_or(|next| !next.is_ascii_alphabetic()) {
            let end = at + letter.len_utf8();
            sum = sum.checked_add(parse_duration(text[begin..end].trim()).ok()?)?;
            begin = end;
        }
    }
    (begin == text.len() && begin > 0 && sum <= DURATION_MAX).then(|| spell_duration(sum))
}

/// `30d`, or a word such as `month`.
fn duration_or(
    scalar: &Scalar,
    words: &'static [&'static str],
    key: &str,
    span: Span,
) -> Result<Bound, Diagnostic> {
    let begins_with_digit = scalar.text.starts_with(|first: char| first.is_ascii_digit());
    let word = matches!(scalar.kind, ScalarKind::Text | ScalarKind::Quoted) && !begins_with_digit;
    if !word {
        return duration(scalar, key, span).map(Bound::Duration);
    }
    choice(scalar, words, key, span)
        .map(Bound::Choice)
        .map_err(|problem| problem.help("or a duration like 30d"))
}

/// `99.9%`: the sign says that 0.999 was not meant.
fn percent(scalar: &Scalar, key: &str, span: Span) -> Result<model::objective::Share, Diagnostic> {
    let wrong = || wrong_type(&KeyType::Percent, span, &scalar.describe());
    parse_percent(&scalar.text).map_err(|error| match error {
        PercentError::Bare(fixed) => Diagnostic::error(
            "E160",
            span,
            format!("expected a share like `99.9%`, found {}", scalar.describe()),
        )
        .label("a share needs its sign")
        .help(format!("write {key}: {fixed}")),
        PercentError::Range => Diagnostic::error("E161", span, "a share is at most 100%")
            .help("write the share of good runs that is good enough, such as objective: 99.9%"),
        PercentError::Digits => {
            Diagnostic::error("E104", span, "a share has at most four digits after the point")
        }
        PercentError::Shape => {
            let pointed = scalar.text.replace(',', ".");
            let meant = match parse_percent(&pointed) {
                Ok(_) => pointed,
                Err(PercentError::Bare(fixed)) => fixed,
                Err(_) => "99.9%".to_owned(),
            };
            wrong().help(format!("write {key}: {meant}"))
        }
    })
}

pub(crate) fn size(scalar: &Scalar, span: Span) -> Result<u64, Diagnostic> {
    let wrong = || wrong_type(&KeyType::Size, span, &scalar.describe());
    if matches!(scalar.kind, ScalarKind::Null | ScalarKind::Bool(_)) {
        return Err(wrong());
    }
    parse_size(&scalar.text).map_err(|error| match error {
        UnitError::Unit(unit, fixed) => {
            let problem = Diagnostic::error("E110", span, format!("`{unit}` is not a unit of size"));
            match fixed {
                Some(fixed) => problem.help(format!("write {fixed}")),
                None => problem.help("units are B, kB, MB, GB, TB and KiB, MiB, GiB, TiB"),
            }
        }
        UnitError::TooLarge => Diagnostic::error("E104", span, "this size is too large"),
        UnitError::Bare(_) | UnitError::Shape => {
            wrong().help("a whole number of bytes, or a number and a unit: 64kB, 1MiB")
        }
    })
}

pub(crate) fn bool(scalar: &Scalar, key: &str, span: Span) -> Result<bool, Diagnostic> {
    if let ScalarKind::Bool(value) = scalar.kind {
        return Ok(value);
    }
    let problem = wrong_type(&KeyType::Bool, span, &scalar.describe());
    let meant = match scalar.text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "true" => Some(true),
        "no" | "off" | "n" | "false" => Some(false),
        _ => None,
    };
    Err(match meant {
        Some(meant) if scalar.kind == ScalarKind::Text => problem
            .label(format!("in YAML 1.2, `{}` is a text", scalar.text))
            .help(format!("write {key}: {meant}")),
        Some(meant) => problem.help(format!("write {key}: {meant}, without quotes")),
        None => problem,
    })
}

/// `follow: true`, as other tools switch redirects on and off.
fn switched(problem: Diagnostic, key: &str, scalar: &Scalar) -> Diagnostic {
    match scalar.text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" if key == "follow" => {
            problem.help("leave it out: up to 5 redirects are followed, follow: 10 makes it ten")
        }
        "false" | "no" | "off" if key == "follow" => problem.help("write follow: 0"),
        _ => problem,
    }
}

pub(crate) fn int(scalar: &Scalar, least: i64, most: i64, span: Span) -> Result<i64, Diagnostic> {
    let ScalarKind::Int(number) = scalar.kind else {
        let problem = wrong_type(&KeyType::Int(least, most), span, &scalar.describe());
        let quoted = scalar.kind == ScalarKind::Quoted && scalar.text.parse::<i64>().is_ok();
        let plain: String =
            scalar.text.chars().filter(|letter| !matches!(letter, '_' | ',' | '\'')).collect();
        let grouped = plain.len() < scalar.text.len() && plain.parse::<i64>().is_ok();
        return Err(match (quoted, grouped) {
            (true, _) => problem.help("write it without quotes"),
            (_, true) => problem.help(format!("write {plain}, without separators")),
            _ => problem,
        });
    };
    no_leading_zero(scalar, span)?;
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    let message = format!("expected {}, found {number}", wanted_words(&KeyType::Int(least, most)));
    Err(Diagnostic::error("E104", span, message))
}

pub(crate) fn choice(
    scalar: &Scalar,
    words: &'static [&'static str],
    key: &str,
    span: Span,
) -> Result<&'static str, Diagnostic> {
    if let Some(word) = words.iter().find(|word| ***word == *scalar.text) {
        return Ok(word);
    }
    let found = model::outcome::cut(scalar.text.to_string(), 60);
    let problem = Diagnostic::error("E105", span, format!("`{found}` is not a value of `{key}`"));
    let near = words.iter().find(|word| word.eq_ignore_ascii_case(&found)).copied();
    Err(match near.or_else(|| nearest(&found, words.iter().copied())) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.help(format!("expected {}", one_of(words.iter().copied()))),
    })
}

/// `0123` is 123 to one reader, 83 to another, and a text to its author.
fn no_leading_zero(scalar: &Scalar, span: Span) -> Result<(), Diagnostic> {
    let digits = scalar.text.trim_start_matches(['+', '-']);
    let zero =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !zero {
        return Ok(());
    }
    let number = digits.trim_start_matches('0');
    let number = if number.is_empty() { "0" } else { number };
    let problem = Diagnostic::error("E017", span, "a number that begins with 0 can be read in two ways");
    Err(problem.help(format!("write {number} for the number, or \"{}\" in quotes for the text", scalar.text)))
}

/// The seconds of `1:30` or `0:01:30`, for whoever meant a duration.
fn seconds_of_time(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    match parts.as_slice() {
        [minutes, seconds] => minutes.checked_mul(60)?.checked_add(*seconds),
        [hours, minutes, seconds] => {
            hours.checked_mul(60)?.checked_add(*minutes)?.checked_mul(60)?.checked_add(*seconds)
        }
        _ => None,
    }
}

fn too_large(near: f64, text: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E104", span, "this whole number is too large to be kept exactly")
        .help(format!("put it in quotes: \"{text}\" is a text, and equals a number with the same digits"))
        .help(format!("in a body that is sent, write {near:e}, to which most programs round it"))
}

/// The scalar as a JSON value.
pub(crate) fn json(scalar: &Scalar, span: Span) -> Result<serde_json::Value, Diagnostic> {
    Ok(match scalar.kind {
        ScalarKind::Null => serde_json::Value::Null,
        ScalarKind::Bool(value) => value.into(),
        ScalarKind::Int(number) => {
            no_leading_zero(scalar, span)?;
            number.into()
        }
        ScalarKind::Float(near) if is_whole(&scalar.text) => {
            no_leading_zero(scalar, span)?;
            match scalar.text.parse::<u64>() {
                Ok(number) => number.into(),
                Err(_) if decimal::is_kept(&scalar.text) => near.into(),
                Err(_) => return Err(too_large(near, &scalar.text, span)),
            }
        }
        ScalarKind::Float(number) if number.is_finite() && !decimal::is_kept(&scalar.text) => {
            let message = "this number has more digits than can be kept exactly";
            return Err(Diagnostic::error("E104", span, message).help(format!(
                "write {number}, or to compare digit by digit, put it in quotes: equals: \"{}\"",
                scalar.text
            )));
        }
        ScalarKind::Float(number) => {
            let number = serde_json::Number::from_f64(number).ok_or_else(|| {
                Diagnostic::error("E104", span, "this number is too large")
                    .help("no number of JSON is more than 1.7976931348623157e308")
            })?;
            serde_json::Value::Number(number)
        }
        ScalarKind::Text | ScalarKind::Quoted => (&*scalar.text).into(),
    })
}

/// Whether the author wrote a whole number, digits and perhaps a sign.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// "expected a duration like `30s`, found a list".
pub(crate) fn wrong_type(wanted: &KeyType, span: Span, found: &str) -> Diagnostic {
    Diagnostic::error("E103", span, format!("expected {}, found {found}", wanted_words(wanted)))
}

/// What a key's value must be, in words for its author.
pub(crate) fn wanted_words(wanted: &KeyType) -> String {
    match wanted {
        KeyType::Template | KeyType::Text => "a text".to_owned(),
        KeyType::Duration => "a duration like `30s`".to_owned(),
        KeyType::Bool => "`true` or `false`".to_owned(),
        KeyType::Int(i64::MIN, i64::MAX) => "a whole number".to_owned(),
        KeyType::Int(least, i64::MAX) => format!("a whole number of at least {least}"),
        KeyType::Int(least, most) => format!("a whole number from {least} to {most}"),
        KeyType::Size => "a size like `64kB`".to_owned(),
        KeyType::Choice(words) => one_of(words.iter().copied()),
        KeyType::Percent => "a share like `99.9%`".to_owned(),
        KeyType::DurationOr(words) => format!("a duration like `30d`, {}", one_of(words.iter().copied())),
        KeyType::Json => "a value".to_owned(),
        KeyType::OneOrMany(item) => format!("{}, or a list of those", wanted_words(item)),
        KeyType::Formed(_, form) => form.words.to_owned(),
        KeyType::Map(_) | KeyType::Record(_) | KeyType::Held(_) => "a map".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str, kind: ScalarKind) -> Scalar {
        Scalar { text: text.into(), kind, verbatim: None, is_block: false }
    }

    #[test]
    fn durations_of_other_tools_are_told_with_one_unit() {
        for (typed, meant) in [
            ("1h30m", Some("90m")),
            ("1h 30m", Some("90m")),
            ("1d12h", Some("36h")),
            ("1m30s500ms", Some("90500ms")),
            ("1,5s", Some("1.5s")),
            ("1:30", Some("90s")),
            ("1m30", None),
            ("-1m", None),
            ("PT30S", None),
            ("1h30x", None),
            ("9999d9999d", None),
            ("", None),
            ("fünf", None),
        ] {
            assert_eq!(duration_meant(typed).as_deref(), meant, "{typed}");
        }
    }

    #[test]
    fn a_bare_number_gets_no_unit_that_would_let_everything_pass() {
        let help = |key: &str| {
            duration(&plain("21", ScalarKind::Int(21)), key, Span::default()).unwrap_err().help.join("; ")
        };
        assert_eq!(help("every"), "write every: 21s");
        assert_eq!(help("expires_in"), "write expires_in: 21d, or with h");
        assert_eq!(help("window"), "write window: 21d, or with h");
        assert!(
            help("gte").starts_with("write gte: 21 with the unit that is meant: 21ms, 21s,"),
            "{}",
            help("gte")
        );
    }

    #[test]
    fn a_switch_for_redirects_is_told_as_their_number() {
        let help = |text: &str, kind: ScalarKind| {
            let wanted = KeyType::Int(0, 20);
            bind(&plain(text, kind), &wanted, "follow", Span::default()).unwrap_err().help.join("; ")
        };
        assert_eq!(help("false", ScalarKind::Bool(false)), "write follow: 0");
        assert_eq!(help("no", ScalarKind::Text), "write follow: 0");
        assert!(help("true", ScalarKind::Bool(true)).starts_with("leave it out"));
        assert_eq!(help("many", ScalarKind::Text), "");
    }

    #[test]
    fn a_reason_is_no_yes() {
        let yes =
            Scalar { text: "true".into(), kind: ScalarKind::Bool(true), verbatim: None, is_block: false };
        let help = |key: &str| text(&yes, key, Span::default()).unwrap_err().help.join("; ");
        assert_eq!(help("owner"), "put it in quotes: owner: \"true\"");
        assert!(help("insecure").starts_with("write the reason why that is right, such as insecure: \"self"));
    }
}
