//! A fleet on one machine: real NATS servers, agents and a hub as processes, faults, and the account at the end.
//!
//! After each fault: good + bad + ineligible + missed = expected for every closed slot, and none twice. Faults are few, so that
//! the tests are short: `PROBER_FAULTS=200` makes as many of them as one wants to believe in.

mod dark;
mod effects;
mod faults;
mod notified;
mod peers;
mod refusals;
mod replicas;
mod whole;
mod wiped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fleet::SetVersion;
use fleet::assign::{SHARDS, place_of};
use fleet::manifest::{SigningKey, Trust};
use fleet::nats::{Nats, Settings};
use fleet::publish::{Edition, Outcome, Publisher, publish};
use fleet::set::{ALL_REGIONS, Role, ScenarioSet, SetFile};
use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::slots::Timetable;
use serde_json::Value;
use store::{Account, Store};
use tempfile::TempDir;
use testkit::http::{Reply, Server};
use testkit::servers::NatsCluster;
use testkit::wait;

use crate::support::{Serving, text};

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
    regions: &'static [&'static str],
    /// How many scenarios with side effects there are beside the others.
    orders: usize,
    /// How many replicas each region has.
    replicas: u16,
    /// What makes one version of the set another one.
    edition: u32,
}

impl Fleet {
    /// Everything but the processes; the set holds from now on.
    fn new(nodes: usize) -> Self {
        Self::with(nodes, &[REGION], 0)
    }

