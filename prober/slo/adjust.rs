//! Adjustments: runs of the past that do not count, because somebody said so, and why.
//!
//! An event is never changed. What was counted of it moves into a count of its own at the first tick at or after the
//! moment at which the adjustment was added, so that a replay, which knows it from the start, makes the same alerts
//! before that moment and the same step in the budget at it. An evaluator that learns of an adjustment later has to be
//! told the events of its time once more: [`Evaluator::recall`].

use model::event::SliEvent;
use model::time::Timestamp;

use crate::adjusted::{Adjusted, Stage};
use crate::count::Count;
use crate::evaluator::Evaluator;
use crate::slot::{Slot, late_after};
use crate::state::Slo;

impl Slo {
    /// Takes over what was known of adjustments; those that the promise no longer has are undone.
    pub(crate) fn adopt_adjustments(&mut self, known: Vec<Adjusted>) {
        let mut known = known;
        let declared = self.promise.adjustments.clone();
        self.adjusted = declared
            .into_iter()
            .map(|adjustment| {
                let place = known.iter().position(|one| one.adjustment.is_same(&adjustment));
                match place.map(|place| known.swap_remove(place)) {
                    // What was written of a reason may have been corrected.
                    Some(one) => Adjusted { adjustment, ..one },
                    None => Adjusted::later(adjustment),
                }
            })
            .collect();
        let leaving = known.into_iter().filter(|one| matches!(one.stage, Stage::Applied | Stage::Leaving));
        self.adjusted.extend(leaving.map(|one| Adjusted { stage: Stage::Leaving, ..one }));
    }

    /// What a slot is counted as now; notes it for adjustments whose moment has not come.
    pub(crate) fn adjusted_count(&mut self, feed: (&str, &str), slot: &Slot, late: bool) -> Count {
        let about = |one: &&mut Adjusted| one.adjustment.is_about(feed, slot.scheduled);
        let Some(one) = self.adjusted.iter_mut().find(about).filter(|_| slot.count.can_be_taken_out()) else {
            return slot.count;
        };
        match one.stage {
            Stage::Applied | Stage::Leaving => {
                one.taken.add(slot.count as usize, 1);
                Count::Excluded
            }
            Stage::Unknown | Stage::Waiting => {
                one.note(slot, late);
                slot.count
            }
        }
    }

    /// Makes the step of every adjustment whose moment has come.
    pub(crate) fn apply_adjustments(&mut self, now: Timestamp) {
        let Self { adjusted, kept, unsaved, .. } = self;
        let due =
            adjusted.iter_mut().filter(|one| one.stage == Stage::Waiting && one.adjustment.added <= now);
        for one in due {
            for (at, count, late) in std::mem::take(&mut one.noted) {
                kept.take_out(Timestamp::from_millis(at), count, late);
                one.taken.add(count as usize, 1);
            }
            one.stage = Stage::Applied;
            *unsaved = true;
        }
    }

    /// The events that were asked for are all told.
    fn end_recall(&mut self) {
        let Self { adjusted, kept, unsaved, .. } = self;
        for one in adjusted.iter_mut() {
            match one.stage {
                Stage::Unknown => one.stage = Stage::Waiting,
                Stage::Leaving => {
                    for (at, count, late) in std::mem::take(&mut one.noted) {
                        kept.put_back(Timestamp::from_millis(at), count, late);
                    }
                    *unsaved = true;
                }
                Stage::Waiting | Stage::Applied => {}
            }
        }
        adjusted.retain(|one| one.stage != Stage::Leaving);
    }
}

impl Evaluator {
    /// From when to when events have to be told again, because adjustments became known after they were counted;
    /// `None` if none have.
    pub fn to_recall(&self) -> Option<(Timestamp, Timestamp)> {
        let wanting = self.slos.iter().flat_map(|slo| &slo.adjusted).filter(|one| one.wants_to_be_told());
        let ranges = wanting.map(|one| (one.adjustment.from, one.adjustment.to));
        ranges.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
    }

    /// Takes note of an event that was folded before; see [`Evaluator::to_recall`].
    pub fn recall(&mut self, event: &SliEvent) {
        let turn = (event.recorded, event.slot.scheduled, event.slot.id);
        // What waits for its time is not counted yet and will find the adjustment.
        if !event.trigger.is_scheduled() || self.waiting.contains_key(&turn) {
            return;
        }
        let stream = &event.origin.stream;
        let (feed, slot) = ((&*stream.scenario, &*stream.region), Slot::of(event));
        for index in self.fed(stream) {
            let slo = &mut self.slos[index];
            let slot = slo.own(&slot);
            let limit = slo.promise.feeds.iter().find(|one| (&*one.scenario, &*one.region) == feed);
            let late = slot.unvouched
                || limit.is_some_and(|one| event.recorded.since(slot.scheduled) > late_after(one));
            let about = |one: &&mut Adjusted| one.adjustment.is_about(feed, slot.scheduled);
            let Some(one) = slo.adjusted.iter_mut().find(about) else { continue };
            if one.wants_to_be_told() && slot.count.can_be_taken_out() {
                one.note(&slot, late);
            }
        }
    }

    /// All events that [`Evaluator::to_recall`] asked for were told.
    pub fn recalled(&mut self) {
        self.slos.iter_mut().for_each(Slo::end_recall);
    }
}
