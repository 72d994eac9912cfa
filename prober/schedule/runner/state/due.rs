//! Slots whose time has come: each is run, waits for a permit, or is missed for a reason.

use std::cmp::Reverse;

use model::outcome::Reason;
use model::time::{Clock, Timestamp};

use super::super::lateness;
use super::super::places::Waiting;
use super::{Sink, State};
use crate::misses::Missed;

impl<S: Sink, C: Clock> State<S, C> {
    /// Deals with the next slot of an entry; if it is too late by now, with those that follow and are too late like it.
    pub(super) fn slot(&mut self, index: usize, now: Timestamp) {
        let Some(place) = &mut self.scheduled[index] else { return };
        let (stream, scheduled) = (place.stream, place.next);
        let mut on_time = false;
        if scheduled <= now && place.until.is_none_or(|until| scheduled < until) {
            on_time = now.since(scheduled) <= place.entry.timetable.tolerance();
            let passed = if on_time { 1 } else { self.too_late(index, now) };
            self.scheduled[index].as_mut().expect("it was there").pass(passed);
        }
        let Some(place) = &self.scheduled[index] else { return };
        let next = place.next;
        if place.until.is_none_or(|until| next < until) {
            self.due.push(Reverse((next.as_millis(), index)));
        } else if !on_time {
            self.retire(index);
        } else {
            // Its last slot still needs the entry; the heap brings it back once more to retire it.
            self.due.push(Reverse((next.as_millis().max(now.as_millis() + 1), index)));
        }
        if on_time {
            self.begin(index, stream, scheduled, now);
        }
    }

    /// Records the next slot of an entry and those like it as missed, because it is too late for them; says how many.
    ///
    /// A clock that was set by a year has jumped over millions of them: they are counted, not walked.
    fn too_late(&mut self, index: usize, now: Timestamp) -> u32 {
        let Some(place) = &mut self.scheduled[index] else { return 1 };
        let scheduled = place.next;
        let stepped = self.stepped_to.filter(|to| scheduled < *to);
        let reason = if place.is_paused(scheduled) {
            // Nobody would have run it: planned, and no loss.
            Reason::Paused
        } else if self.draining {
            Reason::Drain
        } else {
            lateness(stepped.is_some())
        };
        let late = now.minus(place.entry.timetable.tolerance());
        let count = place.alike(stepped.map_or(late, |to| late.min(to)));
        let (origin, step_ms) = (&place.entry.origin, place.entry.timetable.step_ms());
        self.misses.add_run(&Missed { origin, reason, scheduled, step_ms, maybe_sent: false }, count, now);
        count
    }

    /// Runs a slot that is on time, lets it wait for a permit, or records why it cannot run.
    fn begin(&mut self, index: usize, stream: usize, scheduled: Timestamp, now: Timestamp) {
        if self.scheduled[index].as_mut().is_some_and(|place| place.is_paused(scheduled)) {
            return self.miss(index, scheduled, Reason::Paused, now);
        }
        let known = &self.streams[stream];
        if self.draining {
            self.miss(index, scheduled, Reason::Drain, now);
        } else if let Some(reason) = self.suspended() {
            self.miss(index, scheduled, reason, now);
        } else if self.sink.is_full() {
            self.miss(index, scheduled, Reason::Spool, now);
        } else if known.running.is_some() {
            self.miss(index, scheduled, Reason::Overlap, now);
        } else if self.is_fenced(index, scheduled) {
            self.miss(index, scheduled, Reason::NoLease, now);
        } else if self.sheds(index) {
            self.miss(index, scheduled, Reason::Overload, now);
        } else if self.may_start(known.slow) {
            self.start(index, scheduled);
        } else {
            let queue = if known.slow { &mut self.waiting_slow } else { &mut self.waiting };
            queue.push_back(Waiting { index, scheduled });
        }
    }
}
