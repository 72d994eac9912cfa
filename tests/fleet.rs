//! A fleet on one machine: real NATS servers, agents and a hub as processes, faults, and the account at the end.
//!
//! After each fault: good + bad + ineligible + missed = expected for every closed slot, and none twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fleet::manifest::{SigningKey, Trust};
use fleet::nats::{Nats, Settings};
use fleet::publish::{Edition, Publisher, publish};
use fleet::set::{ALL_REGIONS, Role, ScenarioSet, SetFile};
use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use rustix::process::Signal;
use schedule::slots::Timetable;
use serde_json::Value;
use store::{Account, Store};
use tempfile::TempDir;
use testkit::http::{Reply, Server};
use testkit::servers::NatsCluster;
use testkit::wait;

use crate::support::{Serving, alone, text};

/// How long anything of a fleet may take on a busy machine: expiries and takeovers are parts of it.
const PATIENCE: Duration = Duration::from_mins(3);
const SCENARIOS: usize = 12;
const REGION: &str = "eu";

/// Servers, a target, a published set, and a folder for everybody's data.
struct Fleet {
    cluster: NatsCluster,
    target: Server,
    folder: TempDir,
    key: SigningKey,
    effective: Timestamp,
}

impl Fleet {
    /// Everything but the processes; the set holds from now on.
    fn new(nodes: usize) -> Self {
        let target = Server::start();
        target.on("/", Reply::ok("x"));
        let folder = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::generate().unwrap();
        fs::write(folder.path().join("trusted.keys"), key.public().line("tests") + "\n").unwrap();
        let mut made =
            Self { cluster: NatsCluster::start(nodes), target, folder, key, effective: Timestamp::default() };
        made.publish();
        made
    }

    fn files(&self) -> Vec<SetFile> {
        let file = |role, path: String, text: String| SetFile { role, path, text };
        let project = format!(
            "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nregions: {{ {REGION}: {{}} }}\nnetwork: {{ private: allow }}\ncontrol: {{ every: 10s }}\n"
        );
        let mut files = vec![file(Role::Project, "prober.yaml".to_owned(), project)];
        for number in 0..SCENARIOS {
            let url = self.target.url(if number % 4 == 3 { "/missing" } else { "/" });
            let text = format!("name: s{number}\naim: It works.\nevery: 1s\ntimeout: 900ms\nhttp: {url}\n");
            files.push(file(Role::Scenario, format!("scenarios/s{number}.yaml"), text));
        }
        files
    }

    fn nats(&self) -> Settings {
        let servers = self.cluster.urls().split(',').map(str::to_owned).collect();
        Settings { servers, login: None, authorities: Vec::new(), name: "test".to_owned() }
    }

