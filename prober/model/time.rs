//! Points in time and the clock that is passed in.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal;

/// A point in time: nanoseconds since the Unix epoch, UTC, good from 1677 to 2262.
///
/// Shown and stored as RFC 3339 with nine digits, so that the text sorts as the time does.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time like 2026-01-31T12:00:00Z")]
pub struct NotATimestamp(String);

impl Timestamp {
    /// The instant `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after the Unix epoch; saturates at the ends of the range.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant `seconds` seconds after the Unix epoch; saturates at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since the Unix epoch as a float, for metrics.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// How long `earlier` lies before this instant; zero if it does not.
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0)).map_or(Duration::ZERO, Duration::from_nanos)
    }

    /// Seconds from `earlier` to this instant; negative if `earlier` is the later one.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// The instant `after` later; saturates at the end of the range.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The instant `before` earlier; saturates at the start of the range.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(before.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The UTC day as `2026-01-31`, the name of a day file.
    pub fn day(self) -> String {
        self.jiff().strftime("%Y-%m-%d").to_string()
    }

    /// The same instant for calendar arithmetic.
    pub fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).expect("i64 nanoseconds are inside jiff's range")
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        let nanos = at.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self(i64::try_from(nanos).expect("clamped to i64"))
    }
}

impl Timestamp {
    /// The text as bytes: `2026-01-31T12:00:00.000000000Z`.
    ///
    /// Four of them are in every event, so they are written digit by digit; the calendar is the proleptic
    /// Gregorian one, days to dates after Howard Hinnant's `civil_from_days`
    /// (<https://howardhinnant.github.io/date_algorithms.html>).
    pub(crate) fn digits(self) -> [u8; 30] {
        let (seconds, nanos) = (self.0.div_euclid(1_000_000_000), self.0.rem_euclid(1_000_000_000));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        for (at, width, value) in [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, second / 3_600),
            (14, 2, second / 60 % 60),
            (17, 2, second % 60),
            (20, 9, nanos),
        ] {
            // None is negative, and none has more than nine digits.
            decimal::write(&mut text[at..at + width], u32::try_from(value).unwrap_or(0));
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.digits()).expect("digits are ASCII"))
    }
}

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let at: jiff::Timestamp = text.parse().map_err(|_| NotATimestamp(text.to_owned()))?;
        Ok(at.into())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(std::str::from_utf8(&self.digits()).expect("digits are ASCII"))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where the time comes from; passed in so that tests own it.
///
/// Slots are chosen by [`Clock::now`]; waiting and durations use [`Clock::monotonic`] only.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// The monotonic clock.
    fn monotonic(&self) -> Instant;
}

/// The machine's clocks.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_sorts() {
        let early: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let late = early.plus(Duration::from_nanos(1));
        assert_eq!(early.to_string(), "2026-03-01T00:00:00.000000000Z");
        assert_eq!(late.to_string().parse::<Timestamp>().unwrap(), late);
        assert!(late.to_string() > early.to_string());
        assert_eq!(late.since(early), Duration::from_nanos(1));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.day(), "2026-03-01");
    }

    proptest::proptest! {
        #[test]
        fn the_calendar_is_the_library_s(nanos in i64::MIN..=i64::MAX) {
            let at = Timestamp::from_nanos(nanos);
            proptest::prop_assert_eq!(at.to_string(), format!("{:.9}", at.jiff()));
        }
    }

    #[test]
    fn ends_of_the_range_saturate() {
        let end = Timestamp::from_nanos(i64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(Timestamp::from_seconds(i64::MAX), end);
        assert_eq!(Timestamp::from_nanos(-1).as_millis(), -1);
    }

    #[test]
    fn offsets_are_understood_and_nonsense_is_not() {
        let berlin: Timestamp = "2026-07-01T02:00:00+02:00".parse().unwrap();
        assert_eq!(berlin, "2026-07-01T00:00:00Z".parse().unwrap());
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
