//! What is shown of a fleet: from what its members say of themselves to the API, the metrics and the page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashboard::{FleetView, LedgerView, MemberView, OwnFact, OwnerView, RegionView, ReplicaView};
use export::prometheus::FleetFamily;
use fleet::assign::{Layout, REPLICAS_MAX};
use fleet::nats::Nats;
use fleet::{ConfigSource as _, Fault, Member, Ownership as _, SetVersion, Shard};
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::peers::{Said, Unvouched, Vouching, tallies};
use super::servers::{Looks, about};
use super::{HUBS, layout};

/// The greatest version that a member is believed to apply.
const VERSION_MAX: u64 = 1 << 48;
/// How often a hub looks at the fleet.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Troubles with the servers of which a member tells.
const TROUBLES_TOLD: usize = 6;

/// Where the newest view of the fleet is.
pub(crate) type Shown = Option<Arc<FleetView>>;

/// Looks at the fleet: whoever is there, and the regions that are `named` or that somebody speaks of.
///
/// # Errors
/// The engine is away, or does not let us.
pub(crate) async fn look(nats: &Nats, role: &'static str, named: &[String]) -> Result<FleetView, Fault> {
    let members = nats.members("*").await?;
    let mut regions: BTreeSet<String> = named.iter().cloned().collect();
    for member in &members {
        let about = about(member);
        let told = about["regions"].as_array().into_iter().flatten().chain([&about["region"]]);
        regions.extend(told.filter_map(Value::as_str).map(str::to_owned));
    }
    regions.remove(HUBS);
    let mut view = FleetView { role, at: SystemClock.now(), ..FleetView::default() };
    for name in regions {
        view.regions.push(region(nats, name, &members).await?);
    }
    tell_closed(&mut view.regions, &members);
    view.members = members.iter().map(member_view).collect();
    let said: Vec<_> = members.iter().map(Said::of).collect();
    let tallies = tallies(&said);
    for (member, tally) in view.members.iter_mut().zip(tallies) {
        (member.peers, member.peers_failing, member.unvouched) =
            (tally.voters, tally.failing, tally.is_unvouched());
    }
    view.members.sort_by(|a, b| (&a.region, &a.prober).cmp(&(&b.region, &b.prober)));
    Ok(view)
}

/// Up to where the regions' accounts are closed, as the active hub says, or else another one.
fn tell_closed(regions: &mut [RegionView], members: &[Member]) {
    let ledgers = members.iter().map(|member| about(member)["ledger"].clone());
    let mut ledgers: Vec<_> = ledgers.filter(Value::is_object).collect();
    ledgers.sort_by_key(|ledger| ledger["active"] != true);
    let Some(ledger) = ledgers.first() else { return };
    for told in ledger["regions"].as_array().into_iter().flatten() {
        let of = regions.iter_mut().find(|region| told[0].as_str() == Some(&region.region));
        if let Some(region) = of {
            region.closed = told[1].as_i64().map(Timestamp::from_millis);
            region.dark_since = told[2].as_i64().map(Timestamp::from_millis);
        }
    }
}

/// The newest version of the set that a member says it applies, and who; `None` if nobody applies one.
///
/// # Errors
/// The engine is away, or does not let us.
pub(crate) async fn newest_applied(nats: &Nats) -> Result<Option<(SetVersion, String)>, Fault> {
    let members = nats.members("*").await?;
    let applied = members.iter().map(|member| (about(member)["set_version"].as_u64().unwrap_or(0), member));
    // Nothing of what members say is signed: nobody may use up all versions there are.
    let applied = applied.filter(|(version, _)| (1..=VERSION_MAX).contains(version));
    let newest = applied.max_by_key(|(version, _)| *version);
    Ok(newest.map(|(version, member)| (SetVersion(version), member.who.prober.clone())))
}

/// How many replicas a region has, as whoever knows its set says; what is said is not believed beyond the bound.
fn replicas(region: &str, members: &[Member]) -> u16 {
    let told = members.iter().filter_map(|member| {
        let about = about(member);
        let own = about["region"] == region;
        if own { about["replicas"].as_u64() } else { about["replicas"][region].as_u64() }
    });
    let most = told.max().unwrap_or(1).clamp(1, u64::from(REPLICAS_MAX));
    u16::try_from(most).unwrap_or(REPLICAS_MAX)
}

