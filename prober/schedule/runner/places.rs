//! What the runner knows of entries, streams and slots that wait.

use std::sync::Arc;
use std::time::Duration;

use model::high_mark::HighMark;
use model::maintenance::{Effect, Maintenance};
use model::missed::COUNT_MAX;
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

    /// How many slots from the next one on, at least that, come before `end` and mean the same to the calendar; at most
    /// [`COUNT_MAX`], and one where they are not at equal distances.
    pub(super) fn alike(&mut self, end: Timestamp) -> u32 {
        let Some(step_ms) = self.entry.timetable.step_ms() else { return 1 };
        self.maintenance(self.next);
        let steady = self.looked.as_ref().map(|(_, look)| look.until);
        let end = [steady, self.until].into_iter().flatten().fold(end, Timestamp::min);
        let slots = end.since(self.next).as_nanos().div_ceil(u128::from(step_ms) * 1_000_000);
        u32::try_from(slots).unwrap_or(COUNT_MAX).clamp(1, COUNT_MAX)
    }

    /// Moves on by so many slots; behind the last one there is nothing more.
    pub(super) fn pass(&mut self, count: u32) {
        let steps = u64::from(count.saturating_sub(1));
        let span =
            Duration::from_millis(self.entry.timetable.step_ms().unwrap_or_default().saturating_mul(steps));
        let last = self.next.plus(span);
        match self.entry.timetable.next_after(last) {
            Some(next) => self.next = next,
            None => self.until = Some(last),
        }
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
