//! Is a slot inside a planned maintenance? A pure function of the plans and the slot's start.

use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use croner::parser::CronParser;
use jiff::tz::TimeZone;
use model::maintenance::{Effect, Maintenance, When};
use model::time::Timestamp;

use crate::slots::{NoTimetable, occurrence};

/// The maintenances of one stream.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    windows: Vec<(Arc<Maintenance>, Kind)>,
}

#[derive(Clone, Debug)]
enum Kind {
    Recurring { cron: Box<Cron>, zone: TimeZone, duration: Duration },
    Once { from: Timestamp, to: Timestamp },
}

/// What a calendar says of an instant, and how long it says so.
#[derive(Clone, Debug)]
pub struct Look {
    /// The strongest maintenance then; the first of the file among equals.
    pub active: Option<Arc<Maintenance>>,
    /// The answer holds from the instant asked for up to here, not included.
    pub until: Timestamp,
}

/// Nothing is looked for further ahead than this.
const HORIZON: Duration = Duration::from_hours(366 * 24);

impl Calendar {
    /// The calendar of these maintenances.
    ///
    /// # Errors
    /// One of them names no times; the compiler has checked that before.
    pub fn new(all: &[Arc<Maintenance>]) -> Result<Self, NoTimetable> {
        let windows: Result<_, _> =
            all.iter().map(|one| Ok((Arc::clone(one), Kind::new(&one.when)?))).collect();
        Ok(Self { windows: windows? })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The strongest maintenance that is active at `at`.
    pub fn active(&self, at: Timestamp) -> Option<Arc<Maintenance>> {
        self.look(at).active
    }

    /// The strongest maintenance at `at`, and until when that stays so: a caller that asks for one instant
    /// after the other need not ask again before.
    pub fn look(&self, at: Timestamp) -> Look {
        let mut look = Look { active: None, until: at.plus(HORIZON) };
        for (window, kind) in &self.windows {
            let (is_active, until) = kind.look(at);
            look.until = look.until.min(until);
            let known = look.active.as_ref().map(|known| known.effect);
            if is_active && known.is_none_or(|known| window.effect > known) {
                look.active = Some(Arc::clone(window));
            }
        }
        look
    }

    /// Whether a slot that starts at `at` is not run.
    pub fn is_paused(&self, at: Timestamp) -> bool {
        self.active(at).is_some_and(|window| window.effect == Effect::Pause)
    }
}

impl Kind {
    fn new(when: &When) -> Result<Self, NoTimetable> {
        match when {
            When::Once { from, to } => Ok(Self::Once { from: *from, to: *to }),
            When::Recurring { expression, timezone, duration } => {
                let cron = CronParser::new()
                    .parse(expression)
                    .map_err(|error| NoTimetable::Cron(expression.clone(), error.to_string()))?;
                let zone = TimeZone::get(timezone).map_err(|_| NoTimetable::Zone(timezone.clone()))?;
                Ok(Self::Recurring { cron: Box::new(cron), zone, duration: *duration })
            }
        }
    }