    /// Publishes the set.
    fn publish(&mut self) {
        let edition = |region: &str| Edition {
            region: region.to_owned(),
            set: ScenarioSet::new(self.files()).unwrap(),
            plans: SCENARIOS as u64,
        };
        let (replicas, settings) = (self.cluster.nodes().len(), self.nats());
        let editions = vec![edition(ALL_REGIONS), edition(REGION)];
        let (key, trust) = (&self.key, Trust::of([self.key.public()]));
        let now = SystemClock.now();
        // It holds at once: nobody probes anything else yet.
        let publisher = Publisher {
            key,
            trust: &trust,
            now: now.minus(fleet::publish::EFFECTIVE_AFTER),
            author: "tests".to_owned(),
        };
        on_runtime(async {
            let nats = Nats::connect(settings).await.unwrap();
            let end = std::time::Instant::now() + PATIENCE;
            while let Err(fault) = nats.prepare(replicas).await {
                assert!(std::time::Instant::now() < end, "{fault}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            publish(&nats, &publisher, editions, false).await.unwrap();
        });
        self.effective = now;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, role: &[&str], id: &str) -> Serving {
        let urls = self.cluster.urls();
        let common = [
            "--fleet",
            &urls,
            "--trust",
            "trusted.keys",
            "--id",
            id,
            "--data",
            id,
            "--listen",
            "127.0.0.1:0",
        ];
        let args = [role, &common].concat();
        let env = [("PROBER_LOG".to_owned(), "info".to_owned())];
        Serving::start(self.folder.path(), &args, &env)
    }

    fn agent(&self, id: &str) -> Serving {
        self.start(&["agent", "--region", REGION], id)
    }

    fn hub(&self, id: &str) -> Serving {
        let replicas = self.cluster.nodes().len().to_string();
        self.start(&["hub", "--replicas", &replicas], id)
    }

    /// Up to where the hub's account is closed.
    fn closed(&self, hub: &str) -> Timestamp {
        let state = fs::read_to_string(self.path(hub).join("fleet/ledger.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        let used: BTreeSet<_> = (0..SCENARIOS)
            .map(|number| u64::from(fleet::assign::shard_of(&format!("s{number}"), fleet::assign::SHARDS)))
            .collect();
        let mut declared = BTreeMap::new();
        for shard in
            state["shards"].as_array().into_iter().flatten().filter(|shard| shard["region"] == REGION)
        {
            declared.insert(shard["number"].as_u64().unwrap(), shard["declared_ms"].as_i64().unwrap());
        }
        let all = used.iter().map(|number| declared.get(number).copied().unwrap_or(0));
        Timestamp::from_millis(all.min().unwrap_or(0))
    }

    /// Waits until every slot up to now is accounted for, ends the hub and gives its account.
    fn settle(&self, hub: Serving, id: &str) -> Account {
        let end = SystemClock.now();
        wait::until_blocking("a closed account", PATIENCE, || self.closed(id) >= end);
        let closed = self.closed(id);
        let (code, err) = hub.stop();
        assert_eq!(code, Some(0), "{err}");
        let account = account(&self.path(id), self.effective, closed);
        assert_eq!(account.streams.len(), SCENARIOS, "{account:#?}");
        for stream in &account.streams {
            assert_eq!(stream.expected, stream.recorded(), "{stream:?}");
        }
        assert_eq!(account.violations, 0);
        account
    }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

fn expected(stream: &Stream, cadence: &Cadence, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    Timetable::new(cadence, stream).map(|table| table.between(from, to).collect()).unwrap_or_default()
}

fn account(data: &Path, from: Timestamp, to: Timestamp) -> Account {
    let opened = Store::open(store::Config::new(data), Arc::new(SystemClock)).unwrap();
    opened.store.account(from, to, &expected).unwrap()
}

/// Good and bad of all streams, and missed.
fn totals(account: &Account) -> (u64, u64) {
    let measured = account.streams.iter().map(|stream| stream.good + stream.bad).sum();
    (measured, account.streams.iter().map(|stream| stream.missed).sum())
}

/// Waits until the hub has this many events that fit.
fn until_events(hub: &Serving, query: &str, count: usize) -> Vec<Value> {
    let api = hub.api();
    wait::some_blocking(&format!("{count} events with {query}"), PATIENCE, || {
        let events = api.events(query);
        (events.len() >= count).then_some(events)
    })
}

/// No event of a slot twice, except a miss that a late event took the place of.
fn no_slot_twice(events: &[Value]) {
    let mut seen = BTreeSet::new();
    for event in events.iter().filter(|event| text(event, "prober.verdict") != "missed") {
        assert!(seen.insert(text(event, "prober.slot.id")), "{event:#}");
    }
}

/// The slots from `from` to `to` that were lost because of who owned them when, and not because the machine is slow.
fn lost(events: &[Value], from: Timestamp, to: Timestamp) -> Vec<String> {
    let mut slots: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for event in events {
        let scheduled: Timestamp = text(event, "prober.slot.scheduled").parse().unwrap();
        if from <= scheduled && scheduled < to {
            let reason = text(event, "prober.verdict.reason");
            let name = text(event, "prober.scenario.name");
            slots
                .entry(text(event, "prober.slot.id"))
                .or_default()
                .push(format!("{reason} {name} {scheduled}"));
        }
    }
    let by_owners = ["no_owner", "interrupted", "drain", "no_lease"];
    let is_lost = |reason: &String| by_owners.iter().any(|word| reason.starts_with(word));
    let lost = slots.into_values().filter(|reasons| reasons.iter().all(is_lost));
    lost.map(|reasons| reasons.join(", ")).collect()
}

#[test]
fn agents_that_are_killed_again_and_again_lose_nothing() {
    let _turn = alone();
    let fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let names = ["a-1", "a-2", "a-3"];
    let mut agents: BTreeMap<&str, Serving> = names.iter().map(|id| (*id, fleet.agent(id))).collect();
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % end
    };
    for _ in 0..KILLS {
        let id = names[usize::try_from(below(3)).unwrap()];
        agents.remove(id).unwrap().kill();
        // The instant that matters is any.
        std::thread::sleep(Duration::from_millis(below(400)));
        agents.insert(id, fleet.agent(id));
        std::thread::sleep(Duration::from_millis(below(500)));
    }
    let events = hub.api().events("");
    no_slot_twice(&events);
    let account = fleet.settle(hub, "hub");
    let (measured, _) = totals(&account);
    assert!(measured > 0);
}

/// How often an agent is killed.
const KILLS: usize = 60;

#[test]
fn a_hub_that_is_killed_again_and_again_loses_nothing() {
    let _turn = alone();
    let fleet = Fleet::new(1);
    let mut hub = fleet.hub("hub");
    let _agents = [fleet.agent("a-1"), fleet.agent("a-2")];
    until_events(&hub, "verdict=good", SCENARIOS);
    for round in 0..HUB_KILLS {
        std::thread::sleep(Duration::from_millis(100 + round * 37 % 600));
        hub.kill();
        hub = fleet.hub("hub");
    }
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    no_slot_twice(&hub.api().events(""));
    let account = fleet.settle(hub, "hub");
    let (measured, missed) = totals(&account);
    assert!(measured > missed, "{account:#?}");
}

const HUB_KILLS: u64 = 20;

#[test]
fn probing_goes_on_without_servers_and_all_of_it_arrives_when_they_are_back_empty() {
    let _turn = alone();
    let mut fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let agents = [fleet.agent("a-1"), fleet.agent("a-2")];
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    let gone = SystemClock.now();
    fleet.cluster.node(0).kill();
    let before = fleet.target.requests();
    wait::until_blocking("probes without servers", PATIENCE, || {
        fleet.target.requests() >= before + 20 * SCENARIOS as u64
    });
    // An agent that starts now has the last good set, but nobody to ask what it owns.
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
    assert!(measured >= 15 * SCENARIOS as u64, "{measured}");
    let all = account(&fleet.path("hub"), fleet.effective, closed);
    assert_eq!(all.violations, 0, "{all:#?}");
}

#[test]
fn an_agent_that_stood_still_is_overtaken_and_does_not_count_twice() {
    let _turn = alone();
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
    let _turn = alone();
    let fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let mut agents = vec![("a-1", fleet.agent("a-1")), ("a-2", fleet.agent("a-2"))];
    until_events(&hub, "verdict=good", 3 * SCENARIOS);
    // From here on nobody may miss anything.
    let calm = SystemClock.now();
    wait::until_blocking("a calm account", PATIENCE, || fleet.closed("hub") > calm);
    let from = SystemClock.now();
    for id in ["a-1", "a-2"] {
        let (_, agent) = agents.remove(0);
        let (code, err) = agent.stop();
        assert_eq!(code, Some(0), "{err}");
        agents.push((id, fleet.agent(id)));
        let began = SystemClock.now();
        wait::until_blocking("an account after a restart", PATIENCE, || fleet.closed("hub") > began);
    }
    let to = SystemClock.now();
    wait::until_blocking("a closed account", PATIENCE, || fleet.closed("hub") >= to);
    assert_eq!(lost(&hub.api().events(""), from, to), [""; 0]);
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let account = account(&fleet.path("hub"), from, to);
    assert_eq!(account.violations, 0, "{account:#?}");
}

#[test]
fn a_set_that_is_not_ours_is_refused_and_the_one_from_before_goes_on() {
    let _turn = alone();
    let mut fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let agent = fleet.agent("a-1");
    until_events(&hub, "verdict=good", SCENARIOS);
    let (stranger, _) = SigningKey::generate().unwrap();
    let settings = fleet.nats();
    // The owner of the servers can write into them, but signs with a key that nobody trusts.
    let forged = forged(&stranger, &fleet);
    on_runtime(async {
        use fleet::{ConfigSource as _, SetVersion, StoredManifest};
        let nats = Nats::connect(settings).await.unwrap();
        for region in [REGION, ALL_REGIONS] {
            let now = nats.manifest(region).await.unwrap().unwrap();
            let bytes = forged.clone();
            let next = StoredManifest { version: SetVersion(now.version.0 + 1), bytes: bytes.into() };
            nats.publish(region, Some(now.version), next).await.unwrap();
        }
    });
    for serving in [&hub, &agent] {
        wait::until_blocking("a refusal", PATIENCE, || serving.err().contains("not trusted here"));
    }
    let before = fleet.target.requests();
    wait::until_blocking("probes after it", PATIENCE, || fleet.target.requests() > before + SCENARIOS as u64);
    fleet.cluster.node(0).kill();
    // Also after a restart, and without servers.
    agent.kill();
    let agent = fleet.agent("a-1");
    agent.until_ready();
}

/// A manifest like the published one, by somebody else.
fn forged(key: &SigningKey, fleet: &Fleet) -> Vec<u8> {
    let set = ScenarioSet::new(fleet.files()).unwrap();
    let manifest = fleet::manifest::Manifest {
        region: REGION.to_owned(),
        version: fleet::SetVersion(9),
        published: SystemClock.now(),
        effective: SystemClock.now(),
        author: "somebody".to_owned(),
        restores: None,
        plans: 1,
        files: set.len() as u64,
        content: set.content(),
        packs: set.packs().unwrap().iter().map(|pack| pack.digest).collect(),
        regions: Vec::new(),
    };
    manifest.seal(key).unwrap()
}
