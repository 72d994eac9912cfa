//! The formats of reports: pure encoders, values in, text out.
//!
//! [`FORMATS`] is the one table; `--format`, `--report` and the help come from it. A format shows two things:
//! runs (`prober run`) and mistakes in files (`prober validate`).
//!
//! Deliberately absent: I/O, a clock, the environment.

mod escape;
mod github;
mod human;
mod json;
mod junit;
mod mistakes;
mod runs;
mod sarif;
mod standing;
mod tap;

#[cfg(test)]
mod tests;

pub(crate) use github::runs as github_runs;
pub(crate) use mistakes::Mistakes;
pub(crate) use runs::{PLAIN, Ran, Runs, Sheet, Told, Waited};
pub(crate) use standing::Standing;

/// One format.
#[derive(Debug)]
pub(crate) struct Format {
    /// The word on the command line.
    pub(crate) name: &'static str,
    /// What it is for, in a few words.
    pub(crate) summary: &'static str,
    /// One run as soon as it has ended; `None` for formats that need all of them.
    pub(crate) each: Option<fn(&Ran, &Sheet) -> String>,
    /// What comes after that; the whole text for formats without `each`.
    pub(crate) end: fn(&Runs<'_>) -> String,
    /// All mistakes in files.
    pub(crate) mistakes: fn(&Mistakes<'_>) -> String,
}

/// Every format; what is not in this table is no format.
pub(crate) static FORMATS: [Format; 7] =
    [human::FORMAT, json::FORMAT, json::LINES, junit::FORMAT, sarif::FORMAT, github::FORMAT, tap::FORMAT];

impl Format {
    /// The format for people.
    pub(crate) const HUMAN: &'static Self = &FORMATS[0];

    /// The format of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The whole text about runs.
    pub(crate) fn whole(&self, runs: &Runs<'_>) -> String {
        let mut text = String::new();
        if let Some(each) = self.each {
            runs.all.iter().for_each(|ran| text += &each(ran, runs.sheet));
        }
        text + &(self.end)(runs)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
