//! The newest events in memory, so that readers that keep up never read the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use model::event::SliEvent;

/// A gapless tail of the sequence, bounded by a number of events.
#[derive(Debug)]
pub(crate) struct Recent {
    events: VecDeque<Arc<SliEvent>>,
    /// The sequence number of the front.
    first_seq: i64,
    bound: usize,
}

impl Recent {
    /// Nothing yet; the next event is `next_seq`.
    pub(crate) fn new(next_seq: i64, bound: usize) -> Self {
        Self { events: VecDeque::new(), first_seq: next_seq, bound }
    }

    /// Adds the event `seq`; a gap before it empties the tail first.
    pub(crate) fn push(&mut self, seq: i64, event: Arc<SliEvent>) {
        if seq != self.end() {
            self.events.clear();
            self.first_seq = seq;
        }
        if self.bound == 0 {
            self.first_seq = seq + 1;
            return;
        }
        if self.events.len() >= self.bound {
            self.events.pop_front();
            self.first_seq += 1;
        }
        self.events.push_back(event);
    }

    fn end(&self) -> i64 {
        self.first_seq + i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }

    /// Up to `count` events from `seq` on; `None` if `seq` is not in the tail.
    pub(crate) fn from(&self, seq: i64, count: usize) -> Option<Vec<Arc<SliEvent>>> {
        let skip = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        if skip >= self.events.len() {
            return None;
        }
        Some(self.events.iter().skip(skip).take(count).cloned().collect())
    }
}
