//! Which slots a stream has: a pure function of its cadence and its name.

use std::time::Duration;

use croner::Cron;
use croner::parser::CronParser;
use jiff::tz::TimeZone;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;

/// The times at which one stream is due.
///
/// `every`: `epoch + phase + k × interval`, where the phase is a hash of the stream modulo the interval:
/// spread evenly, the same after a restart, known to everybody without talking. `cron`: the occurrences of
/// the expression in its zone; a local time that a clock change skips runs at the first valid instant, a
/// doubled one runs at its first pass.
#[derive(Clone, Debug)]
pub struct Timetable(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Every { interval_ms: i64, phase_ms: i64 },
    Cron { cron: Box<Cron>, zone: TimeZone },
}

/// A cadence that names no times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTimetable {
    /// The expression cannot be read.
    #[error("cron expression `{0}` cannot be read: {1}")]
    Cron(String, String),
    /// There is no such zone.
    #[error("time zone `{0}` is not known")]
    Zone(String),
}

impl Timetable {
    /// The timetable of `stream` with this cadence.
    pub fn new(cadence: &Cadence, stream: &Stream) -> Result<Self, NoTimetable> {
        match cadence {
            Cadence::Every { interval_ms } => {
                let interval_ms = i64::try_from((*interval_ms).max(1)).unwrap_or(i64::MAX);
                Ok(Self(Kind::Every { interval_ms, phase_ms: phase(stream, interval_ms) }))
            }
            Cadence::Cron { expression, timezone } => {
                let cron = CronParser::new()
                    .parse(expression)
                    .map_err(|error| NoTimetable::Cron(expression.clone(), error.to_string()))?;
                let zone = TimeZone::get(timezone).map_err(|_| NoTimetable::Zone(timezone.clone()))?;
                Ok(Self(Kind::Cron { cron: Box::new(cron), zone }))
            }
        }
    }

    /// The first time at or after `from`; `None` if there is none any more.
    pub fn first_from(&self, from: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every { interval_ms, phase_ms } => {
                let from_ms = ceil_millis(from);
                let past = (from_ms.checked_sub(*phase_ms)?).rem_euclid(*interval_ms);
                let wait = if past == 0 { 0 } else { interval_ms - past };
                from_ms.checked_add(wait).map(Timestamp::from_millis)
            }
            Kind::Cron { cron, zone } => {
                // Whole seconds: croner sees no finer parts, and would take 12:00:00.5 for 12:00:00.
                occurrence(cron, zone, ceil_millis(from).checked_add(999)?.div_euclid(1_000))
            }
        }
    }

    /// The first time strictly after `at`.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.first_from(Timestamp::from_millis(at.as_millis().checked_add(1)?))
    }

    /// All times in `[from, to)`, in order.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let mut next = self.first_from(from);
        std::iter::from_fn(move || {
            let at = next.filter(|at| *at < to)?;
            next = self.next_after(at);
            Some(at)
        })
    }

    /// The distance between neighbours, if it is always the same.
    pub fn step_ms(&self) -> Option<u64> {
        match &self.0 {
            Kind::Every { interval_ms, .. } => u64::try_from(*interval_ms).ok(),
            Kind::Cron { .. } => None,
        }
    }

    /// How late a run may start: the smaller of 5 s and a quarter of the interval.
    pub fn tolerance(&self) -> Duration {
        let most = Duration::from_secs(5);
        match self.step_ms() {
            Some(step) => most.min(Duration::from_millis(step) / 4),
            None => most, // the finest cron expression here is a minute
        }
    }
}

/// The start of `stream`'s slots inside the interval, from a hash.
fn phase(stream: &Stream, interval_ms: i64) -> i64 {
    let mut hash = blake3::Hasher::new();
    for part in [stream.scenario.as_bytes(), stream.region.as_bytes()] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(&stream.replica.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize().as_bytes()[..8]);
    i64::try_from(u64::from_le_bytes(first) >> 1).unwrap_or(0) % interval_ms
}

/// The first occurrence at or after the whole second `second` since 1970.
///
/// What is due in local times that a clock change skips is due when it has skipped them; croner sees that only
/// from before the change, so it is asked from there.
pub(crate) fn occurrence(cron: &Cron, zone: &TimeZone, second: i64) -> Option<Timestamp> {
    let at = |second| Timestamp::from_seconds(second).jiff().to_zoned(zone.clone());
    let (before, start) = (at(second.checked_sub(1)?), at(second));
    let next = if start.offset() > before.offset() {
        cron.find_next_occurrence(&before, false)
    } else {
        cron.find_next_occurrence(&start, true)
    };
    next.ok().map(|next| Timestamp::from(next.timestamp()))
}

