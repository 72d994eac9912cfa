//! One stream that is scheduled.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::event::Origin;
use model::probe::Probe;
use model::slot::Cadence;
use model::time::Timestamp;

use crate::lease::Lease;
use crate::maintenance::Calendar;
use crate::slots::Timetable;

/// A stream with everything the runner needs to run it.
#[derive(Clone)]
pub struct Entry {
    /// What its events have in common; names the stream.
    pub origin: Arc<Origin>,
    /// How often it is due; a reload that keeps it keeps the slots.
    pub cadence: Cadence,
    /// The times made from it.
    pub timetable: Arc<Timetable>,
    /// When its slots are not run, or do not count.
    pub maintenance: Arc<Calendar>,
    /// After this long a run must have ended by itself.
    pub timeout: Duration,
    /// After this much longer it must have cleaned up; zero if it has nothing to clean up.
    pub grace: Duration,
    /// The scenario.
    pub probe: Arc<dyn Probe>,
    /// Of a scenario with side effects that others may take over: until when its slots may begin here.
    pub lease: Option<Arc<Lease>>,
}

impl Entry {
    /// Whether a lease says that the slot may not begin now.
    pub(crate) fn is_fenced(&self, slot: Timestamp, now: Instant) -> bool {
        self.lease.as_ref().is_some_and(|lease| !lease.holds(slot, now))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Entry({} {})", self.origin.stream, self.cadence)
    }
}

/// A new set of entries, and from when it holds.
///
/// Slots before `at` belong to the old set, slots from `at` on to the new one. Streams whose cadence stays
/// the same go on without a seam: only what their runs do changes, at once.
#[derive(Clone, Debug)]
pub struct Replace {
    /// All entries from now on.
    pub entries: Vec<Entry>,
    /// The border between the old timetable and the new one.
    pub at: Timestamp,
}
