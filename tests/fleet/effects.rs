//! Work with side effects: whatever happens to its owners, the target never sees a slot twice, and what it may have seen is named.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::time::{Clock as _, SystemClock};
use rustix::process::Signal;
use serde_json::Value;
use testkit::wait;

use super::{Fleet, PATIENCE, faults, lost, no_slot_twice, totals};
use crate::support::{Dice, Serving, text};

const ORDERS: usize = 6;

/// How often the target saw each slot.
fn markers(fleet: &Fleet) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for request in fleet.target.seen().iter().filter(|request| request.path.starts_with("/order")) {
        // A request that was cut off has no whole body, and did nothing.
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { continue };
        *seen.entry(text(&body, "marker").to_owned()).or_insert(0) += 1;
    }
    seen
}

fn is_order(event: &Value) -> bool {
    text(event, "prober.scenario.name").starts_with("order")
}

/// Waits until every scenario has ordered something after `since`. The target is asked and not the hub, which has enough to do.
fn until_all_order_after(fleet: &Fleet, since: Instant) {
    wait::until_blocking("orders of all scenarios", PATIENCE, || {
        let seen = fleet.target.seen();
        let fresh = seen.iter().filter(|request| request.at > since && request.path.starts_with("/order"));
        fresh.map(|request| request.path.as_str()).collect::<BTreeSet<_>>().len() == ORDERS
    });
}

fn until_all_order(fleet: &Fleet) {
    until_all_order_after(fleet, Instant::now());
}

/// Everything that the hub has; it may be too busy to answer at once.
fn all_events(hub: &Serving) -> Vec<Value> {
    let api = hub.api();
    wait::until_blocking("an answer of the hub", PATIENCE, || {
        api.try_get("/api/v1/events?limit=1000").is_some_and(|answer| answer.status == 200)
    });
    api.events("")
}

/// No slot was seen twice, and one that was seen without an event of its run is said to be possibly sent.
fn nothing_twice_and_all_of_it_named(fleet: &Fleet, events: &[Value]) {
    let seen = markers(fleet);
    for (slot, count) in &seen {
        assert_eq!(*count, 1, "slot {slot} was ordered {count} times");
    }
    // The newest word about a slot: an event takes the place of a miss that was declared before it.
    let mut said: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events.iter().filter(|event| is_order(event)) {
        said.entry(text(event, "prober.slot.id")).or_default().push(event);
    }
    for (slot, events) in said {
        if events.iter().any(|event| text(event, "prober.verdict") != "missed") {
            continue;
        }
        let flags: Vec<_> = events.iter().map(|event| &event["prober.slot.maybe_sent"]).collect();
        let is_known = flags.iter().any(|flag| flag.is_boolean());
        let maybe = flags.iter().any(|flag| **flag == Value::Bool(true));
        if is_known && seen.contains_key(slot) {
            assert!(maybe, "slot {slot} was ordered, and is said not to be: {events:#?}");
        }
    }
}

#[test]
fn owners_that_are_killed_order_nothing_twice_and_name_what_they_may_have_ordered() {
    let fleet = Fleet::with_orders(1, ORDERS);
    let hub = fleet.hub("hub");
    let names = ["a-1", "a-2", "a-3"];
    let mut agents: BTreeMap<&str, Serving> = names.iter().map(|id| (*id, fleet.agent(id))).collect();
    until_all_order(&fleet);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for round in 0..faults() {
        let id = names[usize::try_from(dice.below(3)).unwrap()];
        agents.remove(id).unwrap().kill();
        // The instant that matters is any; now and then the others take over meanwhile.
        let away = if round % 16 == 5 { 17_000 } else { dice.below(600) };
        std::thread::sleep(Duration::from_millis(away));
        agents.insert(id, fleet.agent(id));
        std::thread::sleep(Duration::from_millis(dice.below(900)));
    }
    until_all_order(&fleet);
    let end = SystemClock.now();
    wait::until_blocking("a closed account", PATIENCE, || fleet.closed("hub") > end);
    let events = all_events(&hub);
    no_slot_twice(&events);
    nothing_twice_and_all_of_it_named(&fleet, &events);
    let interrupted: Vec<_> = events
        .iter()
        .filter(|event| is_order(event) && text(event, "prober.verdict.reason") == "interrupted")
        .collect();
    assert!(interrupted.iter().all(|event| event["prober.slot.maybe_sent"].is_boolean()), "{interrupted:#?}");
    assert!(!interrupted.is_empty(), "no kill hit anything");
    let (measured, _) = totals(&fleet.settle(hub, "hub"));
    assert!(measured > 0);
}

