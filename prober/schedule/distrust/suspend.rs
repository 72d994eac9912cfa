//! Why no slot may be run at all: what would be measured could not be believed.
//!
//! A slot that comes due meanwhile is missed with a reason of its own, so that the account stays whole and nobody takes
//! silence for health. Nothing here reads a clock.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::outcome::Reason;

/// What keeps slots from being run.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The prober's own test went wrong: this build measures wrongly on this machine.
    SelfTest,
    /// The wall clock is too wrong to choose slots by.
    Clock,
}

impl Cause {
    /// Every cause; the first that holds is the one that is told.
    pub const ALL: [Self; 2] = [Self::SelfTest, Self::Clock];

    /// What slots are missed for meanwhile.
    pub const fn reason(self) -> Reason {
        match self {
            Self::SelfTest => Reason::SelfTest,
            Self::Clock => Reason::Clock,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// How one of the prober's own tests ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Tested {
    /// Everything was as it should be.
    Passed,
    /// Something was not, again and again.
    Failed,
    /// The machine was too busy, or lacked something, to tell.
    Undecided,
}

impl Tested {
    /// Every end.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Undecided];

    /// Its word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
        }
    }
}

/// One cause and whether it holds now, for pages and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// The cause.
    pub cause: Cause,
    /// Why, if it holds now.
    pub why: Option<String>,
    /// How often it has begun to hold.
    pub times: u64,
}

impl Suspension {
    /// What slots are missed for and why, if it holds now.
    pub fn shown(self) -> Option<(Reason, String)> {
        Some((self.cause.reason(), self.why?))
    }
}

/// What keeps slots from being run now. Nobody waits for it.
#[derive(Debug, Default)]
pub struct Suspensions {
    /// One bit a cause: asked for every slot.
    now: AtomicU8,
    /// How many of the prober's own tests ended how, by [`Tested`].
    tests: [AtomicU64; Tested::ALL.len()],
    known: Mutex<[Known; Cause::ALL.len()]>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    why: Option<String>,
    times: u64,
}

impl Suspensions {
    /// Says whether a cause holds from now on: `why` if it does. Says so in the log when that changes.
    pub fn set(&self, cause: Cause, why: Option<&str>) {
        let mut known = self.lock();
        let known = &mut known[cause as usize];
        match (&known.why, why) {
            (None, Some(why)) => {
                known.times += 1;
                self.now.fetch_or(cause.bit(), Ordering::Relaxed);
                tracing::error!(reason = %cause.reason(), why, "the prober runs no slots: they are missed");
            }
            (Some(_), None) => {
                self.now.fetch_and(!cause.bit(), Ordering::Relaxed);
                tracing::info!(reason = %cause.reason(), "the prober runs slots again");
            }
            _ => {}
        }
        known.why = why.map(str::to_owned);
    }

    /// Counts one of the prober's own tests.
    pub fn count_test(&self, tested: Tested) {
        self.tests[tested as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many of the prober's own tests ended how.
    pub fn tests(&self) -> [(Tested, u64); Tested::ALL.len()] {
        Tested::ALL.map(|tested| (tested, self.tests[tested as usize].load(Ordering::Relaxed)))
    }

    /// What a slot that comes due now is missed for; `None` if it may be run.
    pub fn reason(&self) -> Option<Reason> {
        let now = self.now.load(Ordering::Relaxed);
        Cause::ALL.into_iter().find(|cause| now & cause.bit() != 0).map(Cause::reason)
    }

    /// Every cause and whether it holds now.
    pub fn all(&self) -> Vec<Suspension> {
        let known = self.lock();
        let one = |cause: Cause| {
            let Known { why, times } = known[cause as usize].clone();
            Suspension { cause, why, times }
        };
        Cause::ALL.into_iter().map(one).collect()
    }

    fn lock(&self) -> MutexGuard<'_, [Known; Cause::ALL.len()]> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_holds_by_itself_and_is_counted_once() {
        let suspensions = Suspensions::default();
        assert_eq!(suspensions.reason(), None);
        for (cause, why, reason) in [
            (Cause::Clock, Some("6 s"), Some(Reason::Clock)),
            (Cause::Clock, Some("7 s"), Some(Reason::Clock)),
            (Cause::SelfTest, Some("good was bad"), Some(Reason::SelfTest)),
            (Cause::Clock, None, Some(Reason::SelfTest)),
            (Cause::SelfTest, None, None),
            (Cause::SelfTest, None, None),
            (Cause::Clock, Some("8 s"), Some(Reason::Clock)),
        ] {
            suspensions.set(cause, why);
            assert_eq!(suspensions.reason(), reason, "{cause:?} {why:?}");
        }
        let all: Vec<_> =
            suspensions.all().into_iter().map(|one| (one.cause, one.why.is_some(), one.times)).collect();
        assert_eq!(all, [(Cause::SelfTest, false, 1), (Cause::Clock, true, 2)]);
    }
}
