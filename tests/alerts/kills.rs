//! A full outbox and a prober that is killed again and again: nothing is lost, and nothing is doubled that its
//! receiver cannot recognise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::alert::Severity;
use rustix::process::Signal;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::Alertmanager;
use testkit::wait;

use super::{PATIENCE, alert, over, project, queue, store};

const ALERTS: usize = 60;
const KILLS: usize = 6;

#[test]
fn kills_lose_no_change_and_double_none_that_cannot_be_recognised() {
    let (hook, pagerduty, behind) = (Server::start(), Server::start(), Server::start());
    // Slow enough that kills hit deliveries.
    hook.on("*", Reply::status(204).after(Duration::from_millis(15)));
    pagerduty.on("*", Reply::status(202).after(Duration::from_millis(15)));
    behind.on("*", Reply::ok(""));
    let manager = Alertmanager::start(&behind.url("/"));
    let mut project = project(&format!(
        "  hook: {{ webhook: \"{}\" }}\n  oncall: {{ pagerduty: {{ routing_key: \"${{secrets.key}}\", url: \"{}\" }} }}\n  manager: {{ alertmanager: \"{}\" }}\nsecrets: {{ key: {{ env: KEY }} }}\n",
        hook.url("/"),
        pagerduty.url("/"),
        manager.url()
    ));
    project.env("KEY", "0123456789abcdef0123456789abcdef");
    let routes = ["hook", "oncall", "manager"];
    let firing: Vec<_> = (0..ALERTS).map(|number| alert(&format!("slo-{number}"), Severity::Page)).collect();
    queue(&project, &firing, &routes, Duration::ZERO);
    // Every second one has ended by now.
    let ended: Vec<_> = firing.iter().step_by(2).map(over).collect();
    queue(&project, &ended, &routes, Duration::ZERO);
    let changes = firing.len() + ended.len();

    for kill in 0..KILLS {
        let before = hook.requests() + pagerduty.requests();
        let serving = project.start(&[]);
        let some = before + 9 + 7 * kill as u64;
        wait::until_blocking("some deliveries", PATIENCE, || {
            hook.requests() + pagerduty.requests() >= some || hook.requests() >= changes as u64
        });
        serving.kill();
    }
    let serving = project.serve();
    wait::until_blocking("an empty outbox", PATIENCE, || {
        let metrics = serving.api().get("/metrics");
        let empty = |route: &&str| {
            let line = metrics.lines().find(|line| {
                line.starts_with("prober_alert_queue_length") && line.contains(&format!("route=\"{route}\""))
            });
            line.is_some_and(|line| line.ends_with(" 0"))
        };
        routes.iter().all(empty)
    });
    wait::until_blocking("Alertmanager knows all", PATIENCE, || {
        let known: Vec<Value> = serde_json::from_str(&manager.alerts()).unwrap_or_default();
        known.len() == ALERTS - ended.len()
    });
    serving.signal(Signal::TERM);
    drop(serving);

    assert_messages(&hook, changes);
    assert_incidents(&pagerduty, ended.len());
    let rows = store(&project).deliveries(10_000).unwrap();
    assert_eq!(rows.len(), routes.len() * changes);
    let keys: BTreeSet<_> = rows.iter().map(|row| (&row.delivery.route, &row.delivery.key)).collect();
    assert_eq!(keys.len(), rows.len());
    let open: Vec<_> = rows.iter().filter(|row| row.done.is_none()).collect();
    assert!(open.is_empty(), "{open:?}");
}

/// Every change came under its own id, and what came again came under the same one.
fn assert_messages(hook: &Server, changes: usize) {
    let mut messages: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for request in hook.seen() {
        let id = request.header("webhook-id").unwrap().to_owned();
        messages.entry(id).or_default().push(request.body.to_vec());
    }
    assert_eq!(messages.len(), changes);
    for (id, bodies) in &messages {
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{id} has two meanings");
    }
    let doubled = hook.seen().len() - changes;
    assert!(doubled <= KILLS, "one delivery is under way at a kill: {doubled} doubled");
}

/// Each incident was opened and, if it ended, closed under one key, in this order.
fn assert_incidents(pagerduty: &Server, ended: usize) {
    let mut incidents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in pagerduty.seen() {
        let event: Value = serde_json::from_slice(&request.body).unwrap();
        let action = event["event_action"].as_str().unwrap().to_owned();
        incidents.entry(event["dedup_key"].as_str().unwrap().to_owned()).or_default().push(action);
    }
    assert_eq!(incidents.len(), ALERTS);
    let closed = incidents.values().filter(|actions| actions.last().unwrap() == "resolve").count();
    assert_eq!(closed, ended);
    for actions in incidents.values() {
        let mut once = actions.clone();
        once.dedup();
        assert!(once == ["trigger"] || once == ["trigger", "resolve"], "{actions:?}");
    }
}
