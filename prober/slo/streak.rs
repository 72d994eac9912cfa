//! How many of a region's last runs were bad, whatever the order in which they become known.

use crate::bytes::{Broken, In, Out};

/// One eligible run.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    /// Its slot's start, in milliseconds.
    pub(crate) scheduled: i64,
    /// Part of the slot's id: two runs of one moment have an order.
    pub(crate) tie: u64,
    pub(crate) bad: bool,
    /// Whether it was known too late to start an alert.
    pub(crate) late: bool,
}

/// The last runs in the order of their slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Streak {
    recent: Vec<Run>,
    keep: usize,
    /// Bad runs right before the recent ones: all, and those that were known in time.
    before: Lengths,
}

/// How long a streak of bad runs is.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lengths {
    /// All bad runs.
    pub(crate) all: u32,
    /// Without those that were known too late.
    pub(crate) firm: u32,
}

/// Runs kept beyond the longest streak that a rule asks for: those whose order may still change.
const MORE: usize = 8;
/// The most runs kept.
const KEEP_MAX: usize = 1_000;

impl Streak {
    /// No runs yet; a streak of `longest` is told exactly.
    pub(crate) fn new(longest: u32) -> Self {
        Self { recent: Vec::new(), keep: keep(longest), before: Lengths::default() }
    }

    /// Tells streaks of `longest` exactly from now on.
    pub(crate) fn keep(&mut self, longest: u32) {
        self.keep = keep(longest);
        self.trim();
    }

    pub(crate) fn add(&mut self, run: Run) {
        let full = self.recent.len() >= self.keep;
        if full && self.recent.first().is_some_and(|oldest| run < *oldest) {
            // Older than everything that a rule looks at.
            return;
        }
        let place = self.recent.partition_point(|known| *known < run);
        self.recent.insert(place, run);
        self.trim();
    }

    /// Forgets runs after `at`.
    pub(crate) fn rewind(&mut self, at: i64) {
        self.recent.retain(|run| run.scheduled <= at);
    }

    fn trim(&mut self) {
        while self.recent.len() > self.keep {
            let oldest = self.recent.remove(0);
            let Lengths { all, firm } = self.before;
            self.before = match (oldest.bad, oldest.late) {
                (false, _) => Lengths::default(),
                (true, true) => Lengths { all: all.saturating_add(1), firm },
                (true, false) => Lengths { all: all.saturating_add(1), firm: firm.saturating_add(1) },
            };
        }
    }

    /// The bad runs since the last good one.
    pub(crate) fn lengths(&self) -> Lengths {
        let mut lengths = Lengths::default();
        for run in self.recent.iter().rev() {
            if !run.bad {
                return lengths;
            }
            lengths.all += 1;
            lengths.firm += u32::from(!run.late);
        }
        Lengths {
            all: lengths.all.saturating_add(self.before.all),
            firm: lengths.firm.saturating_add(self.before.firm),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.recent.capacity() * size_of::<Run>()
    }

    pub(crate) fn write(&self, out: &mut Out) {
        out.number(u64::from(self.before.all));
        out.number(u64::from(self.before.firm));
        out.number(self.recent.len() as u64);
        for run in &self.recent {
            out.signed(run.scheduled);
            out.raw(&run.tie.to_le_bytes());
            out.flag(run.bad);
            out.flag(run.late);
        }
    }

    /// Reads what was kept; as much of it stays as `longest` asks for.
    pub(crate) fn read(longest: u32, from: &mut In<'_>) -> Result<Self, Broken> {
        let mut number = || u32::try_from(from.number()?).map_err(|_| Broken);
        let before = Lengths { all: number()?, firm: number()? };
        let count = from.count()?;
        let run = |from: &mut In<'_>| {
            let scheduled = from.signed()?;
            let tie = u64::from_le_bytes(from.raw(8)?.try_into().map_err(|_| Broken)?);
            Ok(Run { scheduled, tie, bad: from.flag()?, late: from.flag()? })
        };
        let recent = (0..count).map(|_| run(from)).collect::<Result<Vec<_>, Broken>>()?;
        if !recent.is_sorted() {
            return Err(Broken);
        }
        let mut streak = Self { recent, keep: keep(longest), before };
        streak.trim();
        Ok(streak)
    }
}

fn keep(longest: u32) -> usize {
    usize::try_from(longest).unwrap_or(KEEP_MAX).saturating_add(MORE).min(KEEP_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(scheduled: i64, word: char) -> Run {
        Run { scheduled, tie: 0, bad: word != 'g', late: word == 'l' }
    }

    /// `g` good, `b` bad, `l` bad and late, in the order of their slots.
    fn check(runs: &str, expected: (u32, u32)) {
        let mut streak = Streak::new(2);
        for (at, word) in (0..).zip(runs.chars()) {
            streak.add(run(at, word));
        }
        let Lengths { all, firm } = streak.lengths();
        assert_eq!((all, firm), expected, "{runs}");
    }

    #[test]
    fn a_streak_is_what_came_after_the_last_good_run() {
        check("", (0, 0));
        check("gbb", (2, 2));
        check("bbg", (0, 0));
        check("blb", (3, 2));
        check("glll", (3, 0));
        check(&"b".repeat(40), (40, 40));
        check(&format!("g{}", "l".repeat(30)), (30, 0));
        check(&format!("{}g{}", "b".repeat(10), "b".repeat(30)), (30, 30));
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(words in "[gbl]{1,9}", seed in proptest::collection::vec(any::<u32>(), 9)) {
            let mut runs: Vec<_> = (0..).zip(words.chars()).map(|(at, word)| run(at, word)).collect();
            let mut in_order = Streak::new(5);
            for run in &runs {
                in_order.add(*run);
            }
            runs.sort_by_key(|run| seed[usize::try_from(run.scheduled).unwrap()]);
            let mut shuffled = Streak::new(5);
            for run in &runs {
                shuffled.add(*run);
            }
            prop_assert_eq!(in_order, shuffled);
        }
    }
}
