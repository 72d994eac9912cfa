//! Planned maintenance: when, and what it does to the slots inside it.

use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// The field of an event that names the maintenance its slot lies in.
pub const ATTRIBUTE: &str = "prober.maintenance.id";

/// One planned maintenance; when it is active is computed by `schedule::maintenance`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Maintenance {
    /// Its name, unique among those of a scenario; the `prober.maintenance.id` of its events.
    pub name: Arc<str>,
    /// What happens to slots inside it.
    pub effect: Effect,
    /// When it is.
    pub when: When,
}

/// What a maintenance does to the slots inside it; the later one is the stronger.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// They count; whoever alerts keeps quiet.
    Mute,
    /// They are run and do not count: reason `maintenance`.
    Ineligible,
    /// They are not run: reason `paused`.
    Pause,
}

impl Effect {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Ineligible => "ineligible",
            Self::Pause => "pause",
        }
    }
}

/// When a maintenance is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// From each occurrence of a cron expression on.
    Recurring {
        /// The five-field expression.
        expression: String,
        /// The zone's IANA name.
        timezone: String,
        /// How long each time, on the clock that never jumps: an hour is an hour over a change of the zone's
        /// offset.
        duration: Duration,
    },
    /// Once.
    Once {
        /// The first instant inside it.
        from: Timestamp,
        /// The first instant after it.
        to: Timestamp,
    },
}
