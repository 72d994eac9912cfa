//! The words of the commands about a fleet.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::FactsFormat;

#[derive(Debug, Args)]
pub(crate) struct Fleet {
    #[command(subcommand)]
    pub(crate) what: FleetCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Write the signing key, the servers' configuration and a login for each part of a fleet
    Init(FleetInit),
    /// Show who is there, who has which work, how far the account is, and what is wrong
    Status(FleetStatus),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober fleet status --fleet fleet/login/hub
  prober fleet status --fleet fleet/login/hub --format json --strict")]
pub(crate) struct FleetStatus {
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Exit with code 1 if something is wrong
    #[arg(long)]
    pub(crate) strict: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober fleet init                                    one server on this machine, the project's regions
  prober fleet init --region eu --region us fleet
  prober fleet init --leaf eu                          probers of eu reach the servers through one beside them
  prober fleet init --host n1.example --host n2.example --host n3.example \\
      --tls-cert server.crt --tls-key server.key --tls-ca ca.crt

What is there stays, and what is missing is made: a region more is the same command again. Then:
  nats-server -c fleet/nats/n1.conf                    the server (2.12.8 or newer), in the folder fleet/nats
  fleet/login/                                         who may do what: a file for each part, to be kept as a secret
  fleet/set-key.pem                                    what scenario sets are signed with: only where `prober push` runs
  fleet/trusted-keys                                   whose sets probers believe: for every agent and hub")]
pub(crate) struct FleetInit {
    /// Where
    #[arg(default_value = "fleet")]
    pub(crate) dir: PathBuf,
    /// A region; may be repeated; default: those of the project
    #[arg(long = "region", value_name = "NAME")]
    pub(crate) regions: Vec<String>,
    /// Host and port of a server as everybody reaches it; one, three or five of them
    #[arg(long = "host", value_name = "HOST[:PORT]", default_value = "127.0.0.1:4222")]
    pub(crate) hosts: Vec<String>,
    /// A region whose probers reach the servers through one of their own, and where that one listens; default: on this
    /// machine; may be repeated
    #[arg(long = "leaf", value_name = "REGION[=HOST[:PORT]]")]
    pub(crate) leaves: Vec<String>,
    /// The servers' certificate chain, as a path on their machines; needed for hosts that are not this machine
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"])]
    pub(crate) tls_cert: Option<String>,
    /// The certificate's key, as a path on their machines
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<String>,
    /// Who signed the servers' certificates, as a path on their machines
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_ca: Option<String>,
}

/// Where the fleet's servers are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Engine {
    /// The fleet's servers, with the login: `nats://USER:PASSWORD@HOST:4222`, several with commas between them; or the
    /// file of a login, as `prober fleet init` writes them
    #[arg(long = "fleet", value_name = "URL|FILE", env = "PROBER_FLEET", hide_env_values = true)]
    pub(crate) fleet: Option<String>,
    /// Whom TLS trusts beside the system: certificates in PEM
    #[arg(long = "fleet-ca", value_name = "FILE", env = "PROBER_FLEET_CA")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober push --fleet fleet/login/push --dry-run     what would be published
  prober push --fleet fleet/login/push
  prober push --fleet fleet/login/push --rollback 41 the sets of version 41 again, as a new version

All files are validated first; with a mistake nothing is published. Every region gets its part in one version, signed with a
key that the servers do not have. Probers apply a version whole or not at all.")]
pub(crate) struct Push {
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Only say what would be published
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Publish an earlier version again
    #[arg(long, value_name = "VERSION")]
    pub(crate) rollback: Option<u64>,
    /// What the sets are signed with
    #[arg(long, value_name = "FILE", env = "PROBER_SET_KEY", default_value = "fleet/set-key.pem")]
    pub(crate) key: PathBuf,
    /// Whose earlier versions are believed; default: trusted-keys beside the key, else the key alone
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Who publishes, as others will see it; default: the user at this host
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// How the outcome is shown
    #[arg(long, value_enum, default_value_t = FactsFormat::Human)]
    pub(crate) format: FactsFormat,
}
