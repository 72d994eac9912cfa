//! The real Alertmanager behind us, and a webhook of ours behind it.

use model::alert::Severity;
use serde_json::Value;
use std::time::Duration;
use testkit::http::{Reply, Server};
use testkit::servers::Alertmanager;
use testkit::wait;

use super::{PATIENCE, alert, over, project, queue};
use crate::support::Serving;

/// What Alertmanager told its webhook: for each notification its status, and its alerts as `slo severity status`.
fn told(webhook: &Server) -> Vec<(String, Vec<String>)> {
    let told = |body: &[u8]| {
        let body: Value = serde_json::from_slice(body).unwrap();
        let one = |alert: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let labels = &alert["labels"];
            format!("{} {} {}", text(&labels["slo"]), text(&labels["severity"]), text(&alert["status"]))
        };
        let mut alerts: Vec<_> = body["alerts"].as_array().unwrap().iter().map(one).collect();
        alerts.sort_unstable();
        (body["status"].as_str().unwrap().to_owned(), alerts)
    };
    webhook.seen().iter().map(|request| told(&request.body)).collect()
}

fn until_told(webhook: &Server, slo_severity_status: &str) {
    wait::until_blocking(slo_severity_status, PATIENCE, || {
        told(webhook).iter().any(|(_, alerts)| alerts.iter().any(|alert| alert == slo_severity_status))
    });
}

fn known(manager: &Alertmanager) -> Vec<Value> {
    serde_json::from_str(&manager.alerts()).unwrap_or_default()
}

fn find<'a>(alerts: &'a [Value], slo: &str, severity: &str) -> Option<&'a Value> {
    alerts.iter().find(|alert| alert["labels"]["slo"] == slo && alert["labels"]["severity"] == severity)
}

fn stop(serving: Serving) -> String {
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    log
}

#[test]
fn alerts_fire_are_grouped_inhibited_and_resolved_on_every_member() {
    let (hook_one, hook_two) = (Server::start(), Server::start());
    for hook in [&hook_one, &hook_two] {
        hook.on("*", Reply::ok(""));
    }
    let one = Alertmanager::start(&hook_one.url("/hook"));
    let mut two = Alertmanager::start(&hook_two.url("/hook"));
    two.stop();
    let project = project(&format!("  oncall: {{ alertmanager: [\"{}\", \"{}\"] }}\n", one.url(), two.url()));
    let page = alert("checkout", Severity::Page);
    let alerts = [page.clone(), alert("checkout", Severity::Ticket), alert("stock", Severity::Ticket)];
    queue(&project, &alerts, &["oncall"], Duration::ZERO);
    let serving = project.serve();

    // One member is down: the other one has all, grouped by objective, and the page keeps its ticket back.
    until_told(&hook_one, "checkout page firing");
    until_told(&hook_one, "stock ticket firing");
    let at_one = known(&one);
    assert_eq!(at_one.len(), 3, "{at_one:#?}");
    let ticket = find(&at_one, "checkout", "ticket").unwrap();
    assert_eq!(ticket["status"]["state"], "suppressed", "{ticket:#}");
    let page_at_one = find(&at_one, "checkout", "page").unwrap();
    assert_eq!(ticket["status"]["inhibitedBy"][0], page_at_one["fingerprint"]);
    assert_eq!(page_at_one["annotations"]["summary"], "checkout is down in 2 of 2 regions");
    for (_, alerts) in told(&hook_one) {
        assert_eq!(alerts.len(), 1, "each group has one alert: {alerts:?}");
    }
    // The end is four tellings ahead, so that a prober that dies lets its alerts end.
    let seconds =
        |text: &Value| text.as_str().unwrap().parse::<model::time::Timestamp>().unwrap().as_millis() / 1_000;
    let ahead = seconds(&page_at_one["endsAt"]) - seconds(&page_at_one["updatedAt"]);
    assert!((200..=240).contains(&ahead), "{ahead}");

    // The other member comes back and is told by itself.
    two.start_again();
    until_told(&hook_two, "checkout page firing");
    assert_eq!(known(&two).len(), 3);
    let log = stop(serving);
    assert_eq!(log.matches("alerts do not get through").count(), 1, "said once, not per try: {log}");
    assert_eq!(log.matches("alerts get through again").count(), 1, "{log}");

    // A restart tells again what fires, and nobody is notified again.
    let notified = (told(&hook_one).len(), told(&hook_two).len());
    let updated = |manager: &Alertmanager| {
        find(&known(manager), "stock", "ticket").map(|alert| alert["updatedAt"].clone())
    };
    let before = (updated(&one), updated(&two));
    let serving = project.serve();
    wait::until_blocking("all is told again", PATIENCE, || {
        updated(&one) != before.0 && updated(&two) != before.1
    });
    // Three intervals of a group: a notification would be there.
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!((told(&hook_one).len(), told(&hook_two).len()), notified);
    stop(serving);

    // The page ends: it is resolved, and its ticket is no longer kept back.
    queue(&project, &[over(&page)], &["oncall"], Duration::ZERO);
    let serving = project.serve();
    for hook in [&hook_one, &hook_two] {
        until_told(hook, "checkout page resolved");
        until_told(hook, "checkout ticket firing");
    }
    let metrics = serving.api().get("/metrics");
    for line in [
        "prober_alert_notifications_total{integration=\"alertmanager\",route=\"oncall\"} 1",
        "prober_alert_notifications_failed_total{integration=\"alertmanager\",route=\"oncall\"} 0",
        "prober_alert_queue_length{integration=\"alertmanager\",route=\"oncall\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    stop(serving);
}

#[test]
fn pagerduty_is_told_the_fingerprint_that_alertmanager_computes() {
    let (hook, pagerduty) = (Server::start(), Server::start());
    hook.on("*", Reply::ok(""));
    pagerduty.on("/v2/enqueue", Reply::status(202));
    let manager = Alertmanager::start(&hook.url("/hook"));
    let mut project = project(&format!(
        "  manager: {{ alertmanager: \"{}\" }}\n  oncall: {{ pagerduty: {{ routing_key: \"${{secrets.key}}\", url: \"{}\" }} }}\nsecrets: {{ key: {{ env: KEY }} }}\n",
        manager.url(),
        pagerduty.url("/v2/enqueue")
    ));
    project.env("KEY", "0123456789abcdef0123456789abcdef");
    let odd = alert("checkout \u{1f980} \"quoted\"", Severity::Page);
    queue(&project, &[odd.clone(), over(&odd)], &["oncall"], Duration::ZERO);
    queue(&project, &[odd], &["manager"], Duration::ZERO);
    let serving = project.serve();
    wait::until_blocking("the events", PATIENCE, || pagerduty.requests() == 2);
    wait::until_blocking("the alert", PATIENCE, || known(&manager).len() == 1);
    let fingerprint = known(&manager)[0]["fingerprint"].clone();
    let events: Vec<Value> =
        pagerduty.seen().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    assert_eq!(
        (&events[0]["event_action"], &events[1]["event_action"]),
        (&"trigger".into(), &"resolve".into())
    );
    for event in &events {
        assert_eq!(event["dedup_key"], fingerprint);
    }
    stop(serving);
}
