//! Regions whose scenarios are probed by several agents: never by one of them twice, zones apart, and what nobody could probe is named.

use std::collections::{BTreeMap, BTreeSet};

use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use super::{Fleet, PATIENCE, REGION, SCENARIOS, account, no_slot_twice, on_runtime, totals};
use crate::support::{Project, Serving, text};
use fleet::assign::SHARDS;
use fleet::nats::Nats;
use fleet::{Ownership as _, Shard};

const ORDERS: usize = 2;

fn agent(fleet: &Fleet, id: &str, zone: &str) -> Serving {
    fleet.start(&["agent", "--region", REGION, "--zone", zone], id)
}

fn scheduled(event: &Value) -> Timestamp {
    text(event, "prober.slot.scheduled").parse().unwrap()
}

fn replica(event: &Value) -> u64 {
    event["prober.replica"].as_u64().unwrap_or(0)
}

/// Scenario and replica of everything that ran after `since`, with the agents that ran it.
fn probed(hub: &Serving, since: Timestamp) -> BTreeMap<(String, u64), BTreeSet<String>> {
    let mut seen: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for event in ["verdict=good", "verdict=bad"].into_iter().flat_map(|query| hub.api().events(query)) {
        if scheduled(&event) > since {
            let stream = (text(&event, "prober.scenario.name").to_owned(), replica(&event));
            seen.entry(stream).or_default().insert(text(&event, "prober.id").to_owned());
        }
    }
    seen
}

/// Every scenario of the set with each of its replicas.
fn streams(fleet: &Fleet) -> Vec<(String, u64)> {
    let replicas = 0..u64::from(fleet.replicas);
    let scenarios =
        (0..SCENARIOS).flat_map(|number| replicas.clone().map(move |one| (format!("s{number}"), one)));
    scenarios.chain((0..fleet.orders).map(|number| (format!("order{number}"), 0))).collect()
}

/// Waits until every replica of every scenario has run after `since`; those of the set before may have run too.
fn until_all_run(fleet: &Fleet, hub: &Serving, since: Timestamp) {
    let all = streams(fleet);
    wait::until_blocking("a run of every replica", PATIENCE, || {
        let probed = probed(hub, since);
        all.iter().all(|stream| probed.contains_key(stream))
    });
}

/// Who owns what, by the engine's word; nothing that was let go.
fn owners(fleet: &Fleet) -> BTreeMap<Shard, String> {
    let settings = fleet.nats();
    let owners = on_runtime(async { Nats::connect(settings).await.unwrap().owners(REGION).await.unwrap() });
    owners.into_iter().filter_map(|owner| Some((owner.shard, owner.holder?.prober))).collect()
}

/// What the hub says of the region.
fn region(hub: &Serving) -> Value {
    let answer = hub.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    view["regions"][0].clone()
}

/// Waits until so many seats have an owner who is there.
fn until_owned(hub: &Serving, seats: u64) {
    wait::until_blocking(&format!("{seats} owned shards"), PATIENCE, || region(hub)["owned_shards"] == seats);
}

/// Up to where every seat that the set needs is declared, whoever said so.
fn declared(fleet: &Fleet, hub: &str) -> Timestamp {
    let state = std::fs::read_to_string(fleet.path(hub).join("fleet/ledger.json")).unwrap_or_default();
    let state: Value = serde_json::from_str(&state).unwrap_or_default();
    let shards = state["shards"].as_array().cloned().unwrap_or_default();
    let used = |name: String, replica: u64| {
        let number = fleet::assign::place_of(&name, name.starts_with("order"), SHARDS);
        let of = shards.iter().find(|one| one["number"] == number && one["replica"] == replica);
        of.and_then(|one| one["declared_ms"].as_i64()).unwrap_or(0)
    };
    let all = streams(fleet).into_iter();
    Timestamp::from_millis(all.map(|(name, replica)| used(name, replica)).min().unwrap_or(0))
}

#[test]
fn two_replicas_are_on_different_agents_and_one_agent_may_die() {
    let fleet = Fleet::with_replicas(2, ORDERS);
    let hub = fleet.hub("hub");
    let (first, second, third) =
        (agent(&fleet, "a-1", "x"), agent(&fleet, "a-2", "y"), agent(&fleet, "a-3", "y"));
    until_all_run(&fleet, &hub, Timestamp::default());
    let all = 2 * u64::from(SHARDS) + 16;
    until_owned(&hub, all);
    // Of two zones each has a replica of everything: `x` has one agent.
    let zones_apart = || {
        let owners = owners(&fleet);
        (0..SHARDS).all(|number| {
            let pair = [0, 1].map(|replica| owners.get(&Shard { number, replica }));
            pair[0] != pair[1] && pair.contains(&Some(&"a-1".to_owned()))
        })
    };
    wait::until_blocking("replicas in different zones", PATIENCE, zones_apart);
    let shown = region(&hub);
    assert_eq!(shown["replicas"].as_array().unwrap().len(), 2, "{shown:#}");
    let ran = Project::new("").prober(&["fleet", "status", "--fleet", &fleet.cluster.urls()]);
    assert!(ran.out.contains("  replica 0: 80 of 80 shards owned: a-"), "{ran:?}");
    assert!(ran.out.contains("  replica 1: 64 of 64 shards owned: a-"), "{ran:?}");
    second.kill();
    let killed = SystemClock.now();
    until_all_run(&fleet, &hub, killed);
    until_owned(&hub, all);
    let owners = owners(&fleet);
    for number in 0..SHARDS {
        let pair: BTreeSet<_> = [0, 1].map(|replica| owners[&Shard { number, replica }].clone()).into();
        assert_eq!(pair, BTreeSet::from(["a-1".to_owned(), "a-3".to_owned()]), "shard {number}");
    }
    let events = hub.api().events("");
    no_slot_twice(&events);
    let orders = events.iter().filter(|event| text(event, "prober.scenario.name").starts_with("order"));
    assert!(orders.clone().count() > 0 && orders.clone().all(|event| replica(event) == 0));
    // What is measured and exported is one series a region, with all replicas in it.
    let metrics = hub.api().get("/metrics");
    assert!(!metrics.contains("replica"), "{metrics}");
    let (measured, _) = totals(&fleet.settle(hub, "hub"));
    assert!(measured > 0);
    drop((first, third));
}

