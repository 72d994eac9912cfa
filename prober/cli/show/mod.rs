//! What the terminal shows of events: pure functions from [`SliEvent`](model::event::SliEvent)s to text.
//!
//! | function | shows |
//! | --- | --- |
//! | [`run_line`] | a line a run |
//! | [`run_report`] | a run with its waterfall, for people who wait for it |
//! | [`explain_run`] | everything about a run, and how it differs from the last good one |
//! | [`events_table`] | a line an event |
//! | [`list_table`] | a line a plan |
//! | [`latency_table`] | a line a scenario and phase, of many runs |
//! | [`starts_table`], [`settings_table`], [`findings_table`], [`slo_table`], [`outbox_table`], [`members_table`] | `schedule`, `config`, `doctor`, `slo`, `alerts outbox`, `fleet status` |
//! | [`summary`], [`rule`] | the end of `prober run`, the line between its parts |
//!
//! Every text goes through [`line::Line`], which makes control characters visible, drops what reorders or
//! hides text, and keeps to the width; so nothing that a target sends reaches the terminal as a command.
//! Deliberately absent: I/O, a clock, the environment. Whether to use colours is the caller's decision, and
//! no meaning is carried by colour alone.

mod assertions;
mod curl;
mod difference;
mod exchange;
mod explain;
mod facts;
mod fields;
mod findings;
mod hops;
mod latency;
mod line;
mod look;
mod members;
mod number;
mod outbox;
mod report;
mod runs;
mod safe;
mod settings;
mod slos;
mod starts;
mod table;
mod tables;
mod waterfall;
mod words;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use curl::curl_commands;
pub(crate) use explain::explain_run;
pub(crate) use findings::{Finding, FindingState, findings_table};
pub(crate) use latency::{Latencies, latency_table};
pub(crate) use look::{About, Look};
pub(crate) use members::{MemberRow, members_table};
pub(crate) use number::{distance, duration};
pub(crate) use outbox::{OutboxRow, outbox_table};
pub(crate) use report::run_report;
pub(crate) use runs::{RunColumns, note_line, rule, run_line, summary};
pub(crate) use settings::{SettingRow, settings_table};
pub(crate) use slos::{SloRow, slo_table};
pub(crate) use starts::{StartRow, starts_table};
pub(crate) use tables::{ListRow, events_table, list_table};
pub(crate) use words::why;

/// A line of any length without anything that a terminal would obey.
pub(crate) fn plain(text: &str, look: Look) -> String {
    safe::safe(text, look.unicode, text.len().saturating_add(1))
}
