//! GitHub's workflow commands: annotations at the line of the file.
//!
//! The form is `::error file=…,line=…,col=…,title=…::message`; the runner reads it from both streams.

use std::fmt::Write as _;

use super::escape::{github_message, github_property};
use super::{Format, Mistakes, Ran, Sheet, Standing};

pub(super) const FORMAT: Format = Format {
    name: "github",
    summary: "annotations of GitHub Actions",
    each: None,
    end: |runs| runs.all.iter().map(|ran| self::runs(ran, runs.sheet)).collect(),
    mistakes,
};

/// The annotation of one run; empty if there is nothing to say.
pub(crate) fn runs(ran: &Ran, sheet: &Sheet) -> String {
    let (level, badge) = match ran.standing(sheet) {
        Standing::Good => return String::new(),
        Standing::Bad => ("error", "failed"),
        Standing::NotJudged => ("error", "could not be judged"),
        Standing::Slow => ("warning", "slow"),
        Standing::SetAside => ("notice", "set aside"),
    };
    let step = ran.event.outcome.failure.as_ref().map_or("", |failure| &failure.step);
    let colon = if step.is_empty() { "" } else { ": " };
    let mut message = format!("{step}{colon}{}", ran.why());
    for record in ran.event.outcome.assertions.iter().filter(|record| !record.pass) {
        write!(message, "\n{}: expected {}, actual {}", record.name, record.expected, record.actual)
            .expect("a String takes every text");
    }
    if !ran.told.runbook.is_empty() {
        write!(message, "\nrunbook {}", ran.told.runbook).expect("a String takes every text");
    }
    let title = format!("{} {badge}", ran.name(sheet));
    command(level, &sheet.path(&ran.told.path), [u64::from(ran.told.line), 1], [&title, &message])
}

fn mistakes(of: &Mistakes<'_>) -> String {
    let one = |diagnostic| {
        let level = if of.is_error(diagnostic) { "error" } else { "warning" };
        let (path, at) = of.place(diagnostic.span);
        let place = [at.line as u64, at.column as u64];
        command(level, &path, place, [diagnostic.code, &Mistakes::sentence(diagnostic)])
    };
    of.diagnostics.iter().map(one).collect()
}

fn command(level: &str, path: &str, [line, column]: [u64; 2], [title, message]: [&str; 2]) -> String {
    // Without a file the annotation stands at the job.
    let place = if path.is_empty() {
        String::new()
    } else {
        format!("file={},line={},col={column},", github_property(path), line.max(1))
    };
    format!("::{level} {place}title={}::{}\n", github_property(title), github_message(message))
}
