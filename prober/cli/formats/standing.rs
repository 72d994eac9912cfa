//! What a run means for whoever waits for it: the exit code and every format agree on this.

use model::event::SliEvent;
use model::outcome::{Reason, Verdict};

/// How a run stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The target did what the scenario says.
    Good,
    /// Correct but not `sli.good`; no failure unless asked for.
    Slow,
    /// The target is bad.
    Bad,
    /// The prober could not judge.
    NotJudged,
    /// The run does not count, and that was declared: maintenance, `sli.ineligible`.
    SetAside,
}

impl Standing {
    /// How the event stands; `slow_fails` makes correct but slow runs bad.
    pub(crate) fn of(event: &SliEvent, slow_fails: bool) -> Self {
        match (event.verdict(), event.outcome.reason) {
            (Verdict::Good, _) => Self::Good,
            (Verdict::Bad, Reason::Slow) if !slow_fails => Self::Slow,
            (Verdict::Bad, _) => Self::Bad,
            (Verdict::Ineligible, Reason::Declared | Reason::Maintenance | Reason::Paused) => Self::SetAside,
            (Verdict::Ineligible | Verdict::Missed, _) => Self::NotJudged,
        }
    }

    /// Whether a pipeline need not stop for it.
    pub(crate) const fn is_fine(self) -> bool {
        matches!(self, Self::Good | Self::Slow | Self::SetAside)
    }
}
