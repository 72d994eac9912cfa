//! What is told of a change of an alert, and where: the rows of the outbox, a note for the pages, a line of the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use model::alert::Alert;
use slo::evaluator::{Change, Transition};
use slo::promise::Promise;
use store::{NewDelivery, NewNote, ReadError};

use super::{NAME, Work};

impl Work {
    /// The rows of the outbox: a new alert for the routes of its promise, an end for those that were told of the start.
    pub(super) fn rows(&self) -> Result<Vec<NewDelivery>, ReadError> {
        let routes: BTreeMap<&str, &Promise> =
            self.promises.all.iter().map(|promise| (&*promise.name, promise)).collect();
        let mut rows = Vec::new();
        // What begins and ends between two commits is told as both.
        let mut begun: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
        for Change { alert, .. } in &self.changes {
            if alert.is_firing() {
                let promise = routes.get(&*alert.id.slo);
                let to =
                    promise.map(|promise| promise.routes(alert.id.severity).to_vec()).unwrap_or_default();
                rows.extend(alert::deliveries(&self.linked(alert, promise.copied()), &to));
                begun.insert(alert.episode(), to);
                continue;
            }
            let to = match begun.get(&alert.episode()) {
                Some(to) => to.clone(),
                None => self.told(alert)?,
            };
            let promise = routes.get(&*alert.id.slo).copied();
            rows.extend(alert::deliveries(&self.linked(alert, promise), &to));
        }
        Ok(rows)
    }

    /// The alert with a link to its page: that of the scenario, or of all for a promise over several.
    fn linked(&self, alert: &Alert, promise: Option<&Promise>) -> Alert {
        let mut scenarios: Vec<_> = promise.into_iter().flat_map(|promise| &promise.feeds).collect();
        scenarios.dedup_by(|one, other| one.scenario == other.scenario);
        let page = match scenarios.as_slice() {
            [only] => format!("/scenarios/{}", segment(&only.scenario)),
            _ => "/".to_owned(),
        };
        let mut alert = alert.clone();
        alert.annotations.insert("dashboard_url".into(), format!("{}{page}", self.pages));
        alert
    }

    /// The routes that were told that the alert fires.
    fn told(&self, alert: &Alert) -> Result<Vec<Arc<str>>, ReadError> {
        let start = Alert { ends: None, ..alert.clone() };
        let all = alert::deliveries(&start, &self.promises.routes);
        let mut told = Vec::new();
        for (route, row) in self.promises.routes.iter().zip(all) {
            if self.store.delivery(route, &row.key)?.is_some() {
                told.push(Arc::clone(route));
            }
        }
        Ok(told)
    }
}

/// The changes as notes, for the page of alerts.
pub(super) fn noted(changes: &[Change]) -> Vec<NewNote> {
    let note = |change: &Change| {
        let alert = &change.alert;
        let labels: serde_json::Map<_, _> =
            alert.id.labels().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let detail = serde_json::json!({ "labels": labels, "annotations": &alert.annotations });
        NewNote {
            who: NAME.to_owned(),
            action: if alert.is_firing() { "fired" } else { "ended" },
            subject: alert.episode(),
            detail: detail.to_string(),
            once: true,
        }
    };
    changes.iter().map(note).collect()
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes every text");
        }
    }
    text
}

/// Says what changed, for the log.
pub(super) fn tell(change: &Change) {
    let alert = &change.alert;
    let sum = alert.annotations.get("sum").map_or("", String::as_str);
    let (rule, severity, slo) = (alert.id.rule.as_str(), alert.id.severity.as_str(), &*alert.id.slo);
    let region = alert.id.region.as_deref().unwrap_or_default();
    match &change.transition {
        Transition::Fired => tracing::warn!(slo, severity, region, sum, "{rule} fires"),
        Transition::Cleared => tracing::info!(slo, severity, region, "{rule} is over"),
        Transition::Muted(maintenance) => {
            tracing::info!(slo, severity, region, %maintenance, "{rule} keeps quiet for a maintenance");
        }
        Transition::Gone => tracing::info!(slo, severity, region, "{rule} is gone with its promise"),
    }
}
