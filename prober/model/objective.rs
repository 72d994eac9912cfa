//! What is promised of a scenario: a share of good runs over a window.
//!
//! Data only. Deliberately absent: folding events into budgets, and any clock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A part of a whole, exact to a millionth: `99.9%` is 999,000 millionths.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// The whole, in millionths.
    pub const WHOLE: u32 = 1_000_000;

    /// The share of so many millionths; `None` for more than the whole.
    pub const fn of_millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::WHOLE { Some(Self(millionths)) } else { None }
    }

    /// How many millionths it is.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// What is missing to the whole, from 0.0 to 1.0: the error budget of an objective.
    pub fn rest(self) -> f64 {
        f64::from(Self::WHOLE - self.0) / f64::from(Self::WHOLE)
    }
}

impl fmt::Display for Share {
    /// `99.9%`, without zeros at the end.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        if part == 0 {
            return write!(out, "{whole}%");
        }
        let digits = format!("{part:04}");
        write!(out, "{whole}.{}%", digits.trim_end_matches('0'))
    }
}

/// An objective: this share of the eligible runs of a window is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// What metrics and alerts call it; the scenario's name if the author gives none.
    pub name: Arc<str>,
    /// The share of good runs.
    pub target: Share,
    /// The window that it holds for.
    pub window: Window,
}

/// The time over which an objective is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so long, at every moment.
    Rolling(Duration),
    /// From the start of a calendar period, which begins with an untouched budget.
    Calendar {
        /// How long the period is.
        period: Period,
        /// The IANA zone in which it begins.
        timezone: Arc<str>,
    },
}

/// A period of the calendar.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// From Monday on.
    Week,
    /// From the first of the month on.
    Month,
    /// From the first of January, April, July or October on.
    Quarter,
}

impl Period {
    /// The word in files and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
        }
    }

    /// The mean length: a month is a twelfth and a quarter a fourth of 365.2425 days.
    pub const fn mean(self) -> Duration {
        const YEAR_SECONDS: u64 = 31_556_952;
        match self {
            Self::Week => Duration::from_hours(7 * 24),
            Self::Month => Duration::from_secs(YEAR_SECONDS / 12),
            Self::Quarter => Duration::from_secs(YEAR_SECONDS / 4),
        }
    }
}

impl Window {
    /// Its length; of a calendar period the mean one.
    pub const fn length(&self) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar { period, .. } => period.mean(),
        }
    }
}

impl fmt::Display for Window {
    /// `30d`, `36h`, `month`, `month Europe/Berlin`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling(length) => {
                let seconds = length.as_secs();
                let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
                let (size, unit) =
                    units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "s"));
                write!(out, "{}{unit}", seconds / size)
            }
            Self::Calendar { period, timezone } if &**timezone == "UTC" => out.write_str(period.as_str()),
            Self::Calendar { period, timezone } => write!(out, "{} {timezone}", period.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_and_shown_without_zeros() {
        for (millionths, shown) in
            [(999_000, "99.9%"), (999_500, "99.95%"), (990_000, "99%"), (1, "0.0001%"), (999_999, "99.9999%")]
        {
            let share = Share::of_millionths(millionths).expect("less than the whole");
            assert_eq!(share.to_string(), shown);
        }
        assert_eq!(Share::of_millionths(1_000_001), None);
        let budget = Share::of_millionths(999_000).map(Share::rest);
        assert!(budget.is_some_and(|budget| (budget - 0.001).abs() < 1e-12), "{budget:?}");
    }

    #[test]
    fn windows_are_shown_as_they_are_written() {
        let month = |timezone: &str| Window::Calendar { period: Period::Month, timezone: timezone.into() };
        for (window, shown) in [
            (Window::Rolling(Duration::from_hours(720)), "30d"),
            (Window::Rolling(Duration::from_hours(36)), "36h"),
            (month("UTC"), "month"),
            (month("Europe/Berlin"), "month Europe/Berlin"),
        ] {
            assert_eq!(window.to_string(), shown);
        }
        assert_eq!(Period::Quarter.mean(), Duration::from_secs(7_889_238));
    }
}
