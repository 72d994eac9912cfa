//! Runs that wait until it is known whether the prober was at fault.
//!
//! A held event is not recorded yet: the runner's checkpoint stays before its slot, so that a prober that is
//! killed meanwhile finds the slot unaccounted at its next start and records it as `missed: interrupted`. What
//! ends later in the same stream waits behind it, so that a stream's runs stay in their order. Each waits
//! for a bounded time, and at most [`HELD_MAX`] wait; what is not settled then is not held against the target.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::high_mark::HighMark;
use model::time::Timestamp;

use super::judge::Doubt;
use super::{Doubts, Judgement, Ran};

/// The most events that wait.
pub const HELD_MAX: usize = 10_000;

/// An event that waits.
#[derive(Debug)]
pub struct Held {
    /// The stream's number in the runner.
    pub stream: usize,
    /// The event as the run left it.
    pub event: SliEvent,
    /// When the run was.
    pub ran: Ran,
    /// How long it waits at most, from its end.
    pub wait: Duration,
}

/// The events that wait, in the order in which their runs ended.
#[derive(Debug, Default)]
pub struct Hold {
    waiting: VecDeque<Held>,
    /// How many of each stream wait.
    streams: HashMap<usize, u32>,
    /// Settled, and not taken by the store yet.
    settled: VecDeque<SliEvent>,
}

/// What a stream's settled run has moved on.
pub type Moved = (usize, Vec<HighMark>);

impl Hold {
    /// Whether an event of the stream waits, so that a later one has to wait behind it.
    pub fn has(&self, stream: usize) -> bool {
        self.streams.contains_key(&stream)
    }

    /// Takes an event in; a full hold gives up on the one that waits longest.
    pub fn push(&mut self, held: Held) {
        if self.waiting.len() == HELD_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.give_up(oldest);
        }
        *self.streams.entry(held.stream).or_default() += 1;
        self.waiting.push_back(held);
    }

    /// Settles what can be settled at `now`; gives the marks of the runs that count.
    pub fn settle(&mut self, doubts: &Doubts, now: Instant) -> Vec<Moved> {
        let mut moved = Vec::new();
        let mut blocked = HashSet::new();
        for held in std::mem::take(&mut self.waiting) {
            if blocked.contains(&held.stream) {
                self.waiting.push_back(held);
                continue;
            }
            match doubts.judge_of(&held.event.origin.stream, &held.event.outcome, held.ran) {
                Judgement::Stands => {
                    moved.push((held.stream, held.event.outcome.high_marks.clone()));
                    self.release(held.stream, held.event);
                }
                Judgement::Doubted(doubt) => self.release(held.stream, doubted(held.event, &doubt)),
                Judgement::Wait(_) if now < held.ran.ended + held.wait => {
                    blocked.insert(held.stream);
                    self.waiting.push_back(held);
                }
                Judgement::Wait(_) => self.give_up(held),
            }
        }
        moved
    }

    /// Settles everything: nobody will know more.
    pub fn settle_all(&mut self, doubts: &Doubts) {
        for held in std::mem::take(&mut self.waiting) {
            match doubts.judge_of(&held.event.origin.stream, &held.event.outcome, held.ran) {
                Judgement::Stands => self.release(held.stream, held.event),
                Judgement::Doubted(doubt) => self.release(held.stream, doubted(held.event, &doubt)),
                Judgement::Wait(_) => self.give_up(held),
            }
        }
    }

    fn give_up(&mut self, held: Held) {
        self.release(held.stream, doubted(held.event, &Doubt::unsettled()));
    }

    fn release(&mut self, stream: usize, event: SliEvent) {
        if let Some(count) = self.streams.get_mut(&stream) {
            *count -= 1;
            if *count == 0 {
                self.streams.remove(&stream);
            }
        }
        self.settled.push_back(event);
    }

    /// The oldest settled event, to be sent; call [`Hold::sent`] when it was.
    pub fn oldest_settled(&mut self) -> Option<&mut SliEvent> {
        self.settled.front_mut()
    }

    /// Drops the oldest settled event, which was sent.
    pub fn sent(&mut self) {
        self.settled.pop_front();
    }

    /// The start of the earliest slot that is still here.
    pub fn earliest(&self) -> Option<Timestamp> {
        let waiting = self.waiting.iter().map(|held| held.event.slot.scheduled);
        waiting.chain(self.settled.iter().map(|event| event.slot.scheduled)).min()
    }

    /// How many events wait to be settled.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many events are here, settled ones included.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.settled.len()
    }

    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn doubted(mut event: SliEvent, doubt: &Doubt) -> SliEvent {
    event.outcome = doubt.apply(event.outcome);
    event
}
