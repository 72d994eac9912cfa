//! `prober push` to a real server: versions of all regions, what comes back, what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use testkit::servers::{Nats, NatsSetup};
use testkit::wait;

use crate::support::{Broker, PATIENCE, Project, Ran, Serving};

/// A project with two regions.
fn project() -> Project {
    let project = Project::new(
        "regions:\n  eu: { vars: { shop: https://eu.shop.example } }\n  us: { vars: { shop: https://us.shop.example } }\n",
    );
    project.scenario("home", "http: ${vars.shop}/\n");
    project.scenario("only-us", "regions: [us]\nhttp: ${vars.shop}/us\n");
    project
}

fn push(project: &Project, arguments: &[&str]) -> Ran {
    project.prober(&[&["push", "--fleet", "fleet/login/push", "--format", "json"], arguments].concat())
}

fn pushed(project: &Project, arguments: &[&str]) -> Value {
    let ran = push(project, arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn versions_are_published_and_come_back() {
    let broker = Broker::start(project);
    let project = &broker.project;
    let ran = project.prober(&["diff", "--fleet", "fleet/login/push"]);
    assert!(ran.out.contains("against the fleet, which has nothing yet: 2 added"), "{ran:?}");
    for _ in 0..2 {
        let dry = pushed(project, &["--dry-run"]);
        assert_eq!((&dry["version"], &dry["dry_run"]), (&1.into(), &true.into()));
    }
    let ran = push(project, &["--dry-run", "--rollback", "1"]);
    assert!(ran.code == Some(2) && ran.err.contains("there is no version 1; there are none"), "{ran:?}");
    let first = pushed(project, &[]);
    assert_eq!(first["version"], 1);
    let plans: Vec<_> = first["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["region"].as_str().unwrap(), one["plans"].as_u64().unwrap()))
        .collect();
    assert_eq!(plans, [("_all", 3), ("eu", 1), ("us", 2)]);
    assert_eq!(pushed(project, &[])["changed"], false, "nothing has changed");
    project.scenario("home", "every: 30s\nhttp: ${vars.shop}/\n");
    let ran = project.prober(&["diff", "--fleet", "fleet/login/push"]);
    assert!(ran.out.contains("    schedule: every 1m → every 30s"), "{ran:?}");
    assert_eq!(pushed(project, &[])["version"], 2);
    let ran = project.prober(&["diff", "--fleet", "fleet/login/push"]);
    assert!(ran.out.contains("nothing would change against version 2"), "{ran:?}");
    let back = pushed(project, &["--rollback", "1"]);
    assert_eq!((&back["version"], &back["restores"]), (&3.into(), &1.into()));
    let ran = project.prober(&["diff", "--fleet", "fleet/login/push"]);
    assert!(ran.out.contains("    schedule: every 1m → every 30s"), "{ran:?}");
    let ran = push(project, &["--rollback", "9"]);
    assert_eq!(
        (ran.code, ran.err.contains("there is no version 9; there are 1 to 3")),
        (Some(2), true),
        "{ran:?}"
    );
}

#[test]
fn what_may_not_be_pushed_is_refused_with_what_to_type() {
    let broker = Broker::start(project);
    let project = &broker.project;
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let ran = project.prober(&[&["push"], arguments].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains(expected), "{expected} is not in {ran:?}");
    };
    refused(&[], 3, "no fleet is named");
    refused(&["--fleet", "fleet/login/none"], 3, "fleet/login/none: No such file");
    refused(&["--fleet", "fleet/trusted-keys"], 2, "this is no login");
    refused(&["--fleet", "fleet/login/push", "--key", "none.pem"], 3, "make one with `prober fleet init`");
    let key = project.path("fleet/set-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&["--fleet", "fleet/login/push"], 3, "others can read the key; type chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    // A key that nobody trusts.
    let ran = project.prober(&["fleet", "init", "other"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let other =
        ["--fleet", "fleet/login/push", "--key", "other/set-key.pem", "--trust", "fleet/trusted-keys"];
    refused(&other, 2, "probers would not believe this key; add the line\n  prober-set-key ");
    // A login that may not.
    let ran = push(project, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    project.scenario("home", "every: 5m\nhttp: ${vars.shop}/\n");
    // That of the hub may put sets back; whoever pushes has the key to sign them as well.
    let expected = "the login `agent-eu` may not publish scenario sets; take one that may";
    refused(&["--fleet", "fleet/login/agent-eu"], 3, expected);
    let ran = project.prober(&["diff", "--fleet", "fleet/login/agent-eu"]);
    assert!(ran.code == Some(3) && ran.err.contains("may not read the sets of all regions"), "{ran:?}");
    // A password that is none, and a server that is none.
    let wrong = broker.login("push").replace("push:", "push:x");
    refused(&["--fleet", &wrong], 3, "this login is not let in");
    refused(&["--fleet", "nats://push:secret@127.0.0.1:1"], 3, "the fleet's engine is away");
    refused(&["--fleet", "http://127.0.0.1:1"], 2, "write nats://HOST:4222");
    // Somebody else's set is in the engine: it is not overwritten as if it were ours.
    refused(&["--fleet", "fleet/login/push", "--key", "other/set-key.pem"], 3, "which is not trusted here");
    project.write("scenarios/home.yaml", "name: home\nevrey: 1m\n");
    refused(&["--fleet", "fleet/login/push"], 2, "nothing is pushed: the files have");
}

#[test]
fn a_server_is_judged_before_a_fleet_runs_on_it() {
    let broker = Broker::start(project);
    let project = &broker.project;
    assert_eq!(push(project, &[]).code, Some(0));
    let look = |login: &str, monitor: &str| -> Value {
        let ran =
            project.prober(&["doctor", "--fleet", login, "--fleet-monitor", monitor, "--format", "json"]);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    };
    let state = |findings: &Value, name: &str| -> (String, String) {
        let found = findings.as_array().unwrap().iter().find(|one| one["check"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not in {findings}"));
        (found["state"].as_str().unwrap().to_owned(), found["seen"].as_str().unwrap().to_owned())
    };
    let found = look("fleet/login/hub", &broker.monitor);
    for (name, expected) in [
        ("fleet server", "ok"),
        ("fleet data", "ok"),
        ("fleet replicas", "warn"),
        ("fleet duplicates", "ok"),
        ("fleet fsync", "ok"),
        ("fleet clock", "ok"),
        ("fleet permissions", "ok"),
    ] {
        assert_eq!(state(&found, name).0, expected, "{found:#}");
    }
    let found = look("fleet/login/agent-eu", "http://127.0.0.1:1");
    assert_eq!(state(&found, "fleet fsync").0, "warn", "{found:#}");
    assert_eq!(state(&found, "fleet permissions").0, "ok", "{found:#}");
    let look_at = |url: &str| look(url, &broker.monitor);
    let away = look_at("nats://hub:secret@127.0.0.1:1");
    assert_eq!(state(&away, "fleet server").0, "fail", "{away:#}");
    let unknown = look_at(&broker.login("hub").replace("hub:", "hub:x"));
    assert!(state(&unknown, "fleet server").1.contains("this login is not let in"), "{unknown:#}");
}

#[test]
fn an_old_server_is_named_before_anything_is_asked_of_it() {
    let project = project();
    let server = Nats::start(&NatsSetup::default());
    assert_eq!(project.prober(&["fleet", "init"]).code, Some(0));
    let url = format!("nats://{}", server.addr());
    for command in [&["push"][..], &["push", "--dry-run"], &["diff"], &["fleet", "status"]] {
        let ran = project.prober(&[command, &["--fleet", &url]].concat());
        let expected = "is too old for a fleet; install 2.12.8 or newer";
        assert!(ran.code == Some(3) && ran.err.contains(expected), "{command:?}: {ran:?}");
    }
    let ran = project.prober(&["doctor", "--fleet", &url]);
    assert!(ran.code == Some(3) && ran.out.contains("install nats-server 2.12.8 or newer"), "{ran:?}");
    // Those that stay do not begin either.
    for role in [&["agent", "--region", "eu"][..], &["hub"]] {
        let more = ["--fleet", &url, "--id", "x-1", "--data", "x-1", "--listen", "127.0.0.1:0"];
        let ran = project.prober(&[role, &more].concat());
        let expected = "is too old for a fleet; install 2.12.8 or newer";
        assert!(ran.code == Some(3) && ran.err.contains(expected), "{role:?}: {ran:?}");
    }
}

#[test]
fn settings_that_somebody_changes_under_a_fleet_are_said_and_counted() {
    let broker = Broker::start(project);
    let project = &broker.project;
    assert_eq!(push(project, &[]).code, Some(0));
    let words =
        ["agent", "--region", "us", "--fleet", "fleet/login/agent-us", "--id", "us-1", "--data", "us-1"];
    let agent = Serving::start(project.dir(), &[&words[..], &["--listen", "127.0.0.1:0"]].concat(), &[]);
    let line = "prober_fleet_server_troubles{role=\"agent\",region=\"us\",prober=\"us-1\"}";
    let troubles = |count: u64| {
        wait::until_blocking(&format!("{count} troubles"), PATIENCE, || {
            agent.api().get("/metrics").contains(&format!("{line} {count}\n"))
        });
    };
    troubles(0);
    let login = broker.login("push");
    let password = login.split_once("push:").unwrap().1.split_once('@').unwrap().0;
    let config = "{\"name\":\"SLI\",\"subjects\":[\"sli.>\"],\"storage\":\"file\",\"num_replicas\":1,\
                  \"max_msg_size\":614400,\"max_age\":3600000000000,\"duplicate_window\":1000000000}";
    let mut line = broker.server.log_in("push", password).unwrap();
    let refused = line.say(&format!("PUB $JS.API.STREAM.UPDATE.SLI {}\r\n{config}\r\n", config.len()));
    assert_eq!(refused, [""; 0]);
    troubles(1);
    assert!(agent.err().contains("SLI recognises what comes again for 1 s only"), "{}", agent.err());
}
