//! From rounds and samples to spans of time in which something is not trusted.
//!
//! Nothing here reads a clock. Memory is bounded: the last [`SPANS_MAX`] spans are kept, and a run is settled
//! long before so many have come and gone.

use std::collections::VecDeque;
use std::time::Instant;

/// How many rounds in a row must fail before they are believed: one may be a lost packet.
pub const FAILS: u32 = 2;
/// The most spans that are kept.
const SPANS_MAX: usize = 64;

/// Whether a time is trusted.
pub(super) trait Says {
    /// Whether the time from `from` to `to` is doubted; `None` if that is not known yet.
    fn says(&self, from: Instant, to: Instant) -> Option<bool>;
}

/// One round of looking at control targets.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Whether all was well.
    pub passed: bool,
}

/// Whether so many of the control targets fail that it must be us: two of three.
pub const fn fails(failed: usize, all: usize) -> bool {
    all > 0 && failed * 3 >= all * 2
}

/// What rounds have shown.
///
/// Distrust reaches from the last round that passed to the next one: what was bad in between may have been us.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// When the last round that passed began.
    passed: Option<Instant>,
    failing: u32,
    /// All rounds, and those that failed.
    looks: (u64, u64),
    spans: VecDeque<Span>,
}

/// `None` has no end on that side.
#[derive(Copy, Clone, Debug)]
struct Span {
    from: Option<Instant>,
    to: Option<Instant>,
}

impl Watch {
    /// Notes a round; rounds come in the order of their time.
    pub fn note(&mut self, round: Round) {
        self.looks.0 += 1;
        if !round.passed {
            self.looks.1 += 1;
            self.failing += 1;
            if self.failing == FAILS {
                self.add(Span { from: self.passed, to: None });
            }
            return;
        }
        if let Some(last) = self.spans.back_mut().filter(|span| span.to.is_none()) {
            last.to = Some(round.ended);
        }
        self.failing = 0;
        self.passed = Some(round.began);
    }

    /// Whether what is bad now would not count.
    pub fn is_doubted(&self) -> bool {
        self.failing >= FAILS
    }

    /// How many rounds there were, and how many of them failed.
    pub const fn looks(&self) -> (u64, u64) {
        self.looks
    }

    fn add(&mut self, span: Span) {
        if self.spans.len() == SPANS_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back(span);
    }
}

impl Says for Watch {
    fn says(&self, from: Instant, to: Instant) -> Option<bool> {
        let touches =
            |span: &Span| span.from.is_none_or(|begin| begin < to) && span.to.is_none_or(|end| from < end);
        if self.spans.iter().any(touches) {
            return Some(true);
        }
        // Only a round that began after the run's end has seen what came after it.
        self.passed.filter(|passed| *passed >= to).map(|_| false)
    }
}

/// What samples of the machine have shown, each about the time since the one before.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Up to where is known; nothing is ever sampled if `None`.
    until: Option<Instant>,
    doubted: bool,
    /// All samples, and those that were doubted.
    looks: (u64, u64),
    spans: VecDeque<(Instant, Instant)>,
}

impl Samples {
    /// Notes what the time from `from` to `to` was like.
    pub fn note(&mut self, from: Instant, to: Instant, doubted: bool) {
        self.until = Some(to);
        self.doubted = doubted;
        self.looks.0 += 1;
        self.looks.1 += u64::from(doubted);
        if doubted {
            self.also(from, to);
        }
    }

    /// Notes that the time from `from` to `to` is doubted, whatever else is known of it.
    pub fn also(&mut self, from: Instant, to: Instant) {
        if let Some((_, end)) = self.spans.back_mut().filter(|(_, end)| from <= *end) {
            *end = to.max(*end);
            return;
        }
        if self.spans.len() == SPANS_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back((from, to));
    }

    /// How many samples there were, and how many of them were doubted.
    pub const fn looks(&self) -> (u64, u64) {
        self.looks
    }

    /// Whether the last sample was doubted.
    pub const fn is_doubted(&self) -> bool {
        self.doubted
    }
}

impl Says for Samples {
    fn says(&self, from: Instant, to: Instant) -> Option<bool> {
        if self.spans.iter().any(|(begin, end)| *begin < to && from < *end) {
            return Some(true);
        }
        match self.until {
            Some(until) if until < to => None,
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A watch that has seen rounds at these seconds; each takes one.
    fn watch(begin: Instant, rounds: &[(u64, bool)]) -> Watch {
        let mut watch = Watch::default();
        for (second, passed) in rounds {
            let began = begin + Duration::from_secs(*second);
            watch.note(Round { began, ended: began + Duration::from_secs(1), passed: *passed });
        }
        watch
    }

    #[test]
    fn two_of_three_must_fail() {
        for (failed, all, expected) in [
            (0, 0, false),
            (0, 1, false),
            (1, 1, true),
            (1, 2, false),
            (2, 2, true),
            (1, 3, false),
            (2, 3, true),
            (2, 4, false),
            (3, 4, true),
        ] {
            assert_eq!(fails(failed, all), expected, "{failed} of {all}");
        }
    }

    #[test]
    fn distrust_reaches_from_the_last_round_that_passed_to_the_next() {
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let fine = [(10, true), (20, true)];
        let once = [(10, true), (20, false), (30, true)];
        let twice = [(10, true), (20, false), (30, false)];
        let over = [(10, true), (20, false), (30, false), (40, false), (50, true), (60, true)];
        let never = [(10, false), (20, false)];
        for (rounds, run, expected) in [
            (&fine[..], (12, 13), Some(false)),
            (&fine, (12, 20), Some(false)),
            // It ended after the last round began: the next one is to settle it.
            (&fine, (12, 21), None),
            (&[], (1, 2), None),
            (&once[..2], (12, 13), None),
            (&once[..2], (8, 9), Some(false)),
            (&once, (12, 13), Some(false)),
            (&once, (25, 26), Some(false)),
            (&twice, (12, 13), Some(true)),
            (&twice, (8, 10), Some(false)),
            (&twice, (8, 11), Some(true)),
            (&twice, (100, 101), Some(true)),
            (&over, (45, 46), Some(true)),
            (&over, (50, 52), Some(true)),
            (&over, (51, 52), Some(false)),
            (&over, (9, 60), Some(true)),
            (&never, (1, 2), Some(true)),
        ] {
            let said = watch(begin, rounds).says(at(run.0), at(run.1));
            assert_eq!(said, expected, "{rounds:?} {run:?}");
        }
    }

    #[test]
    fn a_watch_that_flaps_for_ever_stays_small() {
        let rounds: Vec<_> = (0..3_000).map(|second| (second, second % 3 == 0)).collect();
        assert!(watch(Instant::now(), &rounds).spans.len() <= SPANS_MAX);
    }

    #[test]
    fn samples_speak_of_the_time_before_them() {
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let mut samples = Samples::default();
        assert_eq!(samples.says(at(1), at(2)), Some(false), "nobody looks, so nothing is waited for");
        for (second, doubted) in [(1, false), (2, true), (3, true), (4, false)] {
            samples.note(at(second - 1), at(second), doubted);
        }
        assert_eq!(samples.says(at(0), at(1)), Some(false));
        assert_eq!(samples.says(at(0), at(2)), Some(true));
        assert_eq!(samples.says(at(3), at(4)), Some(false));
        assert_eq!(samples.says(at(3), at(5)), None);
        assert_eq!(samples.spans.len(), 1);
    }
}
