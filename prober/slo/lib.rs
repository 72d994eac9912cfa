//! What events mean for what was promised: budgets, burn rates and alerts, as pure functions of events and times.
//!
//! # How it works
//!
//! [`evaluator::Evaluator`] takes [`promise::Promise`]s, folds SLI events and judges every promise at a fixed grid of
//! ticks. What it says are [`evaluator::Change`]s of alerts; how a promise stands at a tick is a
//! [`standing::Standing`].
//!
//! # Invariants
//!
//! 1. **The order of arrival does not matter.** An event counts from the first tick at or after its `recorded` stamp
//!    on; what arrives within [`evaluator::SETTLE`] of that stamp is judged as if it had been there at once. So a
//!    replay of the stored events makes the same changes, byte for byte.
//! 2. **Counts are exact integers**, in scheduled time: 10 s buckets for 6 h, 5 min for 3 d, 1 h for 92 d.
//! 3. **Late events only clear or strengthen.** A bad event that is known after two intervals, a timeout and
//!    what a doubt may hold it is in history and budget, and starts no alert.
//! 4. **A gap never inflates a burn.** Burn rates divide by the slots that were planned, or counted if those are more.
//! 5. **An event is never changed.** What an adjustment takes out moves to a count of its own, at a moment of its own.
//! 6. **Bounded.** At most 100 kB a promise, and the cost of an event does not depend on the windows.
//!
//! Deliberately absent: any clock, any I/O, and whom an alert is sent to.

pub mod budget;
pub mod burn;
pub mod count;
pub mod evaluator;
pub mod good;
pub mod incident;
pub mod promise;
pub mod replay;
pub mod rules;
pub mod simulate;
pub mod snapshot;
pub mod standing;

mod adjust;
mod adjusted;
mod alerts;
mod bytes;
mod change;
mod column;
mod curve;
mod evidence;
mod expected;
mod fold;
mod history;
mod judge;
mod period;
mod region;
mod ring;
mod slot;
mod state;
mod streak;
mod watch;
mod words;

#[cfg(test)]
mod tests;
