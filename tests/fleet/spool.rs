//! An agent whose store is full before the hub has what is in it.

use std::collections::BTreeMap;
use std::fs;

use fleet::assign::{SHARDS, shard_of};
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use super::{PATIENCE, account, until_events};
use crate::support::{Broker, Project, Serving, text};

/// Enough of them that the smallest store is full within a minute or two.
const PAGES: usize = 120;

fn start(project: &Project, role: &[&str], login: &str, id: &str) -> Serving {
    let login = format!("fleet/login/{login}");
    let common = ["--fleet", &login, "--id", id, "--data", id, "--listen", "127.0.0.1:0"];
    Serving::start(project.dir(), &[role, &common].concat(), &[])
}

/// Up to where all shards were reported and closed.
fn closed(project: &Project) -> Timestamp {
    let state = fs::read_to_string(project.path("hub/fleet/ledger.json")).unwrap_or_default();
    let state: Value = serde_json::from_str(&state).unwrap_or_default();
    let until = |shard: &Value| {
        let at = |name: &str| shard[name].as_i64().unwrap_or(0);
        Some((shard["number"].as_u64()?, at("declared_ms").min(at("checkpoint_ms"))))
    };
    let shards: BTreeMap<_, _> = state["shards"].as_array().into_iter().flatten().filter_map(until).collect();
    let used = (0..PAGES).map(|number| u64::from(shard_of(&format!("page-{number}"), SHARDS)));
    let until = used.map(|number| shards.get(&number).copied().unwrap_or(0)).min();
    Timestamp::from_millis(until.unwrap_or(0))
}

#[test]
fn an_agent_whose_store_is_full_says_which_slots_it_lost() {
    let target = Server::start();
    target.on("/", Reply::ok("x"));
    let url = target.url("/");
    let broker = Broker::start(|| {
        let project = Project::new("regions: { eu: }\nstore: { max_bytes: 8MiB }\n");
        for number in 0..PAGES {
            let body = format!("every: 1s\ntimeout: 900ms\nhttp: {url}\n");
            project.scenario(&format!("page-{number}"), &body);
        }
        project
    });
    let project = &broker.project;
    let ran = project.prober(&["push", "--fleet", "fleet/login/push"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let hub = start(project, &["hub"], "hub", "hub");
    let agent = start(project, &["agent", "--region", "eu"], "agent-eu", "eu-1");
    until_events(&hub, "verdict=good", PAGES);
    hub.kill();
    let given_up = || {
        let metrics = agent.api().get("/metrics");
        let line = metrics.lines().find(|line| line.starts_with("prober_store_given_up_slots_total "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    wait::until_blocking("a store that is full", PATIENCE * 3, || given_up() > 0.0);
    let hub = start(project, &["hub"], "hub", "hub");
    let back = SystemClock.now();
    let spooled = until_events(&hub, "reason=spool", 1);
    assert!(spooled.iter().all(|event| text(event, "prober.verdict") == "missed"), "{spooled:#?}");
    wait::until_blocking("the account of that time", PATIENCE, || closed(project) >= back);
    // Without a restart: what it probes now counts again.
    let after = SystemClock.now();
    wait::until_blocking("good runs after it", PATIENCE, || {
        let events = hub.api().events("verdict=good&limit=200");
        events.iter().any(|event| text(event, "prober.slot.scheduled").parse::<Timestamp>().unwrap() > after)
    });
    // The hub's store is as small, and begins with what it still has.
    let until = closed(project);
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let account = account(&project.path("hub"), Timestamp::default(), until);
    assert_eq!(account.violations, 0, "{account:#?}");
    assert!(account.streams.iter().all(|stream| stream.good > 0), "{account:#?}");
}