fn ceil_millis(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(1_000_000) + i64::from(at.as_nanos().rem_euclid(1_000_000) > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every(interval_ms: u64, name: &str) -> Timetable {
        Timetable::new(&Cadence::Every { interval_ms }, &Stream::new(name, "eu")).unwrap()
    }

    fn cron(expression: &str, timezone: &str) -> Timetable {
        let cadence = Cadence::Cron { expression: expression.into(), timezone: timezone.into() };
        Timetable::new(&cadence, &Stream::new("a", "eu")).unwrap()
    }

    fn check_cron(expression: &str, zone: &str, from: &str, expected: &[&str]) {
        let from: Timestamp = from.parse().unwrap();
        let table = cron(expression, zone);
        let found: Vec<_> =
            table.between(from, Timestamp::from_seconds(4_000_000_000)).take(expected.len()).collect();
        let expected: Vec<Timestamp> = expected.iter().map(|at| at.parse().unwrap()).collect();
        assert_eq!(found, expected, "{expression} {zone}");
    }

    #[test]
    fn cron_keeps_its_order_over_clock_changes() {
        let zone = "America/New_York";
        // 2026-03-08: 02:00 becomes 03:00; the skipped 02:30 runs at the first valid instant.
        check_cron(
            "30 2 * * *",
            zone,
            "2026-03-07T12:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        );
        // 2026-11-01: 02:00 becomes 01:00; the doubled 01:30 runs once, at its first pass.
        check_cron(
            "30 1 * * *",
            zone,
            "2026-10-31T12:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        );
        let half_hours =
            ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"];
        check_cron("*/30 * * * *", zone, "2026-11-01T05:00:00Z", &half_hours);
        check_cron(
            "*/30 6-20 * * MON-FRI",
            "Europe/Berlin",
            "2026-07-03T18:10:00Z",
            &["2026-07-03T18:30:00Z", "2026-07-06T04:00:00Z"],
        );
    }

    #[test]
    fn a_start_inside_a_second_does_not_take_the_second_before() {
        check_cron("* * * * *", "UTC", "2026-01-01T00:00:00.5Z", &["2026-01-01T00:01:00Z"]);
        let table = cron("* * * * *", "UTC");
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(table.first_from(at), Some(at));
        assert_eq!(table.next_after(at), Some(at.plus(Duration::from_mins(1))));
    }

    #[test]
    fn what_names_no_times_is_refused() {
        let stream = Stream::new("a", "eu");
        let wrong = |expression: &str, timezone: &str| {
            let cadence = Cadence::Cron { expression: expression.into(), timezone: timezone.into() };
            Timetable::new(&cadence, &stream).is_err()
        };
        assert!(wrong("61 * * * *", "UTC"));
        assert!(wrong("* * * * *", "Mars/Olympus"));
        assert!(wrong("", "UTC"));
    }

    #[test]
    fn phases_are_spread() {
        let interval = 10_000;
        let mut tenths = [0_u32; 10];
        for index in 0..10_000 {
            let first =
                every(interval, &format!("scenario-{index}")).first_from(Timestamp::from_millis(0)).unwrap();
            tenths[usize::try_from(first.as_millis() / 1_000).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (900..1_100).contains(count)), "{tenths:?}");
    }

    #[test]
    fn replicas_are_spread() {
        let half = |replica: u16, number: i64| {
            let stream = Stream { replica, ..Stream::new(format!("scenario-{number}"), "eu") };
            phase(&stream, 10_000) < 5_000
        };
        let same = (0..1_000).filter(|number| half(0, *number) == half(1, *number)).count();
        assert!((430..570).contains(&same), "{same}");
        // A cron expression says when, for all of them.
        let cron = Cadence::Cron { expression: "5 * * * *".into(), timezone: "UTC".into() };
        let [first, second] = [0, 1].map(|replica| {
            let table = Timetable::new(&cron, &Stream { replica, ..Stream::new("a", "eu") }).unwrap();
            table.first_from(Timestamp::from_millis(0))
        });
        assert_eq!(first, second);
    }

    #[test]
    fn a_slot_s_phase_is_a_stored_format() {
        let first = every(60_000, "checkout").first_from(Timestamp::from_millis(0)).unwrap();
        assert_eq!(first.as_millis(), phase(&Stream::new("checkout", "eu"), 60_000));
        // The first replica begins where it did before there were others, and each at a time of its own.
        let of = |replica: u16| phase(&Stream { replica, ..Stream::new("checkout", "eu") }, 60_000);
        assert_eq!([0, 1, 2].map(of), [42_727, 53_265, 50_728]);
        assert_eq!(every(60_000, "checkout").tolerance(), Duration::from_secs(5));
        assert_eq!(every(2_000, "checkout").tolerance(), Duration::from_millis(500));
    }

    proptest! {
        #[test]
        fn slots_never_drift(interval in 1_u64..10_000_000, from in 0_i64..4_000_000_000_000_000_000, count in 1_usize..50) {
            let table = every(interval, "a");
            let from = Timestamp::from_nanos(from);
            let to = from.plus(Duration::from_millis(interval * u64::try_from(count).unwrap_or(1)));
            let found: Vec<_> = table.between(from, to).collect();
            prop_assert!((count..=count + 1).contains(&(found.len() + 1)) || found.len() == count);
            prop_assert!(found.iter().all(|at| *at >= from && *at < to));
            for pair in found.windows(2) {
                prop_assert_eq!(pair[1].since(pair[0]), Duration::from_millis(interval));
            }
            if let Some(first) = found.first() {
                prop_assert_eq!(table.first_from(*first), Some(*first));
            }
        }
    }
}
