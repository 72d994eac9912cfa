//! What is known about runs when they are shown.

use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;

use super::Standing;
use crate::cli::show::{About, Look, RunColumns};

/// What the scenario's file says, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) title: Arc<str>,
    pub(crate) aim: Arc<str>,
    pub(crate) runbook: Arc<str>,
    /// The file as it was named on the command line.
    pub(crate) path: Arc<str>,
    /// The line of the scenario's name, counted from 1.
    pub(crate) line: u32,
}

/// One run that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) event: SliEvent,
    pub(crate) told: Told,
    /// Which repetition, counted from 1.
    pub(crate) round: usize,
}

/// How runs are shown; known before the first of them has ended.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub(crate) look: Look,
    pub(crate) columns: RunColumns,
    /// Whether correct but slow runs are failures.
    pub(crate) slow_fails: bool,
    /// Whether good runs are shown with everything too.
    pub(crate) details: bool,
    /// Whether only failures are shown.
    pub(crate) quiet: bool,
    /// How often everything ran.
    pub(crate) rounds: usize,
    /// From the repository's root to the folder that paths count from; ends in `/` unless empty.
    pub(crate) prefix: String,
}

/// How long was waited until the runs that are shown.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waited {
    /// How often everything ran before, in vain.
    pub(crate) rounds: usize,
    /// From the first start to the start of the runs that are shown.
    pub(crate) took: Duration,
}

/// How a text in a file looks, whatever the terminal can do.
pub(crate) const PLAIN: Look = Look { colour: false, unicode: true, width: 100 };

/// All runs.
#[derive(Debug)]
pub(crate) struct Runs<'a> {
    pub(crate) sheet: &'a Sheet,
    /// In the order of the files, round by round.
    pub(crate) all: &'a [Ran],
    /// How long the command took.
    pub(crate) took: Duration,
    /// Whether `--wait-for` had to wait.
    pub(crate) waited: Option<Waited>,
    /// Runs without a result: not started after `--fail-fast`, or cut off by a signal.
    pub(crate) not_run: usize,
}

impl Ran {
    /// How it stands.
    pub(crate) fn standing(&self, sheet: &Sheet) -> Standing {
        Standing::of(&self.event, sheet.slow_fails)
    }

    /// `checkout (eu)`, with its number if there are several: `checkout (eu) #3`.
    pub(crate) fn name(&self, sheet: &Sheet) -> String {
        let stream = &self.event.origin.stream;
        let round = if sheet.rounds > 1 { format!(" #{}", self.round) } else { String::new() };
        format!("{} ({}){round}", stream.scenario, stream.region)
    }

    /// What the report about it has beside the event.
    pub(crate) fn about(&self) -> About<'_> {
        About {
            title: &self.told.title,
            aim: &self.told.aim,
            runbook: &self.told.runbook,
            ..About::default()
        }
    }

    /// The failure's sentence, or what the reason means.
    pub(crate) fn why(&self) -> &str {
        crate::cli::show::why(&self.event.outcome)
    }
}

impl Sheet {
    /// The path from the repository's root.
    pub(crate) fn path(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("{}{path}", self.prefix) }
    }
}
