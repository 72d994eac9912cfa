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
/// An error that the keeper itself estimates, above which dates are not believed …
pub const ESTIMATED_MAX: Duration = Duration::from_secs(1);
/// … and the greatest possible one: a keeper that has said nothing for almost three hours.
pub const POSSIBLE_MAX: Duration = Duration::from_secs(5);

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

    /// Why a clock that is kept is not believed.
    pub fn is_off(self) -> Option<String> {
        let told =
            |what, by: Duration| format!("the kernel's clock {what} wrong by {:.1} s", by.as_secs_f64());
        if self.estimated > ESTIMATED_MAX {
            return Some(told("is", self.estimated));
        }
        (self.possible > POSSIBLE_MAX).then(|| told("may be", self.possible))
    }
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

    /// Compares the clocks; gives why dates since the last time are not believed, `None` if they are.
    ///
    /// `kept` says whether something keeps the clock and says that it is right: then a step was a correction,
    /// and what comes after it is believed.
    pub fn compare(&mut self, wall: Timestamp, monotonic: Instant, kept: bool) -> Option<String> {
        let moved = wall.seconds_since(self.last.0);
        let passed = monotonic.saturating_duration_since(self.last.1).as_secs_f64();
        self.last = (wall, monotonic);
        let by = moved - passed;
        if by.abs() > STEP_MIN {
            self.step = Some((by, monotonic));
            return Some(told(by));
        }
        let (by, at) = self.step?;
        if kept || monotonic.saturating_duration_since(at) > DOUBT {
            self.step = None;
            return None;
        }
        Some(told(by))
    }

    /// Why dates are not believed for what the kernel says of its clock, or for having lost who kept it; `None` if
    /// they are, or if nothing is known.
    pub fn look(&mut self, kernel: Option<KernelClock>) -> Option<String> {
        let kernel = kernel?;
        if kernel.is_kept() {
            self.was_kept = true;
            return kernel.is_off();
        }
        self.was_kept.then(|| "nothing keeps the kernel's clock any more".to_owned())
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
            let said = clock.compare(wall(wall_ms), at(ms), kept);
            assert_eq!(said.is_some(), doubted.is_some(), "{ms}: {said:?}");
            assert!(doubted.is_none_or(|part| said.as_ref().unwrap().ends_with(part)), "{ms}: {said:?}");
        }
    }

    #[test]
    fn a_clock_is_doubted_when_it_is_off_or_its_keeper_is_gone() {
        let ms = Duration::from_millis;
        let mut clock = WallClock::new(Timestamp::from_millis(0), Instant::now());
        let unkept = KernelClock { estimated: UNKEPT, possible: UNKEPT };
        for (kernel, doubted) in [
            (None, None),
            // Nothing has ever kept it, as far as can be seen: its host may.
            (Some(unkept), None),
            (Some(KernelClock { estimated: ms(2), possible: ms(900) }), None),
            (Some(KernelClock { estimated: ms(1_001), possible: ms(1_500) }), Some("is wrong by 1.0 s")),
            (Some(KernelClock { estimated: ms(2), possible: ms(5_100) }), Some("may be wrong by 5.1 s")),
            (Some(unkept), Some("nothing keeps the kernel's clock any more")),
            (None, None),
            (Some(KernelClock { estimated: ms(2), possible: ms(20) }), None),
        ] {
            let said = clock.look(kernel);
            assert_eq!(said.is_some(), doubted.is_some(), "{kernel:?}: {said:?}");
            assert!(
                doubted.is_none_or(|part| said.as_ref().unwrap().ends_with(part)),
                "{kernel:?}: {said:?}"
            );
        }
    }
}
