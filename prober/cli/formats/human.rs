//! For people at a terminal.

use std::time::Duration;

use scenario::render::{self, Style};

use super::{Format, Mistakes, Ran, Runs, Sheet, Standing};
use crate::cli::show::{self, Latencies};

pub(super) const FORMAT: Format =
    Format { name: "human", summary: "for people", each: Some(each), end, mistakes };

fn each(ran: &Ran, sheet: &Sheet) -> String {
    // Of many rounds the table says more than the lines.
    let hidden = sheet.quiet || sheet.rounds > 1;
    if hidden { String::new() } else { show::run_line(&ran.event, sheet.columns, sheet.look) }
}

fn end(runs: &Runs<'_>) -> String {
    let (sheet, look) = (runs.sheet, runs.sheet.look);
    let mut out = String::new();
    for ran in runs.all.iter().filter(|ran| is_shown(ran, runs)) {
        if !out.is_empty() || !sheet.quiet {
            out += &show::rule(look);
        }
        out += &show::run_report(&ran.event, ran.about(), look);
    }
    if sheet.rounds > 1 && !sheet.quiet {
        let events = runs.all.iter().map(|ran| &ran.event);
        if !out.is_empty() {
            out += &show::rule(look);
        }
        out += &show::latency_table(&Latencies::of(events), look);
    }
    if sheet.quiet {
        return out;
    }
    out += &show::rule(look);
    let events: Vec<_> = runs.all.iter().map(|ran| &ran.event).collect();
    out += &show::summary(&events, runs.took, look);
    for note in notes(runs) {
        out += &show::note_line(&note, look);
    }
    out
}

/// What the numbers above do not say by themselves.
fn notes(runs: &Runs<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(waited) = runs.waited {
        let times = if waited.rounds == 1 { "once".to_owned() } else { format!("{} times", waited.rounds) };
        let took = show::duration(waited.took.max(Duration::from_millis(1)));
        notes.push(format!("waited {took}: everything was tried {times} before, in vain"));
    }
    if runs.not_run > 0 {
        let runs = if runs.not_run == 1 { "1 run".to_owned() } else { format!("{} runs", runs.not_run) };
        notes.push(format!("{runs} without a result"));
    }
    notes
}

/// With details: of several rounds the first run that went wrong stands for those of its stream.
fn is_shown(ran: &Ran, runs: &Runs<'_>) -> bool {
    let sheet = runs.sheet;
    let good = matches!(ran.standing(sheet), Standing::Good);
    if sheet.rounds == 1 {
        return !good || (sheet.details && !sheet.quiet);
    }
    let same = |other: &&Ran| other.event.origin.stream == ran.event.origin.stream;
    let first = runs.all.iter().filter(same).find(|other| other.standing(sheet) != Standing::Good);
    !good && first.is_some_and(|first| std::ptr::eq(first, ran))
}

fn mistakes(of: &Mistakes<'_>) -> String {
    let style = if of.colour { Style::COLOUR } else { Style::PLAIN };
    if of.diagnostics.is_empty() {
        return format!("no mistakes: {}\n", of.counted);
    }
    render::human(of.diagnostics, of.sources, &style)
}
