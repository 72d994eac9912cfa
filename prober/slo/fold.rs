//! What a slot does to the counts of one promise.

use std::time::Duration;

use model::time::Timestamp;

use crate::count::Count;
use crate::evidence::Evidence;
use crate::good::Judged;
use crate::region::Seen;
use crate::slot::Slot;
use crate::state::{Kept, Slo};
use crate::streak::Run;

impl Slo {
    /// Takes in a slot of a stream, given by scenario and region, which became known at `now`.
    pub(crate) fn fold(&mut self, feed: (&str, &str), slot: &Slot, late_after: Duration, now: Timestamp) {
        let slot = Slot { scheduled: slot.scheduled.min(now), ..self.own(slot) };
        self.unsaved = true;
        if self.kept.going.is_some_and(|going| slot.scheduled >= going.to) {
            self.begin_period(now);
        }
        // What nobody vouches for is history and budget and starts no alert, as what comes late.
        let late = slot.unvouched || now.since(slot.scheduled) > late_after;
        let count = self.adjusted_count(feed, &slot, late);
        self.kept.count(slot.scheduled, count, late);
        // What an adjustment takes out was seen all the same: it ends a streak, or makes it longer.
        if !slot.count.is_eligible() {
            return;
        }
        let bad = slot.count == Count::Bad;
        let run = Run { scheduled: slot.scheduled.as_millis(), tie: slot.tie(), bad, late };
        let finished = slot.finished.min(now).as_millis();
        if let Some(region) = self.regions.iter_mut().find(|known| *known.name == *feed.1) {
            region.add(&Seen { run, finished, evidence: slot.evidence.as_ref() });
        }
    }

    /// The slot as this promise counts it, by its own `good` if it has one.
    pub(crate) fn own(&self, slot: &Slot) -> Slot {
        let (Some(good), Some(took)) = (&self.promise.good, slot.took) else { return slot.clone() };
        let (count, evidence) = match took.judged(&**good) {
            Judged::Good => (Count::Good, None),
            Judged::Slow(why) => (Count::Bad, Some(Evidence::slow(slot.scheduled, slot.id, why))),
            Judged::Unknown => (Count::ProberFault, None),
        };
        Slot { count, evidence, ..slot.clone() }
    }
}

impl Slot {
    /// Part of its id: two slots of one moment have an order.
    fn tie(&self) -> u64 {
        let mut tie = [0; 8];
        tie.copy_from_slice(&self.id.as_bytes()[..8]);
        u64::from_be_bytes(tie)
    }
}

impl Kept {
    /// Counts a slot.
    fn count(&mut self, at: Timestamp, count: Count, late: bool) {
        self.history.add(at, count);
        if count == Count::Bad && late {
            self.history.add(at, Count::LateBad);
        }
        if let Some(going) = self.going.as_mut().filter(|_| count.is_eligible()) {
            going.add(at, count == Count::Bad);
        }
    }

    /// Takes a slot out of what it was counted as.
    pub(crate) fn take_out(&mut self, at: Timestamp, count: Count, late: bool) {
        self.history.shift(at, count, Count::Excluded);
        if count == Count::Bad && late {
            self.history.take(at, Count::LateBad);
        }
        if let Some(going) = self.going.as_mut().filter(|_| count.is_eligible()) {
            going.take(at, count == Count::Bad);
        }
    }

    /// Counts a slot again that was taken out.
    pub(crate) fn put_back(&mut self, at: Timestamp, count: Count, late: bool) {
        self.history.shift(at, Count::Excluded, count);
        if count == Count::Bad && late {
            self.history.add(at, Count::LateBad);
        }
        if let Some(going) = self.going.as_mut().filter(|_| count.is_eligible()) {
            going.add(at, count == Count::Bad);
        }
    }
}
