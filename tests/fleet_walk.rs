//! The commands of `deploy/nats/README.md`, as they stand there: a fleet of two regions on one machine, and an agent that is killed.
//!
//! Ports are the only words that are others here: those of the page may be somebody's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::ConfiguredNats;
use testkit::wait;

use crate::support::{Project, Serving, alone, move_ports, text};

/// How long anything of a fleet may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(4);

/// The commands of the page, without what is said of them.
fn commands() -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats/README.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap().trim());
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// The words of a command after the program's name, with an address that is free.
fn arguments(words: &[String]) -> Vec<&str> {
    let words = words[1..].iter().map(String::as_str).filter(|word| *word != "&");
    words.map(|word| if word.starts_with("127.0.0.1:") { "127.0.0.1:0" } else { word }).collect()
}

/// What runs after all commands were typed.
struct Walked {
    project: Project,
    _target: Server,
    _nats: ConfiguredNats,
    /// Hub and agents by their names.
    running: BTreeMap<String, Serving>,
}

fn walk() -> Walked {
    let target = Server::start();
    target.on("/", Reply::ok("x"));
    let project = Project::new("regions: { eu: , us: }\n");
    for number in 0..6 {
        project.scenario(
            &format!("page-{number}"),
            &format!("every: 1s\ntimeout: 900ms\nhttp: {}\n", target.url("/")),
        );
    }
    let [port, monitor] = [(); 2].map(|()| wait::free_port());
    let host = format!("127.0.0.1:{port}");
    let (mut nats, mut running) = (None, BTreeMap::new());
    for words in commands() {
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["prober", "fleet", "init"] => {
                let ran = project.prober(&["fleet", "init", "--host", &host]);
                assert_eq!(ran.code, Some(0), "{ran:?}");
                move_ports(&project, "fleet/nats/n1.conf", &[(8222, monitor)]);
            }
            ["(cd", "fleet/nats", "&&", "exec", "nats-server", "-c", "n1.conf)", "&"] => {
                let folder = project.path("fleet/nats");
                nats = Some(ConfiguredNats::start(&folder, "n1.conf", host.parse().unwrap()).unwrap());
            }
            ["prober", role @ ("hub" | "agent"), .., "&"] => {
                let arguments = arguments(&words);
                let at = arguments.iter().position(|word| *word == "--id").unwrap();
                assert!(at > 0, "{role}");
                let started = Serving::start(project.dir(), &arguments, &[]);
                running.insert(arguments[at + 1].to_owned(), started);
            }
            ["prober", ..] => {
                let ran = project.prober(&arguments(&words));
                assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
            }
            other => panic!("nobody runs {other:?}"),
        }
    }
    Walked { project, _target: target, _nats: nats.expect("the page starts a server"), running }
}

/// Good runs since `since`, as scenario and region.
fn seen(hub: &Serving, since: Timestamp) -> BTreeSet<(String, String)> {
    let is_new = |event: &&Value| {
        text(event, "prober.slot.scheduled").parse::<Timestamp>().is_ok_and(|scheduled| scheduled > since)
    };
    let place = |event: &Value| {
        (text(event, "prober.scenario.name").to_owned(), text(event, "prober.region").to_owned())
    };
    hub.api().events("verdict=good").iter().filter(is_new).map(place).collect()
}

fn until_all_are_seen(hub: &Serving, since: Timestamp) {
    wait::until_blocking("a good run of every scenario in both regions", PATIENCE, || {
        seen(hub, since).len() == 12
    });
}

/// The agents that the hub sees.
fn agents(hub: &Serving) -> BTreeSet<String> {
    let view = hub.api().json("/api/v1/fleet");
    let members = view["members"].as_array().unwrap();
    let agents = members.iter().filter(|member| member["role"] == "agent");
    agents.map(|member| member["prober"].as_str().unwrap().to_owned()).collect()
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_page_is_walked_and_an_agent_is_killed() {
    let _turn = alone();
    let mut walked = walk();
    let hub = walked.running.remove("hub-1").unwrap();
    until_all_are_seen(&hub, Timestamp::default());
    wait::until_blocking("three agents", PATIENCE, || agents(&hub) == names(&["eu-1", "eu-2", "us-1"]));
    walked.running.remove("eu-1").unwrap().kill();
    let killed = SystemClock.now();
    wait::until_blocking("one agent less", PATIENCE, || agents(&hub) == names(&["eu-2", "us-1"]));
    // All of its work has another owner, and the account has no hole.
    until_all_are_seen(&hub, killed);
    let events = hub.api().events("");
    let mut slots = BTreeSet::new();
    for event in events.iter().filter(|event| text(event, "prober.verdict") != "missed") {
        assert!(slots.insert(text(event, "prober.slot.id")), "a slot twice: {event:#}");
    }
    // What was pushed last is the sets of version 1 again, and everybody applies it.
    let view = hub.api().json("/api/v1/fleet");
    let version = view["regions"][0]["set_version"].as_u64().unwrap();
    let ran = walked.project.prober(&["diff", "--fleet", "fleet/login/push"]);
    assert!(ran.out.contains(&format!("nothing would change against version {version}")), "{ran:?}");
    for (name, agent) in walked.running {
        let (code, err) = agent.stop();
        assert_eq!(code, Some(0), "{name}: {err}");
    }
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
}
