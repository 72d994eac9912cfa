//! What an alert's change is while it waits: its stored form, and the rows that queue it.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::alert::{Alert, AlertId, Rule, Severity};
use model::time::Timestamp;
use serde_json::{Map, Value, json};
use store::NewDelivery;

/// The stored form that this version writes; it reads all before it.
const FORM: u64 = 1;

/// A change of an alert, as a receiver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The alert as it stands from this change on.
    pub alert: Alert,
    /// The routes of the alert's list, in order.
    pub routes: Vec<Arc<str>>,
    /// The route that did not take this change, if this tells of that.
    pub undelivered: Option<Undelivered>,
}

/// A route that did not take a change in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The route.
    pub route: String,
    /// What its receiver said last.
    pub why: String,
}

/// A stored notice that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer version wrote it.
    #[error("the stored alert has form {0}, the newest that this version knows is {FORM}")]
    TooNew(u64),
    /// It is damaged.
    #[error("the stored alert cannot be read: {0}")]
    Damaged(&'static str),
}

/// The rows that queue the present state of `alert` for every route of its list.
///
/// Their keys depend on the episode and on whether it fires: the same change gives the same keys.
pub fn deliveries(alert: &Alert, routes: &[Arc<str>]) -> Vec<NewDelivery> {
    let notice = Notice { alert: alert.clone(), routes: routes.to_vec(), undelivered: None };
    routes.iter().map(|route| notice.delivery(route)).collect()
}

impl Notice {
    /// What the change is known by: episode and state.
    pub fn key(&self) -> String {
        let state = if self.alert.is_firing() { "firing" } else { "resolved" };
        match &self.undelivered {
            None => format!("{}/{state}", self.alert.episode()),
            Some(missing) => format!("{}/{state}/after/{}", self.alert.episode(), missing.route),
        }
    }

    /// Which alert changes, whatever the episode.
    pub fn subject(&self) -> String {
        let id = &self.alert.id;
        let region = id.region.as_deref().unwrap_or_default();
        format!("{}/{}/{}/{region}", id.rule.as_str(), id.severity.as_str(), id.slo)
    }

    /// The row that queues it for `route`.
    pub fn delivery(&self, route: &str) -> NewDelivery {
        NewDelivery {
            route: route.to_owned(),
            key: self.key(),
            alert: self.subject(),
            firing: self.alert.is_firing(),
            urgent: self.alert.id.severity == Severity::Page,
            state: self.to_stored(),
        }
    }

    /// The row that tells the next route of the list that `route` did not take this; `None` if nobody is left.
    ///
    /// The list is a circle: after its last route comes the first. What tells of another route is not told on.
    pub(crate) fn escalation(&self, route: &str, why: &str) -> Option<NewDelivery> {
        if self.undelivered.is_some() || !self.alert.is_firing() || self.alert.id.severity != Severity::Page {
            return None;
        }
        let place = self.routes.iter().position(|known| **known == *route)?;
        let next = &self.routes[(place + 1) % self.routes.len()];
        if **next == *route {
            return None;
        }
        let undelivered = Some(Undelivered { route: route.to_owned(), why: why.to_owned() });
        Some(Self { undelivered, ..self.clone() }.delivery(next))
    }

