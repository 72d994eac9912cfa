//! The product's central invariant, through the program: kills at random instants, and orderly stops.
//!
//! For every window: good + bad + ineligible + missed = expected, no slot twice, and what was once shown stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use rustix::process::Signal;
use schedule::slots::Timetable;
use serde_json::Value;
use store::Store;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Dice, Project, Serving, alone, text};

/// Probers that are killed side by side, each with a data folder of its own.
const FOLDERS: usize = 4;
/// How often each of them is killed.
const KILLS: usize = 50;
const SCENARIOS: usize = 5;
const EXPORTS: &str = "exporters: [ndjson: { directory: out }]\n";

/// Scenarios that are due every second: good ones, a bad one and a slow one.
fn project(server: &Server) -> Project {
    project_with(server, EXPORTS)
}

/// The same with this project file.
fn project_with(server: &Server, text: &str) -> Project {
    project_of(server, text, 1)
}

/// The same with scenarios that are due every so many seconds.
fn project_of(server: &Server, text: &str, every: u32) -> Project {
    server.on("/", Reply::ok("x"));
    server.on("/slow", Reply::ok("x").after(Duration::from_millis(300)));
    let project = Project::new(text);
    for number in 0..SCENARIOS {
        let path = ["/", "/missing", "/slow", "/", "/"][number % 5];
        project.scenario(
            &format!("s{number}"),
            &format!("every: {every}s\ntimeout: 900ms\nhttp: {}", server.url(path)),
        );
    }
    project
}

fn expected(stream: &Stream, cadence: &Cadence, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    Timetable::new(cadence, stream).map(|table| table.between(from, to).collect()).unwrap_or_default()
}

