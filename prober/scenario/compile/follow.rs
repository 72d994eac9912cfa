//! Mistakes that only follow from a file that could not be read.
//!
//! Without the project file nothing is known of its regions, variables, secrets and routes: each scenario that
//! names one would look wrong, and the one mistake that is there would be hard to find.

use crate::diagnostic::{Diagnostic, Severity};

/// What scenarios are told about names and settings of the project file.
const OF_PROJECT: [&str; 13] =
    ["E114", "E151", "E162", "E164", "E166", "E191", "E202", "E203", "E208", "W307", "W310", "W311", "W348"];
/// The mistake of a scenario without a schedule, which the project's defaults may have.
const NO_SCHEDULE: &str = "the key `every` is missing: when is it due?";

/// What could not be read at all.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Unread {
    /// The project file.
    pub(super) project: bool,
    /// Some template.
    pub(super) template: bool,
}

impl Unread {
    /// The mistakes without those that only follow; the first one says so if there are `others` beside the project file.
    pub(super) fn without_what_follows(self, all: Vec<Diagnostic>, others: bool) -> Vec<Diagnostic> {
        let follows = |one: &Diagnostic| {
            let of_project =
                OF_PROJECT.contains(&one.code) || (one.code == "E101" && one.message == NO_SCHEDULE);
            (self.project && one.span.file > 0 && of_project) || (self.template && one.code == "E151")
        };
        let mut left: Vec<_> = all.into_iter().filter(|one| !follows(one)).collect();
        if self.project
            && others
            && let Some(first) =
                left.iter_mut().find(|one| one.span.file == 0 && one.severity == Severity::Error)
        {
            first.help.push(
                "the other files were not held against this one: what they name of it is looked at once it can be read"
                    .to_owned(),
            );
        }
        left
    }
}