    /// The stored form.
    pub(crate) fn to_stored(&self) -> String {
        let Alert { id, starts, ends, annotations } = &self.alert;
        let mut alert = json!({
            "rule": id.rule.as_str(), "severity": id.severity.as_str(), "slo": &*id.slo, "service": &*id.service,
            "team": &*id.team, "starts_ns": starts.as_nanos(),
            "annotations": annotations.iter().map(|(name, text)| (name.to_string(), json!(text))).collect::<Map<_, _>>(),
        });
        if let Some(region) = &id.region {
            alert["region"] = json!(&**region);
        }
        if let Some(ends) = ends {
            alert["ends_ns"] = json!(ends.as_nanos());
        }
        let routes: Vec<&str> = self.routes.iter().map(|route| &**route).collect();
        let mut stored = json!({ "v": FORM, "alert": alert, "routes": routes });
        if let Some(Undelivered { route, why }) = &self.undelivered {
            stored["undelivered"] = json!({ "route": route, "why": why });
        }
        stored.to_string()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// It is from a newer version or damaged.
    pub fn from_stored(text: &str) -> Result<Self, Unreadable> {
        let stored: Value = serde_json::from_str(text).map_err(|_| Unreadable::Damaged("it is not JSON"))?;
        match stored["v"].as_u64() {
            Some(1..=FORM) => {}
            Some(newer) => return Err(Unreadable::TooNew(newer)),
            None => return Err(Unreadable::Damaged("it has no version")),
        }
        let routes = stored["routes"].as_array().ok_or(Unreadable::Damaged("it has no routes"))?;
        let undelivered = stored.get("undelivered").map(|missing| {
            let text = |key: &str| missing[key].as_str().unwrap_or_default().to_owned();
            Undelivered { route: text("route"), why: text("why") }
        });
        Ok(Self {
            alert: alert(&stored["alert"])?,
            routes: routes.iter().filter_map(Value::as_str).map(Arc::from).collect(),
            undelivered,
        })
    }
}

fn alert(stored: &Value) -> Result<Alert, Unreadable> {
    let text = |key: &str| stored[key].as_str();
    let at = |key: &str| stored[key].as_i64().map(Timestamp::from_nanos);
    let rule = text("rule").and_then(Rule::of).ok_or(Unreadable::Damaged("its rule is not known"))?;
    let severity =
        text("severity").and_then(Severity::of).ok_or(Unreadable::Damaged("its severity is not known"))?;
    let id = AlertId {
        rule,
        severity,
        slo: text("slo").ok_or(Unreadable::Damaged("its objective is missing"))?.into(),
        service: text("service").unwrap_or_default().into(),
        team: text("team").unwrap_or_default().into(),
        region: text("region").map(Arc::from),
    };
    let annotations = stored["annotations"].as_object().into_iter().flatten();
    let annotations: BTreeMap<Arc<str>, String> = annotations
        .filter_map(|(name, text)| Some((Arc::from(name.as_str()), text.as_str()?.to_owned())))
        .collect();
    let starts = at("starts_ns").ok_or(Unreadable::Damaged("its start is missing"))?;
    Ok(Alert { id, starts, ends: at("ends_ns"), annotations })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{alert, notice};

    #[test]
    fn a_notice_is_read_as_it_was_stored() {
        let mut full = notice();
        full.alert.id.region = Some("eu-\u{1f980}".into());
        full.undelivered = Some(Undelivered { route: "oncall".to_owned(), why: "503 \"no\"".to_owned() });
        let mut over = notice();
        over.alert.ends = Some(over.alert.starts.plus(std::time::Duration::from_millis(1)));
        for one in [notice(), full, over] {
            assert_eq!(Notice::from_stored(&one.to_stored()), Ok(one));
        }
    }

    /// What the first version wrote must be read for ever.
    #[test]
    fn the_first_form_is_still_read() {
        let stored = r#"{"v":1,"alert":{"rule":"SLOOutage","severity":"page","slo":"checkout","service":"shop",
            "team":"team-checkout","starts_ns":1767225600000000000,"annotations":{"summary":"Checkout is down"},
            "ends_ns":1767225900000000000},"routes":["oncall","chat"],"undelivered":{"route":"oncall","why":"503"}}"#;
        let read = Notice::from_stored(stored).unwrap();
        assert_eq!(read.alert.id.rule, Rule::Outage);
        assert_eq!((read.routes.len(), read.undelivered.unwrap().route.as_str()), (2, "oncall"));
        assert_eq!(read.alert.ends.unwrap().since(read.alert.starts).as_secs(), 300);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (stored, said) in [
            ("", "it is not JSON"),
            ("{}", "it has no version"),
            (r#"{"v":2}"#, "form 2"),
            (r#"{"v":0}"#, "form 0"),
            (r#"{"v":1}"#, "no routes"),
            (r#"{"v":1,"routes":[],"alert":{"rule":"Nonsense"}}"#, "rule is not known"),
            (
                r#"{"v":1,"routes":[],"alert":{"rule":"SLOBlind","severity":"page","slo":"a"}}"#,
                "start is missing",
            ),
        ] {
            let error = Notice::from_stored(stored).unwrap_err().to_string();
            assert!(error.contains(said), "{stored}: {error}");
        }
    }

    #[test]
    fn the_same_change_has_the_same_keys_and_another_one_others() {
        let routes: Vec<Arc<str>> = vec!["oncall".into(), "chat".into()];
        let rows = deliveries(&alert(), &routes);
        assert_eq!(rows, deliveries(&alert(), &routes));
        assert_eq!((rows[0].route.as_str(), rows[1].route.as_str()), ("oncall", "chat"));
        assert_eq!(rows[0].key, rows[1].key);
        assert!(rows[0].urgent && rows[0].firing);
        let mut over = alert();
        over.ends = Some(over.starts);
        let mut again = alert();
        again.starts = again.starts.plus(std::time::Duration::from_secs(1));
        for other in [over, again] {
            let row = &deliveries(&other, &routes)[0];
            assert!(row.key != rows[0].key && row.alert == rows[0].alert, "{row:?}");
        }
    }

    #[test]
    fn a_page_goes_to_the_next_route_of_its_list_once() {
        let one = notice();
        let next = |route: &str| one.escalation(route, "503").map(|row| row.route);
        assert_eq!(
            (next("oncall"), next("chat"), next("gone")),
            (Some("chat".into()), Some("oncall".into()), None)
        );
        let row = one.escalation("oncall", "503").unwrap();
        assert_eq!(row.key, format!("{}/after/oncall", one.key()));
        let told = Notice::from_stored(&row.state).unwrap();
        assert_eq!(told.escalation("chat", "503"), None, "what tells of another route is not told on");
        let alone = Notice { routes: vec!["oncall".into()], ..one.clone() };
        assert_eq!(alone.escalation("oncall", "503"), None);
        let mut ticket = one.clone();
        ticket.alert.id.severity = Severity::Ticket;
        assert_eq!(ticket.escalation("oncall", "503"), None);
    }
}
