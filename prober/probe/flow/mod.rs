//! A whole scenario: its steps in order, repeated where the author says so, judged, and cleaned up after.
//!
//! Knows steps, assertions and verdicts, and no kind by name. Deliberately absent: the schedule, and anything
//! that outlives a run but the marks that go out with its outcome.
//!
//! | module | holds |
//! | --- | --- |
//! | [`scenario`] | a plan with its network and secrets, run once |
//! | [`walk`] | from step to step, and the teardown in the end |
//! | [`attempt`] | one step, tried once or again |
//! | [`poll`] | one step, repeated until something holds |
//! | [`tally`] | what a poll has seen, in bounded memory |
//! | [`judge`] | what a step's evidence means |
//! | [`meaning`] | what a failure or a broken assertion stands for |
//! | [`verdict`] | what all of it means for the run |

mod attempt;
mod judge;
mod meaning;
mod poll;
mod scenario;
mod tally;
mod verdict;
mod walk;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use attempt::act;
pub use scenario::Scenario;

use std::time::Instant;

/// The monotonic clock; tokio's, so that tests may own it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
