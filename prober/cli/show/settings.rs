//! What `prober config` shows, a line a setting.

use super::look::{Look, Tone};
use super::table::{Cell, Cells, Column, table};

/// One setting, its value and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingRow {
    /// The dotted name.
    pub(crate) name: String,
    pub(crate) value: String,
    /// `built-in`, `prober.yaml:7`, `PROBER_DATA`, `--data`.
    pub(crate) source: String,
}

/// A line for each setting, in the order given.
pub(crate) fn settings_table(rows: &[SettingRow], look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let columns = [
        column("setting", 14, 0, Cells::Cut),
        column("value", 16, 0, Cells::Wrapped),
        column("from", 10, 0, Cells::Cut),
    ];
    let cells = |row: &SettingRow| {
        let tone = if row.source == "built-in" { Tone::Dim } else { Tone::Plain };
        vec![
            Cell(Tone::Strong, row.name.clone()),
            Cell(Tone::Plain, row.value.clone()),
            Cell(tone, row.source.clone()),
        ]
    };
    table(&columns, &rows.iter().map(cells).collect::<Vec<_>>(), look)
}
