//! Bad runs that belong together: one incident from the first to the last of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Reason, Verdict};
use model::time::Timestamp;

/// Bad runs of one promise, none of them far from the next.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    /// Which promise, by its place among them.
    pub(super) promise: usize,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) bad: u64,
    pub(super) regions: BTreeSet<Arc<str>>,
    /// The class and error type of its first run.
    pub(super) error: String,
    /// A run to look at.
    pub(super) sample: String,
}

/// Incidents in the making, for one promise.
#[derive(Clone, Debug)]
pub(super) struct Grouping {
    promise: usize,
    /// Runs that are further apart belong to different incidents.
    apart: Duration,
    going: Option<Incident>,
    pub(super) done: Vec<Incident>,
}

/// Runs at least so far apart are no one incident, however seldom they are.
const APART_LEAST: Duration = Duration::from_mins(15);

impl Grouping {
    pub(super) fn new(promise: usize, interval: Duration) -> Self {
        let apart = APART_LEAST.max(interval.saturating_mul(3));
        Self { promise, apart, going: None, done: Vec::new() }
    }

    /// Takes in a bad run.
    pub(super) fn bad(&mut self, event: &SliEvent) {
        let at = event.slot.scheduled;
        let goes_on = self
            .going
            .as_ref()
            .is_some_and(|going| at.since(going.last) <= self.apart && going.last.since(at) <= self.apart);
        if !goes_on {
            self.done.extend(self.going.take());
        }
        let region = Arc::clone(&event.origin.stream.region);
        let going = self.going.get_or_insert_with(|| Incident {
            promise: self.promise,
            first: at,
            last: at,
            bad: 0,
            regions: BTreeSet::new(),
            error: error(event),
            sample: event.slot.id.to_string(),
        });
        going.first = going.first.min(at);
        going.last = going.last.max(at);
        going.bad += 1;
        going.regions.insert(region);
    }

    /// All of them; one run alone is none.
    pub(super) fn finish(mut self) -> Vec<Incident> {
        self.done.extend(self.going.take());
        self.done.retain(|incident| incident.bad > 1);
        self.done
    }
}

/// What was wrong: `connect.refused`, `protocol 500`, or the reason.
pub(super) fn error(event: &SliEvent) -> String {
    match &event.outcome.failure {
        Some(failure) if failure.error_type.starts_with(failure.class.as_str()) => {
            failure.error_type.to_string()
        }
        Some(failure) => format!("{} {}", failure.class.as_str(), failure.error_type),
        // Correct for its scenario, and too slow for an objective.
        None if event.verdict() == Verdict::Good => Reason::Slow.as_str().to_owned(),
        None => event.outcome.reason.as_str().to_owned(),
    }
}