    /// The same for several regions, each with all scenarios.
    fn of(nodes: usize, regions: &'static [&'static str]) -> Self {
        Self::with(nodes, regions, 0)
    }

    /// The same with so many scenarios that order something.
    fn with_orders(nodes: usize, orders: usize) -> Self {
        Self::with(nodes, &[REGION], orders)
    }

    fn with(nodes: usize, regions: &'static [&'static str], orders: usize) -> Self {
        let mut made = Self::unpublished(nodes, regions, orders);
        made.publish();
        made
    }

    /// The same in one region with so many replicas.
    fn with_replicas(replicas: u16, orders: usize) -> Self {
        let mut made = Self { replicas, ..Self::unpublished(1, &[REGION], orders) };
        made.publish();
        made
    }

    fn unpublished(nodes: usize, regions: &'static [&'static str], orders: usize) -> Self {
        let target = Server::start();
        target.on("/", Reply::ok("x"));
        // Long enough that a kill may come between the request and its answer.
        for number in 0..orders {
            target.on(&format!("/order{number}"), Reply::ok("x").after(Duration::from_millis(150)));
        }
        let folder = tempfile::tempdir().unwrap();
        let (key, _) = SigningKey::generate().unwrap();
        fs::write(folder.path().join("trusted.keys"), key.public().line("tests") + "\n").unwrap();
        let (cluster, effective) = (NatsCluster::start(nodes), Timestamp::default());
        Self { cluster, target, folder, key, effective, regions, orders, replicas: 1, edition: 1 }
    }

    fn files(&self) -> Vec<SetFile> {
        self.files_with("")
    }

    /// The set's files, with a remark that makes it another set.
    fn files_with(&self, remark: &str) -> Vec<SetFile> {
        let file = |role, path: String, text: String| SetFile { role, path, text };
        let replicas = if self.replicas > 1 { format!("replicas: {}", self.replicas) } else { String::new() };
        let project = format!(
            "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nregions: {{ {} }}\nnetwork: {{ private: allow }}\ncontrol: {{ every: 10s }}\n# {remark}\n",
            self.regions
                .iter()
                .map(|region| format!("{region}: {{ {replicas} }}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let mut files = vec![file(Role::Project, "prober.yaml".to_owned(), project)];
        for number in 0..SCENARIOS {
            let url = self.target.url(if number % 4 == 3 { "/missing" } else { "/" });
            let text = format!("name: s{number}\naim: It works.\nevery: 1s\ntimeout: 900ms\nhttp: {url}\n");
            files.push(file(Role::Scenario, format!("scenarios/s{number}.yaml"), text));
        }
        for number in 0..self.orders {
            let (url, edition) = (self.target.url(&format!("/order{number}")), self.edition);
            let head = format!(
                "name: order{number}\ntitle: Edition {edition}\naim: It works.\nevery: 1s\ntimeout: 900ms\nside_effects: true\n"
            );
            let http =
                format!("http: {{ method: POST, url: \"{url}\", json: {{ marker: \"${{run.id}}\" }} }}\n");
            let text = head + &http;
            files.push(file(Role::Scenario, format!("scenarios/order{number}.yaml"), text));
        }
        files
    }

    fn nats(&self) -> Settings {
        let servers = self.cluster.urls().split(',').map(str::to_owned).collect();
        Settings { servers, login: None, authorities: Vec::new(), name: "test".to_owned() }
    }

    fn streams(&self) -> usize {
        SCENARIOS * usize::from(self.replicas) + self.orders
    }

    /// Publishes the set.
    fn publish(&mut self) {
        // It holds at once: nobody probes anything else yet.
        let now = SystemClock.now();
        self.publish_at(now.minus(fleet::publish::EFFECTIVE_AFTER), "");
        self.effective = now;
    }

    /// Publishes another version of the set, as people do.
    fn publish_again(&mut self) {
        self.edition += 1;
        self.publish_at(SystemClock.now(), "");
    }

    /// Publishes the set with a remark that makes it another one; it holds at once, for what is probed is the same.
    fn publish_with(&self, remark: &str) -> Outcome {
        self.publish_at(SystemClock.now().minus(fleet::publish::EFFECTIVE_AFTER), remark)
    }

    fn publish_at(&self, now: Timestamp, remark: &str) -> Outcome {
        let edition = |region: &str| Edition {
            region: region.to_owned(),
            set: ScenarioSet::new(self.files_with(remark)).unwrap(),
            plans: self.streams() as u64,
        };
        let (replicas, settings) = (self.cluster.nodes().len(), self.nats());
        let regions = self.regions.iter().copied();
        let editions = std::iter::once(ALL_REGIONS).chain(regions).map(edition).collect();
        let (key, trust) = (&self.key, Trust::of([self.key.public()]));
        let author = "tests".to_owned();
        let publisher = Publisher { key, trust: &trust, now, author, applied: SetVersion(0) };
        on_runtime(async {
            let nats = Nats::connect(settings).await.unwrap();
            let end = std::time::Instant::now() + PATIENCE;
            while let Err(fault) = nats.prepare(replicas).await {
                assert!(std::time::Instant::now() < end, "{fault}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            publish(&nats, &publisher, editions, false).await.unwrap()
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, role: &[&str], id: &str) -> Serving {
        self.start_with(role, id, &[])
    }

    /// The same, with more in the environment.
    fn start_with(&self, role: &[&str], id: &str, env: &[(String, String)]) -> Serving {
        self.start_by(&self.cluster.urls(), role, id, env)
    }

    /// The same, through other addresses than the servers' own.
    fn start_at(&self, urls: &str, role: &[&str], id: &str) -> Serving {
        self.start_by(urls, role, id, &[])
    }

    fn start_by(&self, urls: &str, role: &[&str], id: &str, env: &[(String, String)]) -> Serving {
        let common =
            ["--fleet", urls, "--trust", "trusted.keys", "--id", id, "--data", id, "--listen", "127.0.0.1:0"];
        let args = [role, &common].concat();
        let info = ("PROBER_LOG".to_owned(), "info".to_owned());
        Serving::start(self.folder.path(), &args, &[&[info], env].concat())
    }

    fn agent(&self, id: &str) -> Serving {
        self.start(&["agent", "--region", REGION], id)
    }

    /// Ends the agents `a-1` and `a-2` and starts each again, the next one when the account has gone on.
    fn restarted_one_by_one(&self, agents: [Serving; 2]) -> [Serving; 2] {
        let mut ids = ["a-1", "a-2"].into_iter();
        agents.map(|agent| {
            let (code, err) = agent.stop();
            assert_eq!(code, Some(0), "{err}");
            let again = self.agent(ids.next().expect("as many names as agents"));
            let began = SystemClock.now();
            wait::until_blocking("an account after a restart", PATIENCE, || self.closed("hub") > began);
            again
        })
    }

    fn hub(&self, id: &str) -> Serving {
        let replicas = self.cluster.nodes().len().to_string();
        self.start(&["hub", "--replicas", &replicas], id)
    }

    /// Up to where the hub's account is closed by what agents reported.
    fn closed(&self, hub: &str) -> Timestamp {
        self.closed_in(hub, REGION)
    }

    /// The same for a region.
    fn closed_in(&self, hub: &str, region: &str) -> Timestamp {
        let state = fs::read_to_string(self.path(hub).join("fleet/ledger.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        let place = |name: &str, number: usize| {
            let name = format!("{name}{number}");
            u64::from(place_of(&name, name.starts_with("order"), SHARDS))
        };
        let replicas = 0..u64::from(self.replicas);
        let used: BTreeSet<_> = (0..SCENARIOS)
            .flat_map(|number| replicas.clone().map(move |replica| (place("s", number), replica)))
            .chain((0..self.orders).map(|number| (place("order", number), 0)))
            .collect();
        let mut declared = BTreeMap::new();
        for shard in
            state["shards"].as_array().into_iter().flatten().filter(|shard| shard["region"] == region)
        {
            // A dark shard is declared to be so, too; here it is about what its owner said.
            let until = |name: &str| shard[name].as_i64().unwrap();
            let seat = (shard["number"].as_u64().unwrap(), shard["replica"].as_u64().unwrap());
            declared.insert(seat, until("declared_ms").min(until("checkpoint_ms")));
        }
        let all = used.iter().map(|seat| declared.get(seat).copied().unwrap_or(0));
        Timestamp::from_millis(all.min().unwrap_or(0))
    }

    /// Waits until every slot up to now is accounted for, ends the hub and gives its account.
    fn settle(&self, hub: Serving, id: &str) -> Account {
        let end = SystemClock.now();
        wait::until_blocking("a closed account", PATIENCE, || self.closed(id) >= end);
        self.settle_until_now(hub, id)
    }

    /// Ends the hub and gives its account of what is accounted for.
    fn settle_until_now(&self, hub: Serving, id: &str) -> Account {
        let closed = self.closed(id);
        let (code, err) = hub.stop();
        assert_eq!(code, Some(0), "{err}");
        let account = account(&self.path(id), self.effective, closed);
        assert_eq!(account.streams.len(), self.streams() * self.regions.len(), "{account:#?}");
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

pub(crate) fn account(data: &Path, from: Timestamp, to: Timestamp) -> Account {
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
    let by_owners = ["no_owner", "interrupted", "drain", "no_lease", "dark"];
    let is_lost = |reason: &String| by_owners.iter().any(|word| reason.starts_with(word));
    let lost = slots.into_values().filter(|reasons| reasons.iter().all(is_lost));
    lost.map(|reasons| reasons.join(", ")).collect()
}

/// How many faults are made.
#[expect(clippy::disallowed_methods, reason = "a test that can be made longer has no other way to be told")]
fn faults() -> u64 {
    std::env::var("PROBER_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}