#[test]
fn replicas_for_which_there_is_no_agent_are_missed_without_an_owner_and_change_with_the_set() {
    let mut fleet = Fleet::with_replicas(2, 0);
    let hub = fleet.hub("hub");
    let alone = agent(&fleet, "a-1", "x");
    until_owned(&hub, u64::from(SHARDS) + 16);
    let began = SystemClock.now();
    let missed = |since: Timestamp| {
        let events = hub.api().events("verdict=missed");
        let late = events.into_iter().filter(|event| scheduled(event) > since);
        let words = late.map(|event| (text(&event, "prober.verdict.reason").to_owned(), replica(&event)));
        words.collect::<BTreeSet<_>>()
    };
    // One agent has one replica of each scenario. The other one is missed, and said to have nobody: the region is heard.
    wait::until_blocking("misses without an owner", PATIENCE, || {
        missed(began).iter().any(|(reason, _)| reason == "no_owner")
    });
    assert!(missed(began).iter().all(|(reason, _)| reason != "dark"), "{:?}", missed(began));
    let shown = region(&hub);
    assert!(shown["dark_since"].is_null() && shown["members"] == 1, "{shown:#}");
    let ran = Project::new("").prober(&["fleet", "status", "--fleet", &fleet.cluster.urls(), "--strict"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("nobody probes 64 of 144 shards: 1 agent is there for 2 replicas"), "{ran:?}");
    let ran = Project::new("").prober(&["doctor", "--fleet", &fleet.cluster.urls(), "--format", "json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let of = found.as_array().unwrap().iter().find(|one| one["check"] == "fleet agents");
    let (state, seen) = of.map(|one| (text(one, "state"), text(one, "seen"))).unwrap();
    assert_eq!((state, seen), ("warn", "region eu: 1 agent is there for 2 replicas"));
    // A second one has them from when it is there.
    let other = agent(&fleet, "a-2", "x");
    until_owned(&hub, 2 * u64::from(SHARDS) + 16);
    let both = SystemClock.now();
    until_all_run(&fleet, &hub, both);
    let agents: BTreeSet<_> = probed(&hub, both).into_values().flatten().collect();
    assert_eq!(agents, BTreeSet::from(["a-1".to_owned(), "a-2".to_owned()]));
    let until = SystemClock.now();
    wait::until_blocking("an account of that time", PATIENCE, || declared(&fleet, "hub") > until);
    // Another set has one replica, and the next one two again: what is not planned is not expected.
    for replicas in [1, 2] {
        fleet.replicas = replicas;
        fleet.publish_again();
        until_owned(&hub, u64::from(replicas) * u64::from(SHARDS) + 16);
        let changed = SystemClock.now();
        until_all_run(&fleet, &hub, changed);
    }
    no_slot_twice(&hub.api().events(""));
    let end = SystemClock.now();
    wait::until_blocking("a closed account", PATIENCE, || declared(&fleet, "hub") > end);
    let closed = declared(&fleet, "hub");
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let all = account(&fleet.path("hub"), fleet.effective, closed);
    assert_eq!((all.streams.len(), all.violations), (fleet.streams(), 0), "{all:#?}");
    let of = |replica: u16| {
        let streams = all.streams.iter().filter(|one| one.stream.replica == replica);
        streams.fold((0, 0), |(expected, recorded), one| (expected + one.expected, recorded + one.recorded()))
    };
    let [first, second] = [of(0), of(1)];
    assert!(first.0 == first.1 && second.0 == second.1 && second.0 < first.0, "{first:?} {second:?}");
    drop((alone, other));
}

#[test]
fn one_machine_probes_once_and_says_so() {
    let target = Server::start();
    target.on("/", Reply::ok("x"));
    let project = Project::new("regions: { eu: { replicas: 2 } }\n");
    project.scenario("home", &format!("every: 1s\ntimeout: 900ms\nhttp: {}\n", target.url("/")));
    let serving = project.serve();
    let events = serving.api().until_events("verdict=good", 3);
    assert!(events.iter().all(|event| replica(event) == 0), "{events:#?}");
    let said = serving.out() + &serving.err();
    assert!(said.contains("regions with replicas: eu (2); this prober is one"), "{said}");
    assert_eq!(serving.stop().0, Some(0));
}
