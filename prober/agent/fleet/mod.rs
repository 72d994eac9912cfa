//! The roles of a fleet: `prober agent` probes, `prober hub` keeps the account.
//!
//! | module | holds |
//! | --- | --- |
//! | `engine` | from URLs to a client of the engine |
//! | `kept` | the last good scenario set: checked, kept on disk, unpacked for the compiler |
//! | `seats` | who probes what: claims, gives and takes work |
//! | `refusals` | what was refused, for the audit |
//! | `seeds` | the sets that a hub holds for servers that lost theirs |
//! | `servers` | whether the servers are as a fleet needs them |
//! | `sets` | scenario sets on their way from the engine to the compiler |
//! | `tenures` | under which token this prober owned which shard, and from when |
//! | `publish` | from the prober's store to the engine, until the ledger confirms |
//! | `begin` | what both roles do to begin |
//! | `peers` | whether other agents of the region answer, and what that makes of their runs |
//! | `probing` | the plans of what is owned, from when it is |
//! | `member` | the parts of an agent, and the order in which they end |
//! | `ledger` | from batches to the account: duplicates, fencing, misses |
//! | `ingest` | reads batches into the ledger and tells the probers |
//! | `hub` | the parts of a hub |
//! | `shown` | what is shown of a fleet: API, metrics, page |

mod begin;
pub(crate) mod engine;
pub(crate) mod hub;
mod ingest;
mod kept;
mod ledger;
pub(crate) mod member;
pub(super) mod peers;
mod probing;
pub(super) mod publish;
mod refusals;
mod seats;
mod seeds;
mod servers;
mod sets;
pub(crate) mod shown;
mod tenures;

use std::path::PathBuf;
use std::time::Duration;

use fleet::Shard;
use fleet::assign::{EFFECT_SHARDS, Layout, SHARDS, place_of};
use fleet::manifest::Trust;
use model::event::Origin;
use model::slot::Stream;

use super::load::Loaded;
use super::notify::Systemd;
use super::pages::Pages;
use super::secrets::Vault;
use crate::exit::Stop;

/// When a new owner begins whom the old one gave the work, after the claim: both know the claim's time, so no slot
/// falls between them and none runs twice.
const HANDOVER: Duration = Duration::from_secs(1);

/// The region in which hubs agree who is active.
const HUBS: &str = "_hub";

/// What the command line decides for both roles.
pub(crate) struct Settings {
    /// Where the engine is.
    pub(crate) engine: engine::Place,
    /// Whose scenario sets are believed.
    pub(crate) trust: Trust,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The name in events and in the fleet.
    pub(crate) id: String,
    /// The address of page, API and metrics.
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Who may see the pages.
    pub(crate) pages: Pages,
    pub(crate) vault: Vault,
    /// The service manager that started it, if one did.
    pub(crate) systemd: Systemd,
}

/// How a region's work is cut: so many replicas of as many shards as usual.
fn layout(region: &str, replicas: u16) -> Layout {
    Layout { region: region.into(), shards: SHARDS, effects: EFFECT_SHARDS, replicas }
}

/// Where in a region of so many shards a plan's work lies.
fn seat_of(origin: &Origin, shards: u16) -> Shard {
    let Stream { scenario, replica, .. } = &origin.stream;
    Shard { number: place_of(scenario, origin.side_effects, shards), replica: *replica }
}

/// Takes out of what was loaded what another role does: objectives, alerts and exporters are the hub's.
fn only_probing(mut loaded: Loaded) -> Loaded {
    loaded.promises = super::promises::Promises::default();
    loaded.routes_used.clear();
    loaded.routes = super::alerts::Routes::default();
    loaded.exporters.clear();
    loaded
}

fn environment(error: impl std::fmt::Display) -> Stop {
    Stop::environment(error.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_language_and_the_assignment_have_the_same_bound() {
        assert_eq!(i64::from(fleet::assign::REPLICAS_MAX), scenario::project::REPLICAS_MAX);
    }
}
