//! The body of `POST /api/v2/alerts` (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>).

use std::time::Duration;

use model::alert::Alert;
use model::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::notice::Notice;
use crate::text;

/// An alert that is not told again for so long ends by itself: four times the minute between tellings, as Prometheus
/// has it.
pub(super) const VALID_FOR: Duration = Duration::from_mins(4);

/// The longest value of an annotation, in characters.
const VALUE_MAX: usize = 8_192;

/// The body for `notices`; an alert that Alertmanager would refuse, or take for another one, is an error.
///
/// One wrong alert makes Alertmanager refuse the whole array, so each is looked at before it is sent.
pub(super) fn body(notices: &[Notice], now: Timestamp) -> Result<Vec<u8>, String> {
    let alerts: Result<Vec<Value>, String> = notices.iter().map(|notice| alert(notice, now)).collect();
    Ok(Value::Array(alerts?).to_string().into_bytes())
}

fn alert(notice: &Notice, now: Timestamp) -> Result<Value, String> {
    let Alert { id, starts, ends, .. } = &notice.alert;
    let mut labels = Map::new();
    for (name, value) in id.labels() {
        labels.insert(name.to_owned(), json!(value));
    }
    // Empty labels are dropped by the receiver in silence; these two make the alert what it is.
    for name in ["alertname", "slo"] {
        if !labels.contains_key(name) {
            return Err(format!("the alert has no label `{name}`"));
        }
    }
    // A start that is not before the end is refused; without any start, it would begin at its end.
    let ends =
        ends.map_or_else(|| now.plus(VALID_FOR), |ends| ends.max(starts.plus(Duration::from_millis(1))));
    let starts = (*starts).min(ends);
    let mut alert = json!({
        "labels": labels, "annotations": annotations(notice),
        "startsAt": starts.to_string(), "endsAt": ends.to_string(),
    });
    if let Some(url) = text::link(&notice.alert, "dashboard_url") {
        alert["generatorURL"] = json!(url);
    }
    Ok(alert)
}

fn annotations(notice: &Notice) -> Map<String, Value> {
    let alert = &notice.alert;
    let mut all = Map::new();
    let given = alert.annotations.iter().filter(|(name, value)| is_name(name) && !value.is_empty());
    all.extend(given.map(|(name, value)| (name.to_string(), json!(text::cut(value, VALUE_MAX)))));
    all.insert("summary".to_owned(), json!(text::summary(alert)));
    if let Some(undelivered) = text::undelivered(notice) {
        all.insert("undelivered".to_owned(), json!(undelivered));
    }
    all
}

/// Whether every version of Alertmanager takes it for the name of a label or an annotation.
fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    starts && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
