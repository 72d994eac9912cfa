//! The SLI event: the only thing that is stored and sent.

use std::sync::Arc;
use std::time::Duration;

use crate::outcome::{Outcome, Verdict};
use crate::slot::{Slot, Stream};
use crate::time::Timestamp;

/// The event format that this version writes; fields are only ever added within a version.
pub const SCHEMA: &str = "prober.run/1";

/// What all events of one plan in one region have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Scenario, region and replica.
    pub stream: Stream,
    /// First 12 hex digits of a hash over the resolved scenario, secrets replaced by their names.
    pub version: Arc<str>,
    /// The kind of the steps, or `flow` if there are several.
    pub kind: Arc<str>,
    /// The team; empty if none is declared.
    pub owner: Arc<str>,
    /// The monitored service (label `service`, else the scenario's name).
    pub service: Arc<str>,
    /// The scenario's labels.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Which prober.
    pub prober: Arc<str>,
    /// Whether a run changes something at its target, so that no slot may be run twice.
    pub side_effects: bool,
}

/// What made a run start.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// Its slot.
    #[default]
    Schedule,
    /// A person; never counted in an SLI.
    Manual,
    /// A pipeline; never counted in an SLI.
    Ci,
}

impl Trigger {
    /// The word used in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Ci => "ci",
        }
    }

    /// Whether the run was a slot's, and so counts in the SLI and in the account.
    pub const fn is_scheduled(self) -> bool {
        matches!(self, Self::Schedule)
    }
}

/// One slot and what came of it. Immutable; its JSON form is versioned and round-trips.
#[derive(Clone, Debug, PartialEq)]
pub struct SliEvent {
    /// What it shares with the other events of its plan.
    pub origin: Arc<Origin>,
    /// Which slot.
    pub slot: Slot,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// What made the run start.
    pub trigger: Trigger,
    /// When the run started; `None` if there was none.
    pub started: Option<Timestamp>,
    /// When the run ended; `None` if there was none.
    pub finished: Option<Timestamp>,
    /// When the event was made.
    pub recorded: Timestamp,
    /// What the run showed.
    pub outcome: Outcome,
}

impl SliEvent {
    /// The verdict.
    pub const fn verdict(&self) -> Verdict {
        self.outcome.verdict()
    }

    /// How late the run started.
    pub fn lag(&self) -> Option<Duration> {
        self.started.map(|started| started.since(self.slot.scheduled))
    }

    /// The event as one line of JSON without a line break.
    pub fn to_json(&self) -> String {
        let mut text = Vec::with_capacity(1536);
        self.write_json(&mut text);
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    /// Appends the event to `out` as one line of JSON without a line break.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        crate::event_json::write(self, out);
    }

    /// The event as a JSON value, for whoever looks at single fields.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.to_json()).expect("what was written is JSON")
    }

    /// The event in `text`.
    ///
    /// # Errors
    /// The text is not JSON, not an event, or an event of a format newer than this version knows.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
