//! The outbox of alerts as JSON: plain functions of values.

use serde_json::{Value, json};
use store::{Outbox, OutboxRoute, QueuedDelivery};

/// Everything that is asked of it.
pub(crate) fn outbox(outbox: &Outbox) -> Value {
    json!({
        "routes": outbox.routes.iter().map(route).collect::<Vec<_>>(),
        "changes": outbox.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn route(route: &OutboxRoute) -> Value {
    json!({
        "route": route.route, "waiting": route.waiting, "overdue": route.overdue, "oldest": route.oldest,
        "given_up": route.given_up, "accepted": route.accepted, "last_accepted": route.last_accepted,
    })
}

fn change(row: &QueuedDelivery) -> Value {
    let state = match (row.done, row.accepted, row.overdue) {
        (Some(_), true, _) => "accepted",
        (Some(_), false, _) => "given_up",
        (None, _, Some(_)) => "overdue",
        (None, ..) => "waiting",
    };
    json!({
        "route": row.delivery.route, "alert": row.delivery.alert, "key": row.delivery.key,
        "firing": row.delivery.firing, "urgent": row.delivery.urgent, "state": state, "queued": row.created,
        "next": row.done.is_none().then_some(row.next), "done": row.done, "attempts": row.attempts,
        "error": row.error,
    })
}
