//! Durations and sizes with their units, read and shown.

use std::fmt::Write as _;
use std::time::Duration;

use model::objective::Share;

/// The longest duration that a file may name: ten years.
pub const DURATION_MAX: Duration = Duration::from_hours(3_650 * 24);

/// The units of time and their seconds.
pub(crate) const DURATION_UNITS: &[(&str, f64)] =
    &[("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// The units of size and their bytes.
pub(crate) const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Why a text is not a duration or size, in words for its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// It is not a number with a unit.
    Shape,
    /// A bare number; holds what to type instead.
    Bare(String),
    /// The unit is not known; holds what to type instead, if it can be told.
    Unit(String, Option<String>),
    /// It is larger than allowed.
    TooLarge,
}

/// The duration in `text`: a number and one of `ms s m h d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Err(UnitError::Bare(format!("{number}s")));
    }
    let Some((_, seconds)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = duration_unit_meant(unit).map(|unit| format!("{number}{unit}"));
        return Err(UnitError::Unit(unit.to_owned(), meant));
    };
    // Whole numbers exactly: a suggestion must be read as what it was made from.
    let duration = if let Ok(whole) = number.parse::<u64>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a unit has whole milliseconds"
        )]
        let millis = (seconds * 1e3).round() as u64;
        whole.checked_mul(millis).map(Duration::from_millis)
    } else {
        let value: f64 = number.parse().map_err(|_| UnitError::Shape)?;
        Duration::try_from_secs_f64(value * seconds).ok()
    };
    let duration = duration.ok_or(UnitError::TooLarge)?;
    if duration > DURATION_MAX { Err(UnitError::TooLarge) } else { Ok(duration) }
}

fn duration_unit_meant(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => Some("ms"),
        "s" | "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("m"),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "d" | "day" | "days" => Some("d"),
        _ => None,
    }
}

/// The number of bytes in `text`: a number and a unit such as `kB` or `MiB`, or a whole number.
pub(crate) fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let Some((_, bytes)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let near = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let near = near.or_else(|| SIZE_UNITS.iter().find(|(name, _)| name.starts_with(unit)));
        return Err(UnitError::Unit(unit.to_owned(), near.map(|(name, _)| format!("{number}{name}"))));
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(*bytes)
            .filter(|size| i64::try_from(*size).is_ok())
            .ok_or(UnitError::TooLarge);
    }
    let value: f64 = number.parse().map_err(|_| UnitError::Shape)?;
    let size = value * *bytes as f64;
    if *bytes == 1 || size >= 9e15 {
        return Err(if *bytes == 1 { UnitError::Shape } else { UnitError::TooLarge });
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9e15")]
    Ok(size.round() as u64)
}

/// Why a text is not a share, in words for its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PercentError {
    /// It is not a number with a sign.
    Shape,
    /// A bare number; holds what to type instead.
    Bare(String),
    /// It is more than the whole.
    Range,
    /// It is finer than a millionth.
    Digits,
}

/// The share in `text`: a number and `%`.
pub(crate) fn parse_percent(text: &str) -> Result<Share, PercentError> {
    let text = text.trim();
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || number.ends_with('.') || !digits(whole) || !digits(part) {
        return Err(PercentError::Shape);
    }
    let value: f64 = number.parse().map_err(|_| PercentError::Shape)?;
    if !text.ends_with('%') {
        // 0.999 is the share without its sign as other tools write it.
        let percent = if value <= 1.0 && !part.is_empty() { value * 100.0 } else { value };
        let shown = format!("{percent:.4}");
        let shown = shown.trim_end_matches('0').trim_end_matches('.');
        return Err(if percent > 100.0 {
            PercentError::Shape
        } else {
            PercentError::Bare(format!("{shown}%"))
        });
    }
    let part = part.trim_end_matches('0');
    if part.len() > 4 {
        return Err(PercentError::Digits);
    }
    let (whole, part): (u32, u32) = match (whole.parse(), format!("{part:0<4}").parse()) {
        (Ok(whole), Ok(part)) => (whole, part),
        _ => return Err(PercentError::Shape),
    };
    whole
        .checked_mul(10_000)
        .and_then(|millionths| Share::of_millionths(millionths.checked_add(part)?))
        .ok_or(PercentError::Range)
}

fn split(text: &str) -> Result<(&str, &str), UnitError> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let dots = number.len() - digits;
    let fits = digits > 0 && digits <= 18 && dots <= 1 && !number.starts_with('.') && !number.ends_with('.');
    let unit = unit.trim_start();
    let word = unit.chars().all(char::is_alphabetic);
    if fits && word { Ok((number, unit)) } else { Err(UnitError::Shape) }
}

/// A duration for people: `182ms`, `1.25s`, `2m 5s`, `26h 3m`, `21d 4h`.
pub fn show_duration(duration: Duration) -> String {
    let mut out = String::with_capacity(8);
    write_duration(&mut out, duration);
    out
}

