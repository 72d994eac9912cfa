//! The nouns of prober, as plain values: time, slots, outcomes and SLI events.
//!
//! Everything here is a value or a pure function of values. Deliberately absent: I/O, an async runtime, and
//! any read of a clock but the one in [`time::SystemClock`], which the composition root hands around.
//!
//! | module | holds |
//! | --- | --- |
//! | [`time`] | [`time::Timestamp`] and the [`time::Clock`] that is passed in |
//! | [`slot`] | when a run is due, and the identity that makes a second delivery recognisable |
//! | [`outcome`] | what one run showed: verdict, reason, failure, steps, phases |
//! | [`texts`] | every text of an outcome, for whoever takes secrets out of them |
//! | [`event`] | slot + outcome: the only thing that is stored and sent |
//! | [`objective`], [`policy`] | what is promised of a scenario, and which limits and floors make an alert |
//! | [`alert`] | what whoever is woken up is told |
//! | [`maintenance`] | planned maintenance and what it does to slots |
//! | [`high_mark`] | the greatest values that a scenario has seen, for `advances` |
//! | [`missed`] | runs of slots that nobody ran, stored in one row each |
//! | [`probe`] | "run once against the target before the deadline" |

pub mod address_text;
pub mod alert;
pub mod attribute;
pub mod event;
pub mod high_mark;
pub mod maintenance;
pub mod missed;
pub mod objective;
pub mod outcome;
pub mod policy;
pub mod probe;
pub mod schema;
pub mod slot;
pub mod step;
pub mod texts;
pub mod time;

mod decimal;
mod event_json;
mod failure;
