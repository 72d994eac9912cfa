//! The tables of `prober events` and `prober list`.

use std::borrow::Borrow;

use model::event::SliEvent;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;

use super::look::{Look, Tone};
use super::number::{brief, distance, interval};
use super::table::{Cell, Cells, Column, table};
use super::words::why;

/// One plan as `prober list` shows it; texts may be empty.
#[derive(Clone, Debug)]
pub(crate) struct ListRow<'a> {
    /// Scenario and region.
    pub(crate) stream: &'a Stream,
    /// How often it is due.
    pub(crate) cadence: &'a Cadence,
    /// The kind of its steps, or `flow`.
    pub(crate) kind: &'a str,
    /// Whether no slot of it is ever run twice.
    pub(crate) side_effects: bool,
    /// What it talks to; several targets with commas.
    pub(crate) target: &'a str,
    /// The team.
    pub(crate) owner: &'a str,
    /// What is promised, such as `99.9% in 30d`; empty without an objective.
    pub(crate) objective: &'a str,
    /// Whom a broken promise tells; empty for nobody.
    pub(crate) alerts: &'a str,
    /// The next slot, if one is known.
    pub(crate) next: Option<Timestamp>,
}

/// The columns from which on a time is shown with its year.
const WIDE: usize = 120;

/// A line for each event, in the order given; times are UTC.
pub(crate) fn events_table(events: &[impl Borrow<SliEvent>], look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let columns = [
        column("time (UTC)", 14, 0, Cells::Cut),
        column("verdict", 10, 0, Cells::Cut),
        column("reason", 6, 2, Cells::Cut),
        column("scenario", 12, 0, Cells::Cut),
        column("region", 6, 1, Cells::Cut),
        column("took", 5, 3, Cells::Right),
        column("error type", 10, 4, Cells::Cut),
        column("message", 16, 5, Cells::Cut),
    ];
    let rows: Vec<_> = events.iter().map(|event| event_row(event.borrow(), look)).collect();
    table(&columns, &rows, look)
}

fn event_row(event: &SliEvent, look: Look) -> Vec<Cell> {
    let outcome = &event.outcome;
    let stream = &event.origin.stream;
    let format = if look.columns() < WIDE { "%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    let plain = |text: &str| Cell(Tone::Plain, text.to_owned());
    let failure = outcome.failure.as_ref();
    vec![
        Cell(Tone::Plain, event.slot.scheduled.jiff().strftime(format).to_string()),
        Cell(Tone::of(outcome.verdict()), outcome.verdict().to_string()),
        plain(outcome.reason.as_str()),
        plain(&stream.scenario),
        plain(&stream.region),
        Cell(Tone::Plain, if event.started.is_some() { brief(outcome.duration) } else { "-".to_owned() }),
        plain(failure.map_or("", |failure| &failure.error_type)),
        plain(why(outcome)),
    ]
}

/// A line or more for each plan, in the order given; `now` tells how far away the next slot is.
pub(crate) fn list_table(rows: &[ListRow<'_>], now: Timestamp, look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let mut columns = vec![
        column("scenario", 18, 0, Cells::Wrapped),
        column("region", 6, 0, Cells::Wrapped),
        column("every", 13, 0, Cells::Wrapped),
        column("kind", 9, 2, Cells::Wrapped),
        column("target", 16, 0, Cells::Wrapped),
        column("owner", 8, 3, Cells::Wrapped),
        column("next", 8, 1, Cells::Cut),
    ];
    // Where nothing is promised, nothing is said of promises.
    let promised = rows.iter().any(|row| !row.objective.is_empty());
    let alerted = rows.iter().any(|row| !row.alerts.is_empty());
    let effects = rows.iter().any(|row| row.side_effects);
    if effects {
        columns.push(column("side effects", 8, 6, Cells::Wrapped));
    }
    if promised {
        columns.push(column("objective", 9, 4, Cells::Wrapped));
    }
    if alerted {
        columns.push(column("alerts", 10, 5, Cells::Wrapped));
    }
    let rows: Vec<_> = rows.iter().map(|row| list_row(row, now, (effects, promised, alerted))).collect();
    table(&columns, &rows, look)
}

fn list_row(
    row: &ListRow<'_>,
    now: Timestamp,
    (effects, promised, alerted): (bool, bool, bool),
) -> Vec<Cell> {
    let plain = |text: &str| Cell(Tone::Plain, text.to_owned());
    let replica = if row.stream.replica > 0 { format!("/{}", row.stream.replica) } else { String::new() };
    let mut cells = vec![
        Cell(Tone::Strong, row.stream.scenario.to_string()),
        Cell(Tone::Plain, format!("{}{replica}", row.stream.region)),
        Cell(Tone::Plain, cadence(row.cadence)),
        plain(row.kind),
        plain(row.target),
        plain(row.owner),
        Cell(Tone::Plain, row.next.map_or_else(|| "-".to_owned(), |next| until(next, now))),
    ];
    cells.extend(effects.then(|| plain(if row.side_effects { "yes" } else { "" })));
    cells.extend(promised.then(|| plain(row.objective)));
    cells.extend(alerted.then(|| plain(row.alerts)));
    cells
}

/// `30s`, or `*/30 6-20 * * MON-FRI Europe/Berlin`.
fn cadence(cadence: &Cadence) -> String {
    match cadence {
        Cadence::Every { interval_ms } => interval(*interval_ms),
        Cadence::Cron { expression, timezone } => format!("{expression} {timezone}"),
    }
}

fn until(next: Timestamp, now: Timestamp) -> String {
    if next <= now { "now".to_owned() } else { format!("in {}", distance(next.since(now))) }
}
