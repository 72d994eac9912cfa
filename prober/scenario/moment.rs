//! Reading a point in time out of an observed value.

use model::time::Timestamp;

use crate::value::Value;

/// Unix numbers from here on are milliseconds: as seconds this is the year 5138, as milliseconds 1973.
const MILLIS_FROM: i64 = 100_000_000_000;

/// Unix numbers from here on are neither: as milliseconds this is the year 2200, as microseconds 1970. They are micro- or
/// nanoseconds, whose age would look like centuries.
const MILLIS_UNTIL: i64 = 7_258_118_400_000;

/// The time in a value: RFC 3339, an HTTP date, Unix seconds or milliseconds, or an SQL timestamp.
///
/// A text without a zone is UTC. `None` if the value is no time.
pub(crate) fn moment(value: &Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Time(at) => Some(*at),
        Value::Int(number) => unix(*number),
        Value::Float(number) => unix_float(*number),
        Value::Decimal(digits) => digits.parse().ok().and_then(unix_float),
        Value::Text(text) => text_moment(text.trim()),
        _ => None,
    }
}

fn unix(number: i64) -> Option<Timestamp> {
    match number {
        ..=0 => None,
        1..MILLIS_FROM => Some(Timestamp::from_seconds(number)),
        MILLIS_FROM..MILLIS_UNTIL => Some(Timestamp::from_millis(number)),
        _ => None,
    }
}

fn unix_float(number: f64) -> Option<Timestamp> {
    if !number.is_finite() || !(1.0..MILLIS_UNTIL as f64).contains(&number) {
        return None;
    }
    let nanos = if number < MILLIS_FROM as f64 { number * 1e9 } else { number * 1e6 };
    #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
    Some(Timestamp::from_nanos(nanos as i64))
}

fn text_moment(text: &str) -> Option<Timestamp> {
    let first = text.bytes().next()?;
    if text.len() > 64 {
        return None;
    }
    if first.is_ascii_alphabetic() {
        let at = httpdate::parse_http_date(text).ok()?;
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        return Some(Timestamp::from_nanos(i64::try_from(since.as_nanos()).ok()?));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return unix(text.parse().ok()?);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return unix_float(text.parse().ok()?);
    }
    if far_offset(text) {
        return None;
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.into());
    }
    if let Some(at) = short_offset(text) {
        return Some(at);
    }
    // `2026-01-31 12:00:00` and `2026-01-31`: SQL without a zone, read as UTC.
    let at: jiff::civil::DateTime = text.parse().ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

/// Whether the text ends in an offset of more than 23:59, which RFC 3339 does not have.
fn far_offset(text: &str) -> bool {
    let Some((_, offset)) = text.split_at_checked(11).and_then(|(_, time)| time.rsplit_once(['+', '-']))
    else {
        return false;
    };
    offset.get(..2).and_then(|hours| hours.parse::<u8>().ok()).is_some_and(|hours| hours > 23)
}

/// Offsets as SQL servers write them that RFC 3339 does not know: `+00`, ` UTC`.
fn short_offset(text: &str) -> Option<Timestamp> {
    let plain = text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" +00:00"));
    let spelled = match plain {
        Some(plain) => format!("{plain}Z"),
        None => format!("{text}:00"),
    };
    spelled.parse::<jiff::Timestamp>().ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_spellings_of_one_moment() {
        let expected: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31 12:00:00+00",
            "2026-01-31 12:00:00.000+00",
            "2026-01-31 12:00:00",
            "2026-01-31 12:00:00 UTC",
            "2026-01-31T12:00:00",
            "Sat, 31 Jan 2026 12:00:00 GMT",
            "1769860800",
            "1769860800000",
            " 2026-01-31T12:00:00Z\n",
            "1769860800.0",
            "1769860800000.0",
            "2026-02-01T11:59:00+23:59",
        ] {
            assert_eq!(moment(&Value::Text(text.into())), Some(expected), "{text}");
        }
        assert_eq!(moment(&Value::Int(1_769_860_800)), Some(expected));
        assert_eq!(moment(&Value::Int(1_769_860_800_000)), Some(expected));
        assert_eq!(moment(&Value::Float(1_769_860_800.0)), Some(expected));
        assert_eq!(moment(&Value::Text("2026-01-31".into())), "2026-01-31T00:00:00Z".parse().ok());
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "12:00",
            "2026-13-01",
            "ok",
            "-5",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:00:00+25:00",
            "2026-01-31 12:00:00-24",
            "1.2.3",
            "1769860800000000",
        ] {
            assert_eq!(moment(&Value::Text(text.into())), None, "{text}");
        }
        // Micro- and nanoseconds.
        for number in [1_769_860_800_000_000, 1_769_860_800_000_000_000] {
            assert_eq!(moment(&Value::Int(number)), None);
            assert_eq!(moment(&Value::Float(number as f64)), None);
        }
        for value in [Value::Null, Value::Bool(true), Value::Int(0), Value::Int(-1), Value::Float(f64::NAN)] {
            assert_eq!(moment(&value), None);
        }
    }
}
