//! The words of `prober slo` and `prober report`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::output::FactsFormat;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true,
    after_help = "\
Examples:
  prober slo                          every objective: budget, burn, what one failure costs
  prober slo checkout                 one of them, with what trips each rule
  prober slo check                    whether so few runs can show what is promised
  prober slo simulate checkout        how soon an outage is seen, and how often chance pages
  prober slo adjust checkout --from … --to … --author … --reason …
  prober slo export prometheus > rules.yaml
  prober slo import openslo slo.yaml > slos/shop.yaml"
)]
pub(crate) struct Slo {
    /// The objective's name, or that of its scenario; default: all
    pub(crate) name: Option<String>,
    /// Where events are stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// How objectives are shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
    #[command(subcommand)]
    pub(crate) command: Option<SloCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SloCommand {
    /// Say whether so few runs can show what is promised, and whether noise can be told from trouble
    Check(SloCheck),
    /// Simulate how soon a total outage is seen, and how often chance wakes somebody
    Simulate(SloSimulate),
    /// Show what it would change if runs of the past did not count, and write the entry for prober.yaml
    Adjust(SloAdjust),
    /// Write the objectives for another tool
    Export(SloExport),
    /// Write an SLO file from that of another tool
    Import(SloImport),
}

#[derive(Debug, Args)]
pub(crate) struct SloCheck {
    /// The objective's name, or that of its scenario; default: all
    pub(crate) name: Option<String>,
    /// Where events are stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Exit with code 2 if anything is to be said
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SloSimulate {
    /// The objective's name, or that of its scenario; default: all
    pub(crate) name: Option<String>,
    /// The share of runs that fail by chance while all is well, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.05)]
    pub(crate) background: f64,
    /// Outages that are tried
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) trials: u32,
    /// Months of chance at most
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) months: u32,
    /// What chance begins with; the same number gives the same answer
    #[arg(long, value_name = "N", default_value_t = slo::simulate::SEED)]
    pub(crate) seed: u64,
    /// How the answer is shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober slo adjust checkout --from 2026-03-01T22:00:00+01:00 --to 2026-03-01T22:40:00+01:00 \\
      --author team-checkout --reason \"the load test of that night was ours\"

Standard output is the entry for `adjustments` in prober.yaml, with the time of now; what it changes stands on standard
error. Nothing is changed by this command: what is in the files, and who put it there, stays with the files.")]
pub(crate) struct SloAdjust {
    /// The objective's name, or that of its scenario
    pub(crate) name: String,
    /// The start of the first slot that does not count, with its offset
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,
    /// The end: slots that start then or later count
    #[arg(long, value_name = "TIME")]
    pub(crate) to: String,
    /// Only runs of this scenario; may be repeated
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<String>,
    /// Only runs in this region; may be repeated
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// Whose word it is
    #[arg(long, value_name = "WHO")]
    pub(crate) author: String,
    /// Why these runs do not count
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Where events are stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What the other tool cannot hold is listed on standard error, and the exit code is 2 then; with --lossy it is 0.")]
pub(crate) struct SloExport {
    /// For which tool
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(slo::rules::FORMATS.iter().map(|format| format.name)))]
    pub(crate) tool: String,
    /// The objectives' names, or those of their scenarios; default: all
    pub(crate) names: Vec<String>,
    /// Take it that something is lost
    #[arg(long)]
    pub(crate) lossy: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SloImport {
    /// From which tool
    #[arg(value_enum)]
    pub(crate) tool: SloImportTool,
    /// Its file
    pub(crate) file: PathBuf,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SloImportTool {
    /// OpenSLO v1
    #[value(name = "openslo")]
    OpenSlo,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober report weekly > review.md
  prober report weekly --format html > review.html
  prober report weekly --until 2026-03-02        the week before that day")]
pub(crate) struct Report {
    /// Which report
    #[arg(value_enum)]
    pub(crate) what: ReportKind,
    /// The end of the week, a time or a day; default: now
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Where events are stored; default: prober-data beside the project file
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Markdown)]
    pub(crate) format: ReportFormat,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportKind {
    /// What was promised and what came of it, for the weekly review
    Weekly,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Markdown
    Markdown,
    /// A page of its own
    Html,
    /// JSON
    Json,
}
