//! The command line's words.

mod alerts;
mod facts;
mod fleet;
mod import;
mod judged;
mod lasting;
mod output;
mod pages;
mod roles;
mod run;
mod slo;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use alerts::{AlertSeverity, Alerts, AlertsCommand, AlertsOutbox, AlertsSend};
pub(crate) use facts::{Completions, Config, Diff, Doctor, List, Man, Schedule, Version};
pub(crate) use fleet::{Engine, Fleet, FleetCommand, FleetInit, FleetStatus, Push};
pub(crate) use import::{Import, ImportFrom};
pub(crate) use judged::{AlertsTest, Replay, ReplayFormat};
pub(crate) use lasting::Lasting;
pub(crate) use output::{FactsFormat, ListFormat, Output};
pub(crate) use pages::PageArgs;
pub(crate) use roles::{Agent, FleetPlace, Hub};
pub(crate) use run::{Run, TriggerArg};
pub(crate) use slo::{
    Report, ReportFormat, ReportKind, Slo, SloAdjust, SloCheck, SloCommand, SloExport, SloImport, SloSimulate,
};

/// Synthetic monitoring from files: what your system is supposed to do, run on schedule and accounted for.
#[derive(Debug, Parser)]
#[command(
    name = "prober",
    version,
    max_term_width = 100,
    after_help = "\
Begin with `prober init`, or look at `prober demo`. `prober help COMMAND` has examples.
Nothing is ever sent anywhere but to the targets, exporters and routes that you name."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The project: a folder with a prober.yaml, or that file; default: here or in a folder above
    #[arg(long, short = 'C', global = true, value_name = "DIR", env = "PROBER_PROJECT")]
    pub(crate) project: Option<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Only errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project file and a first scenario
    Init(Init),
    /// Write the demo project, start its shop and watch it
    Demo(Demo),
    /// Look for mistakes in scenario files; offline, no secrets
    Validate(Validate),
    /// Run scenarios once, now
    Run(Run),
    /// Run scenarios on schedule; page, API and metrics on one address
    Serve(Serve),
    /// Probe for a region of a fleet
    Agent(Agent),
    /// Keep the account of a fleet: objectives, alerts, page, API and metrics
    Hub(Hub),
    /// Show the scenarios with their regions and schedules
    List(List),
    /// Show what the files here would change, against a commit, a folder or a running server
    Diff(Diff),
    /// Publish the scenarios to a fleet, or bring an earlier version back
    Push(Push),
    /// Show when scenarios run next
    Schedule(Schedule),
    /// Make scenarios from the files of another tool
    Import(Import),
    /// Bring files into their canonical form; comments stay
    Fmt(Fmt),
    /// Test who is told when something goes wrong, and try the routes that alerts go to
    Alerts(Alerts),
    /// Judge stored events again, and what a change of an objective would have made of them
    Replay(Replay),
    /// Show stored events
    Events(Events),
    /// Show a run, a scenario, or what an error code or a word of the language means
    Explain(Explain),
    /// Show what is promised and how it stands; check, simulate, export and import objectives
    Slo(Slo),
    /// Write the report for the weekly review
    Report(Report),
    /// Make what a fleet of several probers needs
    Fleet(Fleet),
    /// Look at what this machine has for a prober
    Doctor(Doctor),
    /// Show every setting, and where its value comes from
    Config(Config),
    /// Print a shell's completions
    Completions(Completions),
    /// Show the version and what it knows
    Version(Version),
    /// Write the manual pages, for packages
    #[command(hide = true)]
    Man(Man),
    /// Print the names of the scenarios, for completions
    #[command(hide = true)]
    Names,
    /// Print the JSON Schema of a file, for editors
    Schema(Schema),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where; default: here
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the demo project is written, once
    #[arg(default_value = "demo")]
    pub(crate) dir: PathBuf,
    /// Address of page, API and metrics
    #[arg(long, default_value = "127.0.0.1:9899", value_parser = output::address)]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober validate                              the whole project
  prober validate scenarios/checkout.yaml --strict
  prober validate --format sarif > prober.sarif
  prober validate --report junit=validate.xml --report sarif=prober.sarif")]
pub(crate) struct Validate {
    /// Scenario files, folders or project files, or `-` for standard input; default: the project
    pub(crate) paths: Vec<PathBuf>,
    /// Set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Files, folders or project files, or `-` for standard input; default: the project
    pub(crate) paths: Vec<PathBuf>,
    /// Write nothing; name the files that would change, and exit with code 2 if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Write nothing; show what would change
    #[arg(long)]
    pub(crate) diff: bool,
    /// Also bring files to the newest version of the language
    #[arg(long)]
    pub(crate) upgrade: bool,
}

/// Which scenarios, with which variables.
#[derive(Debug, Default, Args)]
pub(crate) struct Choice {
    /// Scenario names, files or folders; default: all of the project
    pub(crate) which: Vec<String>,
    /// Only in this region; may be repeated
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// Only scenarios with this label: NAME=VALUE; may be repeated, all must fit
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Slow,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Serve {
    /// Only in this region; may be repeated; default: all of the project
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// Set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
    /// Runs in flight at once; default: from the limit on open files
    #[arg(long, value_name = "N")]
    pub(crate) in_flight: Option<usize>,
    #[command(flatten)]
    pub(crate) lasting: Lasting,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober events verdict=bad since=1h
  prober events scenario=checkout,login region!=us 'duration>2'
  prober events 'status>=500' 'message~timed out' label.tier=1
  prober events --format jsonl -n 1000 | jq -r '.[\"error.type\"]'

Short names: class, error, message, step, owner, service, duration (took), status, kind, trigger,
label.NAME.
Any other field of the event goes by its full name.")]
pub(crate) struct Events {
    /// Conditions, all must hold: scenario=NAME region=NAME verdict=bad reason=failed since=1h until=5m,
    /// or any field of the event with = != ~ < <= > >=, such as `http.response.status_code>=500`; commas mean or
    pub(crate) conditions: Vec<String>,
    /// Where events are stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 50)]
    pub(crate) limit: usize,
    /// Oldest first
    #[arg(long)]
    pub(crate) oldest_first: bool,
    /// How events are shown
    #[arg(long, value_enum, default_value_t = ListFormat::Human)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober explain checkout            the last run, and how it differs from the last good one
  prober explain 01jd8f3c --curl     commands that ask the same, secrets left out
  prober explain E102                what a mistake means")]
pub(crate) struct Explain {
    /// A run id or the first digits of one, a scenario's name, an error code such as E102, a kind, operator
    /// or key, or one of: language, kinds, operators; `slo` or `vars` and a name for what its objective means
    /// in runs, or what its variables are
    pub(crate) what: String,
    /// The scenario of `explain slo NAME` or `explain vars NAME`
    pub(crate) name: Option<String>,
    /// With `vars`: set a variable, stronger than any file: NAME=VALUE
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
    /// Where events are stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Only print the requests as curl commands
    #[arg(long)]
    pub(crate) curl: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of which file
    #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
    pub(crate) of: SchemaOf,
}

/// The files that have a schema.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A scenario file
    Scenario,
    /// The project file, prober.yaml
    Project,
    /// A template file
    Template,
    /// An SLO file, over several scenarios
    Slo,
}
