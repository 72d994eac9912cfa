//! Words of the roles of a fleet.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::PageArgs;

/// What both roles are told.
#[derive(Debug, Args)]
pub(crate) struct FleetPlace {
    /// Where the fleet's NATS servers are: `nats://HOST:4222` or `tls://HOST:4222`, several with commas; a URL may
    /// carry `USER:PASSWORD@`, and then stands better in the environment
    #[arg(long = "fleet", value_name = "URLS", env = "PROBER_FLEET", hide_env_values = true)]
    pub(crate) urls: String,
    /// The keys whose scenario sets are believed: a file with a line for each
    #[arg(long, value_name = "FILE", env = "PROBER_TRUST")]
    pub(crate) trust: PathBuf,
    /// Authorities that TLS trusts beside the system's: a PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) fleet_ca: Option<PathBuf>,
    /// Where events are stored
    #[arg(long, value_name = "DIR", env = "PROBER_DATA", default_value = "prober-data")]
    pub(crate) data: PathBuf,
    /// Name in events and in the fleet; default: the host's name
    #[arg(long, value_name = "NAME", env = "PROBER_ID")]
    pub(crate) id: Option<String>,
    /// Address of page, API and metrics; elsewhere than on loopback see Pages; default: 127.0.0.1:9899
    #[arg(long, env = "PROBER_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Threads; default: half of the cores
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) pages: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober agent --region eu --fleet nats://broker:4222 --trust trusted.keys
  PROBER_FLEET=tls://agent-eu:PASSWORD@broker:4222 prober agent --region eu --trust trusted.keys --zone rack-2")]
pub(crate) struct Agent {
    /// The region that it probes for
    #[arg(long, value_name = "NAME", env = "PROBER_REGION")]
    pub(crate) region: String,
    /// What fails together with this machine, such as a rack or a provider
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) zone: String,
    /// Runs in flight at once; default: from the limit on open files
    #[arg(long, value_name = "N")]
    pub(crate) in_flight: Option<usize>,
    #[command(flatten)]
    pub(crate) fleet: FleetPlace,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober hub --fleet nats://broker:4222 --trust trusted.keys
  prober hub --fleet nats://b1:4222,nats://b2:4222,nats://b3:4222 --replicas 3 --trust trusted.keys")]
pub(crate) struct Hub {
    /// On how many servers the engine keeps everything: 1, 3 or 5
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replicas: usize,
    #[command(flatten)]
    pub(crate) fleet: FleetPlace,
}