/// Who has how many shards of each replica, if there are several.
fn replica_views(layout: &Layout, owned: &[(Shard, &str)]) -> Vec<ReplicaView> {
    if layout.replicas < 2 {
        return Vec::new();
    }
    let view = |replica: u16| {
        let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, prober) in owned.iter().filter(|(seat, _)| seat.replica == replica) {
            *owners.entry(prober).or_default() += 1;
        }
        let owners: Vec<_> = owners.into_iter().map(|(prober, shards)| (prober.to_owned(), shards)).collect();
        ReplicaView {
            replica,
            shards: layout.seats().filter(|seat| seat.replica == replica).count() as u64,
            owned_shards: owners.iter().map(|(_, shards)| shards).sum(),
            owners: owners.into_iter().map(|(prober, shards)| OwnerView { prober, shards }).collect(),
        }
    };
    (0..layout.replicas).map(view).collect()
}

async fn region(nats: &Nats, region: String, members: &[Member]) -> Result<RegionView, Fault> {
    let layout = layout(&region, replicas(&region, members));
    let here = |member: &&Member| about(member)["region"].as_str() == Some(&region);
    let alive: BTreeSet<_> = members.iter().filter(here).map(|member| &member.who).collect();
    let owners = nats.owners(&region).await?;
    let owned = owners.iter().filter_map(|owner| {
        let holder = owner.holder.as_ref().filter(|holder| alive.contains(holder))?;
        layout.has(owner.shard).then_some((owner.shard, holder.prober.as_str()))
    });
    let owned: Vec<_> = owned.collect();
    let (owned_shards, members) = (owned.len() as u64, alive.len() as u64);
    let replicas = replica_views(&layout, &owned);
    let set_version = nats.manifest(&region).await?.map(|manifest| manifest.version.0);
    let shards = layout.seats().count() as u64;
    let (closed, dark_since) = (None, None);
    Ok(RegionView { members, shards, owned_shards, replicas, set_version, region, closed, dark_since })
}

/// What a member says of itself; what it does not say is 0 or empty.
pub(super) fn member_view(member: &Member) -> MemberView {
    let about = about(member);
    let number = |name: &str| about[name].as_u64().unwrap_or(0);
    let text = |name: &str| about[name].as_str().unwrap_or_default().chars().take(64).collect::<String>();
    let is_hub = about["region"] == HUBS;
    MemberView {
        role: if is_hub { "hub" } else { "agent" },
        region: if is_hub { String::new() } else { text("region") },
        prober: member.who.prober.clone(),
        boot: member.who.boot,
        zone: text("zone"),
        build: text("build"),
        draining: about["draining"].as_bool().unwrap_or(false),
        set_version: number("set_version"),
        sets_refused: number("sets_refused"),
        shards: number("shards"),
        behind_events: number("behind_events"),
        waiting_batches: number("waiting_batches"),
        sent_batches: number("sent_batches"),
        unsendable_events: number("unsendable_events"),
        clock_offset_ms: about["clock_offset_ms"].as_i64(),
        clock_error_ms: about["clock_error_ms"].as_u64(),
        peers: 0,
        peers_failing: 0,
        unvouched: false,
        server_troubles: about["server_troubles"]
            .as_array()
            .into_iter()
            .flatten()
            .take(TROUBLES_TOLD)
            .map(sentence)
            .collect(),
        ledger: about["ledger"].is_object().then(|| ledger_view(&about["ledger"])),
    }
}

/// What somebody says, as long as a sentence may be.
fn sentence(said: &Value) -> String {
    said.as_str().unwrap_or_default().chars().take(200).collect()
}

fn ledger_view(said: &Value) -> LedgerView {
    let number = |name: &str| said[name].as_u64().unwrap_or(0);
    LedgerView {
        active: said["active"].as_bool().unwrap_or(false),
        closed: Timestamp::from_millis(said["closed_ms"].as_i64().unwrap_or(0)),
        batches: number("batches"),
        batch_bytes: number("batch_bytes"),
        records: number("records"),
        duplicate_batches: number("duplicate_batches"),
        refused_batches: number("refused_batches"),
        foreign_records: number("foreign_records"),
        superseded_records: number("superseded_records"),
        unplanned_records: number("unplanned_records"),
        no_owner_slots: number("no_owner_slots"),
        dark_slots: number("dark_slots"),
    }
}

/// What every member says of itself.
pub(super) fn words(set_version: u64, sets_refused: u64, (offset, servers): &Looks) -> Value {
    let offset = *offset.borrow();
    let troubles: Vec<_> = servers.borrow().iter().take(TROUBLES_TOLD).cloned().collect();
    json!({
        "server_troubles": troubles,
        "build": env!("CARGO_PKG_VERSION"),
        "set_version": set_version,
        "sets_refused": sets_refused,
        "clock_offset_ms": offset.map(|(offset, _)| offset),
        "clock_error_ms": offset.map(|(_, error)| error),
    })
}

