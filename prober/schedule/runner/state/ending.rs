//! No new runs, and the end of those in flight.

use std::time::Duration;

use model::outcome::Reason;
use model::time::Clock;

use super::super::run::BACKSTOP;
use super::{Sink, State};
use crate::misses::Missed;

impl<S: Sink, C: Clock> State<S, C> {
    /// No new run from now on.
    pub(in crate::runner) fn drain(&mut self) {
        self.draining = true;
    }

    /// Asks what is still in flight to end, and gives how long that may take at most.
    pub(in crate::runner) fn ask_to_end(&mut self) -> Duration {
        self.stop.0.cancel();
        let running = self.streams.iter().filter_map(|stream| stream.running.as_ref());
        running.map(|(_, entry)| entry.grace).max().unwrap_or_default() + BACKSTOP
    }

    /// Stops what is still in flight; each becomes a miss with reason `interrupted`.
    pub(in crate::runner) async fn abort(&mut self) -> usize {
        self.runs.abort_all();
        while let Some(finished) = self.runs.join_next().await {
            self.settle(finished);
        }
        let now = self.clock.now();
        let mut aborted = 0;
        for number in 0..self.streams.len() {
            let Some((scheduled, entry)) = self.free_stream(number, None) else { continue };
            let step_ms = entry.timetable.step_ms();
            let (origin, reason) = (&entry.origin, Reason::Interrupted);
            let maybe_sent = origin.side_effects;
            self.misses.add(&Missed { origin, reason, scheduled, step_ms, maybe_sent }, now);
            aborted += 1;
        }
        aborted
    }
}