    /// Whether `at` is inside, and until when that answer holds.
    fn look(&self, at: Timestamp) -> (bool, Timestamp) {
        match self {
            Self::Once { from, to } if at < *from => (false, *from),
            Self::Once { to, .. } if at < *to => (true, *to),
            Self::Once { .. } => (false, at.plus(HORIZON)),
            Self::Recurring { cron, zone, duration } => {
                // The first occurrence whose window has not ended: it began, or it is the next to begin.
                match next(cron, zone, at.minus(*duration)) {
                    None => (false, at.plus(HORIZON)),
                    Some(begin) if begin <= at => (true, begin.plus(*duration)),
                    Some(begin) => (false, begin),
                }
            }
        }
    }
}

/// The first occurrence after `after`.
fn next(cron: &Cron, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    occurrence(cron, zone, after.as_nanos().div_euclid(1_000_000_000).checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recurring(
        name: &str,
        effect: Effect,
        (expression, timezone): (&str, &str),
        minutes: u64,
    ) -> Arc<Maintenance> {
        let when = When::Recurring {
            expression: expression.into(),
            timezone: timezone.into(),
            duration: Duration::from_mins(minutes),
        };
        Arc::new(Maintenance { name: name.into(), effect, when })
    }

    fn once(name: &str, effect: Effect, from: &str, to: &str) -> Arc<Maintenance> {
        let at = |text: &str| Timestamp::from(text.parse::<jiff::Timestamp>().unwrap());
        Arc::new(Maintenance { name: name.into(), effect, when: When::Once { from: at(from), to: at(to) } })
    }

    /// Each instant with the name of what is active then, empty for nothing.
    fn check(all: &[Arc<Maintenance>], expected: &[(&str, &str)]) {
        let calendar = Calendar::new(all).unwrap();
        for (at, name) in expected {
            let at: Timestamp = at.parse().unwrap();
            let found = calendar.active(at).map_or(String::new(), |window| window.name.to_string());
            assert_eq!(found, *name, "{at}");
        }
    }

    #[test]
    fn a_window_holds_its_begin_and_not_its_end() {
        check(
            &[recurring("db", Effect::Ineligible, ("0 2 * * SUN", "Europe/Berlin"), 60)],
            &[
                ("2026-07-05T00:00:00Z", "db"), // a Sunday, 02:00 in Berlin
                ("2026-07-04T23:59:59.999Z", ""),
                ("2026-07-05T00:59:59.999Z", "db"),
                ("2026-07-05T01:00:00Z", ""),
                ("2026-07-06T00:30:00Z", ""),
            ],
        );
        check(
            &[once("move", Effect::Pause, "2026-03-01T22:00:00+01:00", "2026-03-02T01:00:00+01:00")],
            &[
                ("2026-03-01T20:59:59Z", ""),
                ("2026-03-01T21:00:00Z", "move"),
                ("2026-03-01T23:59:59Z", "move"),
                ("2026-03-02T00:00:00Z", ""),
            ],
        );
    }

    #[test]
    fn an_hour_is_an_hour_over_clock_changes() {
        // 2026-03-29 in Berlin: 02:00 becomes 03:00, so 02:30 begins at the first valid instant, 01:00Z.
        check(
            &[recurring("spring", Effect::Ineligible, ("30 2 * * *", "Europe/Berlin"), 60)],
            &[
                ("2026-03-29T00:59:59Z", ""),
                ("2026-03-29T01:00:00Z", "spring"),
                ("2026-03-29T01:59:59Z", "spring"),
                ("2026-03-29T02:00:00Z", ""),
            ],
        );
        // 2026-10-25 in Berlin: 03:00 becomes 02:00, so 02:30 comes twice and begins at its first pass, 00:30Z.
        check(
            &[recurring("autumn", Effect::Ineligible, ("30 2 * * *", "Europe/Berlin"), 60)],
            &[
                ("2026-10-25T00:29:59Z", ""),
                ("2026-10-25T00:30:00Z", "autumn"),
                ("2026-10-25T01:29:59Z", "autumn"),
                ("2026-10-25T01:30:00Z", ""),
            ],
        );
        // Over the whole change: it began before and ends an hour of the wall clock early.
        check(
            &[recurring("night", Effect::Ineligible, ("0 0 * * *", "America/New_York"), 240)],
            &[
                ("2026-03-08T05:00:00Z", "night"),
                ("2026-03-08T08:59:59Z", "night"),
                ("2026-03-08T09:00:00Z", ""),
            ],
        );
    }

    #[test]
    fn the_strongest_effect_wins() {
        let day = ("0 0 * * *", "UTC");
        check(
            &[
                recurring("quiet", Effect::Mute, day, 180),
                recurring("work", Effect::Ineligible, day, 120),
                recurring("off", Effect::Pause, day, 60),
            ],
            &[
                ("2026-01-01T00:30:00Z", "off"),
                ("2026-01-01T01:30:00Z", "work"),
                ("2026-01-01T02:30:00Z", "quiet"),
                ("2026-01-01T03:00:00Z", ""),
            ],
        );
    }

    #[test]
    fn an_answer_holds_as_long_as_it_says() {
        let all = [
            recurring("db", Effect::Ineligible, ("15 */3 * * *", "Europe/Berlin"), 50),
            once("move", Effect::Pause, "2026-10-25T00:10:00Z", "2026-10-25T02:40:00Z"),
        ];
        let calendar = Calendar::new(&all).unwrap();
        let mut at: Timestamp = "2026-10-24T20:00:00Z".parse().unwrap();
        let end = at.plus(Duration::from_hours(12));
        let mut look = calendar.look(at);
        while at < end {
            if at >= look.until {
                look = calendar.look(at);
            }
            assert!(look.until > at, "{at}");
            assert_eq!(look.active, calendar.active(at), "{at}");
            at = at.plus(Duration::from_secs(150));
        }
        assert!(Calendar::default().look(at).active.is_none());
    }

    #[test]
    fn what_names_no_times_is_refused() {
        assert!(Calendar::new(&[recurring("a", Effect::Mute, ("61 * * * *", "UTC"), 1)]).is_err());
        assert!(Calendar::new(&[recurring("a", Effect::Mute, ("0 * * * *", "Mars/Base"), 1)]).is_err());
    }
}
