//! Runs of slots that nobody ran, missed or paused, one value for many slots.
//!
//! An hour without a prober is thousands of missed slots; each is an event of its own to every reader, but
//! the store keeps an arithmetic run of them in one row.

use std::sync::Arc;

use crate::event::{Origin, SliEvent};
use crate::outcome::{Outcome, Reason, Verdict};
use crate::slot::Slot;
use crate::time::Timestamp;

/// Missed slots of one stream at equal distances: `first, first + step, …`, `count` of them.
#[derive(Clone, Debug, PartialEq)]
pub struct MissedSlots {
    /// Whose slots.
    pub origin: Arc<Origin>,
    /// Why nobody ran them: its verdict is `Missed`, or it is `Paused`.
    pub reason: Reason,
    /// Start of the first slot.
    pub first: Timestamp,
    /// Distance of the starts in milliseconds; 0 if there is only one.
    pub step_ms: u64,
    /// How many, from 1 to [`COUNT_MAX`].
    pub count: u32,
    /// When the miss was noticed.
    pub recorded: Timestamp,
    /// Whether requests of these slots may have been sent all the same: a run was about to begin, and nobody knows how far
    /// it came. Means something with side effects only.
    pub maybe_sent: bool,
}

/// The most slots in one row, so that a reader's batch stays bounded.
pub const COUNT_MAX: u32 = 1_000;

impl MissedSlots {
    /// A single missed slot.
    pub fn one(origin: Arc<Origin>, reason: Reason, scheduled: Timestamp, recorded: Timestamp) -> Self {
        Self { origin, reason, first: scheduled, step_ms: 0, count: 1, recorded, maybe_sent: false }
    }

    /// The slot at `index`, below `count`.
    pub fn slot(&self, index: u32) -> Slot {
        let offset = self.step_ms.saturating_mul(u64::from(index));
        let millis = self.first.as_millis().saturating_add_unsigned(offset);
        self.origin.stream.slot(Timestamp::from_millis(millis))
    }

    /// Start of the last slot.
    pub fn last(&self) -> Timestamp {
        self.slot(self.count.saturating_sub(1)).scheduled
    }

    /// One event a slot, in the order of their starts.
    pub fn events(&self) -> impl Iterator<Item = SliEvent> + '_ {
        self.events_from(0)
    }

    /// The events of the slots from `index` on.
    pub fn events_from(&self, index: u32) -> impl Iterator<Item = SliEvent> + '_ {
        (index..self.count).map(|index| SliEvent {
            origin: Arc::clone(&self.origin),
            slot: self.slot(index),
            attempt: 0,
            trigger: crate::event::Trigger::Schedule,
            started: None,
            finished: None,
            recorded: self.recorded,
            outcome: Outcome { maybe_sent: self.shown_maybe_sent(), ..Outcome::empty(self.reason) },
        })
    }

    /// What is said of it in events. Who declares a slot missed because nobody owned it does not know what a dead owner did.
    fn shown_maybe_sent(&self) -> Option<bool> {
        let is_known = self.reason.verdict() == Verdict::Missed && self.reason != Reason::NoOwner;
        (self.origin.side_effects && is_known).then_some(self.maybe_sent)
    }
}
