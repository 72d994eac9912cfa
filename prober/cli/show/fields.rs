//! Labelled values, one below the other.

use super::line::{Line, paragraph};
use super::look::{Look, Tone};
use super::safe::{columns_of, safe};

/// The widest label, in columns.
const LABEL_MAX: usize = 44;

/// Labels and values that stand in one block.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Field>);

#[derive(Debug)]
struct Field {
    label: String,
    value: String,
    tone: Tone,
    /// Whether the value is to be copied, and so is neither cut nor wrapped.
    whole: bool,
}

impl Fields {
    /// Adds a value; an empty one is left out.
    pub(super) fn add(&mut self, label: impl Into<String>, value: impl Into<String>) {
        self.push(label.into(), value.into(), Tone::Plain, false);
    }

    /// Adds a value in a tone.
    pub(super) fn add_in(&mut self, tone: Tone, label: impl Into<String>, value: impl Into<String>) {
        self.push(label.into(), value.into(), tone, false);
    }

    /// Adds an address or a command, which stays on one line.
    pub(super) fn add_whole(&mut self, label: impl Into<String>, value: impl Into<String>) {
        self.push(label.into(), value.into(), Tone::Plain, true);
    }

    /// Appends the block, indented.
    pub(super) fn show(&self, out: &mut String, indent: usize, look: Look) {
        let wide = |field: &Field| columns_of(&safe(&field.label, look.unicode, LABEL_MAX));
        let label = self.0.iter().map(wide).max().unwrap_or(0).min(LABEL_MAX).min(look.columns() / 2);
        for field in &self.0 {
            let mut line = Line::new(look, indent);
            line.field(Tone::Dim, &field.label, label).to(indent + label + 2, 2);
            if field.whole {
                line.whole(&field.value);
                line.end(out);
            } else {
                paragraph(out, line, field.tone, &field.value);
            }
        }
    }

    fn push(&mut self, label: String, value: String, tone: Tone, whole: bool) {
        if !value.is_empty() {
            self.0.push(Field { label, value, tone, whole });
        }
    }
}
