//! The body of a message: `type`, `timestamp`, `data`.

use serde_json::{Map, Value, json};

use crate::notice::Notice;
use crate::text::{self, cut};

/// The longest value of an annotation, in characters.
const VALUE_MAX: usize = 8_192;

/// The body for the notice; the same notice gives the same bytes.
pub(super) fn body(notice: &Notice) -> Vec<u8> {
    let alert = &notice.alert;
    let (kind, at) = match alert.ends {
        None => ("slo.alert.firing", alert.starts),
        Some(ends) => ("slo.alert.resolved", ends),
    };
    let labels: Map<String, Value> =
        alert.id.labels().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let annotations = alert.annotations.iter();
    let annotations: Map<String, Value> =
        annotations.map(|(name, value)| (name.to_string(), json!(cut(value, VALUE_MAX)))).collect();
    let mut data = json!({
        "id": alert.episode(), "severity": alert.id.severity.as_str(), "summary": text::summary(alert),
        "description": text::description(alert), "labels": labels, "annotations": annotations,
        "starts_at": alert.starts.to_string(), "ends_at": alert.ends.map(|ends| ends.to_string()),
    });
    if let Some(missing) = &notice.undelivered {
        data["undelivered"] =
            json!({ "route": missing.route, "why": missing.why, "text": text::undelivered(notice) });
    }
    json!({ "type": kind, "timestamp": at.to_string(), "data": data }).to_string().into_bytes()
}
