//! The families of the routes that alerts go to.

use super::text::{Kind, Writer, escape};

/// The numbers of one route.
#[derive(Clone, Debug)]
pub struct AlertNumbers {
    /// The kind of its receivers.
    pub integration: &'static str,
    /// The route's name.
    pub route: String,
    /// Notifications that a receiver accepted.
    pub accepted: u64,
    /// Notifications that were not accepted in time, or refused.
    pub failed: u64,
    /// Changes that wait; `None` if nobody has looked yet.
    pub waiting: Option<u64>,
}

/// Takes one number of a route.
type Value = fn(&AlertNumbers) -> Option<u64>;

/// Writes the families; their names and meaning are Alertmanager's.
pub(super) fn families(out: &mut Writer, routes: &[AlertNumbers]) {
    let families: [(&str, Kind, &str, Value); 3] = [
        (
            "prober_alert_notifications_total",
            Kind::Counter,
            "Notifications that receivers accepted, and those that failed.",
            |route| Some(route.accepted + route.failed),
        ),
        (
            "prober_alert_notifications_failed_total",
            Kind::Counter,
            "Notifications that no receiver accepted in time, or that were refused.",
            |route| Some(route.failed),
        ),
        (
            "prober_alert_queue_length",
            Kind::Gauge,
            "Changes of alerts that wait for their receiver.",
            |route| route.waiting,
        ),
    ];
    for (name, kind, help, value) in families {
        out.header(name, kind, help);
        for route in routes {
            if let Some(value) = value(route) {
                out.name(name, "", &[("integration", route.integration), ("route", &escape(&route.route))]);
                out.count(value);
            }
        }
    }
}
