//! Alerts for tests.

use model::alert::{Alert, AlertId, Rule, Severity};
use model::time::Timestamp;

use crate::notice::Notice;

/// The first second of 2026.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_seconds(1_767_225_600)
}

/// A page that fires.
pub(crate) fn alert() -> Alert {
    let annotations = [
        ("summary", "Checkout is down in 2 of 2 regions"),
        ("description", "Step `pay` answers 503 <since> 12:00 & nobody can pay."),
        ("runbook_url", "https://wiki.example/checkout"),
        ("dashboard_url", "http://prober.example/scenarios/checkout"),
        ("burn_rate", "1000"),
    ];
    Alert {
        id: AlertId {
            rule: Rule::Outage,
            severity: Severity::Page,
            slo: "checkout".into(),
            service: "shop".into(),
            team: "team-checkout".into(),
            region: None,
        },
        starts: start(),
        ends: None,
        annotations: annotations.into_iter().map(|(name, text)| (name.into(), text.to_owned())).collect(),
    }
}

/// That page for two routes.
pub(crate) fn notice() -> Notice {
    Notice { alert: alert(), routes: vec!["oncall".into(), "chat".into()], undelivered: None }
}

/// Its end, five minutes later.
pub(crate) fn resolved() -> Notice {
    let mut notice = notice();
    notice.alert.ends = Some(start().plus(std::time::Duration::from_mins(5)));
    notice
}
