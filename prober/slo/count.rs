//! What is counted of a slot, and sums of it.

use model::outcome::Reason;

/// What a slot came to, as far as promises mind.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// A good run.
    Good,
    /// A bad run.
    Bad,
    /// A bad run that was known too late to start an alert; it is in [`Count::Bad`] too.
    LateBad,
    /// A slot that nobody ran.
    Missed,
    /// Ineligible, one for each reason.
    Maintenance,
    /// See [`Reason::Paused`].
    Paused,
    /// See [`Reason::ProberFault`].
    ProberFault,
    /// See [`Reason::ConfigFault`].
    ConfigFault,
    /// See [`Reason::Declared`].
    Declared,
    /// See [`Reason::Cancelled`].
    Cancelled,
    /// See [`Reason::Correlated`].
    Correlated,
    /// Taken out by an adjustment, whatever it was.
    Excluded,
}

/// How many counts there are.
pub(crate) const COUNTS: usize = 12;

impl Count {
    /// What a slot with this reason is counted as.
    pub fn of(reason: Reason) -> Self {
        match reason {
            Reason::Maintenance => Self::Maintenance,
            Reason::Paused => Self::Paused,
            Reason::ProberFault => Self::ProberFault,
            Reason::ConfigFault => Self::ConfigFault,
            Reason::Declared => Self::Declared,
            Reason::Cancelled => Self::Cancelled,
            Reason::Correlated => Self::Correlated,
            other if other.verdict() == model::outcome::Verdict::Good => Self::Good,
            other if other.verdict() == model::outcome::Verdict::Bad => Self::Bad,
            _ => Self::Missed,
        }
    }

    /// Whether the slot was run and says something about the target.
    pub const fn is_eligible(self) -> bool {
        matches!(self, Self::Good | Self::Bad)
    }

    /// Whether an adjustment can take it out: what was planned not to count does not count anyway.
    pub(crate) const fn can_be_taken_out(self) -> bool {
        !matches!(self, Self::Maintenance | Self::Paused | Self::LateBad | Self::Excluded)
    }
}

/// Exact sums of slots by what they came to.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; COUNTS]);

impl Tally {
    pub(crate) const NONE: Self = Self([0; COUNTS]);

    /// Counts that adjustments take out, and their words.
    pub const TAKEN: [(&'static str, Count); 8] = [
        ("good", Count::Good),
        ("bad", Count::Bad),
        ("missed", Count::Missed),
        ("prober_fault", Count::ProberFault),
        ("config_fault", Count::ConfigFault),
        ("declared", Count::Declared),
        ("cancelled", Count::Cancelled),
        ("correlated", Count::Correlated),
    ];

    /// How many slots were counted as `count`.
    pub const fn of(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// Good runs.
    pub const fn good(&self) -> u64 {
        self.of(Count::Good)
    }

    /// Bad runs, late ones included.
    pub const fn bad(&self) -> u64 {
        self.of(Count::Bad)
    }

    /// Bad runs that may start an alert.
    pub const fn firm_bad(&self) -> u64 {
        self.bad().saturating_sub(self.of(Count::LateBad))
    }

    /// Runs that count: good and bad.
    pub const fn eligible(&self) -> u64 {
        self.good() + self.bad()
    }

    /// Slots that nobody ran and somebody should have.
    pub const fn missed(&self) -> u64 {
        self.of(Count::Missed)
    }

    /// Slots that are not expected to count: maintenance, pauses, and what adjustments took out.
    pub const fn planned(&self) -> u64 {
        self.of(Count::Maintenance) + self.of(Count::Paused) + self.of(Count::Excluded)
    }

    /// Runs that say nothing about the target and were not planned to.
    pub fn ineligible(&self) -> u64 {
        use Count::{Cancelled, ConfigFault, Correlated, Declared, ProberFault};
        [ProberFault, ConfigFault, Declared, Cancelled, Correlated]
            .into_iter()
            .map(|count| self.of(count))
            .sum()
    }

    /// Slots that have an event and should have had an eligible one.
    pub fn counted(&self) -> u64 {
        self.eligible() + self.missed() + self.ineligible()
    }

    pub(crate) fn add(&mut self, column: usize, slots: u64) {
        self.0[column] = self.0[column].saturating_add(slots);
    }

    pub(crate) fn take(&mut self, column: usize, slots: u64) {
        self.0[column] = self.0[column].saturating_sub(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place() {
        for reason in Reason::ALL {
            let count = Count::of(*reason);
            assert_eq!(count.is_eligible(), reason.verdict().is_eligible(), "{reason}");
            let mut tally = Tally::default();
            tally.add(count as usize, 1);
            assert_eq!(tally.planned() == 1, reason.is_planned(), "{reason}");
            assert_eq!(tally.counted() + tally.planned(), 1, "{reason}");
        }
        assert_eq!(Count::Excluded as usize + 1, COUNTS);
    }
}
