//! An agent that dies, and one that leaves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleet::Ownership as _;
use fleet::assign::{SHARDS, place_of};

use super::common::figures::{Spread, held};
use super::common::say;
use super::setup::{FIRST, Fleet, Member, PATIENCE, REGION, on_runtime};

const READS: usize = 24;
const ORDERS: usize = 12;
const EVERY: Duration = Duration::from_secs(1);

/// What the design asks, in seconds.
const READS_MAX: f64 = 4.0;
const ORDERS_MAX: f64 = 16.0;
const HANDOVER_MAX: f64 = 1.0;

fn names(effects: bool) -> Vec<String> {
    let (word, count) = if effects { ("order", ORDERS) } else { ("read", READS) };
    (0..count).map(|number| format!("{word}{number}")).collect()
}

/// Kills, and then stops, agents so often.
pub(crate) fn measure(rounds: u64, (takeover, handover): (bool, bool)) {
    let fleet = Fleet::start();
    for name in names(false) {
        fleet.scenario(&name, "every: 1s\ntimeout: 900ms\nhttp: URL");
    }
    for name in names(true) {
        fleet.scenario(&name, "every: 1s\ntimeout: 900ms\nside_effects: true\nhttp: { method: POST, url: \"URL\", json: { marker: \"${run.id}\" } }");
    }
    fleet.push();
    let hub = fleet.hub("hub");
    let mut agents = BTreeMap::from(["a-1", "a-2", "a-3"].map(|id| (id, fleet.agent(id))));
    hub.until_ready();
    until_all_run(&fleet);
    if takeover {
        kills(&fleet, &mut agents, rounds);
    }
    if handover {
        stops(&fleet, &mut agents, rounds);
    }
}

/// Waits until every scenario was run once more, by whoever owns it.
fn until_all_run(fleet: &Fleet) {
    let since = Instant::now();
    let all = names(false).len() + names(true).len();
    testkit::wait::until_blocking("runs of all scenarios", PATIENCE, || {
        first_runs(fleet, since).len() == all
    });
    testkit::wait::until_blocking("work for each agent", PATIENCE, || owned(fleet, "a-1").len() > 2);
}

/// When each scenario was first run after `since`.
fn first_runs(fleet: &Fleet, since: Instant) -> BTreeMap<String, Instant> {
    let mut first = BTreeMap::new();
    for request in fleet.target.seen().into_iter().filter(|request| request.at > since) {
        first.entry(request.path.trim_start_matches('/').to_owned()).or_insert(request.at);
    }
    first.remove(FIRST);
    first
}

/// The scenarios that an agent owns, with whether they have side effects.
fn owned(fleet: &Fleet, id: &str) -> BTreeMap<String, bool> {
    let owners = on_runtime(async {
        let nats = fleet.nats().await;
        nats.owners(REGION).await.expect("the servers are there")
    });
    let of_id = |number: u16| {
        let mut owners = owners.iter().filter(|owner| owner.shard.number == number);
        owners.any(|owner| owner.holder.as_ref().is_some_and(|holder| holder.prober == id))
    };
    let all = [false, true]
        .into_iter()
        .flat_map(|effects| names(effects).into_iter().map(move |name| (name, effects)));
    all.filter(|(name, effects)| of_id(place_of(name, *effects, SHARDS))).collect()
}

fn kills(fleet: &Fleet, agents: &mut BTreeMap<&'static str, Member>, rounds: u64) {
    let (mut reads, mut orders) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for round in 0..rounds {
        let id = ["a-1", "a-2", "a-3"][usize::try_from(round % 3).expect("a small number")];
        until_all_run(fleet);
        let had = owned(fleet, id);
        let killed = Instant::now();
        agents.remove(id).expect("it runs").kill();
        for (effects, (claims, runs)) in [(false, &mut reads), (true, &mut orders)] {
            let mine: Vec<_> = had.iter().filter(|(_, of)| **of == effects).map(|(name, _)| name).collect();
            if mine.is_empty() {
                continue;
            }
            testkit::wait::until_blocking("a claim of all of it", PATIENCE, || {
                let left = owned(fleet, id);
                mine.iter().all(|name| !left.contains_key(*name))
            });
            claims.push(killed.elapsed().as_secs_f64());
            // A run that was going when the kill came may still arrive.
            let since = killed + Duration::from_millis(50);
            let last = testkit::wait::some_blocking("a run of all of it", PATIENCE, || {
                let first = first_runs(fleet, since);
                mine.iter()
                    .map(|name| first.get(*name).copied())
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .max()
            });
            runs.push(last.saturating_duration_since(killed).as_secs_f64());
        }
        agents.insert(id, fleet.agent(id));
    }
    for (what, (claims, runs), most) in
        [("reads only", reads, READS_MAX), ("side effects", orders, ORDERS_MAX)]
    {
        if claims.is_empty() {
            say(&format!("takeover, {what}: the agents that were killed had none"));
            continue;
        }
        let (claims, runs) = (Spread::of(claims), Spread::of(runs));
        let verdict = held(claims.max <= most);
        say(&format!(
            "takeover, {what}: claimed after {claims} s (goal ≤ {most} s: {verdict}), all of it run after {runs} s"
        ));
    }
}

fn stops(fleet: &Fleet, agents: &mut BTreeMap<&'static str, Member>, rounds: u64) {
    let (mut given, mut gaps) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let id = ["a-2", "a-3", "a-1"][usize::try_from(round % 3).expect("a small number")];
        until_all_run(fleet);
        let (had, asked) = (owned(fleet, id), Instant::now());
        let process = agents.remove(id).expect("it runs").ask_to_stop();
        testkit::wait::until_blocking("all of it given away", PATIENCE, || owned(fleet, id).is_empty());
        given.push(asked.elapsed().as_secs_f64());
        process.wait(PATIENCE);
        until_all_run(fleet);
        let seen = fleet.target.seen();
        let longest = had.keys().map(|name| {
            let from = asked.checked_sub(2 * EVERY).expect("the machine runs for longer");
            let runs = seen
                .iter()
                .filter(|request| request.at > from && request.path.trim_start_matches('/') == name);
            let times: Vec<_> = runs.map(|request| request.at).collect();
            let gaps = times.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
            gaps.max().unwrap_or_default().saturating_sub(EVERY).as_secs_f64()
        });
        gaps.push(longest.fold(0.0, f64::max));
        agents.insert(id, fleet.agent(id));
    }
    let (given, gaps) = (Spread::of(given), Spread::of(gaps));
    say(&format!(
        "handover: all given after {given} s; the longest gap between two runs is {gaps} s over the interval (goal < {HANDOVER_MAX} s: {})",
        held(gaps.max < HANDOVER_MAX)
    ));
}
