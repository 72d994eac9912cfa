//! The table of `prober slo`.

use super::look::{Look, Tone};
use super::table::{Cell, Cells, Column, table};

/// One objective; texts may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct SloRow {
    pub(crate) name: String,
    pub(crate) objective: String,
    /// Runs in the window.
    pub(crate) runs: String,
    /// How many of them may be bad.
    pub(crate) budget: String,
    /// The share of the budget that one bad run takes.
    pub(crate) one_costs: String,
    /// The share of good runs so far.
    pub(crate) attained: String,
    /// The share of the budget that is left.
    pub(crate) left: String,
    /// The burn rate over the long window of the fast rule.
    pub(crate) burn: String,
    /// How long what is left lasts at that rate.
    pub(crate) lasts: String,
    /// What fires.
    pub(crate) firing: String,
    pub(crate) is_overspent: bool,
}

/// A line for each objective.
pub(crate) fn slo_table(rows: &[SloRow], look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let columns = [
        column("objective", 12, 0, Cells::Wrapped),
        column("promise", 12, 0, Cells::Wrapped),
        column("runs", 5, 6, Cells::Right),
        column("budget", 6, 5, Cells::Right),
        column("one costs", 9, 4, Cells::Right),
        column("attained", 8, 3, Cells::Right),
        column("left", 6, 1, Cells::Right),
        column("burn", 5, 2, Cells::Right),
        column("lasts", 6, 7, Cells::Right),
        column("firing", 14, 8, Cells::Wrapped),
    ];
    let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
    table(&columns, &rows, look)
}

fn cells(row: &SloRow) -> Vec<Cell> {
    let bad = |is_bad: bool| if is_bad { Tone::Bad } else { Tone::Plain };
    let plain = |text: &String| Cell(Tone::Plain, text.clone());
    vec![
        Cell(Tone::Strong, row.name.clone()),
        plain(&row.objective),
        plain(&row.runs),
        plain(&row.budget),
        plain(&row.one_costs),
        plain(&row.attained),
        Cell(bad(row.is_overspent), row.left.clone()),
        plain(&row.burn),
        plain(&row.lasts),
        Cell(bad(!row.firing.is_empty()), row.firing.clone()),
    ]
}
