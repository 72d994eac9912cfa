//! `prober alerts outbox`: which changes of alerts wait for which route, what was not taken, and for how long.

use alert::Notice;
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use store::{Outbox, OutboxFilter, OutboxRoute, QueuedDelivery, Reader};

use super::args::{AlertsOutbox, FactsFormat, Global};
use super::out::Out;
use super::place::data;
use super::show::{OutboxRow, distance, outbox_table};
use crate::exit::{Exit, Stop};

/// Shows the outbox; with `--strict`, exit code 1 if somebody was not told.
pub(crate) fn outbox(global: &Global, args: &AlertsOutbox, out: &Out) -> Result<Exit, Stop> {
    let found = read(&data(global, args.data.as_ref())?, &filter(args))?;
    let now = SystemClock.now();
    if let Some(route) = args.route.as_ref().filter(|_| found.routes.is_empty()) {
        out.note(&format!("nothing was ever queued for a route `{route}`"));
    }
    match args.format {
        FactsFormat::Json => out.json(&as_json(&found)),
        FactsFormat::Human => human(&found, now, out),
    }
    let untold = found.routes.iter().any(|route| route.overdue > 0 || route.given_up > 0);
    Ok(if args.strict && untold { Exit::Bad } else { Exit::Good })
}

fn filter(args: &AlertsOutbox) -> OutboxFilter {
    OutboxFilter { route: args.route.clone(), all: args.all, since: None, limit: args.limit.into() }
}

/// What is in the outbox of a data directory; an empty one if there is none yet.
pub(crate) fn read(dir: &std::path::Path, filter: &OutboxFilter) -> Result<Outbox, Stop> {
    if !dir.exists() {
        return Ok(Outbox::default());
    }
    let wrong = |error: String| Stop::environment(error);
    let mut reader = Reader::open(dir).map_err(|error| wrong(error.to_string()))?;
    reader.outbox(filter).map_err(|error| wrong(error.to_string()))
}

fn human(found: &Outbox, now: Timestamp, out: &Out) {
    if found.routes.is_empty() {
        return out.note("the outbox is empty: no alert has fired in the last 7 days");
    }
    for route in &found.routes {
        out.line(&format!("{}: {}", route.route, standing(route, now)));
    }
    let rows: Vec<_> = found.changes.iter().map(|change| row(change, now)).collect();
    if !rows.is_empty() {
        out.line("");
        out.raw(outbox_table(&rows, out.look()).as_bytes());
    }
}

/// `3 wait, the oldest for 12m; 1 is overdue; 2 were given up; 40 taken, the last 3h ago`
pub(crate) fn standing(route: &OutboxRoute, now: Timestamp) -> String {
    let mut parts = vec![match (route.waiting, route.oldest) {
        (0, _) | (_, None) => "nothing waits".to_owned(),
        (1, Some(oldest)) => format!("1 waits for {}", distance(now.since(oldest))),
        (waiting, Some(oldest)) => format!("{waiting} wait, the oldest for {}", distance(now.since(oldest))),
    }];
    if route.overdue > 0 {
        parts.push(format!("{} overdue", route.overdue));
    }
    if route.given_up > 0 {
        parts.push(format!("{} given up", route.given_up));
    }
    parts.push(match route.last_accepted {
        Some(last) => format!("{} taken, the last {} ago", route.accepted, distance(now.since(last))),
        None => "none taken".to_owned(),
    });
    parts.join("; ")
}

fn row(change: &QueuedDelivery, now: Timestamp) -> OutboxRow {
    let delivery = &change.delivery;
    // A form that this version does not know still says which alert it is.
    let what = Notice::from_stored(&delivery.state)
        .map_or_else(|_| delivery.alert.clone(), |notice| alert::headline(&notice));
    OutboxRow {
        route: delivery.route.clone(),
        what,
        state: state(change).to_owned(),
        is_bad: change.overdue.is_some() || (change.done.is_some() && !change.accepted),
        queued: format!("{} ago", distance(now.since(change.created))),
        tries: change.attempts.to_string(),
        next: match change.done {
            Some(_) => String::new(),
            None if change.next > now => format!("in {}", distance(change.next.since(now))),
            None => "now".to_owned(),
        },
        error: change.error.clone().unwrap_or_default(),
    }
}

/// What became of a change, in a word.
fn state(change: &QueuedDelivery) -> &'static str {
    match (change.done, change.accepted, change.overdue) {
        (Some(_), true, _) => "taken",
        (Some(_), false, _) => "given up",
        (None, _, Some(_)) => "overdue",
        (None, ..) => "waits",
    }
}

fn as_json(found: &Outbox) -> Value {
    let route = |route: &OutboxRoute| {
        json!({
            "route": route.route, "waiting": route.waiting, "overdue": route.overdue, "oldest": route.oldest,
            "given_up": route.given_up, "accepted": route.accepted, "last_accepted": route.last_accepted,
        })
    };
    let change = |row: &QueuedDelivery| {
        json!({
            "route": row.delivery.route, "alert": row.delivery.alert, "key": row.delivery.key,
            "firing": row.delivery.firing, "urgent": row.delivery.urgent, "state": state(row),
            "queued": row.created, "next": row.done.is_none().then_some(row.next), "done": row.done,
            "attempts": row.attempts, "error": row.error,
        })
    };
    json!({
        "routes": found.routes.iter().map(route).collect::<Vec<_>>(),
        "changes": found.changes.iter().map(change).collect::<Vec<_>>(),
    })
}
