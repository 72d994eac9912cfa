//! What counts as good for one objective alone: judged on stored events, by how long their runs took.
//!
//! Only a correct run can be good or not good enough: one that failed is bad for every objective. A run during which
//! the prober was too busy to measure time is not held against the target, as in `schedule::lag`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Mark, Reason};

use crate::bytes::{Broken, In, Out};
use crate::promise::Promise;

/// What a correct run must show to be good: a pure function of how long it took.
pub trait GoodRun: fmt::Debug + Send + Sync {
    /// What is wrong with a run that took so long, in a sentence; `None` if it is good.
    fn broken(&self, took: Duration) -> Option<String>;

    /// What is asked for, for people: `latency < 800ms`.
    fn words(&self) -> String;
}

/// A correct run: how long it took, and whether the prober was too busy to measure that.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Took {
    duration: Duration,
    lagged: bool,
}

/// What a correct run is for an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Good,
    /// And what is wrong, in a sentence.
    Slow(String),
    /// It took too long, and the prober may be why.
    Unknown,
}

impl Took {
    /// `None` if the run was not correct, or was none.
    pub(crate) fn of(event: &SliEvent) -> Option<Self> {
        let outcome = &event.outcome;
        let lagged = outcome.marks.contains(&Mark::Lagged);
        let is_correct = matches!(outcome.reason, Reason::Ok | Reason::Slow);
        is_correct.then_some(Self { duration: outcome.duration, lagged })
    }

    pub(crate) fn judged(self, good: &dyn GoodRun) -> Judged {
        match good.broken(self.duration) {
            None => Judged::Good,
            Some(_) if self.lagged => Judged::Unknown,
            Some(message) => Judged::Slow(message),
        }
    }

    pub(crate) fn write(self, out: &mut Out) {
        out.number(u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX));
        out.flag(self.lagged);
    }

    pub(crate) fn read(from: &mut In<'_>) -> Result<Self, Broken> {
        Ok(Self { duration: Duration::from_nanos(from.number()?), lagged: from.flag()? })
    }
}

/// What an event counts as for an objective with this `good`; without one, what its scenario made of it.
pub fn reason(good: Option<&Arc<dyn GoodRun>>, event: &SliEvent) -> Reason {
    let (Some(good), Some(took)) = (good, Took::of(event)) else { return event.outcome.reason };
    match took.judged(&**good) {
        Judged::Good => Reason::Ok,
        Judged::Slow(_) => Reason::Slow,
        Judged::Unknown => Reason::ProberFault,
    }
}

impl Promise {
    /// What an event of one of its streams counts as.
    pub fn reason_of(&self, event: &SliEvent) -> Reason {
        reason(self.good.as_ref(), event)
    }
}
