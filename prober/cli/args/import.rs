//! The words of `prober import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober import gatus config.yaml                        prints the files
  prober import gatus config.yaml --into shop            writes a project into the folder
  prober import blackbox blackbox.yml --prometheus prometheus.yml --into shop
  prober import hurl checkout.hurl --var host=https://shop.example --into shop
  pbpaste | prober import curl -                         a command copied from a browser
  prober import openapi <(curl -s https://shop.example/openapi.json) --into shop

What has no place here becomes a comment `# not imported: …` and is counted at the end. Passwords, tokens and
cookies become references to secrets; their values are not written.")]
pub(crate) struct Import {
    /// What the file is
    #[arg(value_enum)]
    pub(crate) from: ImportFrom,
    /// The file or pipe, or `-` for standard input
    pub(crate) file: PathBuf,
    /// Write a project into this folder; nothing there is overwritten
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// The value of a variable that the file leaves open: NAME=VALUE; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) vars: Vec<String>,
    /// With `blackbox`: the settings of the Prometheus that asks it, for targets and intervals
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,
}

/// The files that can be imported.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFrom {
    /// Modules of Prometheus' blackbox exporter, as templates; with --prometheus also its targets
    Blackbox,
    /// Endpoints of Gatus
    Gatus,
    /// curl commands, as shells have them and browsers copy them
    Curl,
    /// A file of hurl: requests, captures, asserts
    Hurl,
    /// An `OpenAPI` 3 or Swagger 2 description: what can be read without changing anything
    Openapi,
    /// A recording of a browser (HTTP archive)
    Har,
    /// Probes of containers in Kubernetes manifests, and Probe resources of the Prometheus operator
    K8sProbe,
    /// Monitors of Elastic's Heartbeat
    Heartbeat,
}

impl ImportFrom {
    /// What it is called in texts.
    pub(crate) const fn shown(self) -> &'static str {
        match self {
            Self::Blackbox => "the blackbox exporter",
            Self::Gatus => "Gatus",
            Self::Curl => "curl commands",
            Self::Hurl => "hurl",
            Self::Openapi => "OpenAPI",
            Self::Har => "a browser's recording",
            Self::K8sProbe => "Kubernetes",
            Self::Heartbeat => "Heartbeat",
        }
    }
}
