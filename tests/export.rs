//! The NDJSON exporter: every event once or more, rotated, and whole after a kill.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use model::event::SliEvent;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Project, text};

fn project(server: &Server, settings: &str) -> Project {
    server.on("/", Reply::ok("x"));
    let scenario = |path: &str| format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url(path));
    Project::with(
        &format!("exporters:\n  - ndjson: {{ {settings} }}\n"),
        &[("good", scenario("/")), ("bad", scenario("/missing"))],
    )
}

fn files(project: &Project, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(project.path("out")) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    paths.sort();
    paths
}

/// The ids of all events in the files, each line a whole event of the public format.
fn exported(project: &Project) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for path in files(project, ".ndjson").iter().chain(&files(project, ".part")) {
        for line in export::ndjson::lines(path).unwrap() {
            let line = line.unwrap();
            let event = SliEvent::from_json(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            ids.insert(event.slot.id.to_string());
        }
    }
    ids
}

fn stored(project: &Project) -> BTreeSet<String> {
    let ran = project.prober(&["events", "-n", "100000", "--format", "jsonl"]);
    let id = |line: &str| text(&serde_json::from_str(line).unwrap(), "prober.slot.id").to_owned();
    ran.out.lines().map(id).collect()
}

#[test]
fn every_event_is_written_and_files_rotate() {
    let server = Server::start();
    let project = project(&server, "directory: out, rotate_bytes: 4kB");
    let serving = project.serve();
    wait::until_blocking("three closed files", Duration::from_mins(3), || {
        files(&project, ".ndjson").len() >= 3
    });
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(files(&project, ".part").is_empty(), "an orderly stop closes the file");
    assert_eq!(exported(&project), stored(&project));
    for file in files(&project, ".ndjson") {
        // One batch may go beyond the limit, no more.
        assert!(fs::metadata(&file).unwrap().len() < 64_000, "{}", file.display());
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_nothing_is_lost_after_a_kill() {
    let server = Server::start();
    let project = project(&server, "directory: out");
    let serving = project.serve();
    wait::until_blocking("exported events", Duration::from_mins(3), || exported(&project).len() >= 4);
    serving.kill();
    let torn = files(&project, ".part").pop().expect("the file was growing");
    fs::OpenOptions::new()
        .append(true)
        .open(&torn)
        .unwrap()
        .write_all(b"{\"schema\":\"prober.run/1\",\"prober.sl\xc3")
        .unwrap();
    let before = exported(&project);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 6);
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    let after = exported(&project);
    assert!(after.is_superset(&before));
    assert_eq!(after, stored(&project), "the slots that the kill cost are exported as well");
    for path in files(&project, ".ndjson") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n') && !text.contains("\"prober.sl\n"), "{}", path.display());
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_said_at_the_start() {
    let server = Server::start();
    let project = project(&server, "directory: out");
    project.write("out", "a file");
    let ran = project.refused(&[]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("out"), "{}", ran.err);
}
