//! What is known of one adjustment of one promise.

use std::sync::Arc;

use crate::bytes::{Broken, In, Out};
use crate::count::{Count, Tally};
use crate::promise::Adjustment;
use crate::slot::Slot;

/// What is known of an adjustment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Slots that it is about were counted before it was known: they have to be told again.
    Unknown,
    /// All its slots so far are noted; it waits for its moment.
    Waiting,
    /// Its slots do not count.
    Applied,
    /// It is no longer declared: its slots have to be told again, and then they count again.
    Leaving,
}

/// One adjustment of one promise.
#[derive(Clone, Debug)]
pub(crate) struct Adjusted {
    pub(crate) adjustment: Arc<Adjustment>,
    pub(crate) stage: Stage,
    /// Slots that wait to be moved: their start in milliseconds, what they are counted as, and whether that was late.
    pub(crate) noted: Vec<(i64, Count, bool)>,
    /// What was taken out.
    pub(crate) taken: Tally,
}

/// The most slots that wait for one adjustment; its range is bounded, so this is only for what cannot be.
const NOTED_MAX: usize = 10_000_000;

impl Adjusted {
    /// One that is known from before its first slot on.
    pub(crate) const fn new(adjustment: Arc<Adjustment>) -> Self {
        Self { adjustment, stage: Stage::Waiting, noted: Vec::new(), taken: Tally::NONE }
    }

    /// One whose slots may have been counted.
    pub(crate) fn later(adjustment: Arc<Adjustment>) -> Self {
        Self { stage: Stage::Unknown, ..Self::new(adjustment) }
    }

    pub(crate) fn is_applied(&self) -> bool {
        self.stage == Stage::Applied
    }

    /// Whether events that were counted have to be told again.
    pub(crate) fn wants_to_be_told(&self) -> bool {
        matches!(self.stage, Stage::Unknown | Stage::Leaving)
    }

    /// Keeps a slot that is to be moved.
    pub(crate) fn note(&mut self, slot: &Slot, late: bool) {
        if self.noted.len() < NOTED_MAX {
            self.noted.push((slot.scheduled.as_millis(), slot.count, late));
        }
    }

    pub(crate) fn write(&self, out: &mut Out) {
        self.adjustment.write(out);
        // One that is to be undone is still applied to what is written beside it.
        out.flag(matches!(self.stage, Stage::Applied | Stage::Leaving));
        for (_, count) in Tally::TAKEN {
            out.number(self.taken.of(count));
        }
    }

    pub(crate) fn read(from: &mut In<'_>) -> Result<Self, Broken> {
        let mut read = Self::later(Arc::new(Adjustment::read(from)?));
        if from.flag()? {
            read.stage = Stage::Applied;
        }
        for (_, count) in Tally::TAKEN {
            read.taken.add(count as usize, from.number()?);
        }
        Ok(read)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.noted.capacity() * size_of::<(i64, Count, bool)>()
    }
}
