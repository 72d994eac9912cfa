//! The words of what judges by hand: tests of alerts, and stored events again.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "\
Example, tests/cart-api.alerts.yaml:
  scenario: cart-api
  events:
    - { at: 0m..60m, every: 30s, outcome: good }
    - { at: 60m..70m, every: 30s, region: [eu, us], outcome: bad, reason: failed }
  expect:
    - { at: 61m, firing: [] }
    - { at: 66m, firing: [page] }

Exit code 1 if something else fires than is expected, 2 if a file is wrong.")]
pub(crate) struct AlertsTest {
    /// Files of tests
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober events --format jsonl --oldest-first -n 1000000 > events.ndjson
  prober replay events.ndjson                     every alert that the files of now would have made
  prober replay events.ndjson --objective 99.5%   which of them would vanish, which would be new

Exit code 1 if a change makes alerts vanish or appear.")]
pub(crate) struct Replay {
    /// Events, one a line, in the order in which they were stored
    pub(crate) events: PathBuf,
    /// Only this SLO
    #[arg(long, value_name = "NAME")]
    pub(crate) slo: Option<String>,
    /// Promise this share instead, such as 99.5%
    #[arg(long, value_name = "PERCENT")]
    pub(crate) objective: Option<String>,
    /// Over this window instead, such as 7d
    #[arg(long, value_name = "LENGTH")]
    pub(crate) window: Option<String>,
    /// In how many regions it must be bad to be down
    #[arg(long, value_name = "N")]
    pub(crate) quorum: Option<u32>,
    /// Set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
    /// How the alerts are shown
    #[arg(long, value_enum, default_value_t = ReplayFormat::Human)]
    pub(crate) format: ReplayFormat,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayFormat {
    Human,
    Json,
}
