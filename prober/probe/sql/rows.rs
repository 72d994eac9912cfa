//! The rows as assertions see them.

use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

use super::cell::Cell;

/// The rows of an answer.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The columns' names in order.
    pub(super) columns: Vec<String>,
    /// The rows that were read.
    pub(super) cells: Vec<Vec<Cell>>,
    /// The step's limit, if there were more rows than that.
    pub(super) cut_at: Option<usize>,
}

impl Rows {
    fn cell(&self, row: usize, column: &str) -> Reading<'_> {
        let exact = self.columns.iter().position(|name| name == column);
        // SQL folds the case of names that are not quoted.
        let index = exact.or_else(|| self.columns.iter().position(|name| name.eq_ignore_ascii_case(column)));
        // Without a row the names of the columns are not known.
        if self.cells.is_empty() {
            return Reading::Absent;
        }
        let Some(index) = index else {
            let known = self.columns.join(", ");
            return Reading::Unreadable(format!(
                "the answer has no column `{column}`; its columns are: {known}"
            ));
        };
        match (self.cells.get(row).and_then(|cells| cells.get(index)), self.cut_at) {
            (Some(cell), _) => cell.read(),
            (None, Some(limit)) => {
                Reading::Unreadable(format!("row {row} was not read: `rows_limit` is {limit}"))
            }
            (None, None) => Reading::Absent,
        }
    }
}

impl Evidence for Rows {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        match (subject, selector) {
            ("rows", Selector::Row { row, column }) => self.cell(*row, column),
            ("row_count", _) => {
                let read = i64::try_from(self.cells.len()).unwrap_or(i64::MAX);
                match self.cut_at {
                    None => Reading::One(Value::Int(read)),
                    // One more came and was not kept.
                    Some(limit) => Reading::AtLeast(
                        read.saturating_add(1),
                        format!("the answer has more than {limit} rows, which is its `rows_limit`"),
                    ),
                }
            }
            _ => Reading::Absent,
        }
    }
}
