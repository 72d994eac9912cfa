//! The table of `prober fleet status`.

use super::look::{Look, Tone};
use super::table::{Cell, Cells, Column, table};

/// One member of a fleet; texts may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemberRow {
    /// Its region, or `hub`.
    pub(crate) region: String,
    pub(crate) prober: String,
    /// `there` or `draining`.
    pub(crate) state: String,
    /// How many it owns.
    pub(crate) shards: String,
    /// The version that it applies.
    pub(crate) set: String,
    /// Whether a newer one is published.
    pub(crate) is_old: bool,
    /// Events that the ledger may not have.
    pub(crate) behind: String,
    /// Batches that wait.
    pub(crate) waiting: String,
    /// How far its clock is from the servers'.
    pub(crate) clock: String,
    pub(crate) zone: String,
    pub(crate) build: String,
}

/// A line for each member.
pub(crate) fn members_table(rows: &[MemberRow], look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let columns = [
        column("region", 6, 0, Cells::Cut),
        column("prober", 8, 0, Cells::Cut),
        column("state", 5, 0, Cells::Cut),
        column("shards", 6, 0, Cells::Right),
        column("set", 3, 0, Cells::Right),
        column("behind", 6, 0, Cells::Right),
        column("waiting", 7, 2, Cells::Right),
        column("clock", 6, 0, Cells::Right),
        column("zone", 4, 3, Cells::Cut),
        column("version", 7, 4, Cells::Cut),
    ];
    let plain = |text: &String| Cell(Tone::Plain, text.clone());
    let cells = |row: &MemberRow| {
        vec![
            plain(&row.region),
            Cell(Tone::Strong, row.prober.clone()),
            plain(&row.state),
            plain(&row.shards),
            Cell(if row.is_old { Tone::Bad } else { Tone::Plain }, row.set.clone()),
            plain(&row.behind),
            plain(&row.waiting),
            plain(&row.clock),
            plain(&row.zone),
            plain(&row.build),
        ]
    };
    table(&columns, &rows.iter().map(cells).collect::<Vec<_>>(), look)
}
