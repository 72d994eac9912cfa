//! Was the wall clock stepped, and does anything keep it? It is compared with the monotonic clock, which nobody sets,
//! and the kernel tells how wrong it may be.
//!
//! A clock that nothing keeps is not doubted for that alone: many machines take the time from their host, and their
//! kernels know nothing of it. One that was kept and is no more, or whose keeper says that it is far off, is.

use std::time::{Duration, Instant};

use model::time::Timestamp;

/// A step of this many seconds makes dates doubtful.
pub const STEP_MIN: f64 = 1.0;
/// How long a clock is doubted after a step, unless something that keeps it says that it is right.
pub const DOUBT: Duration = Duration::from_mins(10);

/// From this error on the kernel takes nothing for keeping its clock (`NTP_PHASE_LIMIT`): it grows by half a
/// millisecond a second while nobody corrects it. The flag `STA_UNSYNC` says less: some keepers leave it set.
pub const UNKEPT: Duration = Duration::from_secs(16);
/// An error that the keeper itself estimates, or that was measured, above which dates are not believed …
pub const ERROR_MAX: Duration = Duration::from_secs(1);
/// … and the greatest possible one: systemd-timesyncd asks every 2,048 s at the least, and lets it grow to 1.024 s.
pub const POSSIBLE_MAX: Duration = Duration::from_millis(1_100);
/// An error, estimated or measured, above which no slot can be chosen by the clock.
///
/// The greatest possible one is a bound and no evidence: it grows to this in less than three hours while a keeper's
/// servers are away, and the clock is right all the same. A prober that stopped for that would miss real outages.
pub const SUSPEND_ABOVE: Duration = Duration::from_secs(5);

/// What the kernel says of its clock (adjtimex(2)).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct KernelClock {
    /// How wrong it is, as its keeper estimates.
    pub estimated: Duration,
    /// How wrong it can be at most.
    pub possible: Duration,
}

impl KernelClock {
    /// Whether something keeps it.
    pub fn is_kept(self) -> bool {
        self.possible < UNKEPT
    }

    /// What follows for a clock that is kept.
    pub fn look(self) -> Look {
        let told =
            |what, by: Duration| format!("the kernel's clock {what} wrong by {:.1} s", by.as_secs_f64());
        let is = |limit| (self.estimated > limit).then(|| told("is", self.estimated));
        let may_be = || (self.possible > POSSIBLE_MAX).then(|| told("may be", self.possible));
        Look { dates: is(ERROR_MAX).or_else(may_be), slots: is(SUSPEND_ABOVE) }
    }
}

/// What a look at a clock says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Why dates are not believed.
    pub dates: Option<String>,
    /// Why no slot can be chosen by it.
    pub slots: Option<String>,
}

impl Look {
    /// The same, with what another look says where this one says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { dates: self.dates.or(other.dates), slots: self.slots.or(other.slots) }
    }
}

/// What was measured of this clock against those of others: what it is wrong by at least, once half of the round trip is
/// taken off.
///
/// Half a long round trip itself is no error: a slow way to the servers of a fleet stops nobody's probing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The least that the clock is wrong by.
    pub by: Duration,
}

impl Measured {
    /// What follows from it.
    pub fn look(self) -> Look {
        let told = || format!("it differs by {:.1} s from the clocks of the fleet", self.by.as_secs_f64());
        let over = |limit| (self.by > limit).then(told);
        Look { dates: over(ERROR_MAX), slots: over(SUSPEND_ABOVE) }
    }

    /// From this clock minus that of a fleet's servers, how wrong that may be, and what other members measured against the
    /// same servers; all in milliseconds.
    ///
    /// The servers' clock may be the one that is wrong: then it differs from the others' too, so that what counts is
    /// the lesser of the difference from the servers and the one from the middle one of the members.
    pub fn against(offset_ms: i64, error_ms: u64, others_ms: &mut [i64]) -> Self {
        others_ms.sort_unstable();
        let middle = others_ms.get(others_ms.len() / 2);
        let from_others = middle.map_or(u64::MAX, |middle| offset_ms.abs_diff(*middle));
        let by = offset_ms.unsigned_abs().min(from_others).saturating_sub(error_ms);
        Self { by: Duration::from_millis(by) }
    }
}

/// What comparing the clocks says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// Whether the wall clock was stepped since the last time.
    pub is_new: bool,
    /// Why dates are not believed for a step, this one or one before.
    pub why: Option<String>,
}

/// What is known of the wall clock.
#[derive(Clone, Debug)]
pub struct WallClock {
    /// Both clocks when last compared.
    last: (Timestamp, Instant),
    /// The last step in seconds, and when it was seen.
    step: Option<(f64, Instant)>,
    /// Whether the kernel's clock was ever kept.
    was_kept: bool,
}

impl WallClock {
    /// A clock of which nothing is known but what it shows now.
    pub const fn new(wall: Timestamp, monotonic: Instant) -> Self {
        Self { last: (wall, monotonic), step: None, was_kept: false }
    }

    /// Compares the clocks; says whether dates since the last time are believed.
    ///
    /// `kept` says whether something keeps the clock and says that it is right: then a step was a correction,
    /// and what comes after it is believed.
    pub fn compare(&mut self, wall: Timestamp, monotonic: Instant, kept: bool) -> Stepped {
        let moved = wall.seconds_since(self.last.0);
        let passed = monotonic.saturating_duration_since(self.last.1).as_secs_f64();
        self.last = (wall, monotonic);
        let by = moved - passed;
        if by.abs() > STEP_MIN {
            self.step = Some((by, monotonic));
            return Stepped { is_new: true, why: Some(told(by)) };
        }
        let lasts = |(_, at): &(f64, Instant)| !kept && monotonic.saturating_duration_since(*at) <= DOUBT;
        self.step = self.step.filter(lasts);
        Stepped { is_new: false, why: self.step.map(|(by, _)| told(by)) }
    }

