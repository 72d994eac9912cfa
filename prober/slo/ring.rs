//! Counts in buckets of equal length, the newest ones kept, with running sums over the windows that are asked for.

use crate::bytes::{Broken, In, Out};
use crate::column::Column;
use crate::count::{COUNTS, Count, Tally};

/// Buckets of one length.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// How long a bucket is, in milliseconds.
    pub(crate) step: i64,
    len: usize,
    /// The number of the newest bucket, counted from the epoch.
    newest: i64,
    columns: [Column; COUNTS],
    sums: Vec<Sum>,
}

/// A running sum over the newest buckets.
#[derive(Clone, Debug)]
struct Sum {
    buckets: i64,
    tally: Tally,
}

impl Ring {
    /// `len` empty buckets of `step` milliseconds.
    pub(crate) fn new(step: i64, len: usize) -> Self {
        Self { step, len, newest: i64::MIN / 2, columns: Default::default(), sums: Vec::new() }
    }

    /// Keeps sums over so many newest buckets, instead of those that were kept before.
    pub(crate) fn watch(&mut self, buckets: &[usize]) {
        self.sums = buckets
            .iter()
            .map(|buckets| {
                let buckets = (*buckets).clamp(1, self.len);
                Sum { buckets: i64::try_from(buckets).unwrap_or(1), tally: self.newest_tally(buckets) }
            })
            .collect();
    }

    /// The bucket that holds the instant `at`, in milliseconds.
    pub(crate) const fn bucket(&self, at: i64) -> i64 {
        at.div_euclid(self.step)
    }

    fn place(&self, bucket: i64) -> usize {
        let len = i64::try_from(self.len).unwrap_or(i64::MAX);
        usize::try_from(bucket.rem_euclid(len)).unwrap_or(0)
    }

    fn holds(&self, bucket: i64) -> bool {
        bucket <= self.newest
            && self.newest.saturating_sub(bucket) < i64::try_from(self.len).unwrap_or(i64::MAX)
    }

    /// Makes the bucket of `at` the newest one, if it is newer.
    pub(crate) fn advance(&mut self, at: i64) {
        let to = self.bucket(at);
        if to <= self.newest {
            return;
        }
        if to.saturating_sub(self.newest) >= i64::try_from(self.len).unwrap_or(i64::MAX) {
            self.columns = Default::default();
            self.sums.iter_mut().for_each(|sum| sum.tally = Tally::default());
            self.newest = to;
            return;
        }
        while self.newest < to {
            self.newest += 1;
            self.step_on();
        }
    }

    /// Takes out of the sums what has left their windows, and empties the bucket that is now the newest.
    fn step_on(&mut self) {
        let reused = self.place(self.newest);
        let leaving: Vec<usize> = self.sums.iter().map(|sum| self.place(self.newest - sum.buckets)).collect();
        for (index, column) in self.columns.iter_mut().enumerate().filter(|(_, column)| !column.is_zero()) {
            for (sum, place) in self.sums.iter_mut().zip(&leaving) {
                sum.tally.take(index, u64::from(column.at(*place)));
            }
            column.set(self.len, reused, 0);
        }
    }

    /// Counts a slot that started at `at`; gives whether its bucket is still kept.
    pub(crate) fn add(&mut self, at: i64, count: Count) -> bool {
        self.advance(at);
        let bucket = self.bucket(at);
        if !self.holds(bucket) {
            return false;
        }
        let (place, column) = (self.place(bucket), count as usize);
        let before = self.columns[column].at(place);
        let Some(now) = before.checked_add(1) else { return false };
        self.columns[column].set(self.len, place, now);
        for sum in &mut self.sums {
            if bucket > self.newest - sum.buckets {
                sum.tally.add(column, 1);
            }
        }
        true
    }

    /// Takes a slot that started at `at` out of what it was counted as; gives whether it was counted.
    pub(crate) fn take(&mut self, at: i64, count: Count) -> bool {
        let (bucket, column) = (self.bucket(at), count as usize);
        let place = self.place(bucket);
        let Some(rest) = self.columns[column].at(place).checked_sub(1).filter(|_| self.holds(bucket)) else {
            return false;
        };
        self.columns[column].set(self.len, place, rest);
        for sum in self.sums.iter_mut().filter(|sum| bucket > self.newest - sum.buckets) {
            sum.tally.take(column, 1);
        }
        true
    }

    /// The sum at `index` of those that are watched, and from when on it counts.
    pub(crate) fn sum(&self, index: usize) -> (Tally, i64) {
        let sum = &self.sums[index];
        (sum.tally, (self.newest - sum.buckets + 1).saturating_mul(self.step))
    }

