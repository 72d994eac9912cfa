//! The newest events in memory, so that readers that keep up never read the disk.
//!
//! What every reader has passed is let go at once: memory that was just used is the memory that the next runs take, and
//! a processor's caches hold it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use model::event::SliEvent;

/// The number of the next event that a reader wants, as the writer sees it too.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicI64>);

impl Place {
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, seq: i64) {
        self.0.store(seq, Ordering::Relaxed);
    }
}

/// A gapless tail of the sequence, bounded by a number of events.
#[derive(Debug)]
pub(crate) struct Recent {
    events: VecDeque<Arc<SliEvent>>,
    /// The sequence number of the front.
    first_seq: i64,
    bound: usize,
    /// The places of all readers that are there.
    readers: Vec<Weak<AtomicI64>>,
}

impl Recent {
    /// Nothing yet; the next event is `next_seq`.
    pub(crate) fn new(next_seq: i64, bound: usize) -> Self {
        Self { events: VecDeque::new(), first_seq: next_seq, bound, readers: Vec::new() }
    }

    /// The place of a new reader, who wants `seq` next.
    pub(crate) fn reader(&mut self, seq: i64) -> Place {
        let place = Arc::new(AtomicI64::new(seq));
        self.readers.push(Arc::downgrade(&place));
        Place(place)
    }

    /// Lets go what every reader has passed, and readers that are gone.
    pub(crate) fn let_go(&mut self) {
        let mut wanted = self.end();
        self.readers.retain(|reader| {
            let place = reader.upgrade();
            wanted = wanted.min(place.as_ref().map_or(wanted, |place| place.load(Ordering::Relaxed)));
            place.is_some()
        });
        let passed = usize::try_from(wanted - self.first_seq).unwrap_or(0);
        self.events.drain(..passed);
        self.first_seq = self.first_seq.max(wanted);
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

#[cfg(test)]
mod tests {
    use model::outcome::Reason;
    use model::time::Timestamp;

    use super::*;
    use crate::tests::sample::{event, origin};

    fn filled(bound: usize, events: i64) -> Recent {
        let mut recent = Recent::new(1, bound);
        let origin = origin("shop");
        for seq in 1..=events {
            recent.push(seq, event(&origin, Timestamp::from_millis(seq), Reason::Ok));
        }
        recent
    }

    #[test]
    fn what_all_readers_have_passed_is_let_go_and_nothing_else() {
        let mut recent = filled(10, 0);
        let (slow, fast) = (recent.reader(1), recent.reader(1));
        for seq in 1..=5 {
            recent.push(seq, event(&origin("shop"), Timestamp::from_millis(seq), Reason::Ok));
        }
        recent.let_go();
        assert_eq!(recent.from(1, 9).map(|events| events.len()), Some(5));
        fast.set(6);
        slow.set(3);
        recent.let_go();
        assert!(recent.from(2, 9).is_none());
        assert_eq!(recent.from(3, 9).map(|events| events.len()), Some(3));
        drop(slow);
        recent.let_go();
        assert!(recent.events.is_empty() && recent.readers.len() == 1);
        assert_eq!(recent.end(), 6);
    }

    #[test]
    fn a_reader_far_behind_holds_no_more_than_the_bound() {
        let mut recent = filled(4, 9);
        let behind = recent.reader(-100);
        let beyond = recent.reader(1_000);
        recent.let_go();
        assert_eq!((recent.first_seq, recent.events.len()), (6, 4));
        drop((behind, beyond));
        recent.let_go();
        assert_eq!((recent.first_seq, recent.events.len()), (10, 0));
    }
}
