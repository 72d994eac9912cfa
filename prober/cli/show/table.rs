//! Columns that fit the terminal.

use super::line::Line;
use super::look::{Look, Tone};
use super::safe::{columns_of, safe, wrap_within};

/// Blanks between columns.
const GAP: usize = 2;

/// The most lines of one wrapped cell.
const CELL_LINES_MAX: usize = 6;

/// What a column is called and how it gives way.
#[derive(Copy, Clone, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// The columns below which it does not shrink.
    pub(super) least: usize,
    /// Among those that are left out where the terminal is too narrow, the greatest goes first; 0 stays.
    pub(super) dispensable: u8,
    pub(super) kind: Cells,
}

/// How cells of a column stand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Cells {
    /// At the left, cut.
    Cut,
    /// At the left, wrapped.
    Wrapped,
    /// At the right, cut.
    Right,
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell(pub(super) Tone, pub(super) String);

/// The rows below a line of titles; each row has a cell for each column.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> String {
    let widths = widths(columns, rows, look);
    let mut out = String::new();
    let titles: Vec<_> = columns.iter().map(|column| Cell(Tone::Dim, column.title.to_owned())).collect();
    show_row(&mut out, columns, &widths, &titles, look);
    for row in rows {
        show_row(&mut out, columns, &widths, row, look);
    }
    out
}

/// The width of each column; `None` for those that are left out.
fn widths(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> Vec<Option<usize>> {
    let wide = |text: &str| columns_of(&safe(text, look.unicode, look.columns())).min(look.columns());
    let natural = columns.iter().enumerate().map(|(index, column)| {
        let cells = rows.iter().map(|row| wide(&row[index].1)).max().unwrap_or(0);
        // A column without a word in it says nothing.
        if cells == 0 && column.dispensable > 0 { None } else { Some(cells.max(column.title.len())) }
    });
    let mut widths: Vec<Option<usize>> = natural.collect();
    while !shrink(columns, &mut widths, look.columns()) {
        let shown = columns.iter().enumerate().filter(|(index, _)| widths[*index].is_some());
        let Some((index, column)) = shown.max_by_key(|(_, column)| column.dispensable) else { break };
        if column.dispensable == 0 {
            break;
        }
        widths[index] = None;
    }
    widths
}

/// Takes columns from where there are most to spare until all fit; gives whether they do.
fn shrink(columns: &[Column], widths: &mut [Option<usize>], room: usize) -> bool {
    let natural = widths.to_vec();
    loop {
        let shown = widths.iter().flatten().count();
        let used: usize = widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1);
        if used <= room {
            return true;
        }
        let spare = |index: usize| widths[index].unwrap_or(0).saturating_sub(columns[index].least);
        let widest = (0..columns.len()).max_by_key(|&index| spare(index)).filter(|&index| spare(index) > 0);
        let Some(index) = widest else {
            // The columns that stay get their room back when one of them goes.
            widths.copy_from_slice(&natural);
            return false;
        };
        widths[index] = widths[index].map(|width| width - 1);
    }
}

fn show_row(out: &mut String, columns: &[Column], widths: &[Option<usize>], row: &[Cell], look: Look) {
    let shown: Vec<(Cells, usize, Tone, Vec<String>)> = columns
        .iter()
        .zip(widths)
        .zip(row)
        .filter_map(|((column, width), cell)| {
            let width = (*width)?;
            Some((column.kind, width, cell.0, lines(column.kind, width, &cell.1, look)))
        })
        .collect();
    let height = shown.iter().map(|(.., lines)| lines.len()).max().unwrap_or(0);
    for index in 0..height {
        let mut line = Line::new(look, 0);
        let mut at = 0;
        for (kind, width, tone, lines) in &shown {
            let text = lines.get(index).map_or("", String::as_str);
            let wide = columns_of(&safe(text, look.unicode, *width)).min(*width);
            line.to(if *kind == Cells::Right { at + width - wide } else { at }, 0);
            line.field(*tone, text, *width);
            at += width + GAP;
        }
        line.end(out);
    }
}

fn lines(kind: Cells, width: usize, text: &str, look: Look) -> Vec<String> {
    if kind != Cells::Wrapped {
        return vec![text.to_owned()];
    }
    wrap_within(text, look.unicode, width, CELL_LINES_MAX)
}
