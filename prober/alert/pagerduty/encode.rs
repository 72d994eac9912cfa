//! The body of an event (<https://developer.pagerduty.com/docs/send-alert-event>).

use model::alert::Severity;
use serde_json::{Map, Value, json};

use crate::notice::Notice;
use crate::text::{self, cut, line};

/// The largest event that is taken.
const BYTES_MAX: usize = 512_000;
/// The longest value among the details, in characters.
const VALUE_MAX: usize = 4_096;

/// The event that opens, updates or ends the incident of the notice's alert.
pub(super) fn body(notice: &Notice, routing_key: &str) -> Vec<u8> {
    let alert = &notice.alert;
    let dedup_key = fingerprint(&alert.id.labels());
    if !alert.is_firing() {
        let event = json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key });
        return event.to_string().into_bytes();
    }
    let severity = match alert.id.severity {
        Severity::Page => "critical",
        Severity::Ticket => "warning",
    };
    let mut payload = json!({
        "summary": summary(notice), "source": source(notice), "severity": severity,
        "timestamp": alert.starts.to_string(), "component": &*alert.id.slo, "class": alert.id.rule.as_str(),
        "custom_details": details(notice),
    });
    if !alert.id.service.is_empty() {
        payload["group"] = json!(&*alert.id.service);
    }
    let mut event = json!({
        "routing_key": routing_key, "event_action": "trigger", "dedup_key": dedup_key,
        "payload": payload, "links": links(notice), "client": "prober",
    });
    if let Some(url) = text::link(alert, "dashboard_url") {
        event["client_url"] = json!(url);
    }
    let whole = event.to_string();
    if whole.len() <= BYTES_MAX {
        return whole.into_bytes();
    }
    event["payload"]["custom_details"] = json!({ "left_out": "the details were too large" });
    event.to_string().into_bytes()
}

fn summary(notice: &Notice) -> String {
    let summary = text::summary(&notice.alert);
    match &notice.undelivered {
        Some(missing) => {
            let route = cut(&line(&missing.route), 100);
            cut(&format!("{summary} (not delivered by route {route})"), text::SUMMARY_MAX)
        }
        None => summary,
    }
}

fn source(notice: &Notice) -> String {
    let id = &notice.alert.id;
    match &id.region {
        Some(region) => format!("{} in {region}", id.slo),
        None => id.slo.to_string(),
    }
}

fn details(notice: &Notice) -> Map<String, Value> {
    let alert = &notice.alert;
    let labels =
        alert.id.labels().into_iter().map(|(name, value)| (name.to_owned(), json!(cut(value, VALUE_MAX))));
    let annotations = alert.annotations.iter().filter(|(name, _)| ***name != *"summary");
    let annotations = annotations.map(|(name, value)| (name.to_string(), json!(cut(value, VALUE_MAX))));
    let undelivered = text::undelivered(notice).map(|why| ("undelivered".to_owned(), json!(why)));
    labels.chain(annotations).chain(undelivered).collect()
}

fn links(notice: &Notice) -> Vec<Value> {
    let named = [("runbook_url", "Runbook"), ("dashboard_url", "Dashboard")];
    let link = |(name, text): (&str, &str)| {
        text::link(&notice.alert, name).map(|href| json!({ "href": href, "text": text }))
    };
    named.into_iter().filter_map(link).collect()
}

/// The fingerprint of labels as Prometheus and Alertmanager have it: FNV-1a with 64 bits over names and values.
///
/// `labels` are sorted by name.
fn fingerprint(labels: &[(&str, &str)]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (name, value) in labels {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    format!("{hash:016x}")
}
