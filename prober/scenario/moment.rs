//! Reading a point in time out of an observed value.

use std::borrow::Cow;

use model::time::Timestamp;

use crate::value::Value;

/// Unix numbers from here on are milliseconds: as seconds this is the year 5138, as milliseconds 1973.
const MILLIS_FROM: i64 = 100_000_000_000;

/// Unix numbers from here on are neither: as milliseconds this is the year 2200, as microseconds 1970. They are micro- or
/// nanoseconds, whose age would look like centuries.
const MILLIS_UNTIL: i64 = 7_258_118_400_000;

/// The time in a value: RFC 3339, an HTTP date, a date of mails and feeds, Unix seconds or milliseconds, or an SQL timestamp.
///
/// A text without a zone is UTC; eight digits, also as a number, are a date if they can be one. `None` if the value is no time.
pub(crate) fn moment(value: &Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Time(at) => Some(*at),
        Value::Int(number) => packed_date(&number.to_string()).or_else(|| unix(*number)),
        Value::Float(number) => unix_float(*number),
        Value::Decimal(digits) => digits.parse().ok().and_then(unix_float),
        Value::Text(text) => text_moment(text.trim()),
        _ => None,
    }
}

/// How the number was read in which a value says that it is `at`, if that is before 1980: hardly what was meant.
pub(crate) fn doubtful(value: &Value<'_>, at: Timestamp) -> Option<&'static str> {
    const SINCE: Timestamp = Timestamp::from_seconds(315_532_800);
    let text = match value {
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Float(number) => Cow::Owned(number.to_string()),
        Value::Decimal(digits) => Cow::Borrowed(*digits),
        Value::Text(text) => Cow::Borrowed(text.trim()),
        _ => return None,
    };
    let number: f64 = text.parse().ok()?;
    let is_count = packed_date(&text).is_none() && at < SINCE;
    is_count.then_some(if number < MILLIS_FROM as f64 {
        "read as seconds since 1970"
    } else {
        "read as milliseconds since 1970"
    })
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
        return http_date(text).or_else(|| mail_date(text));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Some(day) = packed_date(text) {
            return Some(day);
        }
        return unix(text.parse().ok()?);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return unix_float(text.parse().ok()?);
    }
    if text.contains(' ')
        && let Some(at) = mail_date(text)
    {
        return Some(at);
    }
    let text = &*representable(text);
    if far_offset(text) {
        return None;
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.into());
    }
    if text.contains('[') {
        // Without an offset the zone says what the clock showed there (RFC 9557); it is never UTC by default.
        return text.parse::<jiff::Zoned>().ok().map(|at| at.timestamp().into());
    }
    if let Some(at) = short_offset(text) {
        return Some(at);
    }
    // `2026-01-31 12:00:00` and `2026-01-31`: SQL without a zone, read as UTC.
    let at: jiff::civil::DateTime = text.parse().ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

fn http_date(text: &str) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_nanos(i64::try_from(since.as_nanos()).ok()?))
}

/// `Sat, 31 Jan 2026 13:00:00 +0100`, as mails and RSS feeds write it (RFC 5322); ` UTC` in the place of the offset, too.
fn mail_date(text: &str) -> Option<Timestamp> {
    let zoned = text.strip_suffix(" UTC").map(|plain| format!("{plain} +0000"));
    let text = zoned.as_deref().unwrap_or(text);
    if !is_mail_zone(text.rsplit(' ').next()?) {
        return None;
    }
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::from)
}

/// Whether the zone is an offset of a day at most, or a name that has one; the reader takes all others for UTC.
fn is_mail_zone(zone: &str) -> bool {
    const NAMED: [&str; 10] = ["UT", "GMT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"];
    match zone.strip_prefix(['+', '-']) {
        Some(offset) => {
            offset.get(..2).and_then(|hours| hours.parse::<u8>().ok()).is_some_and(|hours| hours < 24)
        }
        None => NAMED.contains(&zone),
    }
}

