//! Faults, and the account after them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fleet::nats::Nats;
use model::time::{Clock as _, SystemClock, Timestamp};
use rustix::process::Signal;
use testkit::wait;

use super::{
    Fleet, PATIENCE, SCENARIOS, account, faults, lost, no_slot_twice, on_runtime, totals, until_events,
};
use crate::support::{Dice, Serving, text};

#[test]
fn agents_hubs_and_leaders_that_are_killed_again_and_again_lose_nothing() {
    let mut fleet = Fleet::new(3);
    let mut hub = fleet.hub("hub");
    let names = ["a-1", "a-2", "a-3"];
    let mut agents: BTreeMap<&str, Serving> = names.iter().map(|id| (*id, fleet.agent(id))).collect();
    until_events(&hub, "verdict=good", SCENARIOS);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..faults() {
        let id = names[usize::try_from(dice.below(3)).unwrap()];
        agents.remove(id).unwrap().kill();
        if round % 4 == 1 {
            hub.kill();
            hub = fleet.hub("hub");
        }
        if round % 10 == 2 {
            kill_leader(&mut fleet);
        }
        // The instant that matters is any.
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        agents.insert(id, fleet.agent(id));
        std::thread::sleep(Duration::from_millis(dice.below(500)));
    }
    let after = SystemClock.now();
    wait::until_blocking("events after it", PATIENCE, || {
        let events = hub.api().events("verdict=good");
        let fresh = events.iter().filter(|event| scheduled(event) > after);
        fresh.map(|event| text(event, "prober.scenario.name")).collect::<BTreeSet<_>>().len() > SCENARIOS / 2
    });
    no_slot_twice(&hub.api().events(""));
    let (measured, _) = totals(&fleet.settle(hub, "hub"));
    assert!(measured > 0);
}

fn scheduled(event: &serde_json::Value) -> Timestamp {
    text(event, "prober.slot.scheduled").parse().unwrap()
}

/// Kills the server that leads the stream of batches, and starts it again.
fn kill_leader(fleet: &mut Fleet) {
    let settings = fleet.nats();
    let name = on_runtime(async {
        let nats = Nats::connect(settings).await.unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let told = nats.ask("$JS.API.STREAM.INFO.SLI").await.unwrap_or_default();
            if let Some(name) = told["cluster"]["leader"].as_str().filter(|name| !name.is_empty()) {
                return name.to_owned();
            }
            assert!(Instant::now() < end, "{told}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let index = fleet.cluster.nodes().iter().position(|node| node.name() == name).unwrap();
    fleet.cluster.node(index).kill();
    fleet.cluster.node(index).start();
}

#[test]
fn probing_goes_on_without_servers_and_all_of_it_arrives_when_they_are_back_empty() {
    let mut fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let agents = [fleet.agent("a-1"), fleet.agent("a-2")];
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    let gone = SystemClock.now();
    fleet.cluster.node(0).kill();
    // Nobody has to be asked to go on.
    let before = fleet.target.requests();
    let seconds = if faults() < 100 { 8 } else { 300 };
    let enough = before + seconds * SCENARIOS as u64 / 2;
    wait::until_blocking("probes without servers", PATIENCE + Duration::from_secs(seconds), || {
        fleet.target.requests() >= enough && SystemClock.now().since(gone) >= Duration::from_secs(seconds)
    });
    fleet.cluster.node(0).wipe();
    fleet.cluster.node(0).start();
    let back = SystemClock.now();
    wait::until_blocking("the account of that time", PATIENCE, || fleet.closed("hub") >= back);
    assert_eq!(lost(&hub.api().events(""), gone, back), [""; 0]);
    drop(agents);
    let closed = fleet.closed("hub");
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let away = account(&fleet.path("hub"), gone, back);
    let (measured, _) = totals(&away);
    assert!(measured >= seconds * SCENARIOS as u64 / 3, "{measured}");
    let all = account(&fleet.path("hub"), fleet.effective, closed);
    assert_eq!(all.violations, 0, "{all:#?}");
}

#[test]
fn an_agent_that_stood_still_is_overtaken_and_does_not_count_twice() {
    let fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let (first, second) = (fleet.agent("a-1"), fleet.agent("a-2"));
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    let has = |id: &str| {
        let events = hub.api().events("");
        events.iter().filter(|event| text(event, "prober.id") == id).count() > 0
    };
    wait::until_blocking("both probe", PATIENCE, || has("a-1") && has("a-2"));
    first.signal(Signal::STOP);
    let stopped = SystemClock.now();
    let shard_owner = |hub: &Serving| {
        let fresh = hub.api().events("verdict=good");
        let after = fresh.iter().filter(|event| {
            text(event, "prober.slot.scheduled").parse::<Timestamp>().is_ok_and(|at| at > stopped)
        });
        after.map(|event| text(event, "prober.scenario.name").to_owned()).collect::<BTreeSet<_>>()
    };
    // All that the first one had is probed by the second.
    wait::until_blocking("a takeover", PATIENCE, || shard_owner(&hub).len() >= SCENARIOS * 3 / 4);
    if faults() >= 100 {
        std::thread::sleep(Duration::from_mins(1));
    }
    first.signal(Signal::CONT);
    let resumed = SystemClock.now();
    wait::until_blocking("some time together", PATIENCE, || fleet.closed("hub") > resumed);
    no_slot_twice(&hub.api().events(""));
    drop(second);
    let closed = fleet.closed("hub");
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let account = account(&fleet.path("hub"), fleet.effective, closed);
    assert_eq!(account.violations, 0, "{account:#?}");
    drop(first);
}

#[test]
fn agents_that_are_restarted_one_by_one_miss_nothing() {
    let fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let agents = ["a-1", "a-2"].map(|id| fleet.agent(id));
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    // From here on nobody may miss anything.
    let calm = SystemClock.now();
    wait::until_blocking("a calm account", PATIENCE, || fleet.closed("hub") > calm);
    let from = SystemClock.now();
    let _agents = fleet.restarted_one_by_one(agents);
    let to = SystemClock.now();
    wait::until_blocking("a closed account", PATIENCE, || fleet.closed("hub") >= to);
    assert_eq!(lost(&hub.api().events(""), from, to), [""; 0]);
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let account = account(&fleet.path("hub"), from, to);
    assert_eq!(account.violations, 0, "{account:#?}");
}
