//! Entries that come, change and go; a stream keeps its number.

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::slot::Stream;
use model::time::{Clock, Timestamp};

use super::super::places::{Scheduled, StreamState, Waiting};
use super::{Sink, State};
use crate::entry::{Entry, Replace};

impl<S: Sink, C: Clock> State<S, C> {
    pub(in crate::runner) fn replace(&mut self, replace: Replace) {
        self.begun = true;
        let mut kept = HashSet::with_capacity(replace.entries.len());
        for entry in replace.entries {
            let number = self.number(&entry.origin.stream);
            let current = self.streams[number].current;
            match current.and_then(|index| self.scheduled[index].as_mut().map(|place| (index, place))) {
                Some((index, place)) if place.entry.cadence == entry.cadence => {
                    place.hand_over(Arc::new(entry));
                    kept.insert(index);
                }
                _ => kept.extend(self.add(number, entry, replace.at)),
            }
        }
        for index in (0..self.scheduled.len()).filter(|index| !kept.contains(index)) {
            self.end(index, replace.at);
        }
        self.gauges.streams.store(kept.len(), Ordering::Relaxed);
    }

    /// Ends an entry at `at`: earlier slots are still its own.
    fn end(&mut self, index: usize, at: Timestamp) {
        let Some(place) = &mut self.scheduled[index] else { return };
        place.until = Some(place.until.map_or(at, |until| until.min(at)));
        let current = &mut self.streams[place.stream].current;
        if *current == Some(index) {
            *current = None;
        }
    }

    fn number(&mut self, stream: &Stream) -> usize {
        if let Some(number) = self.numbers.get(stream) {
            return *number;
        }
        let number = self.streams.len();
        self.streams.push(StreamState::default());
        self.numbers.insert(stream.clone(), number);
        number
    }

    fn add(&mut self, stream: usize, entry: Entry, at: Timestamp) -> Option<usize> {
        let next = entry.timetable.first_from(at)?;
        let place = Some(Scheduled::new(Arc::new(entry), stream, next));
        let index = self.free.pop().unwrap_or(self.scheduled.len());
        if index == self.scheduled.len() {
            self.scheduled.push(place);
        } else {
            self.scheduled[index] = place;
        }
        self.streams[stream].current = Some(index);
        self.due.push(Reverse((next.as_millis(), index)));
        Some(index)
    }

    /// Frees the place of an entry that has ended, once none of its slots waits.
    pub(super) fn retire(&mut self, index: usize) {
        let waits = |queue: &VecDeque<Waiting>| queue.iter().any(|waiting| waiting.index == index);
        if waits(&self.waiting) || waits(&self.waiting_slow) {
            let later = self.clock.now().as_millis() + 1_000;
            self.due.push(Reverse((later, index)));
        } else {
            self.end(index, Timestamp::default());
            self.scheduled[index] = None;
            self.free.push(index);
        }
    }
}
