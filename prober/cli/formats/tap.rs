//! The Test Anything Protocol, version 14 (<https://testanything.org/tap-version-14-specification.html>).
//!
//! A test point a run, with its steps as a subtest; diagnostics are YAML whose texts are JSON strings.

use std::fmt::Write as _;

use model::step::StepState;
use serde_json::Value;

use super::escape::tap;
use super::{Format, Mistakes, Ran, Runs, Sheet, Standing};

pub(super) const FORMAT: Format =
    Format { name: "tap", summary: "Test Anything Protocol, version 14", each: None, end, mistakes };

fn end(runs: &Runs<'_>) -> String {
    let mut out = head(runs.all.len());
    for (number, ran) in (1..).zip(runs.all) {
        let name = ran.name(runs.sheet);
        steps(&mut out, ran, &name);
        point(&mut out, (number, &name), ran, runs.sheet);
    }
    out
}

fn head(points: usize) -> String {
    let why = if points == 0 { " # SKIP nothing ran" } else { "" };
    format!("TAP version 14\n1..{points}{why}\n")
}

fn steps(out: &mut String, ran: &Ran, name: &str) {
    let steps = &ran.event.outcome.steps;
    if steps.len() < 2 {
        return;
    }
    line(out, &format!("# Subtest: {}\n    1..{}", tap(name), steps.len()));
    for (number, step) in (1..).zip(steps) {
        let (not, skip) = match step.state {
            StepState::Passed => ("", String::new()),
            StepState::Failed => ("not ", String::new()),
            StepState::Skipped => ("", format!(" # SKIP {}", tap(step.note.as_deref().unwrap_or("")))),
        };
        line(out, format!("    {not}ok {number} - {}{skip}", tap(&step.name)).trim_end());
    }
}

fn point(out: &mut String, (number, name): (usize, &str), ran: &Ran, sheet: &Sheet) {
    let outcome = &ran.event.outcome;
    let standing = ran.standing(sheet);
    let (not, directive) = match standing {
        Standing::Good => ("", String::new()),
        Standing::SetAside => ("", format!(" # SKIP {}", tap(ran.why()))),
        // TODO is TAP's word for a failure that does not fail the whole.
        Standing::Slow => ("not ", format!(" # TODO {}", tap(ran.why()))),
        Standing::Bad | Standing::NotJudged => ("not ", String::new()),
    };
    line(out, &format!("{not}ok {number} - {}{directive}", tap(name)));
    let mut facts = vec![
        ("duration_ms", Value::from((outcome.duration.as_secs_f64() * 1e6).round() / 1e3)),
        ("run", Value::from(ran.event.slot.id.to_string())),
        ("verdict", Value::from(ran.event.verdict().as_str())),
        ("reason", Value::from(outcome.reason.as_str())),
    ];
    if standing != Standing::Good {
        facts.push(("severity", Value::from(if standing.is_fine() { "comment" } else { "fail" })));
        facts.push(("message", Value::from(ran.why())));
    }
    if let Some(failure) = &outcome.failure {
        facts.push(("step", Value::from(failure.step.as_str())));
        facts.push(("error_type", Value::from(&*failure.error_type)));
    }
    line(out, "  ---");
    for (key, value) in facts {
        line(out, &format!("  {key}: {value}"));
    }
    if let Some(broken) = outcome.assertions.iter().find(|record| !record.pass) {
        line(out, &format!("  assertion: {}", Value::from(&*broken.name)));
        line(out, &format!("  expected: {}", Value::from(&*broken.expected)));
        line(out, &format!("  actual: {}", Value::from(broken.actual.as_str())));
    }
    line(out, "  ...");
}

fn mistakes(of: &Mistakes<'_>) -> String {
    let files = of.by_file();
    let mut out = head(files.len());
    for (number, (source, mistakes)) in (1..).zip(&files) {
        let not = if mistakes.iter().any(|mistake| of.is_error(mistake)) { "not " } else { "" };
        line(&mut out, &format!("{not}ok {number} - {}", tap(&source.path)));
        if mistakes.is_empty() {
            continue;
        }
        line(&mut out, "  ---\n  mistakes:");
        for mistake in mistakes {
            let (_, at) = of.place(mistake.span);
            let text = Value::from(Mistakes::sentence(mistake));
            line(&mut out, &format!("    - code: {}\n      line: {}", mistake.code, at.line));
            line(&mut out, &format!("      column: {}\n      message: {text}", at.column));
        }
        line(&mut out, "  ...");
    }
    out
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes every text");
}
