//! The commands of `deploy/nats/README.md`, as they stand there: a fleet of two regions on one machine, and an agent that is killed;
//! and those of the section about it in the first page. At the end the account is whole.
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

use crate::fleet::account;
use crate::support::{Project, Serving, alone, move_ports, text};

/// How long anything of a fleet may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(4);

/// Scenarios of the project.
const PAGES: usize = 6;

/// The commands of a page's section, or of all of it, without what is said of them.
fn commands(page: &str, section: &str) -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(page).unwrap();
    let section = page.split_once(section).unwrap_or_else(|| panic!("`{section}` is not there")).1;
    let section =
        if page.starts_with("# A fleet") { section } else { section.split("\n## ").next().unwrap() };
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
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

fn walk(commands: &[Vec<String>], regions: &str) -> Walked {
    let target = Server::start();
    target.on("/", Reply::ok("x"));
    let project = Project::new(&format!("regions: {{ {regions} }}\n"));
    for number in 0..PAGES {
        project.scenario(
            &format!("page-{number}"),
            &format!("every: 1s\ntimeout: 900ms\nhttp: {}\n", target.url("/")),
        );
    }
    let [port, monitor] = [(); 2].map(|()| wait::free_port());
    let host = format!("127.0.0.1:{port}");
    let (mut nats, mut running) = (None, BTreeMap::new());
    for words in commands {
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
                let arguments = arguments(words);
                let at = arguments.iter().position(|word| *word == "--id").unwrap();
                assert!(at > 0, "{role}");
                let started = Serving::start(project.dir(), &arguments, &[]);
                running.insert(arguments[at + 1].to_owned(), started);
            }
            ["prober", ..] => {
                let ran = project.prober(&arguments(words));
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

fn until_all_are_seen(hub: &Serving, since: Timestamp, count: usize) {
    wait::until_blocking("a good run of every scenario in every region", PATIENCE, || {
        seen(hub, since).len() == count
    });
}

/// Ends everybody; for every slot up to the time that the hub has closed there is one record.
fn ends_with_a_whole_account(walked: Walked, hub: Serving, regions: &[&str], since: Timestamp) {
    let Walked { project, running, .. } = walked;
    let until = SystemClock.now();
    let closed = || {
        let state = fs::read_to_string(project.path("data/hub-1/fleet/ledger.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        let declared = |region: &str, number: usize| {
            let shard = fleet::assign::shard_of(&format!("page-{number}"), fleet::assign::SHARDS);
            let mut shards = state["shards"].as_array().into_iter().flatten();
            let of = shards.find(|one| one["region"] == region && one["number"] == shard);
            of.and_then(|one| one["declared_ms"].as_i64()).unwrap_or(0)
        };
        let all = regions.iter().flat_map(|region| (0..PAGES).map(move |number| (*region, number)));
        Timestamp::from_millis(all.map(|(region, number)| declared(region, number)).min().unwrap_or(0))
    };
    wait::until_blocking("a closed account", PATIENCE, || closed() > until);
    for (name, agent) in running {
        let (code, err) = agent.stop();
        assert_eq!(code, Some(0), "{name}: {err}");
    }
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let account = account(&project.path("data/hub-1"), Timestamp::default(), closed());
    assert_eq!(account.streams.len(), PAGES * regions.len(), "{account:#?}");
    let least = until.since(since).as_secs() / 2;
    for stream in &account.streams {
        assert_eq!(stream.expected, stream.recorded(), "{stream:?}");
        assert!(stream.expected >= least && stream.good > 0, "{least}: {stream:?}");
    }
    assert_eq!(account.violations, 0);
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
    let mut walked = walk(&commands("deploy/nats/README.md", "# A fleet"), "eu: , us: ");
    let hub = walked.running.remove("hub-1").unwrap();
    until_all_are_seen(&hub, Timestamp::default(), 2 * PAGES);
    let began = SystemClock.now();
    wait::until_blocking("three agents", PATIENCE, || agents(&hub) == names(&["eu-1", "eu-2", "us-1"]));
    walked.running.remove("eu-1").unwrap().kill();
    let killed = SystemClock.now();
    wait::until_blocking("one agent less", PATIENCE, || agents(&hub) == names(&["eu-2", "us-1"]));
    // All of its work has another owner, and the account has no hole.
    until_all_are_seen(&hub, killed, 2 * PAGES);
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
    ends_with_a_whole_account(walked, hub, &["eu", "us"], began);
}

#[test]
fn the_section_of_the_first_page_is_walked() {
    let _turn = alone();
    let mut walked = walk(&commands("README.md", "\n## Several regions"), "eu: ");
    let hub = walked.running.remove("hub-1").unwrap();
    until_all_are_seen(&hub, Timestamp::default(), PAGES);
    wait::until_blocking("the agent", PATIENCE, || agents(&hub) == names(&["eu-1"]));
    let began = SystemClock.now();
    wait::until_blocking("some time", PATIENCE, || SystemClock.now().since(began) > Duration::from_secs(5));
    ends_with_a_whole_account(walked, hub, &["eu"], began);
}
