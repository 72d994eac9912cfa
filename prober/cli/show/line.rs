//! One line of output: every text is made safe, and the line keeps to the width.

use std::fmt::Write as _;

use super::look::{Look, Tone};
use super::safe::{columns_of, cut, safe, wrap_within};

/// The longest text that is shown whole because cutting it would make it useless, in columns.
const WHOLE_MAX: usize = 2_048;

/// The most lines of one wrapped text.
const LINES_MAX: usize = 12;

/// A line under construction.
#[derive(Debug)]
pub(super) struct Line {
    look: Look,
    text: String,
    columns: usize,
    /// Blanks that are written only if something follows.
    blanks: usize,
}

impl Line {
    /// A line that begins with `indent` blanks.
    pub(super) fn new(look: Look, indent: usize) -> Self {
        Self { look, text: String::new(), columns: 0, blanks: indent }
    }

    /// The next free column.
    pub(super) fn column(&self) -> usize {
        self.columns + self.blanks
    }

    /// The columns that are left.
    pub(super) fn room(&self) -> usize {
        self.look.columns().saturating_sub(self.column())
    }

    /// Leaves `blanks` columns free.
    pub(super) fn gap(&mut self, blanks: usize) -> &mut Self {
        self.blanks += blanks;
        self
    }

    /// Goes on at `column`, or `least` blanks further if that is already taken.
    pub(super) fn to(&mut self, column: usize, least: usize) -> &mut Self {
        self.blanks += column.saturating_sub(self.column()).max(least);
        self
    }

    /// Adds `text`, cut to what is left of the line.
    pub(super) fn put(&mut self, text: &str) -> &mut Self {
        self.tint(Tone::Plain, text)
    }

    /// Adds `text` in a tone, cut to what is left of the line.
    pub(super) fn tint(&mut self, tone: Tone, text: &str) -> &mut Self {
        self.field(tone, text, usize::MAX)
    }

    /// Adds `text` in a tone, cut to `columns_max` and to what is left of the line.
    pub(super) fn field(&mut self, tone: Tone, text: &str, columns_max: usize) -> &mut Self {
        let room = self.room().min(columns_max);
        let text = safe(text, self.look.unicode, room);
        self.write(tone, &cut(&text, room, self.look.either("…", "...")));
        self
    }

    /// Adds `text` even if it is wider than the terminal: an address or a command that is to be copied.
    pub(super) fn whole(&mut self, text: &str) -> &mut Self {
        let text = safe(text, self.look.unicode, WHOLE_MAX);
        self.write(Tone::Plain, &cut(&text, WHOLE_MAX, self.look.either("…", "...")));
        self
    }

    fn write(&mut self, tone: Tone, text: &str) {
        let all = text.len();
        let text = text.trim_end_matches(' ');
        let after = all - text.len();
        if text.is_empty() {
            self.blanks += after;
            return;
        }
        let blanks = std::mem::replace(&mut self.blanks, after);
        self.text.extend(std::iter::repeat_n(' ', blanks));
        self.columns += blanks + columns_of(text);
        let style = tone.style();
        if self.look.colour && !style.is_plain() {
            write!(self.text, "{style}{text}{style:#}").expect("a String takes every text");
        } else {
            self.text.push_str(text);
        }
    }

    /// The line and a line break appended to `out`.
    pub(super) fn end(self, out: &mut String) {
        out.push_str(&self.text);
        out.push('\n');
    }
}

/// Appends `text` to `out` behind `line`, wrapped; later lines begin where the text began.
pub(super) fn paragraph(out: &mut String, mut line: Line, tone: Tone, text: &str) {
    let (look, column, room) = (line.look, line.column(), line.room());
    let lines = wrap_within(text, look.unicode, room, LINES_MAX);
    for (index, text) in lines.iter().enumerate() {
        if index > 0 {
            line = Line::new(look, column);
        }
        line.tint(tone, text);
        std::mem::replace(&mut line, Line::new(look, column)).end(out);
    }
}

/// Appends `items` to `out` behind `line`, two blanks apart; an item that does not fit begins a line.
pub(super) fn items<'a>(out: &mut String, mut line: Line, items: impl Iterator<Item = (Tone, &'a str)>) {
    let (look, column) = (line.look, line.column());
    let mut first = true;
    for (tone, item) in items {
        let wide = columns_of(&safe(item, look.unicode, look.columns()));
        if !first && line.room() < wide + 2 {
            std::mem::replace(&mut line, Line::new(look, column)).end(out);
            first = true;
        }
        line.gap(if first { 0 } else { 2 }).tint(tone, item);
        first = false;
    }
    line.end(out);
}