/// A duration as files spell it, one number and one unit: `182ms`, `90s`, `36h`; what is less than a
/// millisecond is left out.
pub(crate) fn spell_duration(duration: Duration) -> String {
    const UNITS: [(&str, u128); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let millis = duration.as_millis();
    // As for people, a single day is 24 hours.
    let fits =
        |(unit, length): &&(&str, u128)| millis.is_multiple_of(*length) && (*unit != "d" || millis > *length);
    match UNITS.iter().find(fits) {
        _ if millis == 0 => "0s".to_owned(),
        Some((unit, length)) => format!("{}{unit}", millis / length),
        None => format!("{millis}ms"),
    }
}

fn write_duration(out: &mut String, duration: Duration) {
    let seconds = duration.as_secs();
    let pair = |out: &mut String, (big, big_unit): (u64, &str), (small, small_unit): (u64, &str)| {
        let written = if small == 0 {
            write!(out, "{big}{big_unit}")
        } else {
            write!(out, "{big}{big_unit} {small}{small_unit}")
        };
        written.expect("a String takes every text");
    };
    match seconds {
        0 if duration.is_zero() => out.push_str("0s"),
        0 if duration.as_millis() == 0 => pair(out, (u64::from(duration.subsec_micros()), "µs"), (0, "")),
        0 => pair(out, (u64::from(duration.subsec_millis()), "ms"), (0, "")),
        1..60 => {
            let text = format!("{:.2}", duration.as_secs_f64());
            out.push_str(text.trim_end_matches('0').trim_end_matches('.'));
            out.push('s');
        }
        60..3_600 => pair(out, (seconds / 60, "m"), (seconds % 60, "s")),
        3_600..172_800 => pair(out, (seconds / 3_600, "h"), (seconds % 3_600 / 60, "m")),
        _ => pair(out, (seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_units() {
        let ms = Duration::from_millis;
        for (text, expected) in [
            ("300ms", ms(300)),
            ("1.5s", ms(1_500)),
            ("24h", ms(86_400_000)),
            ("21d", ms(1_814_400_000)),
            ("0s", ms(0)),
        ] {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
        assert_eq!(parse_duration("60"), Err(UnitError::Bare("60s".into())));
        assert_eq!(parse_duration("5 minutes"), Err(UnitError::Unit("minutes".into(), Some("5m".into()))));
        assert_eq!(parse_duration("5M"), Err(UnitError::Unit("M".into(), Some("5m".into()))));
        assert_eq!(parse_duration("99999d"), Err(UnitError::TooLarge));
        for text in
            ["", "-5s", "s", "1.2.3s", ".5s", "1e9s", "1h30m", "∞", "inf", "NaN", "9999999999999999999s"]
        {
            assert_eq!(parse_duration(text), Err(UnitError::Shape), "{text}");
        }
    }

    #[test]
    fn sizes_carry_units_or_are_bytes() {
        for (text, expected) in
            [("10kB", 10_000), ("1MiB", 1 << 20), ("1.5KiB", 1_536), ("512", 512), ("7 B", 7), ("0", 0)]
        {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        assert_eq!(parse_size("64KB"), Err(UnitError::Unit("KB".into(), Some("64kB".into()))));
        assert_eq!(parse_size("64M"), Err(UnitError::Unit("M".into(), Some("64MB".into()))));
        assert_eq!(parse_size("1.5"), Err(UnitError::Shape));
        assert_eq!(parse_size("999999999999TiB"), Err(UnitError::TooLarge));
    }

    #[test]
    fn durations_are_shown_short() {
        for (millis, shown) in [
            (0, "0s"),
            (182, "182ms"),
            (1_250, "1.25s"),
            (59_999, "60s"),
            (125_000, "2m 5s"),
            (93_780_000, "26h 3m"),
            (1_828_800_000, "21d 4h"),
        ] {
            assert_eq!(show_duration(Duration::from_millis(millis)), shown);
        }
        assert_eq!(show_duration(Duration::from_micros(250)), "250µs");
    }

    proptest::proptest! {
        #[test]
        fn what_is_suggested_is_read_as_the_same(millis in 0_u64..315_360_000_000, unit in 0_usize..5) {
            let unit = [1, 1_000, 60_000, 3_600_000, 86_400_000][unit];
            let duration = Duration::from_millis(millis / unit * unit);
            proptest::prop_assert_eq!(parse_duration(&spell_duration(duration)), Ok(duration));
        }
    }

    #[test]
    fn durations_are_suggested_with_one_unit() {
        for (millis, spelled) in [
            (0, "0s"),
            (1_250, "1250ms"),
            (90_000, "90s"),
            (120_000, "2m"),
            (86_400_000, "24h"),
            (129_600_000, "36h"),
            (172_800_000, "2d"),
        ] {
            assert_eq!(spell_duration(Duration::from_millis(millis)), spelled);
        }
    }
}
