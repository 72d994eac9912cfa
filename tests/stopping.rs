//! Stops in the middle of a flow: what was created is deleted, and the account still balances.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use rustix::process::Signal;
use schedule::slots::Timetable;
use serde_json::Value;
use store::Store;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Project, Serving, said, text};

/// How long a poll may be waited for: its slot may be twenty seconds away, and the machine busy.
const PATIENCE: Duration = Duration::from_mins(3);

/// A shop that counts the orders which nobody has deleted, and never confirms one.
fn shop() -> (Server, Arc<AtomicUsize>) {
    let server = Server::start();
    let orders = Arc::new(AtomicUsize::new(0));
    let (creates, deletes) = (Arc::clone(&orders), Arc::clone(&orders));
    server.on_request("/orders", move |_| {
        creates.fetch_add(1, Ordering::SeqCst);
        Reply::status(201).body(r#"{"id":"o-1"}"#)
    });
    server.on_request("/orders/o-1", move |seen| match seen.method.as_str() {
        "DELETE" => {
            deletes.fetch_sub(1, Ordering::SeqCst);
            Reply::status(204)
        }
        _ => Reply::json(r#"{"status":"pending"}"#),
    });
    (server, orders)
}

const FLOW: &str = r#"
steps:
  - name: create
    http: { method: POST, url: "${vars.shop}/orders", json: { note: "${run.id}" } }
    expect: { status: 201 }
    capture: { id: { json: $.id } }
  - name: wait
    http: ${vars.shop}/orders/${id}
    poll: { every: 100ms, until: { json: { $.status: confirmed } } }
teardown:
  - name: delete
    needs: [id]
    http: { method: DELETE, url: "${vars.shop}/orders/${id}" }
    expect: { status: 204 }
"#;

fn project(server: &Server, head: &str) -> Project {
    let project = Project::new(&format!("vars: {{ shop: \"{}\" }}\n", server.url("")));
    project.scenario("checkout", &format!("{head}{FLOW}"));
    project
}

fn expected(stream: &Stream, cadence: &Cadence, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    Timetable::new(cadence, stream).map(|table| table.between(from, to).collect()).unwrap_or_default()
}

fn wait_for_polls(server: &Server) {
    let polls = || server.seen().iter().filter(|seen| seen.path == "/orders/o-1").count();
    wait::until_blocking("a poll", PATIENCE, || polls() >= 2);
}

#[test]
fn a_sigterm_in_the_middle_of_a_flow_runs_the_teardown_and_the_account_balances() {
    let (server, orders) = shop();
    let project = project(&server, "every: 20s\ntimeout: 19s\n");
    // A neighbour whose slots go by meanwhile.
    server.on("/", Reply::ok("x"));
    project.scenario("tick", "every: 1s\ntimeout: 900ms\nhttp: ${vars.shop}/\n");
    let began = SystemClock.now();
    let mut serving = project.serve();
    wait_for_polls(&server);
    assert_eq!(orders.load(Ordering::SeqCst), 1);
    serving.signal(Signal::TERM);
    let status = serving.end();
    assert_eq!(status.code(), Some(0), "{}", serving.err());
    assert_eq!(orders.load(Ordering::SeqCst), 0, "{}", serving.err());
    let shown = project.prober(&["events", "scenario=checkout", "--format", "jsonl"]);
    let events: Vec<Value> = shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ran = events.iter().find(|event| event.get("prober.run.started").is_some()).expect("a run");
    assert_eq!(said(ran), "ineligible cancelled local.cancelled", "{ran:#}");
    let deleted = &ran["prober.steps"][2];
    assert_eq!((&deleted["teardown"], &deleted["state"]), (&true.into(), &"passed".into()), "{ran:#}");
    let closed = SystemClock.now().minus(Duration::from_secs(2));
    let opened = Store::open(store::Config::new(project.path("prober-data")), Arc::new(SystemClock)).unwrap();
    let account = opened.store.account(began, closed, &expected).unwrap();
    assert_eq!((account.violations, account.streams.len()), (0, 2), "{account:#?}");
}

#[test]
fn an_interrupt_of_a_run_by_hand_cleans_up() {
    let (server, orders) = shop();
    let project = project(&server, "every: 1m\ntimeout: 50s\n");
    let mut running = Serving::start(project.dir(), &["run", "--format", "json"], &[]);
    wait_for_polls(&server);
    running.signal(Signal::INT);
    assert_eq!(running.end().code(), Some(130), "{}", running.err());
    assert_eq!(orders.load(Ordering::SeqCst), 0, "{}", running.err());
    let events: Vec<Value> = serde_json::from_str(&running.out()).unwrap();
    assert_eq!(text(&events[0], "prober.verdict.reason"), "cancelled");
    assert_eq!(events[0]["prober.steps"][2]["state"], "passed");
}

#[test]
fn what_a_run_saw_is_compared_with_after_a_restart() {
    let server = Server::start();
    server.on("/", Reply::json(r#"{"sequence":7}"#));
    let body = "every: 1s\ntimeout: 900ms\nhttp: ${vars.shop}/\nexpect: { json: { $.sequence: { advances: { within: 1h } } } }\n";
    let project = Project::new(&format!("vars: {{ shop: \"{}\" }}\n", server.url("")));
    project.scenario("sequence", body);
    let serving = project.serve();
    let good = serving.api().until_events("verdict=good", 2);
    assert_eq!(good[0]["prober.high_marks"][0]["value"], 7);
    assert_eq!(serving.stop().0, Some(0));
    // Meanwhile the target was set back to an old state.
    server.on("/", Reply::json(r#"{"sequence":3}"#));
    let serving = project.serve();
    let bad = serving.api().until_events("verdict=bad", 1);
    assert_eq!(said(&bad[0]), "bad backwards backwards", "{:#}", bad[0]);
    server.on("/", Reply::json(r#"{"sequence":8}"#));
    let before = good.len();
    serving.api().until_events("verdict=good", before + 1);
    let by_hand = project.prober(&["run", "-v"]);
    assert!(by_hand.out.contains("json $.sequence: there was nothing to compare with"), "{}", by_hand.out);
}
