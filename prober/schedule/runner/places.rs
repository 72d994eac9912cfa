//! What the runner knows of entries, streams and slots that wait.

use std::sync::Arc;

use model::high_mark::HighMark;
use model::maintenance::{Effect, Maintenance};
use model::time::Timestamp;

use crate::entry::Entry;
use crate::maintenance::Look;

/// An entry with its place in time.
pub(super) struct Scheduled {
    pub(super) entry: Arc<Entry>,
    /// The stream's number.
    pub(super) stream: usize,
    /// The next slot that has not been dealt with.
    pub(super) next: Timestamp,
    /// Slots from here on are no longer this entry's.
    pub(super) until: Option<Timestamp>,
    /// What the entry's calendar last said, and from when on that holds.
    looked: Option<(Timestamp, Look)>,
}

impl Scheduled {
    pub(super) const fn new(entry: Arc<Entry>, stream: usize, next: Timestamp) -> Self {
        Self { entry, stream, next, until: None, looked: None }
    }

    /// Another entry takes over the stream's slots.
    pub(super) fn hand_over(&mut self, entry: Arc<Entry>) {
        self.entry = entry;
        self.looked = None;
    }

    /// The maintenance that a slot lies in. Slots come in order, so the calendar is asked seldom.
    pub(super) fn maintenance(&mut self, scheduled: Timestamp) -> Option<Arc<Maintenance>> {
        if self.entry.maintenance.is_empty() {
            return None;
        }
        let holds = |(from, look): &&(Timestamp, Look)| *from <= scheduled && scheduled < look.until;
        if let Some((_, look)) = self.looked.as_ref().filter(holds) {
            return look.active.clone();
        }
        let look = self.entry.maintenance.look(scheduled);
        let active = look.active.clone();
        self.looked = Some((scheduled, look));
        active
    }

    /// Whether the slot is not run at all.
    pub(super) fn is_paused(&mut self, scheduled: Timestamp) -> bool {
        self.maintenance(scheduled).is_some_and(|window| window.effect == Effect::Pause)
    }
}

/// What is known of a stream across entries: a reload does not make two runs of it overlap.
#[derive(Default)]
pub(super) struct StreamState {
    /// The slot in flight and whose it is.
    pub(super) running: Option<(Timestamp, Arc<Entry>)>,
    /// Whether its last run took more than half of its timeout.
    pub(super) slow: bool,
    /// Whether the run in flight counts among the slow ones.
    pub(super) counted_slow: bool,
    /// What its runs have seen; `None` until the first one starts.
    pub(super) high_marks: Option<Arc<[HighMark]>>,
    /// The entry that is current, in `scheduled`.
    pub(super) current: Option<usize>,
}

/// A due slot without a permit.
pub(super) struct Waiting {
    pub(super) index: usize,
    pub(super) scheduled: Timestamp,
}