#[test]
fn two_hundred_kills_lose_nothing() {
    let _turn = alone();
    let server = Server::start();
    let seen: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..FOLDERS)
            .map(|folder| {
                scope.spawn({
                    let server = &server;
                    move || kill_again_and_again(server, folder)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(seen > FOLDERS * KILLS, "{seen} events were seen: too few for the test to say anything");
}

/// Kills one prober after the other on the same data; gives how many events were seen before a kill.
fn kill_again_and_again(server: &Server, folder: usize) -> usize {
    let project = project(server);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (folder as u64 + 1));
    let (mut shown, mut began) = (BTreeMap::new(), None);
    for round in 0..KILLS {
        let serving = project.start(&[]);
        // Every fifth is killed before it is ready, at any point of its start.
        if round > 0 && round % 5 == 0 {
            wait_for(Duration::from_millis(dice.below(120)));
            look(&serving, &mut shown);
            serving.kill();
            continue;
        }
        serving.until_ready();
        began.get_or_insert_with(|| SystemClock.now());
        wait_for(Duration::from_millis(50 + dice.below(350)));
        look(&serving, &mut shown);
        // What happens between the look and the kill is the instant that matters.
        wait_for(Duration::from_millis(dice.below(40)));
        serving.kill();
    }
    let serving = project.serve();
    let api = serving.api();
    let closed = SystemClock.now();
    let all = api.events("");
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    everything_shown_is_there(&shown, &all);
    no_slot_twice(&all);
    exported(&project.path("out"), &shown);
    settle(&project.path("prober-data"), began.unwrap(), closed);
    shown.len()
}

/// How long a control target takes to answer, and every bad run waits at least.
const SETTLED_AFTER: Duration = Duration::from_millis(1_500);
/// How often a prober is killed while runs wait.
const HELD_KILLS: usize = 8;

/// A bad run waits for control targets to say whose fault it was. A prober that is killed meanwhile has not told
/// anybody, so the slot is as good as any that was cut off.
#[test]
fn a_kill_while_bad_runs_wait_leaves_each_slot_on_record_once() {
    let _turn = alone();
    let (server, control) = (Server::start(), Server::start());
    control.on("/", Reply::ok("x").after(SETTLED_AFTER));
    let target = control.url("/");
    let project = project_with(
        &server,
        &format!("control: {{ every: 10s, timeout: 5s, targets: [{{ http: {target} }}] }}\n"),
    );
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut shown, mut began) = (BTreeMap::new(), None);
    for _ in 0..HELD_KILLS {
        let serving = project.start(&[]);
        serving.until_ready();
        began.get_or_insert_with(|| SystemClock.now());
        let api = serving.api();
        wait::until_blocking("a bad run that waits", Duration::from_mins(3), || {
            held(&api.get("/metrics")) > 0
        });
        // Some are settled meanwhile, and some are just about to be.
        wait_for(Duration::from_millis(dice.below(2_000)));
        wait::until_blocking("a bad run that waits", Duration::from_mins(3), || {
            held(&api.get("/metrics")) > 0
        });
        look(&serving, &mut shown);
        serving.kill();
    }
    let serving = project.serve();
    let api = serving.api();
    // A run that could wait to its end counts against its target.
    api.until_events("verdict=bad&scenario=s1", 1);
    let closed = SystemClock.now();
    let all = api.events("");
    assert_eq!(serving.stop().0, Some(0));
    everything_shown_is_there(&shown, &all);
    no_slot_twice(&all);
    settle(&project.path("prober-data"), began.unwrap(), closed);
    let reasons = |reason: &str| {
        let of_bad = all.iter().filter(|event| text(event, "prober.scenario.name") == "s1");
        of_bad.filter(|event| text(event, "prober.verdict.reason") == reason).count()
    };
    assert!(reasons("interrupted") >= HELD_KILLS, "{} of {HELD_KILLS} kills hit one", reasons("interrupted"));
    assert_eq!(reasons("ok"), 0, "nothing of it was ever good");
}

/// A scenario that orders something: no kill makes it order twice, and each slot that was cut off says whether it may have.
#[test]
fn kills_order_nothing_twice_and_name_what_may_have_been_ordered() {
    let _turn = alone();
    let server = Server::start();
    server.on("/orders", Reply::ok("x").after(Duration::from_millis(200)));
    let project = Project::new("");
    for number in 0..SCENARIOS {
        let http = format!(
            "http: {{ method: POST, url: \"{}\", json: {{ marker: \"${{run.id}}\" }} }}",
            server.url("/orders")
        );
        project.scenario(
            &format!("s{number}"),
            &format!("every: 1s\ntimeout: 900ms\nside_effects: true\n{http}"),
        );
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut began = None;
    for _ in 0..KILLS / 2 {
        let serving = project.start(&[]);
        serving.until_ready();
        began.get_or_insert_with(|| SystemClock.now());
        let before = server.requests();
        wait::until_blocking("an order", Duration::from_mins(3), || server.requests() > before);
        wait_for(Duration::from_millis(dice.below(1_200)));
        serving.kill();
    }
    let serving = project.serve();
    let api = serving.api();
    let (closed, all) = (SystemClock.now(), api.events(""));
    assert_eq!(serving.stop().0, Some(0));
    no_slot_twice(&all);
    settle(&project.path("prober-data"), began.unwrap(), closed);
    let mut ordered: BTreeMap<String, usize> = BTreeMap::new();
    for request in server.seen() {
        // A request that was cut off has no whole body, and did nothing.
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { continue };
        *ordered.entry(text(&body, "marker").to_owned()).or_default() += 1;
    }
    assert!(ordered.values().all(|count| *count == 1), "{ordered:?}");
    let interrupted: Vec<_> =
        all.iter().filter(|event| text(event, "prober.verdict.reason") == "interrupted").collect();
    let said =
        |sent: bool| interrupted.iter().filter(|event| event["prober.slot.maybe_sent"] == sent).count();
    assert_eq!(said(true) + said(false), interrupted.len(), "each of them says so");
    assert!(said(true) > 0 && said(false) > 0, "{} of {}", said(true), interrupted.len());
    for event in interrupted.iter().filter(|event| ordered.contains_key(text(event, "prober.slot.id"))) {
        assert_eq!(event["prober.slot.maybe_sent"], true, "it was ordered: {event:#}");
    }
}

/// How many runs wait to be settled.
fn held(metrics: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix("prober_runs_held "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

/// Lets a moment pass that the dice have chosen: here time itself is what is tested.
fn wait_for(moment: Duration) {
    std::thread::sleep(moment);
}

/// Remembers every event that the prober shows now, by slot.
fn look(serving: &Serving, shown: &mut BTreeMap<String, Value>) {
    let Some(addr) = serving.said_address() else { return };
    let answer = testkit::client::get(addr, "/api/v1/events?limit=200");
    let Some(answer) = answer.filter(|answer| answer.status == 200) else { return };
    let page: Value = serde_json::from_str(&answer.body).unwrap();
    for event in page["events"].as_array().unwrap() {
        shown.insert(text(event, "prober.slot.id").to_owned(), event.clone());
    }
}

fn everything_shown_is_there(shown: &BTreeMap<String, Value>, all: &[Value]) {
    let stored: BTreeMap<_, _> = all.iter().map(|event| (text(event, "prober.slot.id"), event)).collect();
    for (id, event) in shown {
        assert_eq!(stored.get(id.as_str()), Some(&event), "the event of {id} was shown before a kill");
    }
}

fn no_slot_twice(all: &[Value]) {
    let mut slots = HashSet::new();
    for event in all {
        assert!(slots.insert(text(event, "prober.slot.id")), "twice: {event:#}");
    }
}

/// Every event that was shown is in the exported files too, once or more; closed files have whole lines.
fn exported(folder: &Path, shown: &BTreeMap<String, Value>) {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|end| end == "ndjson"), "left open: {}", path.display());
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            found.insert(text(&event, "prober.slot.id").to_owned());
        }
    }
    for id in shown.keys() {
        assert!(found.contains(id), "{id} was shown and never exported");
    }
}