/// `20260131`; as seconds all of these are some days in the years from 1970 to 1973, which nobody means.
fn packed_date(text: &str) -> Option<Timestamp> {
    let part = |range: std::ops::Range<usize>| text[range].parse().ok();
    if text.len() != 8 || !text.is_ascii() {
        return None;
    }
    let (month, day): (i16, i16) = (part(4..6)?, part(6..8)?);
    let day = jiff::civil::Date::new(part(0..4)?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

/// The text with what RFC 3339 allows and the reader does not: more than nine digits of a second, and the last two days of
/// the year 9999, which are "never" in many systems. A [`Timestamp`] ends long before those.
fn representable(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if let Some(point) = text.find('.') {
        let digits = text[point + 1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 9 {
            text.to_mut().replace_range(point + 10..point + 1 + digits, "");
        }
    }
    if text.starts_with("9999-12-30") || text.starts_with("9999-12-31") {
        text.to_mut().replace_range(8..10, "29");
    }
    text
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
            "Sat, 31 Jan 2026 13:00:00 +0100",
            "Sat, 31 Jan 2026 12:00:00 -0000",
            "Sat, 31 Jan 2026 12:00:00 UTC",
            "Sat, 31 Jan 2026 12:00:00 UT",
            "Sat, 31 Jan 2026 07:00:00 EST",
            "31 Jan 2026 13:00:00 +0100",
            "31 Jan 2026 12:00 GMT",
            "1769860800",
            "1769860800000",
            " 2026-01-31T12:00:00Z\n",
            "1769860800.0",
            "1769860800000.0",
            "2026-02-01T11:59:00+23:59",
            "2026-01-31T12:00:00.0000000000001Z",
            "2026-01-31 12:00:00.000000000999+00",
            "2026-01-31T12:00:00Z[Pacific/Kiritimati]",
            "2026-02-01T02:00:00+14:00[Pacific/Kiritimati]",
            "2026-02-01T02:00:00[Pacific/Kiritimati]",
            "2026-01-31 13:00:00[Europe/Berlin]",
        ] {
            assert_eq!(moment(&Value::Text(text.into())), Some(expected), "{text}");
        }
        assert_eq!(moment(&Value::Int(1_769_860_800)), Some(expected));
        assert_eq!(moment(&Value::Int(1_769_860_800_000)), Some(expected));
        assert_eq!(moment(&Value::Float(1_769_860_800.0)), Some(expected));
        for text in ["2026-01-31", "20260131"] {
            assert_eq!(moment(&Value::Text(text.into())), "2026-01-31T00:00:00Z".parse().ok());
        }
        assert_eq!(moment(&Value::Int(20_260_131)), "2026-01-31T00:00:00Z".parse().ok());
        assert_eq!(moment(&Value::Int(20_261_331)), Some(Timestamp::from_seconds(20_261_331)));
        assert_eq!(moment(&Value::Int(-2_026_013)), None);
        // No date, so seconds.
        assert_eq!(moment(&Value::Text("20261331".into())), Some(Timestamp::from_seconds(20_261_331)));
    }

    #[test]
    fn counts_that_end_long_ago_are_doubted() {
        let text = |text: &'static str| Value::Text(text.into());
        for (value, expected) in [
            (Value::Int(20_261_331), Some("read as seconds since 1970")),
            (text("20261331"), Some("read as seconds since 1970")),
            (Value::Float(123.5), Some("read as seconds since 1970")),
            // A date and a time of day as one number.
            (Value::Int(202_601_311_200), Some("read as milliseconds since 1970")),
            (Value::Int(20_260_131), None),
            (Value::Int(19_700_102), None),
            (Value::Int(1_769_860_800), None),
            (text("1970-01-02"), None),
        ] {
            let at = moment(&value).unwrap();
            assert_eq!(doubtful(&value, at), expected, "{value:?}");
        }
    }

    #[test]
    fn the_ends_of_time_are_times() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31 23:59:59.999999999999",
            "9999-12-31",
            "9999-12-30T23:00:00+01:00",
        ] {
            assert_eq!(moment(&Value::Text(text.into())), Some(Timestamp::from_nanos(i64::MAX)), "{text}");
        }
        for text in ["0001-01-01T00:00:00Z", "0001-01-01"] {
            assert_eq!(moment(&Value::Text(text.into())), Some(Timestamp::from_nanos(i64::MIN)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "12:00",
            "Sun, 31 Jan 2026 12:00:00 +0100",
            "Sat, 31 Jan 2026 12:00:00 CEST",
            "Sat, 31 Jan 2026 12:00:00 A",
            "Sat, 31 Jan 2026 12:00:00 +2500",
            "Sat, 31 Jan 2026 25:00:00 +0100",
            "Sat, 31 Jan 2026 12:00:00",
            "31 Jan 2026",
            "2026-13-01",
            "ok",
            "-5",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:00:00+25:00",
            "2026-01-31 12:00:00-24",
            "1.2.3",
            "2026-01-31T12:00:00[Nowhere/Land]",
            "9999-12-32",
            "9999-12-31T25:00:00Z",
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
