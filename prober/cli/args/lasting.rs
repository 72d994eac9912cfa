//! Words of whatever stays until it is stopped: `serve`, `agent`, `hub`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::PageArgs;
use super::output::address;

/// Where it stores, what it is called, and where its pages are.
#[derive(Debug, Default, Args)]
pub(crate) struct Lasting {
    /// Where events are stored; default: prober-data, beside the project file if there is one
    #[arg(long, value_name = "DIR", env = "PROBER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Address of page, API and metrics; elsewhere than on loopback see Pages; default: what the project's serve says, else 127.0.0.1:9899
    #[arg(long, env = "PROBER_LISTEN", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Name in events, and in a fleet; default: the host's name
    #[arg(long, value_name = "NAME", env = "PROBER_ID")]
    pub(crate) id: Option<String>,
    /// Threads that do the work; default: half of the cores
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) pages: PageArgs,
}
