//! The steps of a run as bars on one time scale.

use std::time::Duration;

use model::outcome::Outcome;
use model::step::{Phase, StepRecord, StepState};

use super::hops;
use super::line::Line;
use super::look::{Look, Tone};
use super::number::duration;
use super::safe::{columns_of, safe};

/// Blanks before a step's name.
const INDENT: usize = 6;

/// The columns of ` 32.7 s` behind a bar.
const DURATION_COLUMNS: usize = 9;

/// The most columns of the longest bar.
const BAR_MAX: usize = 60;

/// Which steps show their hops.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The step that stands for the run.
    Main,
    /// All of them.
    All,
}

/// Appends the steps of `outcome` as bars, with hops and phases below.
pub(super) fn show(out: &mut String, outcome: &Outcome, detail: Detail, look: Look) {
    let scale = Scale::of(outcome, look);
    let mut waited = false;
    for (index, step) in outcome.steps.iter().enumerate() {
        waited |= show_step(out, step, &scale);
        if detail == Detail::All || outcome.main == Some(index) {
            hops::show(out, step, look);
        }
    }
    if waited {
        let mut legend = Line::new(look, INDENT);
        let text = format!("{} active  {} waiting", look.either("▇", "#"), look.either("░", "."));
        legend.tint(Tone::Dim, &text);
        legend.end(out);
    }
}

/// Where things stand, and how long a column is.
struct Scale {
    look: Look,
    name: usize,
    bar: usize,
    /// Seconds from the run's start to the end of its last step; above zero.
    total: f64,
}

impl Scale {
    fn of(outcome: &Outcome, look: Look) -> Self {
        let columns = look.columns();
        let longest =
            outcome.steps.iter().map(|step| columns_of(&safe(&name(step), look.unicode, columns))).max();
        let name = longest.unwrap_or(0).min(columns / 4).max(4);
        let wide = |step| columns_of(&safe(&remarks(step), look.unicode, columns));
        let right = outcome.steps.iter().map(wide).max().unwrap_or(0).min(columns * 2 / 5);
        let left = columns.saturating_sub(INDENT + name + 2 + DURATION_COLUMNS + 2);
        let bar = left.saturating_sub(right).max(columns / 8).min(BAR_MAX);
        let ends = outcome.steps.iter().map(|step| step.start.saturating_add(step.duration));
        let total = ends.fold(outcome.duration, Duration::max).as_secs_f64().max(1e-9);
        Self { look, name, bar, total }
    }

    /// First column of the bar, and one glyph for each of its columns.
    fn bar(&self, step: &StepRecord) -> (usize, Vec<bool>) {
        let begin = step.start.as_secs_f64();
        let end = begin + step.duration.as_secs_f64();
        let column = self.total / self.bar as f64;
        let first = self.column_at(begin / column).min(self.bar - 1);
        let after = self.column_at((end / column).ceil()).clamp(first + 1, self.bar);
        let active = active_spans(step);
        let is_active = |at: usize| {
            let (from, to) = ((at as f64 * column).max(begin), ((at + 1) as f64 * column).min(end));
            let spent: f64 = active.iter().map(|span| (span.1.min(to) - span.0.max(from)).max(0.0)).sum();
            spent * 2.0 >= (to - from).max(0.0)
        };
        (first, (first..after).map(is_active).collect())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a few columns")]
    fn column_at(&self, column: f64) -> usize {
        column.clamp(0.0, self.bar as f64) as usize
    }
}

/// Seconds since the run's start between which the step did something else than wait.
fn active_spans(step: &StepRecord) -> Vec<(f64, f64)> {
    let begin = step.start.as_secs_f64();
    let tried = step.attempts.iter().flat_map(|attempt| &attempt.hops);
    let spans = tried.chain(&step.hops).flat_map(|hop| &hop.phases);
    if spans.clone().next().is_none() {
        return vec![(begin, begin + step.duration.as_secs_f64())];
    }
    let busy = spans.filter(|span| span.phase != Phase::Wait);
    busy.map(|span| (span.start.as_secs_f64(), span.duration.as_secs_f64()))
        .map(|(start, took)| (begin + start, begin + start + took))
        .collect()
}

/// One line for the step; gives whether its bar has a waiting part.
fn show_step(out: &mut String, step: &StepRecord, scale: &Scale) -> bool {
    let look = scale.look;
    let mut line = Line::new(look, INDENT);
    let tone = match step.state {
        StepState::Passed => Tone::Plain,
        // What is left behind is worth a look, and no matter for the verdict.
        StepState::Failed if step.teardown => Tone::Odd,
        StepState::Failed => Tone::Bad,
        StepState::Skipped => Tone::Dim,
    };
    line.field(tone, &name(step), scale.name).to(INDENT + scale.name + 2, 1);
    let start = line.column();
    let mut waited = false;
    if step.state != StepState::Skipped {
        let (first, glyphs) = scale.bar(step);
        waited = glyphs.contains(&false);
        let glyph = |active| if active { look.either("▇", "#") } else { look.either("░", ".") };
        let bar: String = glyphs.into_iter().map(glyph).collect();
        line.gap(first).tint(tone, &bar).gap(1).put(&duration(step.duration));
    }
    line.to(start + scale.bar + DURATION_COLUMNS + 1, 2);
    line.put(&remarks(step));
    line.end(out);
    waited
}

/// The step's name, with what it is for.
fn name(step: &StepRecord) -> String {
    if step.teardown { format!("teardown {}", step.name) } else { step.name.to_string() }
}

/// Status, state, number of attempts and polls or hops, captured values and the note, as far as there are any.
fn remarks(step: &StepRecord) -> String {
    let status = step.hops.last().and_then(|hop| hop.status.clone()).map(String::from);
    let state = match (step.state, &step.failure) {
        (StepState::Passed, _) => None,
        (StepState::Failed, Some(failure)) => Some(format!("failed ({})", failure.error_type)),
        (state, _) => Some(state.as_str().to_owned()),
    };
    let many = |count: usize, noun: &str| (count > 1).then(|| format!("{count} {noun}s"));
    let attempts = many(step.attempts.len() + usize::from(!step.attempts.is_empty()), "attempt");
    let hops = match &step.poll {
        Some(poll) => Some(format!("{} poll{}", poll.count, if poll.count == 1 { "" } else { "s" })),
        None => many(step.hops.len(), "hop"),
    };
    let captures = step.captures.iter().map(|(name, value)| format!("{name}={value}"));
    // What is to be said of a step that ran stands below it, whole.
    let note = step.note.clone().filter(|note| !note.is_empty() && step.state == StepState::Skipped);
    let parts = status.into_iter().chain(attempts).chain(hops).chain(state).chain(note).chain(captures);
    parts.collect::<Vec<_>>().join("  ")
}
