//! How many slots were planned: what a burn rate is divided by at least.

use crate::bytes::{Broken, In, Out};

/// How many slots a promise's streams have an hour, and since when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rates {
    /// From when on, in milliseconds, and how many; the newest last, never empty.
    since: Vec<(i64, f64)>,
}

/// Changes that are remembered; before the oldest of them its rate is taken for what held.
const CHANGES_MAX: usize = 16;
const HOUR: f64 = 3_600_000.0;

impl Rates {
    pub(crate) fn new(from: i64, an_hour: f64) -> Self {
        Self { since: vec![(from, an_hour)] }
    }

    /// When the promise began.
    pub(crate) fn begin(&self) -> i64 {
        self.since[0].0
    }

    /// The rate now.
    pub(crate) fn newest(&self) -> f64 {
        self.since[self.since.len() - 1].1
    }

    /// From `at` on so many slots an hour.
    pub(crate) fn change(&mut self, at: i64, an_hour: f64) {
        if an_hour.to_bits() == self.newest().to_bits() {
            return;
        }
        let at = at.max(self.since[self.since.len() - 1].0);
        self.since.push((at, an_hour));
        if self.since.len() > CHANGES_MAX {
            // The oldest two become one, so that the begin stays.
            self.since.remove(1);
        }
    }

    /// The promise began earlier than was known.
    pub(crate) fn begin_at(&mut self, at: i64) {
        self.since[0].0 = self.since[0].0.min(at);
    }

    /// Slots that were planned in `[from, to)`, those before the begin left out.
    pub(crate) fn planned(&self, from: i64, to: i64) -> f64 {
        let ends = self.since.iter().skip(1).map(|(at, _)| *at).chain([i64::MAX]);
        let parts = self.since.iter().zip(ends);
        parts
            .map(|((since, an_hour), end)| {
                let overlap = to.min(end).saturating_sub(from.max(*since)).max(0);
                overlap as f64 * an_hour / HOUR
            })
            .sum()
    }

    pub(crate) fn write(&self, out: &mut Out) {
        out.number(self.since.len() as u64);
        for (at, rate) in &self.since {
            out.signed(*at);
            out.float(*rate);
        }
    }

    pub(crate) fn read(from: &mut In<'_>) -> Result<Self, Broken> {
        let count = from.count()?;
        let since: Vec<_> =
            (0..count).map(|_| Ok((from.signed()?, from.float()?))).collect::<Result<_, Broken>>()?;
        let sound =
            !since.is_empty() && since.len() <= CHANGES_MAX + 1 && since.is_sorted_by_key(|(at, _)| *at);
        if sound { Ok(Self { since }) } else { Err(Broken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_slots_follow_begin_and_changes() {
        const MINUTE: i64 = 60_000;
        let mut rates = Rates::new(0, 60.0);
        let check = |rates: &Rates, from: i64, to: i64, expected: f64| {
            let found = rates.planned(from * MINUTE, to * MINUTE);
            assert!((found - expected).abs() < 1e-9, "{from} to {to}: {found}");
        };
        check(&rates, -60, 10, 10.0);
        rates.change(20 * MINUTE, 360.0);
        check(&rates, 10, 30, 10.0 + 60.0);
        rates.change(20 * MINUTE, 360.0);
        assert_eq!(rates.since.len(), 2);
        for change in 0..40_u32 {
            rates.change(i64::from(30 + change) * MINUTE, f64::from(change));
        }
        assert_eq!((rates.since.len(), rates.begin()), (CHANGES_MAX, 0));
        rates.begin_at(-5 * MINUTE);
        check(&rates, -60, 0, 5.0);
    }
}
