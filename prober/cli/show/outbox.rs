//! The table of `prober alerts outbox`.

use super::look::{Look, Tone};
use super::table::{Cell, Cells, Column, table};

/// One change of an alert on its way to one route; texts may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutboxRow {
    pub(crate) route: String,
    /// What the receiver is told, in a line.
    pub(crate) what: String,
    /// `waits`, `overdue`, `given up` or `taken`.
    pub(crate) state: String,
    pub(crate) is_bad: bool,
    /// How long ago it was queued.
    pub(crate) queued: String,
    /// How often it was tried.
    pub(crate) tries: String,
    /// When it is tried next.
    pub(crate) next: String,
    /// What the last try in vain said.
    pub(crate) error: String,
}

/// A line for each change.
pub(crate) fn outbox_table(rows: &[OutboxRow], look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let columns = [
        column("route", 8, 0, Cells::Wrapped),
        column("state", 8, 0, Cells::Cut),
        column("queued", 9, 0, Cells::Right),
        column("tries", 5, 2, Cells::Right),
        column("next", 7, 3, Cells::Right),
        column("what", 20, 0, Cells::Wrapped),
        column("why not", 16, 1, Cells::Wrapped),
    ];
    let plain = |text: &String| Cell(Tone::Plain, text.clone());
    let cells = |row: &OutboxRow| {
        vec![
            Cell(Tone::Strong, row.route.clone()),
            Cell(if row.is_bad { Tone::Bad } else { Tone::Plain }, row.state.clone()),
            plain(&row.queued),
            plain(&row.tries),
            plain(&row.next),
            plain(&row.what),
            plain(&row.error),
        ]
    };
    table(&columns, &rows.iter().map(cells).collect::<Vec<_>>(), look)
}