    /// What follows from what the kernel says of its clock, or from having lost who kept it; nothing if nothing is known.
    ///
    /// Losing its keeper makes no clock wrong at once: dates are doubted, and slots go on.
    pub fn look(&mut self, kernel: Option<KernelClock>) -> Look {
        let Some(kernel) = kernel else { return Look::default() };
        if kernel.is_kept() {
            self.was_kept = true;
            return kernel.look();
        }
        let gone = self.was_kept.then(|| "nothing keeps the kernel's clock any more".to_owned());
        Look { dates: gone, slots: None }
    }
}

fn told(by: f64) -> String {
    let way = if by > 0.0 { "forward" } else { "back" };
    format!("the wall clock was stepped {way} by {:.0} s", by.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_doubted_for_a_while_or_until_something_keeps_the_clock() {
        let begin = Instant::now();
        let wall = |ms: i64| Timestamp::from_millis(1_700_000_000_000 + ms);
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let mut clock = WallClock::new(wall(0), at(0));
        for (wall_ms, ms, kept, doubted) in [
            (1_000, 1_000, false, None),
            // Slewing is no step.
            (2_500, 2_000, false, None),
            (3_603_500, 3_000, false, Some("forward by 3600 s")),
            (3_604_500, 4_000, false, Some("forward by 3600 s")),
            (5_000, 5_000, false, Some("back by 3600 s")),
            (6_000, 6_000, true, None),
            (7_000, 7_000, false, None),
            (1_000, 8_000, true, Some("back by 7 s")),
            (601_000, 608_000, false, Some("back by 7 s")),
            (602_000, 609_000, false, None),
        ] {
            let Stepped { is_new, why: said } = clock.compare(wall(wall_ms), at(ms), kept);
            assert!(!is_new || said.is_some(), "{ms}");
            assert_eq!(said.is_some(), doubted.is_some(), "{ms}: {said:?}");
            assert!(doubted.is_none_or(|part| said.as_ref().unwrap().ends_with(part)), "{ms}: {said:?}");
        }
    }

    #[test]
    fn a_clock_is_doubted_when_it_is_off_or_its_keeper_is_gone() {
        let ms = Duration::from_millis;
        let mut clock = WallClock::new(Timestamp::from_millis(0), Instant::now());
        let unkept = KernelClock { estimated: UNKEPT, possible: UNKEPT };
        let kept =
            |estimated, possible| Some(KernelClock { estimated: ms(estimated), possible: ms(possible) });
        let gone = Some("nothing keeps the kernel's clock any more");
        for (second, kernel, dates, slots) in [
            (0, None, None, None),
            // Nothing has ever kept it, as far as can be seen: its host may.
            (1, Some(unkept), None, None),
            (2, kept(2, 900), None, None),
            (3, kept(1_000, 1_000), None, None),
            (4, kept(1_001, 1_500), Some("is wrong by 1.0 s"), None),
            (5, kept(2, 1_024), None, None),
            (6, kept(2, 1_101), Some("may be wrong by 1.1 s"), None),
            (7, kept(5_000, 5_000), Some("is wrong by 5.0 s"), None),
            (8, kept(5_001, 5_001), Some("is wrong by 5.0 s"), Some("is wrong by 5.0 s")),
            (9, kept(2, 5_100), Some("may be wrong by 5.1 s"), None),
            (10, kept(2, 20), None, None),
            // A keeper that is restarted takes back its word for some seconds.
            (11, Some(unkept), gone, None),
            (9_000, Some(unkept), gone, None),
            (100_000, Some(unkept), gone, None),
            (100_001, None, None, None),
            (100_002, kept(2, 20), None, None),
        ] {
            let Look { dates: of_dates, slots: of_slots } = clock.look(kernel);
            for (said, doubted) in [(of_dates, dates), (of_slots, slots)] {
                assert_eq!(said.is_some(), doubted.is_some(), "{second}: {said:?}");
                assert!(
                    doubted.is_none_or(|part| said.as_ref().unwrap().ends_with(part)),
                    "{second}: {said:?}"
                );
            }
        }
    }

    #[test]
    fn a_clock_is_compared_with_the_servers_and_with_other_members() {
        for (offset, error, mut others, by, dates, slots) in [
            (0, 5, vec![], 0, false, false),
            (1_006, 5, vec![], 1_001, true, false),
            (-1_005, 5, vec![], 1_000, false, false),
            (-6_000, 999, vec![0, 3], 5_001, true, true),
            (6_000, 1_000, vec![0, 3], 4_997, true, false),
            // A long way there says nothing of the clock.
            (9_000, 10_000, vec![], 0, false, false),
            // All differ from the servers alike: it is the servers.
            (3_600_000, 5, vec![3_600_010, 3_599_990], 5, false, false),
            (0, 5, vec![3_600_000, 3_600_000], 0, false, false),
            (3_600_000, 5, vec![0, 1, 3_600_000], 3_599_994, true, true),
        ] {
            let measured = Measured::against(offset, error, &mut others);
            assert_eq!(measured.by, Duration::from_millis(by), "{offset} {others:?}");
            let Look { dates: of_dates, slots: of_slots } = measured.look();
            assert_eq!((of_dates.is_some(), of_slots.is_some()), (dates, slots), "{offset}");
        }
    }
}
