//! `prober alerts test`: what happens goes in, and the alerts that come of it are compared with what is expected.

mod story;

use std::path::Path;

use model::time::{Clock as _, SystemClock};
use scenario::alert_test::{AlertTest, Subject, read};
use scenario::diagnostic::Diagnostic;
use scenario::render::{Style, human};
use scenario::source::Source;
use scenario::suggest::nearest;
use slo::promise::Promise;

pub(crate) use story::name;

use super::args::{AlertsTest, Global};
use super::out::Out;
use super::place::{checked, host, options, place};
use crate::agent::promises::Promises;
use crate::exit::{Exit, Stop};

/// Runs every file; exit code 1 if one of them finds something else than it expects.
pub(crate) fn test(global: &Global, args: &AlertsTest, out: &Out) -> Result<Exit, Stop> {
    let mut tests = Vec::new();
    let mut wrong = String::new();
    for path in &args.files {
        let source = source(path)?;
        let (test, mistakes) = read(&source);
        wrong += &shown(&mistakes, &source, out);
        tests.extend(test.map(|test| (source, test)));
    }
    if !wrong.is_empty() {
        return Err(Stop::file(wrong));
    }
    let promises = promises(global, &args.vars)?;
    let mut failed = 0;
    for (source, test) in &tests {
        let promise =
            subject(test, &promises).map_err(|mistake| Stop::file(shown(&[*mistake], source, out)))?;
        let found =
            story::run(test, promise).map_err(|mistake| Stop::file(shown(&[*mistake], source, out)))?;
        failed += usize::from(!found.passed());
        out.raw(found.text(source, promise).as_bytes());
    }
    let passed = tests.len() - failed;
    out.note(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { Exit::Good } else { Exit::Bad })
}

/// A file, as a test or anything else reads it.
fn source(path: &Path) -> Result<Source, Stop> {
    let text = std::fs::read(path).map_err(|error| Stop::file(format!("{}: {error}", path.display())))?;
    let path = path.display().to_string();
    let text = String::from_utf8(text).map_err(|_| Stop::file(format!("{path}: it is not UTF-8")))?;
    Ok(Source { path, text })
}

fn shown(mistakes: &[Diagnostic], source: &Source, out: &Out) -> String {
    let style = if out.colour_errors { Style::COLOUR } else { Style::PLAIN };
    human(mistakes, std::slice::from_ref(source), &style)
}

/// What the project promises, of files without an error.
pub(crate) fn promises(global: &Global, vars: &[String]) -> Result<Promises, Stop> {
    let place = place(global, &[])?;
    let compiled = checked(&place, &options(vars, &[], host())?)?.compiled;
    if compiled.has_errors() {
        return Err(Stop::file(human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN)));
    }
    Ok(Promises::of(&compiled, SystemClock.now()))
}

/// The promise that the test is about.
fn subject<'a>(test: &AlertTest, promises: &'a Promises) -> Result<&'a Promise, Box<Diagnostic>> {
    let (name, kind) = match &test.subject.value {
        Subject::Scenario(name) => (name, "scenario with an objective or alerts"),
        Subject::Slo(name) => (name, "objective"),
    };
    let is_it = |promise: &&Promise| match &test.subject.value {
        Subject::Slo(name) => *promise.name == **name,
        Subject::Scenario(name) => promises.is_own(promise, name),
    };
    promises.all.iter().find(is_it).ok_or_else(|| {
        let shown = model::outcome::cut(name.clone(), 60);
        let problem = Diagnostic::error("E104", test.subject.span, format!("there is no {kind} `{shown}`"));
        let known = promises.all.iter().flat_map(|promise| {
            std::iter::once(&*promise.name).chain(promise.feeds.iter().map(|feed| &*feed.scenario))
        });
        Box::new(match nearest(name, known) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.help("give the scenario slo: { objective: 99.9% } or alerts: { page: ROUTE }"),
        })
    })
}
