//! What goes to the store, and up to where all of it has gone.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use model::time::{Clock, Timestamp};

use super::{Sink, State};

impl<S: Sink, C: Clock> State<S, C> {
    /// Hands gathered misses and settled runs to the store as far as it takes them; says how many are left.
    pub(in crate::runner) fn flush(&mut self) -> usize {
        while let Some(missed) = self.misses.oldest() {
            if !self.sink.try_missed(missed) {
                break;
            }
            self.misses.sent();
        }
        let now = self.clock.now();
        while let Some(event) = self.hold.oldest_settled() {
            // Readers that go by this time see it when it is known, not when it was still in doubt.
            event.recorded = now;
            if !self.sink.try_event(event) {
                break;
            }
            self.hold.sent();
        }
        self.gauges.misses_waiting.store(self.misses.len(), Ordering::Relaxed);
        self.gauges.held.store(self.hold.len(), Ordering::Relaxed);
        self.misses.len() + self.hold.len()
    }

    /// Tells the store up to where everything has been handed over.
    pub(in crate::runner) fn checkpoint(&mut self) {
        let running = self.streams.iter().filter_map(|stream| stream.running.as_ref().map(|(at, _)| *at));
        let waiting = self.waiting.iter().chain(&self.waiting_slow).map(|waiting| waiting.scheduled);
        let due = self.due.peek().map(|Reverse((due, _))| Timestamp::from_millis(*due));
        let kept = self.misses.earliest().into_iter().chain(self.hold.earliest());
        let open = running.chain(waiting).chain(due).chain(kept).min();
        let at = open.unwrap_or(self.dealt).min(self.dealt);
        self.checkpoint_at(at);
    }

    /// `at`, or the earliest slot whose turn has not come.
    pub(in crate::runner) fn all_dealt(&self, at: Timestamp) -> Timestamp {
        self.due.peek().map_or(at, |Reverse((due, _))| at.min(Timestamp::from_millis(*due)))
    }

    pub(in crate::runner) fn checkpoint_at(&mut self, at: Timestamp) {
        // A store that is full gets the next one; a checkpoint may be late but never early.
        if self.sink.try_checkpoint(at) {
            self.gauges.checkpoint_ms.store(at.as_millis(), Ordering::Relaxed);
        }
    }
}
