//! The block about one run under `prober run`.

use model::event::SliEvent;

use super::fields::Fields;
use super::line::{Line, paragraph};
use super::look::{About, Look, Tone};
use super::waterfall::Detail;
use super::words::{badge, mark, verdict_and_reason, why};
use super::{assertions, exchange, facts, waterfall};

/// How many digits of a run's id stand in the head.
const ID_SHOWN: usize = 8;

/// What one run showed: aim, waterfall, what did not hold, facts, and where to read on.
pub(crate) fn run_report(event: &SliEvent, about: About<'_>, look: Look) -> String {
    let mut out = String::new();
    let id = event.slot.id.to_string();
    show_head(&mut out, event, &format!("{}{}", &id[..ID_SHOWN], look.either("…", "...")), look);
    show_aim(&mut out, about, look);
    show_steps(&mut out, event, Detail::Main, look);
    exchange::show(&mut out, &event.outcome, look);
    show_message(&mut out, event, look);
    assertions::show_broken(&mut out, &event.outcome, look);
    assertions::show_held_briefly(&mut out, &event.outcome, look);
    let mut seen = Fields::default();
    facts::add(&mut seen, event);
    seen.show(&mut out, 5, look);
    let mut further = Fields::default();
    further.add_whole("runbook", about.runbook);
    further.add_whole("more", format!("prober explain {id}"));
    further.show(&mut out, 2, look);
    out
}

/// Appends badge, scenario, region, run and verdict.
pub(super) fn show_head(out: &mut String, event: &SliEvent, id: &str, look: Look) {
    let outcome = &event.outcome;
    let stream = &event.origin.stream;
    let mut line = Line::new(look, 2);
    line.tint(Tone::of(outcome.verdict()), badge(outcome.reason)).gap(1);
    line.field(Tone::Strong, &stream.scenario, look.columns() / 3).gap(1);
    line.field(Tone::Plain, &format!("({})", stream.region), look.columns() / 8).gap(3);
    if !id.is_empty() {
        line.put("run ").put(id).gap(3);
    }
    line.put(&verdict_and_reason(event));
    line.end(out);
}

/// Appends what the system is for.
pub(super) fn show_aim(out: &mut String, about: About<'_>, look: Look) {
    if !about.aim.is_empty() {
        let mut line = Line::new(look, 2);
        line.tint(Tone::Dim, "aim").gap(2);
        // An aim is often written over several lines of the file.
        paragraph(out, line, Tone::Plain, &about.aim.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

/// Appends the waterfall between two empty lines; nothing if no step is known.
pub(super) fn show_steps(out: &mut String, event: &SliEvent, detail: Detail, look: Look) {
    if !event.outcome.steps.is_empty() {
        out.push('\n');
        waterfall::show(out, &event.outcome, detail, look);
        out.push('\n');
    }
}

/// Appends what went wrong, in one sentence, and the marks.
pub(super) fn show_message(out: &mut String, event: &SliEvent, look: Look) {
    let outcome = &event.outcome;
    let step = outcome.failure.as_ref().map_or("", |failure| &failure.step);
    let colon = if step.is_empty() { "" } else { ": " };
    if !why(outcome).is_empty() {
        paragraph(out, Line::new(look, 2), Tone::Plain, &format!("{step}{colon}{}", why(outcome)));
    }
    for &known in &outcome.marks {
        let mut line = Line::new(look, 2);
        line.tint(Tone::Odd, mark(known));
        line.end(out);
    }
}
