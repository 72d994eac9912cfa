//! Servers that lose everything they have, and what a fleet makes of it.

use std::fs;

use fleet::manifest::{Manifest, Trust};
use fleet::nats::Nats;
use fleet::set::ALL_REGIONS;
use fleet::{ConfigSource as _, Ownership as _};
use model::time::{Clock as _, SystemClock};
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::ConfiguredNats;
use testkit::wait;

use super::{Fleet, PATIENCE, SCENARIOS, no_slot_twice, on_runtime, until_events};
use crate::support::{Broker, Project, Serving};

/// What a member says of itself on its own page.
fn own(serving: &Serving) -> Value {
    let answer = serving.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    view["members"][0].clone()
}

fn until_applied(agents: &[Serving], version: u64) {
    for agent in agents {
        wait::until_blocking("the set", PATIENCE, || own(agent)["set_version"] == version);
    }
}

impl Fleet {
    /// Waits until the hub holds this version of every region's set.
    fn until_held(&self, hub: &str, version: u64) {
        let trust = Trust::of([self.key.public()]);
        for region in self.regions.iter().copied().chain([ALL_REGIONS]) {
            let path = self.path(hub).join("fleet/seeds").join(region).join("manifest");
            wait::until_blocking("a set that is held", PATIENCE, || {
                let held = fs::read(&path).ok().and_then(|bytes| Manifest::read(&bytes, &trust).ok());
                held.is_some_and(|held| held.version.0 == version)
            });
        }
    }

    /// Waits until the servers have this version of every region's set again.
    fn until_back(&self, version: u64) {
        let settings = self.nats();
        on_runtime(async {
            let nats = Nats::connect(settings).await.unwrap();
            for region in self.regions.iter().copied().chain([ALL_REGIONS]) {
                let end = std::time::Instant::now() + PATIENCE;
                while nats.manifest(region).await.ok().flatten().map(|shown| shown.version.0) != Some(version)
                {
                    assert!(std::time::Instant::now() < end, "the set of {region} did not come back");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        });
    }

    /// Waits until every shard of every region has an owner who is there.
    fn until_owned(&self) {
        let settings = self.nats();
        on_runtime(async {
            let nats = Nats::connect(settings).await.unwrap();
            let end = std::time::Instant::now() + PATIENCE;
            for region in self.regions {
                loop {
                    let members = nats.members(region).await.unwrap_or_default();
                    let owners = nats.owners(region).await.unwrap_or_default();
                    let owned = owners.iter().filter(|owner| {
                        members.iter().any(|member| Some(&member.who) == owner.holder.as_ref())
                    });
                    if owned.count() == usize::from(fleet::assign::SHARDS + fleet::assign::EFFECT_SHARDS) {
                        break;
                    }
                    assert!(std::time::Instant::now() < end, "{region}: {owners:?}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        });
    }

    /// The stream and the buckets are as they were made first.
    fn settings_are_right(&self) {
        let settings = self.nats();
        on_runtime(async {
            let nats = Nats::connect(settings).await.unwrap();
            for (stream, name, value) in [
                ("SLI", "duplicate_window", 120_000_000_000_u64),
                ("SLI", "max_age", 48 * 3_600_000_000_000),
                ("KV_members", "max_age", 15_000_000_000),
                ("KV_own", "max_age", 0),
                ("KV_cfg", "max_age", 0),
                ("KV_conf", "max_age", 0),
            ] {
                let told = nats.ask(&format!("$JS.API.STREAM.INFO.{stream}")).await.unwrap();
                assert_eq!(told["config"][name].as_u64().unwrap_or(0), value, "{stream} {name}: {told:#}");
                assert_eq!(told["config"]["storage"], "file", "{told:#}");
            }
        });
    }
}

#[test]
fn servers_that_lost_everything_get_it_back_and_versions_go_on() {
    let mut fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let agents = [fleet.agent("a-1"), fleet.agent("a-2")];
    until_events(&hub, "verdict=good", 2 * SCENARIOS);
    assert_eq!(fleet.publish_with("two").version.0, 2);
    until_applied(&agents, 2);
    fleet.until_held("hub", 2);
    fleet.cluster.node(0).kill();
    fleet.cluster.node(0).wipe();
    fleet.cluster.node(0).start();
    let back = SystemClock.now();
    fleet.until_back(2);
    fleet.until_owned();
    fleet.settings_are_right();
    assert!(hub.api().get("/api/v1/audit").contains("version 2: the servers had lost it"));
    // The same watches hear of the next one.
    assert_eq!(fleet.publish_with("three").version.0, 3);
    until_applied(&agents, 3);
    assert!(agents.iter().all(|agent| own(agent)["sets_refused"] == 0));
    // A second time, and the third version is what comes back.
    fleet.until_held("hub", 3);
    fleet.cluster.node(0).kill();
    fleet.cluster.node(0).wipe();
    fleet.cluster.node(0).start();
    fleet.until_back(3);
    wait::until_blocking("an account that goes on", PATIENCE, || fleet.closed("hub") > back);
    no_slot_twice(&hub.api().events(""));
    let account = fleet.settle(hub, "hub");
    assert!(account.streams.iter().all(|stream| stream.good + stream.bad > 0), "{account:#?}");
}

#[test]
fn push_goes_on_from_what_agents_apply_when_servers_and_hub_are_gone() {
    let target = Server::start();
    target.on("/", Reply::ok("x"));
    let url = target.url("/");
    let broker = Broker::start(|| {
        let project = Project::new(&format!("regions:\n  eu: {{ vars: {{ shop: {url} }} }}\n"));
        project.scenario("home", "every: 1s\ntimeout: 900ms\nhttp: ${vars.shop}\n");
        project
    });
    let login = broker.login("push");
    let Broker { project, server, .. } = broker;
    let push = || -> Value {
        let ran = project.prober(&["push", "--fleet", "fleet/login/push", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap()
    };
    for (version, body) in (1..).zip(["every: 1s", "every: 2s", "every: 3s"]) {
        project.scenario("home", &format!("{body}\ntimeout: 900ms\nhttp: ${{vars.shop}}\n"));
        assert_eq!(push()["version"], version);
    }
    let words =
        ["agent", "--region", "eu", "--fleet", "fleet/login/agent-eu", "--id", "eu-1", "--data", "eu-1"];
    let words = [&words[..], &["--listen", "127.0.0.1:0"]].concat();
    let agents = [Serving::start(project.dir(), &words, &[])];
    until_applied(&agents, 3);
    drop(server);
    fs::remove_dir_all(project.path("fleet/nats/data")).unwrap();
    let addr = login.trim().rsplit('@').next().unwrap().parse().unwrap();
    let _server = ConfiguredNats::start(&project.path("fleet/nats"), "n1.conf", addr).unwrap();
    let ran = project.prober(&["push", "--fleet", "fleet/login/push"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("these servers have no set: waiting 10 s"), "{ran:?}");
    for words in ["version 4 published", "the servers had lost version 3, which members apply"] {
        assert!(ran.out.contains(words), "{words} is not in {ran:?}");
    }
    until_applied(&agents, 4);
    assert_eq!(own(&agents[0])["sets_refused"], 0);
    assert_eq!(push()["changed"], false);
    // What is there from before the loss cannot come back, and is not made up.
    let ran = project.prober(&["push", "--fleet", "fleet/login/push", "--rollback", "2"]);
    assert!(ran.code == Some(2) && ran.err.contains("there is no version 2; there are 4"), "{ran:?}");
}