/// Looks at the fleet until `stop`; while the engine is away, what was seen last stays.
pub(super) async fn watch_fleet(
    nats: Nats,
    id: String,
    regions: watch::Receiver<Vec<String>>,
    (out, doubted): (watch::Sender<Shown>, watch::Sender<Unvouched>),
    stop: CancellationToken,
) {
    let watching = async {
        let mut vouching = Vouching::default();
        loop {
            let named = regions.borrow().clone();
            match look(&nats, "hub", &named).await {
                Ok(view) => {
                    let view = FleetView { id: id.clone(), ..view };
                    let those = view.members.iter().filter(|member| member.unvouched);
                    let those = those.map(|member| (member.region.clone(), member.prober.clone())).collect();
                    doubted.send_replace(vouching.turn(&those, Instant::now()));
                    out.send_replace(Some(Arc::new(view)));
                }
                Err(fault) => tracing::debug!("the fleet cannot be looked at: {fault}"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _stopped = Box::pin(stop.run_until_cancelled(watching)).await;
}

/// Takes a number from a member.
type OfMember = fn(&MemberView) -> Option<f64>;
/// Takes a number from a hub's account.
type OfLedger = fn(&LedgerView) -> f64;

/// Takes a number from a region.
type OfRegion = fn(&RegionView) -> Option<f64>;

const MEMBERS: [(&str, &str, OfMember); 12] = [
    ("prober_fleet_member_shards", "Shards that a member owns.", |one| Some(one.shards as f64)),
    ("prober_fleet_member_set_version", "The version of the scenario set that a member applies.", |one| {
        Some(one.set_version as f64)
    }),
    ("prober_fleet_refused_sets_total", "Scenario sets that a member refused.", |one| {
        Some(one.sets_refused as f64)
    }),
    ("prober_fleet_behind_events", "Events in a member's store that the ledger may not have.", |one| {
        Some(one.behind_events as f64)
    }),
    ("prober_fleet_waiting_batches", "Batches of a member that wait for the ledger's word.", |one| {
        Some(one.waiting_batches as f64)
    }),
    ("prober_fleet_sent_batches_total", "Batches of a member that the servers took.", |one| {
        Some(one.sent_batches as f64)
    }),
    ("prober_fleet_unsendable_events_total", "Events of a member that fit into no batch.", |one| {
        Some(one.unsendable_events as f64)
    }),
    ("prober_fleet_member_peers", "Other agents that look whether a member answers.", |one| {
        Some(one.peers as f64)
    }),
    ("prober_fleet_member_failing_peers", "Those of them that have not reached it in two rounds.", |one| {
        Some(one.peers_failing as f64)
    }),
    (
        "prober_fleet_member_unvouched",
        "Whether so many of them fail that the member's runs are not counted in the quorum: 1 or 0.",
        |one| Some(f64::from(u8::from(one.unvouched))),
    ),
    (
        "prober_fleet_server_troubles",
        "What a member sees that is wrong with the servers: too old, or not set up as a fleet needs it.",
        |one| Some(one.server_troubles.len() as f64),
    ),
    ("prober_fleet_clock_offset_seconds", "A member's clock minus that of the servers.", |one| {
        one.clock_offset_ms.map(|offset| offset as f64 / 1e3)
    }),
];

const LEDGERS: [(&str, &str, OfLedger); 12] = [
    ("prober_fleet_hub_active", "Whether the hub confirms and alerts: 1 or 0.", |one| {
        f64::from(u8::from(one.active))
    }),
    ("prober_fleet_closed_timestamp_seconds", "Every slot before it has its record.", |one| {
        one.closed.as_seconds_f64()
    }),
    ("prober_fleet_batches_total", "Batches that the hub read.", |one| one.batches as f64),
    ("prober_fleet_batch_bytes_total", "Bytes of those batches.", |one| one.batch_bytes as f64),
    ("prober_fleet_records_total", "Records in those batches.", |one| one.records as f64),
    ("prober_fleet_duplicate_batches_total", "Batches that came again.", |one| one.duplicate_batches as f64),
    (
        "prober_fleet_refused_batches_total",
        "Batches that are unreadable or not what their envelope says.",
        |one| one.refused_batches as f64,
    ),
    ("prober_fleet_foreign_records_total", "Records of another region or shard than their batch.", |one| {
        one.foreign_records as f64
    }),
    ("prober_fleet_superseded_records_total", "Records under a token that was overtaken.", |one| {
        one.superseded_records as f64
    }),
    ("prober_fleet_unplanned_records_total", "Records of slots that nobody planned.", |one| {
        one.unplanned_records as f64
    }),
    ("prober_fleet_no_owner_slots_total", "Slots missed because nobody owned them.", |one| {
        one.no_owner_slots as f64
    }),
    ("prober_fleet_dark_slots_total", "Slots missed because nothing was heard of their owner.", |one| {
        one.dark_slots as f64
    }),
];

const REGIONS: [(&str, &str, OfRegion); 5] = [
    ("prober_fleet_members", "Agents of a region that are there.", |one| Some(one.members as f64)),
    ("prober_fleet_shards", "Shards that a region's work is cut into.", |one| Some(one.shards as f64)),
    ("prober_fleet_owned_shards", "Shards that somebody owns who is there.", |one| {
        Some(one.owned_shards as f64)
    }),
    (
        "prober_fleet_region_closed_timestamp_seconds",
        "Every slot of the region before it has its record.",
        |one| Some(one.closed?.as_seconds_f64()),
    ),
    ("prober_fleet_region_dark", "Whether nothing is heard of a part of the region: 1 or 0.", |one| {
        one.closed?;
        Some(f64::from(u8::from(one.dark_since.is_some())))
    }),
];

/// The metrics of a fleet.
pub(crate) fn families(view: &FleetView) -> Vec<FleetFamily> {
    let labels = |one: &MemberView| {
        vec![("role", one.role.to_owned()), ("region", one.region.clone()), ("prober", one.prober.clone())]
    };
    let mut families = Vec::new();
    for (name, help, value) in MEMBERS {
        let series = view.members.iter().filter_map(|one| Some((labels(one), value(one)?)));
        families.push(FleetFamily { name, help, series: series.collect() });
    }
    for (name, help, value) in LEDGERS {
        // Each hub tells of itself: its own page is the one that is scraped.
        let own = view.members.iter().filter(|one| one.role == "hub" && one.prober == view.id);
        let series = own.filter_map(|one| Some((vec![], value(one.ledger.as_ref()?))));
        families.push(FleetFamily { name, help, series: series.collect() });
    }
    for (name, help, value) in REGIONS {
        let series =
            view.regions.iter().filter_map(|one| Some((vec![("region", one.region.clone())], value(one)?)));
        families.push(FleetFamily { name, help, series: series.collect() });
    }
    families.retain(|family| !family.series.is_empty());
    families
}

/// The fleet on the page about the prober.
pub(crate) fn facts(view: &FleetView) -> Vec<OwnFact> {
    let mut facts = Vec::new();
    let mut add =
        |group, name: String, value: String, is_bad| facts.push(OwnFact { group, name, value, is_bad });
    for one in &view.regions {
        let version = one.set_version.map_or("none".to_owned(), |version| version.to_string());
        let value = format!(
            "{} agents have {} of {} shards; set {version}{}",
            one.members,
            one.owned_shards,
            one.shards,
            one.dark_since.map_or(String::new(), |since| format!("; dark since {since}"))
        );
        let is_bad = one.owned_shards < one.shards || one.dark_since.is_some();
        add("Fleet regions", one.region.clone(), value, is_bad);
        for of in &one.replicas {
            let value = format!("{} of {} shards{}", of.owned_shards, of.shards, of.owners_words());
            let is_bad = of.owned_shards < of.shards;
            add("Fleet regions", format!("{}, replica {}", one.region, of.replica), value, is_bad);
        }
    }
    for one in &view.members {
        let clock = one.clock_offset_ms.map_or(String::new(), |offset| format!("; clock {offset:+} ms"));
        let draining = if one.draining { "; draining" } else { "" };
        let value = match &one.ledger {
            Some(ledger) => format!(
                "{}; account closed until {}; {} batches, {} refused{clock}",
                if ledger.active { "active" } else { "ready" },
                ledger.closed,
                ledger.batches,
                ledger.refused_batches
            ),
            None => format!(
                "{} shards, set {}, {} events behind, {} batches wait{clock}{draining}",
                one.shards, one.set_version, one.behind_events, one.waiting_batches
            ),
        };
        let name = if one.region.is_empty() {
            one.prober.clone()
        } else {
            format!("{} ({})", one.prober, one.region)
        };
        add("Fleet members", name, value, one.unsendable_events > 0 || one.sets_refused > 0);
    }
    facts
}
