//! Periods of the calendar, in their time zone, with exact counts of the one that is going on.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use model::objective::Period;
use model::time::Timestamp;

use crate::bytes::{Broken, In, Out};

/// The period that an instant lies in: its first instant, and the first after it.
///
/// A day begins where the zone lets it begin: where midnight is skipped, at the first instant of the day. A zone that
/// is not known is taken for UTC; the compiler has checked it.
pub(crate) fn around(period: Period, timezone: &str, at: Timestamp) -> (Timestamp, Timestamp) {
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    let local = at.jiff().to_zoned(zone.clone());
    let first = first_day(period, &local);
    let next = match period {
        Period::Week => first.saturating_add(1.week()),
        Period::Month => first.saturating_add(1.month()),
        Period::Quarter => first.saturating_add(3.months()),
    };
    let start = |day: Date| day.to_zoned(zone.clone()).map_or(at, |day| day.timestamp().into());
    (start(first), start(next))
}

fn first_day(period: Period, local: &Zoned) -> Date {
    let day = local.date();
    match period {
        Period::Week => {
            let since = i64::from(day.weekday().since(Weekday::Monday));
            day.saturating_sub(since.days())
        }
        Period::Month => day.first_of_month(),
        Period::Quarter => {
            let month = (day.month() - 1) / 3 * 3 + 1;
            Date::new(day.year(), month, 1).unwrap_or(day)
        }
    }
}

/// The period that is going on, and what was counted in it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Going {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) good: u64,
    pub(crate) bad: u64,
}

impl Going {
    /// Counts an eligible run; one of an earlier period changes nothing.
    pub(crate) fn add(&mut self, scheduled: Timestamp, bad: bool) {
        if (self.from..self.to).contains(&scheduled) {
            self.bad += u64::from(bad);
            self.good += u64::from(!bad);
        }
    }

    /// Takes back an eligible run.
    pub(crate) fn take(&mut self, scheduled: Timestamp, bad: bool) {
        if (self.from..self.to).contains(&scheduled) {
            self.bad = self.bad.saturating_sub(u64::from(bad));
            self.good = self.good.saturating_sub(u64::from(!bad));
        }
    }

    pub(crate) fn write(&self, out: &mut Out) {
        out.signed(self.from.as_millis());
        out.signed(self.to.as_millis());
        out.number(self.good);
        out.number(self.bad);
    }

    pub(crate) fn read(from: &mut In<'_>) -> Result<Self, Broken> {
        Ok(Self {
            from: Timestamp::from_millis(from.signed()?),
            to: Timestamp::from_millis(from.signed()?),
            good: from.number()?,
            bad: from.number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_their_zone_begins_the_day() {
        for (period, zone, at, from, to) in [
            (Period::Month, "UTC", "2026-02-28T23:59:59Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            (
                Period::Month,
                "Europe/Berlin",
                "2026-02-28T23:30:00Z",
                "2026-02-28T23:00:00Z",
                "2026-03-31T22:00:00Z",
            ),
            (
                Period::Month,
                "Asia/Kolkata",
                "2026-01-31T18:30:00Z",
                "2026-01-31T18:30:00Z",
                "2026-02-28T18:30:00Z",
            ),
            (Period::Week, "UTC", "2026-03-01T12:00:00Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"),
            (
                Period::Week,
                "America/New_York",
                "2026-03-02T04:59:59Z",
                "2026-02-23T05:00:00Z",
                "2026-03-02T05:00:00Z",
            ),
            (Period::Quarter, "UTC", "2026-12-31T23:59:59Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            // Midnight does not exist on that day in Beirut.
            (
                Period::Week,
                "Asia/Beirut",
                "2026-03-30T12:00:00Z",
                "2026-03-29T21:00:00Z",
                "2026-04-05T21:00:00Z",
            ),
        ] {
            let at: Timestamp = at.parse().unwrap();
            let expected = (from.parse().unwrap(), to.parse().unwrap());
            assert_eq!(around(period, zone, at), expected, "{period:?} {zone} {at}");
        }
    }

    #[test]
    fn only_the_period_s_own_runs_count() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, to) = around(Period::Month, "UTC", at("2026-03-10T00:00:00Z"));
        let mut going = Going { from, to, good: 0, bad: 0 };
        for (scheduled, bad) in [
            ("2026-02-28T23:59:59Z", true),
            ("2026-03-01T00:00:00Z", true),
            ("2026-03-31T23:59:59Z", false),
            ("2026-04-01T00:00:00Z", true),
        ] {
            going.add(at(scheduled), bad);
        }
        assert_eq!((going.good, going.bad), (1, 1));
    }
}