    /// The counts of the newest buckets, oldest of them first.
    pub(crate) fn newest_counts(&self, buckets: usize, count: Count) -> impl Iterator<Item = u32> + '_ {
        let buckets = i64::try_from(buckets.min(self.len)).unwrap_or(0);
        let column = &self.columns[count as usize];
        (self.newest.saturating_sub(buckets) + 1..=self.newest)
            .map(move |bucket| column.at(self.place(bucket)))
    }

    /// The sum of the newest buckets, counted anew.
    pub(crate) fn newest_tally(&self, buckets: usize) -> Tally {
        let mut tally = Tally::default();
        let buckets = i64::try_from(buckets.min(self.len)).unwrap_or(0);
        for (index, column) in self.columns.iter().enumerate().filter(|(_, column)| !column.is_zero()) {
            for bucket in self.newest.saturating_sub(buckets) + 1..=self.newest {
                tally.add(index, u64::from(column.at(self.place(bucket))));
            }
        }
        tally
    }

    /// The sum of the buckets that begin at `from` or later.
    pub(crate) fn tally_from(&self, from: i64) -> Tally {
        let first = from.saturating_add(self.step - 1).div_euclid(self.step);
        let buckets = self.newest.saturating_sub(first).saturating_add(1).max(0);
        self.newest_tally(usize::try_from(buckets).unwrap_or(usize::MAX))
    }

    /// Forgets what lies after `at`: the clock was set back.
    pub(crate) fn rewind(&mut self, at: i64) {
        let to = self.bucket(at);
        if to >= self.newest {
            return;
        }
        let len = i64::try_from(self.len).unwrap_or(i64::MAX);
        for bucket in (to + 1).max(self.newest - len + 1)..=self.newest {
            let place = self.place(bucket);
            for column in self.columns.iter_mut().filter(|column| !column.is_zero()) {
                column.set(self.len, place, 0);
            }
        }
        self.newest = to;
        let buckets: Vec<_> = self.sums.iter().map(|sum| usize::try_from(sum.buckets).unwrap_or(1)).collect();
        self.watch(&buckets);
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(Column::heap_bytes).sum();
        columns + self.sums.capacity() * size_of::<Sum>()
    }

    pub(crate) fn write(&self, out: &mut Out) {
        out.signed(self.newest);
        for (index, column) in self.columns.iter().enumerate().filter(|(_, column)| !column.is_zero()) {
            out.number(index as u64 + 1);
            column.write(self.len, out);
        }
        out.number(0);
    }

    /// Fills an empty ring of the same shape.
    pub(crate) fn read(&mut self, from: &mut In<'_>) -> Result<(), Broken> {
        self.newest = from.signed()?;
        if self.newest.checked_mul(self.step).is_none() && self.newest != i64::MIN / 2 {
            return Err(Broken);
        }
        loop {
            let index = usize::try_from(from.number()?).map_err(|_| Broken)?;
            if index == 0 {
                return Ok(());
            }
            *self.columns.get_mut(index - 1).ok_or(Broken)? = Column::read(self.len, from)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The running sums are what counting anew gives, whatever comes in whatever order.
        #[test]
        fn running_sums_are_the_sums(steps in proptest::collection::vec((0_i64..400, 0_usize..3), 1..300)) {
            let mut ring = Ring::new(10, 12);
            ring.watch(&[1, 5, 12]);
            for (at, kind) in steps {
                let count = [Count::Good, Count::Bad, Count::Missed][kind];
                ring.add(at, count);
                for (index, buckets) in [1, 5, 12].into_iter().enumerate() {
                    prop_assert_eq!(ring.sum(index).0, ring.newest_tally(buckets));
                }
            }
            let mut out = Out::default();
            ring.write(&mut out);
            let mut read = Ring::new(10, 12);
            read.read(&mut In::new(&out.bytes())).unwrap();
            read.watch(&[1, 5, 12]);
            prop_assert_eq!(read.sum(2), ring.sum(2));
        }
    }

    #[test]
    fn what_is_too_old_is_not_counted_and_what_is_old_falls_out() {
        let mut ring = Ring::new(10, 3);
        ring.watch(&[2]);
        assert!(ring.add(5, Count::Bad) && ring.add(25, Count::Bad));
        assert!(ring.add(9, Count::Bad), "the third newest bucket is kept");
        assert_eq!(ring.sum(0), (ring.newest_tally(2), 10));
        assert_eq!((ring.newest_tally(3).bad(), ring.sum(0).0.bad()), (3, 1));
        ring.advance(35);
        assert!(!ring.add(5, Count::Bad));
        assert_eq!(ring.newest_tally(3).bad(), 1);
        ring.rewind(15);
        assert_eq!(ring.newest_tally(3).bad(), 0);
        ring.advance(1_000_000);
        assert_eq!(ring.sum(0).0, Tally::default());
    }
}