/// Opens the store as nobody's prober and settles the account over the whole span, slot by slot.
fn settle(data: &Path, began: Timestamp, closed: Timestamp) {
    let opened = Store::open(store::Config::new(data.to_owned()), Arc::new(SystemClock)).unwrap();
    let account = opened.store.account(began, closed, &expected).unwrap();
    assert_eq!(account.violations, 0, "{account:#?}");
    assert_eq!(account.streams.len(), SCENARIOS);
    for stream in &account.streams {
        let seconds = closed.since(began).as_secs();
        assert!(stream.expected.abs_diff(seconds) <= 1, "{stream:?} in {seconds} s");
        assert_eq!(stream.recorded(), stream.expected, "{stream:?}");
    }
    // The sum alone could hide a slot twice and another one never.
    let filter = store::EventFilter {
        since: Some(began),
        until: Some(closed),
        limit: 1_000_000,
        ..store::EventFilter::default()
    };
    let found = opened.store.reader().query(&filter).unwrap();
    let cadence = Cadence::Every { interval_ms: 1_000 };
    for stream in account.streams.iter().map(|account| &account.stream) {
        let due: BTreeSet<_> = expected(stream, &cadence, began, closed).into_iter().collect();
        let recorded = found.iter().filter(|stored| &stored.event.origin.stream == stream);
        let recorded: BTreeSet<_> = recorded.map(|stored| stored.event.slot.scheduled).collect();
        assert_eq!(recorded, due, "{stream}");
    }
}

