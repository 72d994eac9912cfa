//! Runs that wait until it is known whose fault they are.

use std::sync::Arc;
use std::time::Duration;

use model::time::Clock;

use super::{Sink, State};

/// How often held runs are looked at though nothing new is known: some have waited long enough.
const HELD_LOOK_EVERY: Duration = Duration::from_secs(1);

impl<S: Sink, C: Clock> State<S, C> {
    /// How many runs are not settled.
    pub(in crate::runner) fn held(&self) -> usize {
        self.hold.waiting()
    }

    /// Asks for a look at the prober's own health now.
    pub(in crate::runner) fn want_round(&self) {
        if let Some((doubts, _)) = &self.doubts {
            doubts.want_round();
        }
    }

    /// Settles what is held, whatever is known by now.
    pub(in crate::runner) fn settle_held(&mut self) {
        if let Some((doubts, _)) = &self.doubts {
            self.hold.settle_all(doubts);
        }
    }

    pub(super) fn look_at_held(&mut self) {
        let Some(doubts) = self.doubts.as_ref().map(|(doubts, _)| Arc::clone(doubts)) else { return };
        let now = self.clocks.1;
        let long_ago = now.saturating_duration_since(self.settled_at) >= HELD_LOOK_EVERY;
        if self.hold.waiting() == 0 || !(std::mem::take(&mut self.look_now) || long_ago) {
            return;
        }
        self.settled_at = now;
        for (stream, marks) in self.hold.settle(&doubts, now) {
            self.move_on(stream, &marks);
        }
        // Something still waits: whoever looks is asked again.
        if self.hold.waiting() > 0 {
            doubts.want_round();
        }
    }
}
