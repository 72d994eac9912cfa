//! The counts of one promise: three rings from fine to coarse, and the windows over them.

use std::time::Duration;

use model::time::Timestamp;

use crate::bytes::{Broken, In, Out};
use crate::count::{Count, Tally};
use crate::ring::Ring;

/// The shape of a ring: milliseconds of a bucket, how many are kept, and how long a window may be to use it.
struct Shape {
    step: i64,
    len: usize,
    longest: Duration,
}

const SHAPES: [Shape; 3] = [
    Shape { step: 10_000, len: 2_160, longest: Duration::from_hours(6) },
    Shape { step: 300_000, len: 866, longest: Duration::from_hours(72) },
    // The longest quarter of a calendar has 92 days.
    Shape { step: 3_600_000, len: 2_210, longest: Duration::MAX },
];
/// The ring of hours.
const HOURS: usize = 2;

/// The counts of one promise.
#[derive(Clone, Debug)]
pub(crate) struct History {
    rings: [Ring; 3],
    /// Each watched window with its ring and its place among the ring's sums.
    windows: Vec<(Duration, usize, usize)>,
}

/// What a window holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) tally: Tally,
    /// The first instant that is counted: at or before the window's begin, by less than a bucket.
    pub(crate) from: i64,
}

impl History {
    /// An empty history that watches these windows.
    pub(crate) fn new(windows: &[Duration]) -> Self {
        let mut made =
            Self { rings: SHAPES.map(|shape| Ring::new(shape.step, shape.len)), windows: Vec::new() };
        made.watch(windows);
        made
    }

    /// Watches these windows instead of those before; nothing that was counted is lost.
    pub(crate) fn watch(&mut self, windows: &[Duration]) {
        let mut sums: [Vec<usize>; 3] = Default::default();
        self.windows.clear();
        for window in windows {
            let ring = SHAPES.iter().position(|shape| *window <= shape.longest).unwrap_or(HOURS);
            let millis = i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 2);
            let whole = millis.saturating_add(SHAPES[ring].step - 1) / SHAPES[ring].step;
            // Ticks are on borders of the finest ring only, so elsewhere the newest bucket is not full yet.
            let buckets = whole + i64::from(ring > 0);
            self.windows.push((*window, ring, sums[ring].len()));
            sums[ring].push(usize::try_from(buckets).unwrap_or(usize::MAX));
        }
        for (ring, sums) in self.rings.iter_mut().zip(&sums) {
            ring.watch(sums);
        }
    }

    /// Moves on to the tick `at`: everything before it is in the windows.
    pub(crate) fn advance(&mut self, at: Timestamp) {
        self.rings.iter_mut().for_each(|ring| ring.advance(at.as_millis() - 1));
    }

    /// Counts a slot that started at `at`.
    pub(crate) fn add(&mut self, at: Timestamp, count: Count) {
        for ring in &mut self.rings {
            ring.add(at.as_millis(), count);
        }
    }

    /// Counts a slot as something else than before; rings that no longer hold it, or never did, stay as they are.
    pub(crate) fn shift(&mut self, at: Timestamp, from: Count, to: Count) {
        for ring in &mut self.rings {
            if ring.take(at.as_millis(), from) {
                ring.add(at.as_millis(), to);
            }
        }
    }

    /// Forgets one count of a slot.
    pub(crate) fn take(&mut self, at: Timestamp, count: Count) {
        for ring in &mut self.rings {
            ring.take(at.as_millis(), count);
        }
    }

    /// What a watched window holds.
    pub(crate) fn window(&self, window: Duration) -> Held {
        let found = self.windows.iter().find(|(known, ..)| *known == window);
        let (_, ring, sum) = found.expect("a window is asked for that is watched");
        let (tally, from) = self.rings[*ring].sum(*sum);
        Held { tally, from }
    }

    /// Everything since `from`, by whole hours.
    pub(crate) fn since(&self, from: Timestamp) -> Tally {
        self.rings[HOURS].tally_from(from.as_millis())
    }

    /// Bad runs of each of the last hours, the oldest first.
    pub(crate) fn bad_by_hour(&self, hours: usize) -> impl Iterator<Item = u32> + '_ {
        self.rings[HOURS].newest_counts(hours, Count::Bad)
    }

    /// Good and bad runs of each of the last hours, the oldest first.
    pub(crate) fn by_hour(&self, hours: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.rings[HOURS].newest_counts(hours, Count::Good).zip(self.bad_by_hour(hours))
    }

    /// Good and bad runs of the whole hours that begin in `[from, to)`, as far as they are kept.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> (u64, u64) {
        let (from, to) =
            (self.rings[HOURS].tally_from(from.as_millis()), self.rings[HOURS].tally_from(to.as_millis()));
        (from.good() - to.good(), from.bad() - to.bad())
    }

    pub(crate) fn rewind(&mut self, at: Timestamp) {
        self.rings.iter_mut().for_each(|ring| ring.rewind(at.as_millis()));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.rings.iter().map(Ring::heap_bytes).sum::<usize>()
            + self.windows.capacity() * size_of::<(Duration, usize, usize)>()
    }

    pub(crate) fn write(&self, out: &mut Out) {
        self.rings.iter().for_each(|ring| ring.write(out));
    }

    pub(crate) fn read(&mut self, from: &mut In<'_>) -> Result<(), Broken> {
        self.rings.iter_mut().try_for_each(|ring| ring.read(from))?;
        let windows: Vec<_> = self.windows.iter().map(|(window, ..)| *window).collect();
        self.watch(&windows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_counts_what_is_in_it() {
        let hours = |hours| Duration::from_hours(hours);
        let windows = [Duration::from_mins(5), hours(1), hours(6), hours(24), hours(72), hours(720)];
        let mut history = History::new(&windows);
        let begin = Timestamp::from_seconds(1_772_323_200);
        for minute in 0..60 * 24 * 40 {
            history.add(begin.plus(Duration::from_mins(minute)), Count::Good);
        }
        let end = begin.plus(Duration::from_hours(24 * 40));
        history.advance(end);
        let counted: Vec<_> = windows.map(|window| history.window(window).tally.good()).into();
        // At a border of an hour the coarser windows hold one whole bucket more.
        assert_eq!(counted, [5, 60, 360, 24 * 60 + 5, 72 * 60 + 5, 720 * 60 + 60]);
        for window in windows {
            let held = history.window(window);
            let span = end.as_millis() - held.from;
            assert_eq!(held.tally.good(), u64::try_from(span / 60_000).unwrap(), "{window:?}");
        }
    }
}
