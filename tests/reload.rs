//! SIGHUP: a wrong file keeps the plans that run and says so; a right one is applied; the account adds up.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testkit::client;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Api, Project, Serving, text};

const PATIENCE: Duration = Duration::from_mins(3);

/// Sends SIGHUP and waits until the reload that it asks for is over.
fn reload(serving: &Serving, wanted: &str) -> Value {
    let api = serving.api();
    let before = api.json("/api/v1/reload-state")["at"].clone();
    serving.signal(Signal::HUP);
    let state = wait::some_blocking("the reload", PATIENCE, || {
        let state = api.json("/api/v1/reload-state");
        (state["at"] != before).then_some(state)
    });
    assert_eq!(state["state"], wanted, "{state:#}");
    state
}

fn names(api: Api) -> BTreeSet<String> {
    let scenarios = api.json("/api/v1/scenarios");
    scenarios["scenarios"].as_array().unwrap().iter().map(|one| text(one, "name").to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_wrong_file_keeps_the_old_plans_and_a_right_one_is_applied() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let every = |interval: &str| format!("every: {interval}\ntimeout: 400ms\nhttp: {}", server.url("/"));
    let project =
        Project::with("", &[("stays", every("1s")), ("changes", every("1s")), ("goes", every("1s"))]);
    let serving = project.serve();
    let api = serving.api();
    api.until_events("scenario=goes", 2);
    assert_eq!(api.json("/api/v1/reload-state")["state"], "loaded");
    // Wrong: nothing changes, and everybody can see why.
    project.write(
        "scenarios/changes.yaml",
        "name: changes\naim: It works.\nevery: 1s\ntimeuot: 400ms\nhttp: http://127.0.0.1:9/\n",
    );
    project.scenario("comes", &every("1s"));
    let failed = reload(&serving, "failed");
    let diagnostics = text(&failed, "diagnostics");
    assert!(diagnostics.contains("changes.yaml:4:1") && diagnostics.contains("timeuot"), "{diagnostics}");
    let page = api.get("/");
    assert!(page.contains("timeuot"), "the page says what is wrong: {page}");
    let successful = |value: u8| format!("\nprober_config_last_reload_successful {value}\n");
    assert!(api.get("/metrics").contains(&successful(0)), "rules can ask whether older scenarios run");
    assert_eq!(names(api), set(&["changes", "goes", "stays"]));
    assert!(serving.err().contains("timeuot"), "{}", serving.err());
    let before = api.events("scenario=changes").len();
    api.until_events("scenario=changes", before + 2);
    // Right: one changed, one gone, one new.
    project.scenario("changes", &every("2s"));
    project.remove("scenarios/goes.yaml");
    reload(&serving, "loaded");
    assert!(api.get("/metrics").contains(&successful(1)));
    assert_eq!(names(api), set(&["changes", "comes", "stays"]));
    assert!(!api.get("/").contains("timeuot"));
    api.until_events("scenario=comes", 4);
    let gone = api.events("scenario=goes").len();
    // Once the last slots are closed: nothing is due twice or never at the border.
    api.until_events("scenario=comes", 8);
    assert_eq!(api.events("scenario=goes").len(), gone, "what is gone is not run any more");
    let audit = api.json("/api/v1/audit");
    let by_signal: Vec<_> = audit["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| (text(note, "who"), text(note, "action")))
        .collect();
    assert_eq!(by_signal, [("SIGHUP", "reload"); 2], "{audit:#}");
    let account = api.json("/api/v1/account?until=2s");
    assert_eq!(account["violations"], 0, "{account:#}");
    assert_eq!(account["streams"].as_array().unwrap().len(), 4, "{account:#}");
    let missed = api.events("verdict=missed");
    assert!(missed.is_empty(), "a reload misses nothing: {missed:#?}");
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn what_a_reload_cannot_change_is_said() {
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    let serving = project.serve();
    let told = "store.max_bytes: changed in prober.yaml, and in force after a restart";
    reload(&serving, "loaded");
    assert!(!serving.err().contains("after a restart"), "{}", serving.err());
    let text = std::fs::read_to_string(project.path("prober.yaml")).unwrap();
    project.write("prober.yaml", &format!("{text}store: {{ max_bytes: 2GiB }}\n"));
    reload(&serving, "loaded");
    assert!(serving.err().contains(told), "{}", serving.err());
    assert!(serving.api().get("/config").contains(told));
    project.write("prober.yaml", &text);
    reload(&serving, "loaded");
    assert!(!serving.api().get("/config").contains(told), "what is as it was at the start waits for nothing");
}

#[test]
fn a_reload_over_http_needs_a_header_that_pages_elsewhere_cannot_send() {
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    let serving = project.serve();
    let addr = serving.api().0;
    let post = |headers: &str| {
        let text =
            format!("POST /api/v1/reload HTTP/1.0\r\nHost: {addr}\r\n{headers}Content-Length: 0\r\n\r\n");
        client::request(addr, &text).unwrap().status
    };
    assert_eq!(post(""), 403);
    assert_eq!(post("X-Prober: 1\r\nOrigin: http://evil.example\r\n"), 403);
    assert_eq!(post("X-Prober: 1\r\n"), 200);
    assert_eq!(post("Gitsync-Hash: 0a1b2c3\r\nOrigin: http://evil.example\r\n"), 403);
    assert_eq!(post("Gitsync-Hash: 0a1b2c3\r\n"), 200);
    project.write("scenarios/broken.yaml", "name: broken\n");
    assert_eq!(post("X-Prober: 1\r\n"), 422);
}

/// As git-sync brings commits: the project is below a link that leads to another folder, and the old folder goes.
#[test]
fn a_project_below_a_link_that_is_moved_is_read_anew() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project = Project::new("");
    let commit = |name: &str, scenario: &str| {
        project.write(
            &format!("git/{name}/shop/prober.yaml"),
            "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nnetwork: { private: allow }\n",
        );
        let text = format!(
            "name: {scenario}\naim: It works.\nevery: 1s\ntimeout: 900ms\nhttp: {}\n",
            server.url("/")
        );
        project.write(&format!("git/{name}/shop/scenarios/{scenario}.yaml"), &text);
        // Moved in one step, as it must never be away.
        std::os::unix::fs::symlink(name, project.path("git/next")).unwrap();
        std::fs::rename(project.path("git/next"), project.path("git/current")).unwrap();
    };
    commit("first", "old");
    let args = ["-C", "git/current/shop", "serve", "--listen", "127.0.0.1:0", "--data", "data"];
    let serving = Serving::start(project.dir(), &args, &[]);
    serving.until_ready();
    let api = serving.api();
    api.until_events("scenario=old&verdict=good", 1);
    commit("second", "new");
    std::fs::remove_dir_all(project.path("git/first")).unwrap();
    let text = format!(
        "POST /api/v1/reload HTTP/1.0\r\nHost: {}\r\nGitsync-Hash: 2\r\nContent-Length: 0\r\n\r\n",
        api.0
    );
    assert_eq!(client::request(api.0, &text).unwrap().status, 200);
    api.until_events("scenario=new&verdict=good", 1);
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_secret_that_went_missing_and_a_storm_of_reloads_do_no_harm() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let body = format!(
        "every: 1s\ntimeout: 400ms\nhttp: {{ url: \"{}\", headers: {{ X-Key: \"${{secrets.key}}\" }} }}",
        server.url("/")
    );
    let project = Project::with("secrets: { key: { file: key } }\n", &[("keyed", body)]);
    project.write("key", "first");
    let serving = project.serve();
    let api = serving.api();
    api.until_events("verdict=good", 1);
    project.remove("key");
    let state = reload(&serving, "failed");
    assert!(text(&state, "diagnostics").contains("secret `key`"), "{state:#}");
    project.write("key", "second");
    for _ in 0..50 {
        serving.signal(Signal::HUP);
    }
    wait::until_blocking("the new secret in use", PATIENCE, || {
        server.seen().last().is_some_and(|seen| seen.header("x-key") == Some("second"))
    });
    let count = api.events("").len();
    api.until_events("", count + 3);
    assert!(api.events("verdict=missed").is_empty());
    assert_eq!(api.json("/api/v1/account?until=2s")["violations"], 0);
}
