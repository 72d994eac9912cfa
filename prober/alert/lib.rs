//! From a change of an alert to a receiver that has accepted it.
//!
//! Deliberately absent: deciding whether something is an alert, which is `slo`'s.
