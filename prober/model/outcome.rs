//! What one slot came to: verdict, reason and failure.
//!
//! A verdict is never set by hand: it follows from the reason, and each reason belongs to one verdict.
//! The names are a stored and public format (metric labels, event fields).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::failure::{Failure, FailureClass, MESSAGE_MAX, cut};
use crate::high_mark::HighMark;
use crate::step::{AssertionRecord, StepRecord};

/// The terminal state of a slot.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The target did what the scenario says.
    Good,
    /// The target did not.
    Bad,
    /// A run that says nothing about the target: our fault, maintenance, or declared.
    Ineligible,
    /// No run took place.
    Missed,
}

impl Verdict {
    /// All verdicts, in the order people read them.
    pub const ALL: [Self; 4] = [Self::Good, Self::Bad, Self::Ineligible, Self::Missed];

    /// The word used in events, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Ineligible => "ineligible",
            Self::Missed => "missed",
        }
    }

    /// Whether the slot counts in the SLI: `good + bad = eligible`.
    pub const fn is_eligible(self) -> bool {
        matches!(self, Self::Good | Self::Bad)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A word that is no verdict, reason or class of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known {1}")]
pub struct UnknownWord(String, &'static str);

impl FromStr for Verdict {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let known = Self::ALL.into_iter().find(|verdict| verdict.as_str() == text);
        known.ok_or_else(|| UnknownWord(text.to_owned(), "verdict"))
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal => $verdict:ident),* $(,)?) => {
        /// Why a slot came to its verdict; each reason belongs to exactly one verdict.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[doc = $doc])* $name),* }

        impl Reason {
            /// Every reason, grouped by verdict.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word used in events, metrics and pages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// The verdict that this reason belongs to.
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict),* }
            }
        }
    };
}

reasons! {
    /// Every step and `sli.good` held.
    Ok = "ok" => Good,
    /// A step failed; the failure says how.
    Failed = "failed" => Bad,
    /// Correct, but not `sli.good`.
    Slow = "slow" => Bad,
    /// A value is older than its `newer_than`.
    Stale = "stale" => Bad,
    /// A value did not advance for too long.
    Stalled = "stalled" => Bad,
    /// A value went backwards.
    Backwards = "backwards" => Bad,
    /// A value lies in the future.
    FutureDated = "future_dated" => Bad,
    /// Inside a planned maintenance; leaves the expected count.
    Maintenance = "maintenance" => Ineligible,
    /// The scenario is paused; leaves the expected count.
    Paused = "paused" => Ineligible,
    /// The prober itself was at fault, by local evidence only.
    ProberFault = "prober_fault" => Ineligible,
    /// The prober's environment lacks something the scenario needs.
    ConfigFault = "config_fault" => Ineligible,
    /// The scenario's own `sli.ineligible` matched.
    Declared = "declared" => Ineligible,
    /// The run was cancelled.
    Cancelled = "cancelled" => Ineligible,
    /// Too many unrelated targets failed at once.
    Correlated = "correlated" => Ineligible,
    /// The slot's tolerance passed before a run could start.
    Late = "late" => Missed,
    /// The previous run of the stream was still going.
    Overlap = "overlap" => Missed,
    /// The bound on runs in flight was reached.
    Overload = "overload" => Missed,
    /// The wall clock jumped over the slot.
    ClockStep = "clock_step" => Missed,
    /// The prober was shutting down, or cleanly stopped.
    Drain = "drain" => Missed,
    /// The prober died before the slot's event was durable.
    Interrupted = "interrupted" => Missed,
    /// No prober owned the slot.
    NoOwner = "no_owner" => Missed,
    /// Nothing was heard of the slot's owner, and nobody else could say what became of it.
    Dark = "dark" => Missed,
    /// The owner's lease had run out.
    NoLease = "no_lease" => Missed,
    /// The store could take no more events.
    Spool = "spool" => Missed,
    /// The prober's clock is too wrong to choose slots by.
    Clock = "clock" => Missed,
    /// The prober failed its own test: it measures wrongly.
    SelfTest = "self_test" => Missed,
}

impl Reason {
    /// Whether slots with this reason leave the expected count (planned absence).
    pub const fn is_planned(self) -> bool {
        matches!(self, Self::Maintenance | Self::Paused)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let known = Self::ALL.iter().find(|reason| reason.as_str() == text);
        known.copied().ok_or_else(|| UnknownWord(text.to_owned(), "reason"))
    }
}

