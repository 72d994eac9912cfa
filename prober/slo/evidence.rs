//! What a bad run showed, for whoever is woken up.

use std::sync::Arc;

use model::event::SliEvent;
use model::outcome::cut;
use model::slot::SlotId;
use model::time::Timestamp;

use crate::bytes::{Broken, In, Out};

/// What the newest bad run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Its slot's start, in milliseconds.
    pub(crate) scheduled: i64,
    pub(crate) slot: SlotId,
    /// The step that failed; empty if none did.
    pub(crate) step: Arc<str>,
    /// `error.type`, or the reason.
    pub(crate) error: Arc<str>,
    /// What went wrong, in a sentence; empty if there is none.
    pub(crate) message: Arc<str>,
}

/// The longest text kept, in bytes.
const TEXT_MAX: usize = 200;

impl Evidence {
    pub(crate) fn of(event: &SliEvent) -> Self {
        let short = |text: &str| Arc::from(cut(text.to_owned(), TEXT_MAX));
        let failure = event.outcome.failure.as_ref();
        let error = failure.map_or(event.outcome.reason.as_str(), |failure| &*failure.error_type);
        Self {
            scheduled: event.slot.scheduled.as_millis(),
            slot: event.slot.id,
            step: short(failure.map_or("", |failure| &failure.step)),
            error: short(error),
            message: short(failure.map_or("", |failure| &failure.message)),
        }
    }

    /// A correct run that is not good for an objective, and why.
    pub(crate) fn slow(scheduled: Timestamp, slot: SlotId, why: String) -> Self {
        let message = Arc::from(cut(why, TEXT_MAX));
        Self { scheduled: scheduled.as_millis(), slot, step: Arc::default(), error: "slow".into(), message }
    }

    /// Whether it is newer; the id decides between two of one moment.
    pub(crate) fn is_newer(&self, than: Option<&Self>) -> bool {
        than.is_none_or(|than| (self.scheduled, self.slot) > (than.scheduled, than.slot))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.step.len() + self.error.len() + self.message.len() + 3 * 16
    }

    pub(crate) fn write(&self, out: &mut Out) {
        out.signed(self.scheduled);
        out.raw(self.slot.as_bytes());
        for text in [&self.step, &self.error, &self.message] {
            out.text(text);
        }
    }

    pub(crate) fn read(from: &mut In<'_>) -> Result<Self, Broken> {
        Ok(Self {
            scheduled: from.signed()?,
            slot: slot_id(from)?,
            step: from.text()?,
            error: from.text()?,
            message: from.text()?,
        })
    }
}

pub(crate) fn slot_id(from: &mut In<'_>) -> Result<SlotId, Broken> {
    Ok(SlotId::from_bytes(from.raw(16)?.try_into().map_err(|_| Broken)?))
}
