//! `prober validate`: every mistake of every file, before anything runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use probe::Net;
use scenario::compile::Compiled;
use scenario::diagnostic::{Diagnostic, Severity};
use scenario::slo::looks_like_slo_file;

use super::args::{Global, Validate};
use super::formats::{Format, Mistakes};
use super::out::Out;
use super::place::{checked, host, is_github, options, place, prefix};
use super::reports::Reports;
use crate::agent::files::Place;
use crate::exit::{Exit, Stop};

/// Says what is wrong; exit code 2 if anything is.
pub(crate) fn validate(global: &Global, args: &Validate, out: &Out) -> Result<Exit, Stop> {
    let reports = Reports::open(&args.output.reports)?;
    let paths: Vec<_> = args.paths.iter().map(|path| named(path)).collect();
    let place = whole_for_slos(place(global, &paths)?);
    let mut checked = checked(&place, &options(&args.vars, &[], host())?)?;
    if args.strict {
        checked.compiled.diagnostics.iter_mut().for_each(|one| one.severity = Severity::Error);
    }
    let compiled = &checked.compiled;
    let (counted, prefix) = (counted(compiled), prefix(&place.base));
    let mistakes = |colour| Mistakes {
        diagnostics: &compiled.diagnostics,
        sources: &compiled.sources,
        strict: args.strict,
        counted: &counted,
        colour,
        prefix: &prefix,
    };
    let (format, any) = (args.output.format, !compiled.diagnostics.is_empty());
    // For people, mistakes are diagnostics and go where those go.
    if format == Format::HUMAN && any {
        let diagnostics = &for_people(&compiled.diagnostics, out);
        if !diagnostics.is_empty() {
            let mistakes = Mistakes { diagnostics, ..mistakes(out.colour_errors) };
            out.complain((format.mistakes)(&mistakes).trim_end());
        }
    } else if format != Format::HUMAN || !out.quiet {
        out.raw((format.mistakes)(&mistakes(out.colour)).as_bytes());
    }
    if is_github() && format.name != "github" {
        let github = Format::named("github").expect("the table has it");
        out.complain_raw(&(github.mistakes)(&mistakes(false)));
    }
    reports.write(|format| (format.mistakes)(&mistakes(false)))?;
    Ok(if mistakes(false).any_error() { Exit::File } else { Exit::Good })
}

/// Only errors if the caller is quiet; what hides a secret in a line goes along, whatever it is.
fn for_people(all: &[Diagnostic], out: &Out) -> Vec<Diagnostic> {
    let is_error = |one: &Diagnostic| one.severity == Severity::Error;
    let any_error = all.iter().any(is_error);
    let is_wanted = |one: &&Diagnostic| !out.quiet || any_error && (is_error(one) || one.masked);
    all.iter().filter(is_wanted).cloned().collect()
}

/// A path; `-` is standard input, by the name that the system has for it.
fn named(path: &Path) -> PathBuf {
    if path.as_os_str() == "-" { PathBuf::from("/dev/stdin") } else { path.to_owned() }
}

/// The place, or its whole project if an SLO file is named: whether such a file is right depends on all scenarios.
fn whole_for_slos(place: Place) -> Place {
    let is_slo = |path: &PathBuf| {
        path.is_file() && std::fs::read_to_string(path).is_ok_and(|text| looks_like_slo_file(&text))
    };
    if place.project_root().is_ok() && place.paths.iter().any(is_slo) {
        return Place { project: place.project_root().ok(), paths: Vec::new(), ..place };
    }
    place
}

/// `2 scenarios in 1 region, 3 files`.
fn counted(compiled: &Compiled<Net>) -> String {
    let scenarios: BTreeSet<_> = compiled.plans.iter().map(|plan| &plan.stream().scenario).collect();
    let regions: BTreeSet<_> = compiled.plans.iter().map(|plan| &plan.stream().region).collect();
    let words = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    format!(
        "{} in {}, {}{}",
        words(scenarios.len(), "scenario"),
        words(regions.len(), "region"),
        words(compiled.sources.len(), "file"),
        waived(compiled.waived.len()),
    )
}

/// Waived warnings are not shown, and not forgotten either.
fn waived(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 warning is waived".to_owned(),
        more => format!("; {more} warnings are waived"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_standard_input() {
        let named = |path: &str| named(Path::new(path)).display().to_string();
        assert_eq!((named("-"), named("./-")), ("/dev/stdin".to_owned(), "./-".to_owned()));
    }
}