/// Something worth knowing about a run that does not change its verdict.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A declared retry saved the run.
    Flaky,
    /// A `warn` condition did not hold.
    Warned,
    /// A teardown step failed.
    TeardownFailed,
    /// The prober's own lag was over its limit while the run was going.
    Lagged,
    /// It was held as `correlated` at first, and no other region saw the target well.
    Settled,
    /// Most other probers could not reach the one that made it: it counts, and starts no alert.
    Unvouched,
}

/// What one run showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why the run came to its verdict.
    pub reason: Reason,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// Marks beside the verdict.
    pub marks: Vec<Mark>,
    /// From the first step's start to the last one's end, the teardown left aside; monotonic clock.
    pub duration: Duration,
    /// Age in seconds of the value that a freshness assertion looked at; negative if it lies in the future.
    pub freshness_age: Option<f64>,
    /// The steps in the order they ran, skipped ones included, those of the teardown last.
    pub steps: Vec<StepRecord>,
    /// Which step's attributes stand for the run: the one that failed, else the last one that ran.
    pub main: Option<usize>,
    /// Every assertion that was looked at.
    pub assertions: Vec<AssertionRecord>,
    /// The planned maintenance that the slot lies in, by its name; with a verdict that counts it is one that
    /// only keeps alerts quiet.
    pub maintenance: Option<Arc<str>>,
    /// The greatest values so far of what `advances` looked at in this run.
    pub high_marks: Vec<HighMark>,
    /// Of a missed slot with side effects: whether its requests may have been sent all the same; `None` where that is
    /// not known, or means nothing.
    pub maybe_sent: Option<bool>,
}

impl Outcome {
    /// An outcome without steps.
    pub fn empty(reason: Reason) -> Self {
        Self {
            reason,
            failure: None,
            marks: Vec::new(),
            duration: Duration::ZERO,
            freshness_age: None,
            steps: Vec::new(),
            main: None,
            assertions: Vec::new(),
            maintenance: None,
            high_marks: Vec::new(),
            maybe_sent: None,
        }
    }

    /// The verdict that follows from the reason.
    pub const fn verdict(&self) -> Verdict {
        self.reason.verdict()
    }

    /// What the run came to by itself, if it is held as `correlated`: it counts as that now, and is marked.
    ///
    /// The failure was kept, and for the reasons that are not plainly `failed` its type is the reason's word.
    #[must_use]
    pub fn settled(mut self) -> Self {
        let said = self.failure.as_ref().and_then(|failure| failure.error_type.parse::<Reason>().ok());
        self.reason = said.filter(|said| said.verdict() == Verdict::Bad).unwrap_or(Reason::Failed);
        self.marks.push(Mark::Settled);
        self
    }

    /// The step whose attributes stand for the run.
    pub fn main_step(&self) -> Option<&StepRecord> {
        self.main.and_then(|index| self.steps.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        for verdict in Verdict::ALL {
            assert_eq!(verdict.as_str().parse(), Ok(verdict));
        }
        assert!("fine".parse::<Reason>().is_err());
    }

    #[test]
    fn a_held_outcome_comes_to_what_it_was() {
        for (reason, class, error_type) in [
            (Reason::Failed, FailureClass::Connect, "connect.refused"),
            (Reason::Failed, FailureClass::Protocol, "500"),
            (Reason::Slow, FailureClass::Slow, "slow"),
            (Reason::Stale, FailureClass::Stale, "stale"),
            (Reason::FutureDated, FailureClass::Stale, "future_dated"),
        ] {
            let mut held = Outcome::empty(Reason::Correlated);
            held.failure = Some(Failure::new(class, error_type, "it said so"));
            let settled = held.clone().settled();
            assert_eq!((settled.reason, settled.marks.as_slice()), (reason, [Mark::Settled].as_slice()));
            assert_eq!(settled.failure, held.failure);
        }
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let failure = Failure::new(FailureClass::Dns, "dns.nxdomain", "é".repeat(600));
        assert!(failure.message.len() <= MESSAGE_MAX);
        assert!(failure.message.ends_with('…'));
        assert_eq!(cut("short".to_owned(), 5), "short");
    }
}
