//! What events mean for what was promised: budgets, burn rates and alerts, as pure functions of events and times.
//!
//! Deliberately absent: any clock, any I/O, and whom an alert is sent to.

pub mod rules;
pub mod simulate;
