//! What is known of a fleet: who is there, who has which work, and how far the account is.

use std::collections::BTreeSet;

use model::time::Timestamp;
use serde::Serialize;

/// Owners of one replica that are named.
const OWNERS_NAMED: usize = 12;

/// A fleet as one of its parts sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FleetView {
    /// `agent`, `hub`, or `status` for whoever only looks.
    pub role: &'static str,
    /// The name of whoever sees it.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The members; an agent knows itself only.
    pub members: Vec<MemberView>,
    /// The regions; an agent knows none.
    pub regions: Vec<RegionView>,
}

/// An agent or a hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// `agent` or `hub`.
    pub role: &'static str,
    /// Its region; empty for a hub.
    pub region: String,
    /// Its name.
    pub prober: String,
    /// How often its store was opened.
    pub boot: u64,
    /// What fails together with it; empty if it does not say.
    pub zone: String,
    /// Its version.
    pub build: String,
    /// Whether it gives its work away to end.
    pub draining: bool,
    /// The version of the scenario set that it applies.
    pub set_version: u64,
    /// Scenario sets that it refused.
    pub sets_refused: u64,
    /// Shards that it owns.
    pub shards: u64,
    /// Events in its store that the ledger may not have.
    pub behind_events: u64,
    /// Batches that wait for the ledger's word.
    pub waiting_batches: u64,
    /// Batches that the servers took.
    pub sent_batches: u64,
    /// Events that fit into no batch; 0 in a sound fleet.
    pub unsendable_events: u64,
    /// Its clock minus that of the servers, in milliseconds; `None` if it could not be compared.
    pub clock_offset_ms: Option<i64>,
    /// How wrong that may be, in milliseconds.
    pub clock_error_ms: Option<u64>,
    /// How many other agents look whether it answers, and how many of those have not reached it in two rounds.
    pub peers: u64,
    /// See [`MemberView::peers`].
    pub peers_failing: u64,
    /// Whether so many of them fail that its runs are not counted in the quorum.
    pub unvouched: bool,
    /// What it sees that is wrong with the servers, in a sentence each.
    pub server_troubles: Vec<String>,
    /// A hub's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerView>,
}

/// How far a hub's account is, and what it did not take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerView {
    /// Whether it confirms and alerts; others are ready to.
    pub active: bool,
    /// Every slot before it has its record, in every region.
    pub closed: Timestamp,
    /// Batches that were read.
    pub batches: u64,
    /// Their bytes.
    pub batch_bytes: u64,
    /// Their records.
    pub records: u64,
    /// Batches that came again.
    pub duplicate_batches: u64,
    /// Batches that were refused: unreadable, or not what their envelope says.
    pub refused_batches: u64,
    /// Records of another region or shard than their batch.
    pub foreign_records: u64,
    /// Records under a token that was overtaken.
    pub superseded_records: u64,
    /// Records of slots that nobody planned.
    pub unplanned_records: u64,
    /// Slots that nobody owned.
    pub no_owner_slots: u64,
    /// Slots of whose owner nothing was heard.
    pub dark_slots: u64,
}

/// A region's work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegionView {
    /// Its name.
    pub region: String,
    /// Agents that are there.
    pub members: u64,
    /// Shards that its work is cut into, those of each replica by themselves.
    pub shards: u64,
    /// Shards that somebody owns who is there.
    pub owned_shards: u64,
    /// The same for each replica; empty where there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaView>,
    /// The version of the scenario set that is published.
    pub set_version: Option<u64>,
    /// Every slot before it has its record; `None` if no hub says so.
    pub closed: Option<Timestamp>,
    /// Since when nothing is heard of a part of it; `None` if all of it is heard.
    pub dark_since: Option<Timestamp>,
}

/// One of several probers of the same work: each shard's is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplicaView {
    /// From 0; what has side effects has no other.
    pub replica: u16,
    /// Shards that it has.
    pub shards: u64,
    /// Shards of it that somebody owns who is there.
    pub owned_shards: u64,
    /// Who, by name.
    pub owners: Vec<OwnerView>,
}

/// How many shards of a replica somebody owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OwnerView {
    /// The agent.
    pub prober: String,
    /// How many.
    pub shards: u64,
}

impl ReplicaView {
    /// Its owners in words, after a colon; those that have most come first, and of many the others are counted.
    pub fn owners_words(&self) -> String {
        let mut owners: Vec<_> = self.owners.iter().collect();
        owners.sort_by(|one, other| (other.shards, &one.prober).cmp(&(one.shards, &other.prober)));
        let mut words: Vec<_> =
            owners.iter().take(OWNERS_NAMED).map(|one| format!("{} {}", one.prober, one.shards)).collect();
        if owners.len() > OWNERS_NAMED {
            words.push(format!("{} more", owners.len() - OWNERS_NAMED));
        }
        if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
    }
}

impl RegionView {
    /// Why some of its replicas have nobody, if there are too few agents for them.
    pub fn too_few(&self) -> Option<String> {
        let needed = self.replicas.len() as u64;
        (self.members < needed).then(|| {
            let agents = if self.members == 1 { "agent is" } else { "agents are" };
            format!("{} {agents} there for {needed} replicas", self.members)
        })
    }
}

impl FleetView {
    /// What is wrong with it, in a sentence each; empty if nothing is.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for one in &self.regions {
            if one.owned_shards < one.shards {
                let (missing, region) = (one.shards - one.owned_shards, &one.region);
                let why = one.too_few().map_or(String::new(), |why| format!(": {why}"));
                troubles
                    .push(format!("region {region}: nobody probes {missing} of {} shards{why}", one.shards));
            }
            if let Some(since) = one.dark_since {
                troubles.push(format!("region {}: nothing is heard of it since {since}", one.region));
            }
        }
        for one in &self.regions {
            let here = self.members.iter().filter(|member| member.region == one.region);
            let applied = here.map(|member| member.set_version).max().unwrap_or(0);
            let shown = one.set_version.unwrap_or(0);
            if applied > shown {
                let had = one.set_version.map_or("no set".to_owned(), |set| format!("set {set}"));
                troubles.push(format!(
                    "region {}: the servers have {had} and agents apply {applied}: they lost data or were rolled back",
                    one.region
                ));
            }
        }
        let hubs = self.members.iter().filter_map(|member| member.ledger.as_ref());
        if self.role == "status" && hubs.clone().all(|ledger| !ledger.active) {
            troubles.push("no hub confirms and alerts".to_owned());
        }
        let told: BTreeSet<&String> = self.members.iter().flat_map(|one| &one.server_troubles).collect();
        troubles.extend(told.into_iter().map(|trouble| format!("servers: {trouble}")));
        for one in self.members.iter().filter(|member| member.role == "agent") {
            let newest = self.regions.iter().find(|region| region.region == one.region);
            if newest.and_then(|region| region.set_version).is_some_and(|newest| newest > one.set_version) {
                troubles.push(format!(
                    "{}: applies an older version of the set, {}",
                    one.prober, one.set_version
                ));
            }
            if one.unvouched {
                troubles.push(format!(
                    "{}: {} of {} other agents do not reach it: its runs start no alert, for 12 minutes of an hour at most",
                    one.prober, one.peers_failing, one.peers
                ));
            }
            if one.sets_refused > 0 {
                troubles.push(format!("{}: refused {} scenario sets", one.prober, one.sets_refused));
            }
            if one.unsendable_events > 0 {
                troubles.push(format!("{}: {} events fit into no batch", one.prober, one.unsendable_events));
            }
        }
        troubles
    }
}
