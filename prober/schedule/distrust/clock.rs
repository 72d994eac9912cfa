//! Was the wall clock stepped? Compared with the monotonic clock, which nobody sets.

use std::time::{Duration, Instant};

use model::time::Timestamp;

/// A step of this many seconds makes dates doubtful.
pub const STEP_MIN: f64 = 1.0;
/// How long a clock is doubted after a step, unless something that keeps it says that it is right.
pub const DOUBT: Duration = Duration::from_mins(10);

/// What is known of the wall clock.
#[derive(Clone, Debug)]
pub struct WallClock {
    /// Both clocks when last compared.
    last: (Timestamp, Instant),
    /// The last step in seconds, and when it was seen.
    step: Option<(f64, Instant)>,
}

impl WallClock {
    /// A clock of which nothing is known but what it shows now.
    pub const fn new(wall: Timestamp, monotonic: Instant) -> Self {
        Self { last: (wall, monotonic), step: None }
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
}