/// How many shards an agent owns.
fn owned(agent: &Serving) -> u64 {
    let answer = agent.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    view["members"][0]["shards"].as_u64().unwrap_or(0)
}

#[test]
fn an_owner_that_stood_still_is_fenced_before_its_first_request() {
    let fleet = Fleet::with_orders(1, ORDERS);
    let hub = fleet.hub("hub");
    let agents = [fleet.agent("a-1"), fleet.agent("a-2")];
    until_all_order(&fleet);
    wait::until_blocking("work for both", PATIENCE, || agents.iter().all(|agent| owned(agent) > 20));
    let rounds = if faults() >= 100 { 4 } else { 1 };
    for round in 0..rounds {
        let still = &agents[round % 2];
        still.signal(Signal::STOP);
        let stopped = Instant::now();
        // The other one has all of it when the first one's membership has ended.
        until_all_order_after(&fleet, stopped + Duration::from_secs(2));
        if faults() >= 100 {
            std::thread::sleep(Duration::from_mins(1).saturating_sub(stopped.elapsed()));
        }
        still.signal(Signal::CONT);
        let resumed = SystemClock.now();
        wait::until_blocking("some time together", PATIENCE, || fleet.closed("hub") > resumed);
        until_all_order(&fleet);
    }
    let events = all_events(&hub);
    no_slot_twice(&events);
    nothing_twice_and_all_of_it_named(&fleet, &events);
    drop(agents);
    let (measured, _) = totals(&fleet.settle_until_now(hub, "hub"));
    assert!(measured > 0);
}

#[test]
fn orders_are_handed_over_without_a_gap_and_go_on_over_another_set() {
    let mut fleet = Fleet::with_orders(1, ORDERS);
    let hub = fleet.hub("hub");
    let agents = ["a-1", "a-2"].map(|id| fleet.agent(id));
    until_all_order(&fleet);
    let calm = SystemClock.now();
    wait::until_blocking("a calm account", PATIENCE, || fleet.closed("hub") > calm);
    let from = SystemClock.now();
    let agents = fleet.restarted_one_by_one(agents);
    fleet.publish_again();
    wait::until_blocking("the other set", PATIENCE, || {
        agents.iter().all(|agent| agent.err().contains("another scenario set holds"))
    });
    until_all_order(&fleet);
    let to = SystemClock.now();
    wait::until_blocking("a closed account", PATIENCE, || fleet.closed("hub") >= to);
    let events = all_events(&hub);
    assert_eq!(lost(&events, from, to), [""; 0]);
    nothing_twice_and_all_of_it_named(&fleet, &events);
    no_slot_twice(&events);
}

/// After a kill what only reads is taken over soon, and what has side effects not before its owner has surely stopped.
/// `benches/fleet` measures how long that takes.
#[test]
fn what_has_side_effects_is_taken_over_later_than_what_reads() {
    let fleet = Fleet::with_orders(1, ORDERS);
    let hub = fleet.hub("hub");
    let agents = [fleet.agent("a-1"), fleet.agent("a-2")];
    until_all_order(&fleet);
    wait::until_blocking("work for both", PATIENCE, || agents.iter().all(|agent| owned(agent) > 20));
    let [first, second] = agents;
    first.kill();
    let killed = Instant::now();
    // 64 of the shards only read.
    wait::until_blocking("a takeover of what reads", PATIENCE, || owned(&second) >= 64);
    wait::until_blocking("a takeover of all", PATIENCE, || owned(&second) == 80);
    // Its last renewal was five seconds old at most.
    assert!(killed.elapsed() >= Duration::from_secs(9), "{:?}", killed.elapsed());
    until_all_order(&fleet);
    nothing_twice_and_all_of_it_named(&fleet, &all_events(&hub));
}
