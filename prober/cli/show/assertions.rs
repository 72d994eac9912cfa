//! What was expected, and what was there.

use model::outcome::Outcome;
use model::step::{AssertionRecord, Part};

use super::fields::Fields;
use super::line::{Line, items, paragraph};
use super::look::{Look, Tone};
use super::safe::{columns_of, safe};

/// Blanks before an assertion.
const INDENT: usize = 5;

/// Appends the assertions that did not hold, with both values.
pub(super) fn show_broken(out: &mut String, outcome: &Outcome, look: Look) {
    let broken: Vec<_> = outcome.assertions.iter().filter(|record| is_broken(record)).collect();
    let known = outcome.main_step().map_or("", |step| &step.name);
    let names: Vec<String> = broken.iter().map(|record| name(record, known)).collect();
    let wide = names.iter().map(|name| columns_of(&safe(name, look.unicode, look.columns()))).max();
    let column = wide.unwrap_or(0).min(look.columns() / 3);
    for (record, name) in broken.iter().zip(&names) {
        let of_teardown = outcome.steps.iter().any(|step| step.teardown && step.name == record.step);
        let tone = if record.part == Part::Warn || of_teardown { Tone::Odd } else { Tone::Bad };
        let mut line = Line::new(look, INDENT);
        line.field(tone, name, column).to(INDENT + column + 3, 1);
        line.put("expected").gap(2);
        paragraph(out, line, Tone::Plain, &record.expected);
        let mut line = Line::new(look, INDENT + column + 3);
        line.put("actual").gap(4);
        paragraph(out, line, tone, actual(record));
    }
}

/// Appends the names of the assertions that held.
pub(super) fn show_held_briefly(out: &mut String, outcome: &Outcome, look: Look) {
    let known = only_step(outcome);
    let names: Vec<String> = held(outcome).map(|record| name(record, known)).collect();
    if names.is_empty() {
        return;
    }
    let mut line = Line::new(look, INDENT);
    line.tint(Tone::Dim, "held").gap(2);
    items(out, line, names.iter().map(|name| (Tone::Plain, name.as_str())));
}

/// Appends the assertions that held, with both values.
pub(super) fn show_held(out: &mut String, outcome: &Outcome, look: Look) {
    let known = only_step(outcome);
    let mut fields = Fields::default();
    for record in held(outcome) {
        let both = format!("{}  (expected {})", actual(record), record.expected);
        let text = if *record.expected == *record.actual { actual(record).to_owned() } else { both };
        fields.add(format!("held  {}", name(record, known)), text);
    }
    fields.show(out, INDENT, look);
}

/// What was there; never empty.
pub(super) fn actual(record: &AssertionRecord) -> &str {
    if record.actual.is_empty() { "nothing" } else { &record.actual }
}

/// A clause of `sli.ineligible` that did not match is no fault.
fn is_broken(record: &AssertionRecord) -> bool {
    !record.pass && !matches!(record.part, Part::Ineligible | Part::StopIf)
}

/// The name of the run's step; empty for a flow.
fn only_step(outcome: &Outcome) -> &str {
    match &outcome.steps[..] {
        [only] => &only.name,
        _ => "",
    }
}

fn held(outcome: &Outcome) -> impl Iterator<Item = &AssertionRecord> {
    outcome.assertions.iter().filter(|record| record.pass)
}

/// `login: warn latency`; without the step if it is the one `known` already, and the part if it is `expect`.
fn name(record: &AssertionRecord, known: &str) -> String {
    let step = if *record.step == *known { "" } else { &*record.step };
    let colon = if step.is_empty() { "" } else { ": " };
    let part = if record.part == Part::Expect { "" } else { record.part.as_str() };
    let blank = if part.is_empty() { "" } else { " " };
    format!("{step}{colon}{part}{blank}{}", record.name)
}
