//! The corpus beside the tools themselves: what comes of a file judges a service as its own tool does, for every file that the
//! tool takes and several ways in which the service may answer.
//!
//! The blackbox exporter is here always. hurl has no package that the tests could install; who has it runs
//!
//! ```sh
//! PROBER_HURL=/path/to/hurl cargo test --test integration -- --ignored as_hurl_does --nocapture
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex::Regex;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::Blackbox;

use crate::support::{Project, text};

/// Every file of a format that is not hostile.
fn corpus(format: &str, end: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(format);
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| {
        path.extension().is_some_and(|found| found == end) && !named(path).starts_with("hostile")
    });
    all.sort();
    all
}

fn named(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

fn lost(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("# not imported: ")).count()
}

/// Gives a value to every secret that was imported: as a variable of the environment, or as a file beside the project.
fn with_secrets(place: &mut Project, folder: &str) {
    let declared = fs::read_to_string(place.path(&format!("{folder}/prober.yaml"))).unwrap();
    let pattern = Regex::new(r#"\b(env|file): "?([^\s"}]+)"#).unwrap();
    for found in pattern.captures_iter(&declared) {
        let value = &found[2];
        match &found[1] {
            "env" => place.env(value, "s3cr3t"),
            _ if value.starts_with('/') => {}
            _ => place.write(&format!("{folder}/{value}"), "s3cr3t"),
        }
    }
}

/// Whether all runs were good; `None` if nothing could be run.
fn verdict(place: &Project, args: &[&str]) -> Option<bool> {
    let ran = place.prober(&[args, &["--format", "json"]].concat());
    let events: Vec<Value> = serde_json::from_str(&ran.out).ok()?;
    let is_judged =
        !events.is_empty() && events.iter().all(|event| text(event, "prober.verdict") != "ineligible");
    is_judged.then(|| events.iter().all(|event| text(event, "prober.verdict") == "good"))
}

/// A service with an answer of each sort.
fn service() -> Server {
    let server = Server::start();
    let page = "<html><title>Sign in</title>Welcome to the shop; \"status\": \"ok\"</html>";
    server.on(
        "/page",
        Reply::ok(page).header("Content-Type", "text/html; charset=utf-8").header("Server", "nginx"),
    );
    server.on(
        "/json",
        Reply::json(r#"{"status": "ok", "n": 5}"#).header("Strict-Transport-Security", "max-age=1"),
    );
    server.on("/empty", Reply::status(204));
    server.on("/moved", Reply::redirect(302, "/page").header("Set-Cookie", "sid=1"));
    server.on("/gone", Reply::status(404).body("not found"));
    server.on("/oops", Reply::status(500).body("Exception: database error"));
    server
}

#[test]
fn modules_of_the_corpus_judge_as_the_blackbox_exporter_does() {
    let server = service();
    let (mut compared, mut good, mut wrong) = (0, 0, Vec::new());
    for path in corpus("blackbox", "yml") {
        let mut place = Project::new("");
        let Ok(module_file) = fs::read_to_string(&path) else { continue };
        place.write("blackbox.yml", &module_file);
        // What the exporter itself refuses judges nothing.
        let checked = Command::new("prometheus-blackbox-exporter")
            .args(["--config.check", "--config.file", "blackbox.yml"])
            .current_dir(place.dir())
            .output()
            .expect("apt-get install prometheus-blackbox-exporter");
        let made = place.prober(&["import", "blackbox", "blackbox.yml", "--into", "made"]);
        if !checked.status.success() || made.code != Some(0) {
            continue;
        }
        with_secrets(&mut place, "made");
        let exporter = Blackbox::start(&module_file);
        let templates =
            fs::read_dir(place.path("made/templates")).unwrap().map(|entry| entry.unwrap().path());
        for template in templates {
            let text = fs::read_to_string(&template).unwrap();
            if !text.contains("type: url") {
                continue;
            }
            for answer in ["/page", "/json", "/empty", "/moved", "/gone", "/oops"] {
                let (name, target) = (named(&template), server.url(answer));
                place.write(
                    "made/scenarios/one.yaml",
                    &format!("name: one\naim: It works.\nuse: {name}\nwith: {{ target: \"{target}\" }}\n"),
                );
                let allowed = fs::read_to_string(place.path("made/prober.yaml")).unwrap();
                if !allowed.contains("network:") {
                    place.write("made/prober.yaml", &(allowed + "network: { private: allow }\n"));
                }
                let theirs =
                    exporter.probe(name, &target).is_some_and(|page| page.contains("\nprobe_success 1\n"));
                let Some(ours) = verdict(&place, &["-C", "made", "run"]) else { continue };
                compared += 1;
                good += usize::from(theirs);
                // What was left out and told may have made the difference.
                if ours != theirs && lost(&text) == 0 {
                    wrong.push(format!(
                        "{}, module {name}, {answer}: ours {ours}, theirs {theirs}",
                        path.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 60 && good > 20 && compared - good > 20, "{compared} compared, {good} good");
}

/// The statuses that a hurl file expects, in order: what a service answers that is as the file wants it.
fn statuses(text: &str) -> Vec<u16> {
    let pattern = Regex::new(r"(?m)^HTTP\S* +(\d{3}|\*)").unwrap();
    pattern.captures_iter(text).map(|found| found[1].parse().unwrap_or(200)).collect()
}

/// A body in which much of what the corpus looks for can be found.
const BODY: &str = r#"{"id": "7", "state": "done", "rows": 3, "n": 2, "sku": "TEA", "total": 2, "ok": true, "name": null,
    "items": ["TEA", "MATE"], "tags": ["good"], "status": "UP", "age": 2, "version": "v1.2", "commit": "0a1b2c3"}"#;

/// How a service may answer the requests of a file, one after the other.
fn answers(manner: usize, wanted: &[u16], number: usize) -> Reply {
    let json = |status: u16| match status {
        204 | 304 => Reply::status(status),
        _ => Reply::status(status).header("Content-Type", "application/json").body(BODY),
    };
    let right = wanted.get(number).copied().unwrap_or(200);
    let as_wanted = match right {
        301..=308 => Reply::redirect(right, "/home"),
        right => json(right),
    };
    match manner {
        0 => as_wanted,
        // The last one is another one.
        1 if number + 1 < wanted.len() => as_wanted,
        1 => json(418),
        2 => json(200),
        3 => Reply::status(404),
        4 => Reply::ok("<html>Hello, probe: Welcome</html>").header("Content-Type", "text/html"),
        _ => Reply::status(500).body("Exception"),
    }
}

/// Starts a service that answers in this manner, from its first request on.
fn answering(manner: usize, wanted: Vec<u16>) -> Server {
    let (server, number) = (Server::start(), AtomicUsize::new(0));
    server.on_request("*", move |_| answers(manner, &wanted, number.fetch_add(1, Ordering::SeqCst)));
    server
}

/// A file with every address in it that of the service.
fn at(server: &Server, text: &str) -> String {
    let address = Regex::new(r"https?://[A-Za-z0-9.-]+(:\d+)?").unwrap();
    address.replace_all(text, server.url("").trim_end_matches('/')).into_owned()
}

/// What a server was asked for; its own address, which [`at`] may have put into a body, left out.
fn shown(server: &Server) -> Vec<String> {
    let own = server.url("");
    let asked = server.seen();
    asked
        .iter()
        .map(|one| {
            let query = one.query.as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(&one.body).replace(own.trim_end_matches('/'), "");
            format!("{} {}?{query} {body}", one.method, one.path)
        })
        .collect()
}

/// One file and one manner: hurl's verdict and ours, what was lost, and the requests of both. `None` if hurl does not take it.
fn both(hurl: &Path, path: &Path, manner: usize) -> Option<(bool, bool, usize, [Vec<String>; 2])> {
    let original = fs::read_to_string(path).unwrap();
    let vars = fs::read_to_string(path.with_extension("vars")).unwrap_or_default();
    let servers = [(); 2].map(|()| answering(manner, statuses(&original)));
    let mut place = Project::new("");
    place.write("theirs.hurl", &at(&servers[0], &original));
    let mut command = Command::new("timeout");
    command.args(["60", hurl.to_str().unwrap(), "--max-time", "5", "theirs.hurl"]).current_dir(place.dir());
    for line in vars.lines() {
        command.args(["--variable", &at(&servers[0], line)]);
    }
    let theirs = match command.output().unwrap().status.code() {
        Some(0) => true,
        Some(3 | 4) => false,
        // It is not read, or goes on for ever.
        _ => return None,
    };
    place.write("ours.hurl", &at(&servers[1], &original));
    let lines: Vec<String> = vars.lines().map(|line| at(&servers[1], line)).collect();
    let mut args = vec!["import", "hurl", "ours.hurl", "--into", "made"];
    for line in &lines {
        args.extend(["--var", line]);
    }
    let made = place.prober(&args);
    assert_eq!(made.code, Some(0), "{}: {made:?}", path.display());
    with_secrets(&mut place, "made");
    let lost = lost(&fs::read_to_string(place.path("made/scenarios/ours.yaml")).unwrap());
    let ours = verdict(&place, &["-C", "made", "run"])?;
    Some((theirs, ours, lost, [shown(&servers[0]), shown(&servers[1])]))
}

#[test]
#[ignore = "hurl has no package; PROBER_HURL names a program"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "where the program is has to be told, and the figures are what it is run for"
)]
fn files_of_the_corpus_judge_as_hurl_does() {
    let hurl = PathBuf::from(std::env::var("PROBER_HURL").expect("PROBER_HURL=/path/to/hurl"));
    let (mut whole, mut part, mut wrong, mut read) = ([0, 0], 0, Vec::new(), BTreeSet::new());
    for path in corpus("hurl", "hurl") {
        for manner in 0..6 {
            let Some((theirs, ours, lost, requests)) = both(&hurl, &path, manner) else { continue };
            let name = format!("{}, manner {manner}", named(&path));
            read.insert(named(&path).to_owned());
            if lost > 0 {
                part += 1;
                continue;
            }
            whole[usize::from(theirs)] += 1;
            if theirs != ours {
                wrong.push(format!("{name}: ours {ours}, theirs {theirs}"));
            } else if theirs && requests[0] != requests[1] {
                wrong.push(format!("{name}: other requests: {requests:#?}"));
            }
        }
    }
    println!(
        "{} files that hurl reads; imported whole: {} good and {} bad verdicts, of others {part}",
        read.len(),
        whole[1],
        whole[0]
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole[0] > 20 && whole[1] > 5 && read.len() >= 20, "{whole:?} of {read:?}");
}
