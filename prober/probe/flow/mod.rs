//! A whole scenario: its steps in order, judged.
//!
//! Knows steps, assertions and verdicts, and no kind by name. Deliberately absent: the schedule, retries and
//! anything that outlives a run.
//!
//! | module | holds |
//! | --- | --- |
//! | [`scenario`] | running the steps of a plan |
//! | [`judge`] | what a step's evidence means for the run |

mod judge;
mod scenario;

#[cfg(test)]
mod tests;

pub use scenario::Scenario;
