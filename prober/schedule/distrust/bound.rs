//! How long may be hidden what only others can tell us.
//!
//! Local evidence ends a doubt by itself: the next round that passes. A doubt that rests on what others see may last as long as
//! they see it, and would hide a real outage as long. So it counts for a fifth of an hour at most, the share above which
//! a prober that says nothing is an alarm of its own; from then on what is bad is bad. Nothing here reads a clock.

use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);
/// The most that is hidden in an hour.
pub const HIDES_MAX: Duration = Duration::from_mins(12);

/// One such doubt, and how much of its hour it has used up.
///
/// The hour begins when something is hidden for the first time after the last one, so that what comes and goes uses up
/// what it has as well as what stays.
#[derive(Copy, Clone, Debug, Default)]
pub struct Bound {
    since: Option<Instant>,
    hour: Option<Instant>,
    used: Duration,
}

impl Bound {
    /// The doubt begins; one that has begun goes on.
    pub fn begin(&mut self, at: Instant) {
        if self.since.is_some() {
            return;
        }
        self.since = Some(at);
        if self.hour.is_none_or(|hour| at.saturating_duration_since(hour) >= HOUR) {
            (self.hour, self.used) = (Some(at), Duration::ZERO);
        }
    }

    /// The doubt ends.
    pub fn end(&mut self, at: Instant) {
        if let Some(since) = self.since.take() {
            self.used += at.saturating_duration_since(since);
        }
    }

    /// When it began, while it goes on.
    pub const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Whether what is bad at `at` is hidden.
    pub fn hides(&self, at: Instant) -> bool {
        self.since.is_some_and(|since| self.used + at.saturating_duration_since(since) <= HIDES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of three hours that are hidden, if the doubt is there as `is_there` says.
    fn hidden(is_there: impl Fn(u64) -> bool) -> Vec<u64> {
        let begin = Instant::now();
        let (mut bound, mut hidden) = (Bound::default(), vec![0; 3]);
        for second in 0..3 * 3_600 {
            let at = begin + Duration::from_secs(second);
            if is_there(second) {
                bound.begin(at);
            } else {
                bound.end(at);
            }
            hidden[usize::try_from(second / 3_600).unwrap()] += u64::from(bound.hides(at));
        }
        hidden
    }

    #[test]
    fn a_fifth_of_an_hour_is_hidden_at_most() {
        // One that stays is over for good: nothing new begins.
        assert_eq!(hidden(|_| true), [721, 0, 0]);
        assert_eq!(hidden(|_| false), [0, 0, 0]);
        assert_eq!(hidden(|second| second < 300), [300, 0, 0]);
        // Nor does one that comes and goes hide more.
        for period in [20, 120, 600] {
            for hour in hidden(|second| second % period < period / 2) {
                assert!((700..=721).contains(&hour), "{period}: {hour}");
            }
        }
        // One that is over the limit begins anew in a later hour.
        assert_eq!(hidden(|second| !(3_000..3_660).contains(&second)), [721, 721, 0]);
    }
}
