//! What the terminal shows of events: pure functions from [`SliEvent`](model::event::SliEvent)s to text.
//!
//! | function | shows |
//! | --- | --- |
//! | [`run_line`] | a line a run |
//! | [`run_report`] | a run with its waterfall, for people who wait for it |
//! | [`explain_run`] | everything about a run, and how it differs from the last good one |
//! | [`events_table`] | a line an event |
//! | [`list_table`] | a line a plan |
//! | [`summary`], [`rule`] | the end of `prober run`, the line between its parts |
//!
//! Every text goes through [`line::Line`], which makes control characters visible, drops what reorders or
//! hides text, and keeps to the width; so nothing that a target sends reaches the terminal as a command.
//! Deliberately absent: I/O, a clock, the environment. Whether to use colours is the caller's decision, and
//! no meaning is carried by colour alone.

mod assertions;
mod curl;
mod difference;
mod explain;
mod facts;
mod fields;
mod hops;
mod line;
mod look;
mod number;
mod report;
mod runs;
mod safe;
mod table;
mod tables;
mod waterfall;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use explain::explain_run;
pub(crate) use look::{About, Look};
pub(crate) use report::run_report;
pub(crate) use runs::{RunColumns, rule, run_line, summary};
pub(crate) use tables::{ListRow, events_table, list_table};
