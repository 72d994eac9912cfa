//! `prober diff` against a commit, a folder and a running server.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::http::{Reply, Server};

use crate::support::Project;

/// Runs git in `folder`, as nobody and without this machine's settings.
fn git(folder: &Path, arguments: &[&str]) {
    let identity =
        ["-c", "user.name=nobody", "-c", "user.email=nobody@example.test", "-c", "commit.gpgsign=false"];
    let ran = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(identity)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is missing: apt-get install git");
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn project(server: &Server) -> Project {
    let url = server.url("/");
    let scenario = |name: &str, more: &str| (name.to_owned(), format!("http: {url}\n{more}"));
    let all = [
        scenario("home", ""),
        scenario("cart", "slo: { objective: 99% }\n"),
        scenario("stock", "every: 2m\n"),
    ];
    let all: Vec<_> = all.iter().map(|(name, body)| (name.as_str(), body.clone())).collect();
    Project::with("", &all)
}

/// Changes one scenario, removes one, adds one.
fn change(project: &Project, server: &Server) {
    project.scenario("home", &format!("every: 30s\nhttp: {}\n", server.url("/")));
    project.remove("scenarios/cart.yaml");
    project.scenario("search", &format!("http: {}\n", server.url("/search")));
}

fn check(project: &Project, against: &[&str]) {
    let ran = project.prober(&[&["diff", "--format", "json"], against].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(found["same"], false);
    assert_eq!(found["added"][0]["name"], "search", "{found}");
    assert_eq!(found["removed"][0]["name"], "cart", "{found}");
    assert_eq!(found["changed"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["changed"][0]["names"][0], "home", "{found}");
    let facts = found["changed"][0]["facts"].as_array().unwrap();
    let schedule = facts.iter().find(|fact| fact["what"] == "schedule").unwrap();
    assert_eq!((&schedule["before"], &schedule["after"]), (&"every 1m".into(), &"every 30s".into()));
    assert_eq!(found["history_ends"][0]["name"], "cart", "{found}");
}

#[test]
fn a_commit_a_folder_and_a_server_are_compared_with() {
    let server = Server::start();
    let (project, before) = (project(&server), project(&server));
    let serving = before.serve();
    for arguments in
        [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "-m", "first"], &["tag", "v1"]]
    {
        git(project.dir(), arguments);
    }
    let ran = project.prober(&["diff"]);
    assert!(ran.out.contains("nothing would change against HEAD"), "{ran:?}");
    change(&project, &server);
    check(&project, &[]);
    check(&project, &["v1"]);
    check(&project, &[before.dir().to_str().unwrap()]);
    check(&project, &[&format!("http://{}", serving.api().0)]);
    let ran = project.prober(&["diff", "v1"]);
    for line in [
        "+ search in local",
        "- cart in local",
        "~ home",
        "    schedule: every 1m → every 30s",
        "    every: 1m → 30s",
    ] {
        assert!(ran.out.lines().any(|one| one == line), "{line} is not in\n{}", ran.out);
    }
    assert!(ran.out.contains("! the history of cart ends: the scenario is gone (99% in 30d)"), "{}", ran.out);
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_server_that_asks_who_looks_is_told() {
    let server = Server::start();
    let project = project(&server);
    project.write("token", "a-token-that-nobody-guesses-0123456789\n");
    project.write("empty", "\n");
    let token = project.path("token");
    let serving = project.serve_with(&["--behind-proxy", "--viewer-token-file", token.to_str().unwrap()]);
    let url = format!("http://{}", serving.api().0);
    let ran = project.prober(&["diff", &url]);
    assert!(ran.code == Some(3) && ran.err.contains("with --token-file"), "{ran:?}");
    let ran = project.prober(&["diff", &url, "--token-file", "token"]);
    assert!(ran.out.contains("nothing would change against http://"), "{ran:?}");
    let ran = project.prober(&["diff", &url, "--token-file", "empty"]);
    assert!(ran.code == Some(3) && ran.err.contains("empty: a token is one word"), "{ran:?}");
    assert_eq!(serving.stop().0, Some(0));
}

#[test]
fn a_project_below_the_repository_is_found_and_other_files_mean_nothing() {
    let server = Server::start();
    let outer = Project::new("");
    let url = server.url("/");
    outer.write("sub/prober.yaml", "version: 1\nscenarios: [\"./checks/**/*.yaml\"]\ninclude: [\"templates/*.yaml\"]\nnetwork: { private: allow }\n");
    outer.write(
        "sub/checks/deep/a.yaml",
        &format!("name: a\naim: It works.\nuse: page\nwith: {{ url: \"{url}\" }}\n"),
    );
    outer.write(
        "sub/templates/page.yaml",
        "template: page\nparams:\n  url: { type: url }\nbody:\n  every: 1m\n  http: ${params.url}\n",
    );
    outer.write("sub/checks/.hidden.yaml", "not: a scenario\n");
    outer.write("sub/notes.yaml", "not: a scenario\n");
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "-m", "first"]] {
        git(outer.dir(), arguments);
    }
    let sub = outer.path("sub");
    let ran = outer.prober_in(&sub, &["diff"]);
    assert!(ran.out.contains("nothing would change against HEAD"), "{ran:?}");
    outer.write(
        "sub/templates/page.yaml",
        "template: page\nparams:\n  url: { type: url }\nbody:\n  every: 5m\n  http: ${params.url}\n",
    );
    let ran = outer.prober_in(&sub, &["diff"]);
    for line in
        ["~ templates/page.yaml", "    body.every: 1m → 5m", "~ a", "    schedule: every 1m → every 5m"]
    {
        assert!(ran.out.lines().any(|one| one == line), "{line} is not in\n{}", ran.out);
    }
}

#[test]
fn what_cannot_be_compared_with_is_named() {
    let server = Server::start();
    let (project, other) = (project(&server), project(&server));
    let check = |against: &str, code: i32, expected: &str| {
        let ran = project.prober(&["diff", against]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains(expected), "{ran:?}");
    };
    check("v9", 3, "`v9` is no folder here, and no commit either: the project is in no git repository");
    git(project.dir(), &["init", "--quiet"]);
    check("v9", 3, "`v9` is no folder here and no commit of this repository");
    check("--output=x", 2, "");
    check("http://127.0.0.1:1", 3, "http://127.0.0.1:1: ");
    check("https://127.0.0.1:1", 3, "write an address like http://");
    check(&server.url("/"), 3, "it answers HTTP/1.0 404");
    server.on("/api/v1/scenarios", Reply::ok("[]"));
    check(&server.url("/"), 3, "this is no answer of a prober");
    other.write("scenarios/home.yaml", "name: home\nevrey: 1m\n");
    check(other.dir().to_str().unwrap(), 2, "have mistakes");
}
