//! The words of the commands that tell about the project and the machine.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::output::{FactsFormat, ListFormat};
use super::{Choice, Engine, Serve};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober list --label tier=1
  prober list --format jsonl | jq -r .name")]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// How the list is shown
    #[arg(long, value_enum, default_value_t = ListFormat::Human)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober diff                          against the last commit
  prober diff origin/main              what a pull request changes
  prober diff ../other-project         against another folder
  prober diff http://127.0.0.1:9899    against what a server runs
  prober diff --fleet fleet/login/push against what a fleet runs
  prober diff main --format json | jq .history_ends

Shown are scenarios that are added (+), removed (-), renamed with `was` (>) or changed (~), with the keys of their files,
and whose history would end (!). That something differs is no error.")]
pub(crate) struct Diff {
    /// A commit, branch or tag of git, a folder, or the URL of a running server; default: what the fleet runs if one is
    /// named, else the last commit
    pub(crate) against: Option<String>,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Whose sets of the fleet are believed
    #[arg(long, value_name = "FILE", default_value = "fleet/trusted-keys")]
    pub(crate) trust: PathBuf,
    /// A file with the token of a viewer of the running server
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Only in this region; may be repeated
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// Set a variable on both sides, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
    /// How the difference is shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober schedule                              the next ten starts of everything
  prober schedule backup -n 3 --at 2026-03-29  around a change of the clocks
  prober schedule --format json")]
pub(crate) struct Schedule {
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// From when on; default: now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// How many starts of each
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 10, value_parser = count)]
    pub(crate) count: usize,
    /// How the starts are shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober doctor                      everything that a prober needs here
  prober doctor --live               whether a running server is healthy, for a container's health check
  prober doctor --fleet fleet/login/hub   also the servers of a fleet, and what this login may do
  prober doctor --format json

Exit codes: 0 nothing fails (warnings do not), 3 something does.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) serve: Serve,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// The page of a server of the fleet, as `http:` in its configuration says
    #[arg(long = "fleet-monitor", value_name = "URL", default_value = "http://127.0.0.1:8222")]
    pub(crate) monitor: String,
    /// Only ask a running server's /healthz
    #[arg(long)]
    pub(crate) live: bool,
    /// How findings are shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Takes what `prober serve` takes and shows what would hold, and why: built-in values are the weakest, then
the project file, then PROBER_* of the environment, then flags.")]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// How settings are shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(prober completions bash)
  prober completions zsh > ~/.zfunc/_prober
  prober completions fish > ~/.config/fish/completions/prober.fish")]
pub(crate) struct Completions {
    /// For which shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Version {
    /// How the version is shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder that the pages are written to
    pub(crate) dir: PathBuf,
}

fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| "write a number from 1 to 10000".to_owned())
}
