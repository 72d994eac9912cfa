//! Words of the roles of a fleet.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::output::address;
use super::{Engine, Lasting};

/// What both roles are told.
#[derive(Debug, Args)]
pub(crate) struct FleetPlace {
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// The keys whose scenario sets are believed: a file with a line for each, as `prober fleet init` writes it
    #[arg(long, value_name = "FILE", env = "PROBER_TRUST", default_value = "fleet/trusted-keys")]
    pub(crate) trust: PathBuf,
    #[command(flatten)]
    pub(crate) lasting: Lasting,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober agent --region eu --fleet fleet/login/agent-eu
  prober agent --region eu --fleet fleet/login/agent-eu --id eu-2 --data eu-2 --zone rack-2 --listen 127.0.0.1:9902

An agent probes what it owns of its region's scenario set (`prober push`), and shares the region's work with every other agent
of it. It goes on with the last good set when the servers are away, and deletes nothing that the hub does not have.")]
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
    /// Address where other agents of the region look whether this one answers: the runs of an agent that most of those who
    /// look do not reach start no alert; default: none
    #[arg(long, value_name = "ADDRESS:PORT", env = "PROBER_PEER_LISTEN", value_parser = address)]
    pub(crate) peer_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) fleet: FleetPlace,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prober hub --fleet fleet/login/hub
  prober hub --fleet fleet/login/hub --id hub-2 --data hub-2 --listen 127.0.0.1:9912

A hub keeps the account of all regions and shows what a single prober shows. Of several hubs each keeps a whole account; one of
them confirms and alerts.")]
pub(crate) struct Hub {
    /// On how many servers everything is kept: 1, 3 or 5; default: 3 where the login names as many servers, else 1
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<usize>,
    #[command(flatten)]
    pub(crate) fleet: FleetPlace,
}
