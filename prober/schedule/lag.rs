//! Is the prober itself too busy to measure?
//!
//! A starved prober sees latency that is not the target's. The runner notes how late its own timers fire;
//! a run that overlapped a wake-up later than [`LIMIT`] is marked, and its latency is not held against the
//! target. Only local evidence counts here, never an answer of the target.

use std::time::{Duration, Instant};

use model::outcome::{Failure, FailureClass, Mark, Outcome, Reason};

use crate::distrust::judge::is_of_time;

/// How late a wake-up may be before latencies measured meanwhile are not believed.
pub const LIMIT: Duration = Duration::from_millis(250);

/// How late a wake-up may be without being worth a word.
pub const WORTH_A_WORD: Duration = Duration::from_millis(50);
/// How long wake-ups are counted before something is said of them.
const COUNTED: Duration = Duration::from_mins(1);

/// How late the wake-ups of a while came.
#[derive(Clone, Debug)]
pub struct Lateness {
    since: Instant,
    all: u64,
    late: u64,
    most: Duration,
}

impl Lateness {
    /// Counts from `since` on.
    pub const fn new(since: Instant) -> Self {
        Self { since, all: 0, late: 0, most: Duration::ZERO }
    }

    /// Counts a wake-up that came `late`; once a minute it gives the latest one, if more than one of a hundred was over
    /// [`WORTH_A_WORD`].
    pub fn note(&mut self, late: Duration, now: Instant) -> Option<Duration> {
        self.all += 1;
        self.late += u64::from(late > WORTH_A_WORD);
        self.most = self.most.max(late);
        if now.saturating_duration_since(self.since) < COUNTED {
            return None;
        }
        let done = std::mem::replace(self, Self::new(now));
        (done.late * 100 > done.all).then_some(done.most)
    }
}

/// The recent late wake-ups of one runner.
#[derive(Clone, Debug, Default)]
pub struct Lag {
    late: Option<Span>,
}

#[derive(Copy, Clone, Debug)]
struct Span {
    from: Instant,
    to: Instant,
}

impl Lag {
    /// Notes that a wake-up planned for `planned` came at `woke`.
    pub fn note(&mut self, planned: Instant, woke: Instant) {
        if woke.saturating_duration_since(planned) <= LIMIT {
            return;
        }
        self.late = Some(match self.late {
            // Late wake-ups close to each other are one busy time.
            Some(span) if planned <= span.to + LIMIT => Span { from: span.from.min(planned), to: woke },
            _ => Span { from: planned, to: woke },
        });
    }

    /// Whether the prober was too busy at some time between `from` and `to`.
    pub fn touches(&self, from: Instant, to: Instant) -> bool {
        self.late.is_some_and(|span| span.from < to && from < span.to)
    }
}

/// The outcome of a run that the prober was too busy for: marked, and not bad for a reason of time.
#[must_use]
pub fn discount(mut outcome: Outcome) -> Outcome {
    outcome.marks.push(Mark::Lagged);
    if is_of_time(&outcome) {
        let step = outcome.failure.take().map(|failure| failure.step).unwrap_or_default();
        let message = "the prober was too busy to measure time while this run was going";
        let failure = Failure::new(FailureClass::Local, "local.overload", message);
        outcome.reason = Reason::ProberFault;
        outcome.failure = Some(Failure { step, ..failure });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_late_wake_ups_count_and_only_while_they_last() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let mut lag = Lag::default();
        lag.note(at(0), at(200));
        assert!(!lag.touches(at(0), at(1_000)));
        lag.note(at(1_000), at(1_600));
        assert!(lag.touches(at(500), at(1_100)));
        assert!(lag.touches(at(1_500), at(9_000)));
        assert!(!lag.touches(at(0), at(1_000)));
        assert!(!lag.touches(at(1_600), at(2_000)));
    }

    #[test]
    fn one_wake_up_of_a_hundred_may_be_late() {
        let begin = Instant::now();
        for (late, of, expected) in [(0, 200, None), (2, 200, None), (3, 200, Some(51)), (200, 200, Some(51))]
        {
            let mut lateness = Lateness::new(begin);
            let told: Vec<_> = (1..=of)
                .filter_map(|number| {
                    let by = Duration::from_millis(if number <= late { 51 } else { 50 });
                    lateness.note(by, begin + COUNTED * number / of)
                })
                .collect();
            assert_eq!(told, expected.map(Duration::from_millis).into_iter().collect::<Vec<_>>(), "{late}");
        }
    }

    #[test]
    fn a_busy_prober_blames_itself_for_time_and_for_nothing_else() {
        let slow = discount(Outcome::empty(Reason::Slow));
        assert_eq!((slow.reason, slow.marks.as_slice()), (Reason::ProberFault, [Mark::Lagged].as_slice()));
        let mut refused = Outcome::empty(Reason::Failed);
        refused.failure = Some(Failure::new(FailureClass::Connect, "connect.refused", "refused"));
        assert_eq!(discount(refused).reason, Reason::Failed);
        let mut late = Outcome::empty(Reason::Failed);
        late.failure = Some(Failure::new(FailureClass::Timeout, "timeout", "no answer"));
        assert_eq!(discount(late).failure.unwrap().error_type, "local.overload");
        assert_eq!(discount(Outcome::empty(Reason::Ok)).reason, Reason::Ok);
    }
}
