//! Lines, blank lines and trailing comments.

use super::layout::Comment;

/// The lines written so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    /// Whether the last line is one of a text that keeps the blank lines after it.
    in_kept: bool,
}

#[derive(Debug, Default)]
struct Line {
    text: String,
    comment: Option<Behind>,
}

/// A comment behind a value.
#[derive(Debug)]
struct Behind {
    text: String,
    column: usize,
    gap: usize,
}

impl Lines {
    /// Adds a line.
    pub(super) fn push(&mut self, text: String) {
        self.in_kept = false;
        self.lines.push(Line { text, comment: None });
    }

    /// Says that the last line is of a text to which the blank lines after it belong.
    pub(super) fn keep_blanks(&mut self) {
        self.in_kept = true;
    }

    /// Adds a blank line, unless there is one, or nothing, or it would become part of a text.
    pub(super) fn blank(&mut self) {
        let wanted = self.lines.last().is_some_and(|last| !last.text.is_empty());
        if wanted && !self.in_kept {
            self.push(String::new());
        }
    }

    /// Puts a comment behind the last line; there is at most one.
    pub(super) fn behind(&mut self, comment: &[Comment<'_>]) {
        if let (Some(last), [comment]) = (self.lines.last_mut(), comment) {
            let Comment { column, gap, .. } = *comment;
            last.comment = Some(Behind { text: comment.text.to_owned(), column, gap: gap.max(1) });
        }
    }

    /// The text, with a line break at its end.
    ///
    /// Comments that stood in one column on neighbouring lines still do; others keep their distance.
    pub(super) fn finish(self) -> String {
        let mut out = String::new();
        let mut lines = self.lines.as_slice();
        while !lines.is_empty() {
            let column = lines[0].comment.as_ref().map(|comment| comment.column);
            let same = |line: &&Line| line.comment.as_ref().map(|comment| comment.column) == column;
            let count = if column.is_some() { lines.iter().take_while(same).count() } else { 1 };
            let (group, rest) = lines.split_at(count);
            let widest = group.iter().map(|line| line.text.chars().count()).max().unwrap_or(0);
            let gap = group.iter().filter_map(|line| line.comment.as_ref()).map(|comment| comment.gap).min();
            for line in group {
                out.push_str(&line.text);
                if let Some(comment) = &line.comment {
                    let spaces = widest - line.text.chars().count() + gap.unwrap_or(1);
                    out.extend(std::iter::repeat_n(' ', spaces));
                    out.push_str(&comment.text);
                }
                out.push('\n');
            }
            lines = rest;
        }
        out
    }
}
