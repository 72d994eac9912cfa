//! The words of `prober run`.

use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::output::{Output, duration};
use super::{Choice, FailOn};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober run                                   everything in the project, once
  prober run checkout --region eu -v           one scenario, with the heads of requests and answers
  prober run --label journey=purchase --var shop=$PREVIEW_URL --wait-for 60s --report junit=out.xml
                                               the smoke test after a deploy
  prober run search --repeat 20                a small latency table

Exit codes: 0 good, 1 the target is bad, 2 a file is wrong, 3 something is missing here,
4 the prober could not judge, 130 interrupted. Nothing here enters a scenario's SLI.")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Also fail on scenarios that are correct but slow
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOn>,
    /// Start no more runs after the first that fails
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Run everything again until all is good, for at most so long; the last round counts
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) wait_for: Option<Duration>,
    /// Run everything so often, one round after the other, and show how long it took
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = repeat)]
    pub(crate) repeat: usize,
    /// End the whole command after so long; what runs then is not judged
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Runs in flight at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = in_flight, visible_alias = "concurrency")]
    pub(crate) in_flight: usize,
    /// Who started the runs, as events say it; default: ci if the variable CI is set, else manual
    #[arg(long, value_enum)]
    pub(crate) trigger: Option<TriggerArg>,
    /// Good runs in full, and heads of requests and answers; twice: bodies too. Secrets stay hidden
    #[arg(long, short, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TriggerArg {
    /// A person
    Manual,
    /// A pipeline
    Ci,
}

fn repeat(text: &str) -> Result<usize, String> {
    bounded(text, 10_000)
}

fn in_flight(text: &str) -> Result<usize, String> {
    bounded(text, 1_000)
}

fn bounded(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {most}"))
}
