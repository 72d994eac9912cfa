//! The words of `prober alerts`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::judged::AlertsTest;
use super::output::{FactsFormat, duration};

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    pub(crate) what: AlertsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Tell the evaluator a story and compare what fires with what is expected
    Test(AlertsTest),
    /// Send one test alert and its end to a route, now
    Send(AlertsSend),
    /// Show what waits for receivers, what they did not take, and for how long
    #[command(visible_alias = "list")]
    Outbox(AlertsOutbox),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober alerts outbox                     what waits, and what was given up
  prober alerts outbox --route shop-oncall
  prober alerts outbox --all               also what receivers took, for the last 7 days
  prober alerts outbox --strict            exit code 1 if anything is overdue or was given up")]
pub(crate) struct AlertsOutbox {
    /// Only for this route
    #[arg(long, value_name = "NAME")]
    pub(crate) route: Option<String>,
    /// Also changes that receivers took
    #[arg(long)]
    pub(crate) all: bool,
    /// The most changes that are shown
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) limit: u16,
    /// Exit with code 1 if a page is overdue or a change was given up
    #[arg(long)]
    pub(crate) strict: bool,
    /// Where it is stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober alerts send --route shop-oncall
  prober alerts send --route shop-oncall --severity page     wakes whoever it wakes
  prober alerts send --route shop-alertmanager --hold 1m     longer than its group_wait, so that it passes it on

The alert says TEST, its labels are alertname=SLOOutage and slo=prober-test. Exit codes: 0 the route took both,
3 it did not.")]
pub(crate) struct AlertsSend {
    /// Which route of prober.yaml
    #[arg(long, value_name = "NAME")]
    pub(crate) route: String,
    /// How urgent it is
    #[arg(long, value_enum, default_value_t = AlertSeverity::Ticket)]
    pub(crate) severity: AlertSeverity,
    /// How long it fires before its end is sent
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) hold: Duration,
    /// Only use the secrets of this region; may be repeated
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// Set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertSeverity {
    Page,
    Ticket,
}
