//! Slots that nobody ran, gathered until the store takes them.
//!
//! Bounded without losing any: neighbouring slots of one stream with one reason are one value, so a store
//! that is away for an hour costs one open value a stream and not one a slot.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use model::event::Origin;
use model::missed::{COUNT_MAX, MissedSlots};
use model::outcome::Reason;
use model::slot::Stream;
use model::time::Timestamp;

/// The gathered misses, oldest first.
#[derive(Debug, Default)]
pub struct Misses {
    values: VecDeque<MissedSlots>,
    /// How many values were sent before the first one here.
    sent: usize,
    /// Which value (counted with the sent ones) a stream's next slot may join.
    open: HashMap<Stream, usize>,
}

/// One missed slot.
#[derive(Clone, Debug)]
pub struct Missed<'a> {
    /// Whose slot.
    pub origin: &'a Arc<Origin>,
    /// Why.
    pub reason: Reason,
    /// Its start.
    pub scheduled: Timestamp,
    /// The distance of the stream's slots, if it is fixed.
    pub step_ms: Option<u64>,
    /// Whether its requests may have been sent all the same.
    pub maybe_sent: bool,
}

impl Misses {
    /// Adds a missed slot that was noticed at `now`.
    pub fn add(&mut self, missed: &Missed<'_>, now: Timestamp) {
        self.add_run(missed, 1, now);
    }

    /// Adds `count` missed slots, from 1 to [`COUNT_MAX`], each a step after the one before and the first as `missed` says.
    ///
    /// More than one needs a fixed step, and none of them may have been sent.
    pub fn add_run(&mut self, missed: &Missed<'_>, count: u32, now: Timestamp) {
        let stream = &missed.origin.stream;
        if let Some(step_ms) = missed.step_ms.filter(|_| !missed.maybe_sent) {
            let index = self.open.get(stream).and_then(|number| number.checked_sub(self.sent));
            let open = index.and_then(|index| self.values.get_mut(index));
            if let Some(open) = open.filter(|open| joins(open, missed, step_ms, count)) {
                open.step_ms = step_ms;
                open.count += count;
                open.recorded = now;
                return;
            }
            self.open.insert(stream.clone(), self.sent + self.values.len());
        }
        let one = MissedSlots::one(Arc::clone(missed.origin), missed.reason, missed.scheduled, now);
        let step_ms = if count > 1 { missed.step_ms.unwrap_or_default() } else { 0 };
        self.values.push_back(MissedSlots { maybe_sent: missed.maybe_sent, step_ms, count, ..one });
    }

    /// The oldest value, to be sent; call [`Misses::sent`] when it was.
    pub fn oldest(&self) -> Option<&MissedSlots> {
        self.values.front()
    }

    /// Drops the oldest value, which was sent.
    pub fn sent(&mut self) {
        if let Some(missed) = self.values.pop_front() {
            if self.open.get(&missed.origin.stream) == Some(&self.sent) {
                self.open.remove(&missed.origin.stream);
            }
            self.sent += 1;
        }
    }

    /// The start of the earliest slot that is still here.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.values.iter().map(|missed| missed.first).min()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many values wait.
    pub fn len(&self) -> usize {
        self.values.len()
    }
}

fn joins(open: &MissedSlots, missed: &Missed<'_>, step_ms: u64, count: u32) -> bool {
    let step_fits = open.count == 1 || open.step_ms == step_ms;
    let next = open.last().as_millis().checked_add_unsigned(step_ms);
    let has_room = open.count.saturating_add(count) <= COUNT_MAX;
    open.reason == missed.reason && step_fits && has_room && next == Some(missed.scheduled.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str) -> Arc<Origin> {
        let empty: Arc<str> = "".into();
        Arc::new(Origin {
            stream: Stream::new(name, "eu"),
            version: Arc::clone(&empty),
            kind: Arc::clone(&empty),
            owner: Arc::clone(&empty),
            service: Arc::clone(&empty),
            labels: vec![],
            prober: empty,
            side_effects: false,
        })
    }

    #[test]
    fn neighbours_become_one_value_and_nothing_is_lost() {
        let (a, b) = (origin("a"), origin("b"));
        let mut misses = Misses::default();
        let at = |seconds: i64| Timestamp::from_seconds(seconds);
        let mut add = |origin: &Arc<Origin>, reason, second: i64| {
            misses.add(
                &Missed { origin, reason, scheduled: at(second), step_ms: Some(10_000), maybe_sent: false },
                at(second),
            );
        };
        for slot in 0..2_500 {
            add(&a, Reason::Spool, slot * 10);
            add(&b, Reason::Spool, slot * 10 + 3);
        }
        add(&a, Reason::Late, 25_000);
        add(&a, Reason::Late, 25_020);
        assert_eq!(misses.len(), 3 + 2 + 3);
        assert_eq!(misses.earliest(), Some(at(0)));
        let mut slots = vec![];
        while let Some(missed) = misses.oldest() {
            slots.extend(missed.events().map(|event| (event.origin.stream.clone(), event.slot.scheduled)));
            misses.sent();
        }
        let all = slots.len();
        slots.sort();
        slots.dedup();
        assert_eq!((all, slots.len()), (5_002, 5_002));
    }

    #[test]
    fn runs_join_what_they_follow_while_there_is_room() {
        let a = origin("a");
        let mut misses = Misses::default();
        let mut add = |second: i64, count| {
            let scheduled = Timestamp::from_seconds(second);
            let (reason, step_ms) = (Reason::ClockStep, Some(1_000));
            let missed = Missed { origin: &a, reason, scheduled, step_ms, maybe_sent: false };
            misses.add_run(&missed, count, scheduled);
        };
        add(0, 1);
        add(1, 900);
        add(901, 100);
        add(1_001, COUNT_MAX);
        add(5_000, 1);
        let shape = |missed: &MissedSlots| (missed.first.as_millis() / 1_000, missed.step_ms, missed.count);
        let all: Vec<_> = misses.values.iter().map(shape).collect();
        assert_eq!(all, [(0, 1_000, 901), (901, 1_000, 100), (1_001, 1_000, COUNT_MAX), (5_000, 0, 1)]);
    }

    #[test]
    fn cron_slots_stand_alone() {
        let mut misses = Misses::default();
        let a = origin("a");
        for slot in 0..3 {
            let scheduled = Timestamp::from_seconds(slot * 60);
            misses.add(
                &Missed { origin: &a, reason: Reason::Drain, scheduled, step_ms: None, maybe_sent: false },
                scheduled,
            );
        }
        assert_eq!(misses.len(), 3);
    }
}
