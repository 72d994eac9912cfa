//! A fleet as it is set up by whoever reads the manual: from `fleet init` and `push` to the account.

use std::collections::BTreeSet;

use model::time::{Clock as _, SystemClock};
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use super::PATIENCE;
use crate::support::{Broker, Project, Serving, text};

fn start(project: &Project, role: &[&str], login: &str, id: &str) -> Serving {
    let login = format!("fleet/login/{login}");
    let common = ["--fleet", &login, "--id", id, "--data", id, "--listen", "127.0.0.1:0"];
    let env = [("PROBER_LOG".to_owned(), "info".to_owned())];
    Serving::start(project.dir(), &[role, &common].concat(), &env)
}

fn status(project: &Project) -> Value {
    let ran = project.prober(&["fleet", "status", "--fleet", "fleet/login/hub", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

fn member<'a>(view: &'a Value, id: &str) -> &'a Value {
    let members = view["members"].as_array().unwrap();
    members.iter().find(|member| member["prober"] == id).unwrap_or(&Value::Null)
}

#[test]
fn two_regions_two_hubs_and_a_killed_agent_from_init_to_status() {
    let target = Server::start();
    target.on("/", Reply::ok("x"));
    let url = target.url("/");
    let broker = Broker::start(|| {
        let project = Project::new(&format!(
            "regions:\n  eu: {{ vars: {{ shop: {url} }} }}\n  us: {{ vars: {{ shop: {url} }} }}\n"
        ));
        for name in ["home", "search", "basket", "pay"] {
            project
                .scenario(name, "every: 1s\ntimeout: 900ms\nslo: { objective: 99% }\nhttp: ${vars.shop}\n");
        }
        project
    });
    let project = &broker.project;
    let ran = project.prober(&["push", "--fleet", "fleet/login/push"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let hubs = [start(project, &["hub"], "hub", "hub-1"), start(project, &["hub"], "hub", "hub-2")];
    let agent = |region: &str, id: &str| {
        start(project, &["agent", "--region", region], &format!("agent-{region}"), id)
    };
    let (first, _second, _third) = (agent("eu", "eu-1"), agent("eu", "eu-2"), agent("us", "us-1"));
    // All three probe, and both hubs have it.
    for hub in &hubs {
        let probers = || {
            let events = hub.api().events("verdict=good");
            events.iter().map(|event| text(event, "prober.id").to_owned()).collect::<BTreeSet<_>>().len()
        };
        wait::until_blocking("events of three agents", PATIENCE, || probers() == 3);
    }
    // Members say how it is with them every few seconds.
    wait::until_blocking("a fleet without troubles", PATIENCE, || {
        let view = status(project);
        let shards = |id: &str| member(&view, id)["shards"].as_u64().unwrap_or(0);
        let all_work = shards("eu-1") > 0 && shards("eu-2") > 0 && shards("us-1") == 80;
        all_work && view["troubles"] == Value::Array(vec![])
    });
    let view = status(project);
    assert_eq!(view["members"].as_array().unwrap().len(), 5, "{view:#}");
    assert_eq!(
        (&view["regions"][0]["owned_shards"], &view["regions"][0]["set_version"]),
        (&80.into(), &1.into())
    );
    let active = |view: &Value| -> Vec<String> {
        let hubs = ["hub-1", "hub-2"].into_iter();
        hubs.filter(|id| member(view, id)["ledger"]["active"] == true).map(str::to_owned).collect()
    };
    assert_eq!(active(&view).len(), 1, "{view:#}");
    all_of_it_is_shown(project, &hubs[0]);
    let ran = project.prober(&["fleet", "status", "--fleet", "fleet/login/hub", "--strict"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // One agent and the active hub die: the others have the work and the word.
    first.kill();
    let killed = SystemClock.now();
    let index = usize::from(active(&view) == ["hub-2"]);
    let mut hubs = Vec::from(hubs);
    hubs.remove(index).kill();
    let other = if index == 0 { "hub-2" } else { "hub-1" };
    wait::until_blocking("a takeover", PATIENCE, || {
        let view = status(project);
        active(&view) == [other] && member(&view, "eu-2")["shards"] == 80
    });
    wait::until_blocking("an account that goes on", PATIENCE, || {
        let closed = member(&status(project), other)["ledger"]["closed"].as_str().unwrap().to_owned();
        closed.parse::<model::time::Timestamp>().unwrap() > killed
    });
    let account = hubs[0].api().json("/api/v1/account");
    for stream in account["streams"].as_array().unwrap() {
        assert!(stream["good"].as_u64() > Some(0), "{account:#}");
    }
}

/// Queue lengths go down, and page, metrics and objectives are there.
fn all_of_it_is_shown(project: &Project, hub: &Serving) {
    // What the hub has, the agents need no longer keep.
    wait::until_blocking("stores that are freed", PATIENCE, || {
        let view = status(project);
        ["eu-1", "eu-2", "us-1"].iter().all(|id| member(&view, id)["behind_events"].as_u64() < Some(40))
    });
    let human = project.prober(&["fleet", "status", "--fleet", "fleet/login/hub"]);
    for words in
        ["region eu: 2 agents, 80 of 80 shards owned, set 1", "confirms and alerts", "is ready to take over"]
    {
        assert!(human.out.contains(words), "{words} is not in {}", human.out);
    }
    for line in [
        "prober_fleet_owned_shards{region=\"eu\"} 80",
        "prober_fleet_member_shards{role=\"agent\",region=\"us\",prober=\"us-1\"} 80",
    ] {
        wait::until_blocking(line, PATIENCE, || hub.api().get("/metrics").contains(line));
    }
    // The hub judges: an objective of each scenario, over both regions.
    assert_eq!(hub.api().json("/api/v1/slos")["slos"].as_array().unwrap().len(), 4);
}
