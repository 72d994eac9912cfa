//! A slot, as promises see it.

use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Mark, Verdict};
use model::slot::SlotId;
use model::time::Timestamp;

use crate::count::Count;
use crate::evidence::Evidence;
use crate::good::Took;
use crate::promise::Feed;

/// How long a bad run may be held until it is known whether the prober was at fault.
const IN_DOUBT: Duration = Duration::from_secs(30);
/// One slot, as promises see it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) scheduled: Timestamp,
    pub(crate) finished: Timestamp,
    pub(crate) count: Count,
    pub(crate) id: SlotId,
    /// Of a correct run.
    pub(crate) took: Option<Took>,
    /// Of a bad run.
    pub(crate) evidence: Option<Evidence>,
    /// Whether it was made by a prober that most others could not reach: it is not counted in the quorum.
    pub(crate) unvouched: bool,
}

/// How long after its slot's start a run of a stream is too late to start an alert.
pub(crate) fn late_after(feed: &Feed) -> Duration {
    feed.interval.saturating_mul(2).saturating_add(feed.timeout).saturating_add(IN_DOUBT)
}

impl Slot {
    /// An event, reduced to what promises need.
    pub(crate) fn of(event: &SliEvent) -> Self {
        let bad = event.verdict() == Verdict::Bad;
        Self {
            scheduled: event.slot.scheduled,
            finished: event.finished.unwrap_or(event.recorded),
            count: Count::of(event.outcome.reason),
            id: event.slot.id,
            took: Took::of(event),
            evidence: bad.then(|| Evidence::of(event)),
            unvouched: event.outcome.marks.contains(&Mark::Unvouched),
        }
    }
}
