//! The words of `prober alerts`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::judged::AlertsTest;
use super::output::duration;

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