#[test]
fn a_record_that_is_taken_away_is_noticed() {
    let server = Server::start();
    let project = project(&server);
    let serving = project.serve();
    let began = SystemClock.now();
    serving.api().until_events("verdict=good,bad", 3 * SCENARIOS);
    assert_eq!(serving.stop().0, Some(0));
    let closed = SystemClock.now().minus(Duration::from_secs(1));
    let data = project.path("prober-data");
    let violations = || {
        let opened = Store::open(store::Config::new(data.clone()), Arc::new(SystemClock)).unwrap();
        opened.store.account(began, closed, &expected).unwrap().violations
    };
    assert_eq!(violations(), 0);
    let sql =
        "DELETE FROM events WHERE seq = (SELECT seq FROM events WHERE scheduled BETWEEN ?1 AND ?2 LIMIT 1)";
    let span = [began.as_millis(), closed.as_millis() - 1];
    let mut paths = std::fs::read_dir(data.join("events")).unwrap().map(|entry| entry.unwrap().path());
    let taken = paths.any(|path| {
        let is_part = path.extension().is_some_and(|end| end == "db");
        is_part && rusqlite::Connection::open(&path).unwrap().execute(sql, span).unwrap() == 1
    });
    assert!(taken, "a record was there to be taken");
    assert_eq!(violations(), 1, "the account must be able to fail");
}

#[test]
fn a_stop_drains_and_the_gap_is_a_drain() {
    // A slot every three seconds may start three quarters of one late, which no busy machine takes; and it is not busy.
    let _turn = alone();
    let server = Server::start();
    let project = project_of(&server, EXPORTS, 3);
    let serving = project.serve();
    serving.api().until_events("verdict=good,bad", 2 * SCENARIOS);
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("drained"), "{err}");
    let stopped = SystemClock.now();
    // The gap must hold two slots of every scenario.
    let gap = Duration::from_millis(6_600);
    wait::until_blocking("a gap of two slots", gap * 5, || SystemClock.now().since(stopped) > gap);
    let restarted = SystemClock.now();
    let serving = project.serve();
    let api = serving.api();
    let missed = api.until_events("verdict=missed", 2 * SCENARIOS);
    let reasons: BTreeSet<_> = missed.iter().map(|event| text(event, "prober.verdict.reason")).collect();
    assert_eq!(reasons, BTreeSet::from(["drain"]), "an orderly stop interrupts nothing");
    let inside = |event: &&Value| {
        let at: Timestamp = text(event, "prober.slot.scheduled").parse().unwrap();
        at > stopped && at < restarted
    };
    assert!(missed.iter().filter(inside).count() >= 2 * SCENARIOS, "{missed:#?}");
    api.until_events("verdict=good", 4 * SCENARIOS);
    let account = api.json("/api/v1/account?until=3s");
    assert_eq!(account["violations"], 0, "{account:#}");
}

#[test]
fn a_stop_waits_for_runs_and_a_second_one_does_not() {
    let server = Server::start();
    server.on("/", Reply::ok("x").after(Duration::from_secs(6)));
    let project =
        Project::with("", &[("long", format!("every: 8s\ntimeout: 7500ms\nhttp: {}", server.url("/")))]);
    let mut serving = project.serve();
    wait::until_blocking("a run in flight", Duration::from_mins(3), || server.open_connections() > 0);
    serving.signal(Signal::TERM);
    wait::until_blocking("the drain", Duration::from_mins(3), || serving.err().contains("stopping"));
    let second = Instant::now();
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().code(), Some(130), "{}", serving.err());
    assert!(
        second.elapsed() < Duration::from_secs(2),
        "a second signal ends at once: {:?}",
        second.elapsed()
    );
    drop(serving);
    // The run that was cut off is no run of the target's: it is on record as interrupted.
    let serving = project.serve();
    let missed = serving.api().until_events("verdict=missed", 1);
    assert!(missed.iter().any(|event| text(event, "prober.verdict.reason") == "interrupted"), "{missed:#?}");
    // A single signal lets the run in flight end: its event is there and good.
    let good = serving.api().events("verdict=good").len();
    let before = server.requests();
    wait::until_blocking("another run in flight", Duration::from_mins(3), || {
        server.requests() > before && server.open_connections() > 0
    });
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    let ran = project.prober(&["events", "verdict=good", "--format", "jsonl"]);
    assert!(ran.out.lines().count() > good, "{ran:?} {err}");
}
