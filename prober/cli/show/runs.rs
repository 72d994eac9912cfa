//! A line a run, and the line that sums them up.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Verdict;
use model::slot::Stream;

use super::line::Line;
use super::look::{Look, Tone};
use super::number::brief;
use super::safe::{columns_of, safe};
use super::words::{BADGE_COLUMNS, badge, remark};

/// The columns of a run's duration.
const DURATION_COLUMNS: usize = 5;

/// Where the parts of run lines stand, so that lines written one after the other are aligned.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunColumns {
    region: usize,
    scenario: usize,
}

impl RunColumns {
    /// The columns for runs of `streams`.
    pub(crate) fn of<'a>(streams: impl IntoIterator<Item = &'a Stream>, look: Look) -> Self {
        let wide = |text: &str| columns_of(&safe(text, look.unicode, look.columns()));
        let start = Self { region: 0, scenario: 0 };
        let natural = streams.into_iter().fold(start, |known, stream| Self {
            region: known.region.max(wide(&stream.region)),
            scenario: known.scenario.max(wide(&stream.scenario)),
        });
        let most = look.columns() / 3;
        Self { region: natural.region.min(most / 2), scenario: natural.scenario.min(most) }
    }
}

/// One line for the event: badge, duration, region, scenario, remark.
pub(crate) fn run_line(event: &SliEvent, columns: RunColumns, look: Look) -> String {
    let outcome = &event.outcome;
    let stream = &event.origin.stream;
    let took = if event.started.is_some() { brief(outcome.duration) } else { "-".to_owned() };
    let mut line = Line::new(look, 2);
    line.tint(Tone::of(outcome.verdict()), badge(outcome.reason));
    line.to(2 + BADGE_COLUMNS + 1, 1);
    line.gap(DURATION_COLUMNS.saturating_sub(took.len())).put(&took);
    line.gap(2);
    let region = line.column();
    line.field(Tone::Plain, &stream.region, columns.region).to(region + columns.region + 2, 2);
    let scenario = line.column();
    line.field(Tone::Strong, &stream.scenario, columns.scenario);
    line.to(scenario + columns.scenario + 4, 2).put(&remark(outcome));
    let mut out = String::new();
    line.end(&mut out);
    out
}

/// How many scenarios came to which verdict: `2 scenarios: 1 good, 1 bad, 0 ineligible   33.1s`.
///
/// Runs are counted, and named if there are more of them than scenarios. `took` is the whole command's time.
pub(crate) fn summary(events: &[impl Borrow<SliEvent>], took: Duration, look: Look) -> String {
    let count = |verdict| {
        events.iter().filter(|event| Borrow::<SliEvent>::borrow(*event).verdict() == verdict).count()
    };
    let scenarios: BTreeSet<&str> =
        events.iter().map(|event| &*event.borrow().origin.stream.scenario).collect();
    let mut line = Line::new(look, 2);
    line.put(&counted(scenarios.len(), "scenario"));
    if events.len() != scenarios.len() {
        line.put(", ").put(&counted(events.len(), "run"));
    }
    line.put(":");
    let mut comma = "";
    for verdict in Verdict::ALL {
        let runs = count(verdict);
        if verdict == Verdict::Missed && runs == 0 {
            continue;
        }
        let tone = if runs == 0 { Tone::Plain } else { Tone::of(verdict) };
        line.put(comma).gap(1).tint(tone, &format!("{runs} {verdict}"));
        comma = ",";
    }
    line.gap(3).put(&brief(took));
    let mut out = String::new();
    line.end(&mut out);
    out
}

/// A remark below the summary.
pub(crate) fn note_line(note: &str, look: Look) -> String {
    let mut line = Line::new(look, 2);
    line.tint(Tone::Odd, note);
    let mut out = String::new();
    line.end(&mut out);
    out
}

/// The line between the parts of the output.
pub(crate) fn rule(look: Look) -> String {
    let mut line = Line::new(look, 0);
    line.tint(Tone::Dim, look.either("──────────", "----------"));
    let mut out = String::new();
    line.end(&mut out);
    out
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
