//! Alerts on their way from the store to receivers, through the whole program.

mod hostile;
mod kills;
mod manager;
mod sending;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::alert::{Alert, AlertId, Rule, Severity};
use model::time::{Clock as _, SystemClock, Timestamp};
use store::{Config, Store};

use crate::support::Project;

const PATIENCE: Duration = Duration::from_mins(3);

/// A scenario that never runs: alerts come from the store.
const IDLE: &str = "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/";

/// A project with these routes.
fn project(routes: &str) -> Project {
    Project::with(&format!("routes:\n{routes}"), &[("idle", IDLE.to_owned())])
}

fn alert(slo: &str, severity: Severity) -> Alert {
    let summary = format!("{slo} is down in 2 of 2 regions");
    let annotations: BTreeMap<Arc<str>, String> = [("summary".into(), summary)].into();
    let id = AlertId {
        rule: Rule::Outage,
        severity,
        slo: slo.into(),
        service: "shop".into(),
        team: "team-shop".into(),
        region: None,
    };
    // The receivers compare it with their own clocks.
    let starts = Timestamp::from_seconds(SystemClock.now().as_millis() / 1_000 - 60);
    Alert { id, starts, ends: None, annotations }
}

fn over(alert: &Alert) -> Alert {
    Alert { ends: Some(SystemClock.now()), ..alert.clone() }
}

/// Opens the store of a project that nobody serves.
fn store(project: &Project) -> Store {
    Store::open(Config::new(project.path("prober-data")), Arc::new(SystemClock)).unwrap().store
}

/// Queues the alerts as the evaluator does, `ago` from now.
fn queue(project: &Project, alerts: &[Alert], routes: &[&str], ago: Duration) {
    let routes: Vec<Arc<str>> = routes.iter().map(|route| Arc::from(*route)).collect();
    let rows: Vec<_> = alerts.iter().flat_map(|alert| alert::deliveries(alert, &routes)).collect();
    let queued = store(project).enqueue(&rows, SystemClock.now().minus(ago)).unwrap();
    assert_eq!(queued.added, rows.len() as u64);
}
