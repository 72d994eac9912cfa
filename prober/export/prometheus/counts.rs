//! What is counted of a stream, as values: histograms, what went wrong, and which series there are.

use model::outcome::{FailureClass, Reason};
use model::slot::SlotId;
use model::step::Phase;

/// Upper edges of the duration histogram in seconds: OpenTelemetry's advice for HTTP and DNS.
pub(super) const DURATION_EDGES: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Upper edges of the lag histogram in seconds; a slot's tolerance is at most 5 s.
pub(super) const LAG_EDGES: [f64; 12] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// From this bucket on (over 0.75 s) a run is slow enough for an exemplar.
pub(super) const SLOW_BUCKET: usize = 9;

/// Reasons for ineligible runs that have a series from the start: those that can occur on one machine today.
pub const BORN_INELIGIBLE: [Reason; 4] =
    [Reason::ProberFault, Reason::ConfigFault, Reason::Declared, Reason::Cancelled];
/// Reasons for missed slots that have a series from the start.
pub const BORN_MISSED: [Reason; 7] = [
    Reason::Late,
    Reason::Overlap,
    Reason::Overload,
    Reason::ClockStep,
    Reason::Drain,
    Reason::Interrupted,
    Reason::Spool,
];

/// All reasons of counters by reason; those not born appear with their first event.
pub(super) const INELIGIBLE: [Reason; 7] = [
    Reason::ProberFault,
    Reason::ConfigFault,
    Reason::Declared,
    Reason::Cancelled,
    Reason::Maintenance,
    Reason::Paused,
    Reason::Correlated,
];
pub(super) const MISSED: [Reason; 12] = [
    Reason::Late,
    Reason::Overlap,
    Reason::Overload,
    Reason::ClockStep,
    Reason::Drain,
    Reason::Interrupted,
    Reason::Spool,
    Reason::NoOwner,
    Reason::NoLease,
    Reason::Dark,
    Reason::Clock,
    Reason::SelfTest,
];

/// Series that each stream has from the start: runs, info, streak, flaky runs, failed teardowns, 4 of the SLI,
/// classes, reasons, histogram.
pub(super) const BORN_SERIES: u64 = 5
    + 4
    + FailureClass::ALL.len() as u64
    + BORN_INELIGIBLE.len() as u64
    + BORN_MISSED.len() as u64
    + DURATION_EDGES.len() as u64
    + 3;

/// Counts by size, not cumulative; the last bucket is everything above the edges.
#[derive(Clone, Debug)]
pub(super) struct Histogram<const BUCKETS: usize> {
    pub(super) buckets: [u64; BUCKETS],
    pub(super) sum: f64,
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], sum: 0.0 }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// Counts `value` and gives its bucket.
    pub(super) fn add(&mut self, edges: &[f64], value: f64) -> usize {
        let bucket = edges.partition_point(|edge| *edge < value).min(BUCKETS - 1);
        self.buckets[bucket] += 1;
        self.sum += value;
        bucket
    }
}

/// A run to look at, for a place in a histogram or a class.
#[derive(Copy, Clone, Debug)]
pub(super) struct Exemplar {
    pub(super) place: usize,
    pub(super) trace: SlotId,
    pub(super) value: f64,
}

/// Which of the series that are not born have appeared, one bit each.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Extras {
    pub(super) shown: u32,
    refused: u32,
}

impl Extras {
    /// Whether the series may be shown; asked for room once.
    pub(super) fn admit(&mut self, bit: u32, room: &mut impl FnMut(u64) -> bool) -> bool {
        let mask = 1 << bit;
        if (self.shown | self.refused) & mask == 0 {
            if room(1) {
                self.shown |= mask;
            } else {
                self.refused |= mask;
            }
        }
        self.shown & mask != 0
    }
}

/// The first bit of each kind of series.
pub(super) const EXTRA_PHASE: u32 = 0;
pub(super) const EXTRA_INELIGIBLE: u32 = EXTRA_PHASE + bit(Phase::ALL.len());
pub(super) const EXTRA_MISSED: u32 = EXTRA_INELIGIBLE + bit(INELIGIBLE.len());
pub(super) const EXTRA_FRESHNESS: u32 = 28;
pub(super) const EXTRA_NOT_AFTER: u32 = 29;
pub(super) const EXTRA_LAST: u32 = 30;
pub(super) const EXTRA_SHARE: u32 = 31;
// A bit that stood for two series would show one for the other.
const _: () = assert!(EXTRA_MISSED + bit(MISSED.len()) <= EXTRA_FRESHNESS);

/// A place in a table as a number of bits.
#[expect(clippy::cast_possible_truncation, reason = "the tables are short")]
pub(super) const fn bit(index: usize) -> u32 {
    index as u32
}

/// A measured value; none is told by NaN, which no measurement gives.
#[derive(Copy, Clone, Debug)]
pub(super) struct Seen(f64);

impl Default for Seen {
    fn default() -> Self {
        Self(f64::NAN)
    }
}

impl Seen {
    /// The value, if one was seen.
    pub(super) fn value(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

impl From<Option<f64>> for Seen {
    fn from(value: Option<f64>) -> Self {
        value.map_or_else(Self::default, Self)
    }
}

/// The counts of what should not happen.
#[derive(Clone, Debug)]
pub(super) struct Troubles {
    pub(super) failures: [u64; FailureClass::ALL.len()],
    pub(super) ineligible: [u64; INELIGIBLE.len()],
    pub(super) missed: [u64; MISSED.len()],
    pub(super) flaky: u64,
    pub(super) teardown_failures: u64,
    pub(super) failure: Option<Exemplar>,
    pub(super) slow: Option<Exemplar>,
}

impl Troubles {
    pub(super) const NONE: Self = Self {
        failures: [0; FailureClass::ALL.len()],
        ineligible: [0; INELIGIBLE.len()],
        missed: [0; MISSED.len()],
        flaky: 0,
        teardown_failures: 0,
        failure: None,
        slow: None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_fit_together() {
        for (index, class) in FailureClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index);
        }
        assert_eq!(INELIGIBLE[..BORN_INELIGIBLE.len()], BORN_INELIGIBLE);
        assert_eq!(MISSED[..BORN_MISSED.len()], BORN_MISSED);
        for reason in Reason::ALL {
            let listed = INELIGIBLE.contains(reason) || MISSED.contains(reason);
            assert_eq!(listed, !reason.verdict().is_eligible(), "{reason}");
        }
    }

    #[test]
    fn a_value_on_an_edge_is_below_it() {
        let mut histogram = Histogram::<15>::default();
        assert_eq!(histogram.add(&DURATION_EDGES, 0.005), 0);
        assert_eq!(histogram.add(&DURATION_EDGES, 0.0051), 1);
        assert_eq!(histogram.add(&DURATION_EDGES, 11.0), 14);
        assert_eq!(DURATION_EDGES.partition_point(|edge| *edge < 0.76), SLOW_BUCKET);
    }
}
