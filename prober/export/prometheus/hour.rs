//! The share of the last hour's runs that said nothing about their target.
//!
//! Ineligible runs are no loss of budget, so a prober that doubts itself for hours would hide an outage. The
//! share is bounded by being seen: exposed, and logged once when it goes over [`SHARE_MAX`]. Planned absences
//! are left out. Six buckets of ten minutes: the share is that of the last 50 to 60 minutes.

use model::outcome::{Reason, Verdict};
use model::time::Timestamp;

/// A share above this is logged.
const SHARE_MAX: f64 = 0.2;
/// Fewer ineligible runs than this are no pattern.
const COUNT_MIN: u32 = 3;
/// The buckets of an hour.
const BUCKETS: usize = 6;
/// The length of a bucket.
const BUCKET_MS: i64 = 600_000;

/// The counts of one stream.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Hour {
    /// The number of the newest bucket since the epoch.
    newest: u32,
    all: [u16; BUCKETS],
    ineligible: [u16; BUCKETS],
    /// Whether the share was over the limit when last looked at.
    over: bool,
}

impl Hour {
    /// Counts a run that was recorded `at`; gives the share if it has just gone over the limit.
    pub(super) fn add(&mut self, reason: Reason, at: Timestamp) -> Option<f64> {
        if reason.is_planned() || reason.verdict() == Verdict::Missed {
            return None;
        }
        let bucket = self.turn(u32::try_from(at.as_millis().max(0) / BUCKET_MS).unwrap_or(u32::MAX));
        self.all[bucket] = self.all[bucket].saturating_add(1);
        let ineligible = reason.verdict() == Verdict::Ineligible;
        self.ineligible[bucket] = self.ineligible[bucket].saturating_add(u16::from(ineligible));
        let share = self.share();
        let over = share > SHARE_MAX && sum(&self.ineligible) >= COUNT_MIN;
        let before = std::mem::replace(&mut self.over, over);
        (over && !before).then_some(share)
    }

    /// The share, while it is over the limit.
    pub(super) fn over(&self) -> Option<f64> {
        self.over.then(|| self.share())
    }

    /// The share of ineligible runs, from 0 to 1; 0 without a run.
    pub(super) fn share(&self) -> f64 {
        let all = sum(&self.all);
        if all == 0 { 0.0 } else { f64::from(sum(&self.ineligible)) / f64::from(all) }
    }

    /// The place of a bucket; buckets that are an hour old are emptied. What comes late counts as now.
    fn turn(&mut self, number: u32) -> usize {
        let passed = number.saturating_sub(self.newest);
        for step in 1..=passed.min(6) {
            let place = (self.newest + step) as usize % BUCKETS;
            (self.all[place], self.ineligible[place]) = (0, 0);
        }
        self.newest = self.newest.max(number);
        self.newest as usize % BUCKETS
    }
}

fn sum(counts: &[u16; BUCKETS]) -> u32 {
    counts.iter().map(|count| u32::from(*count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_last_hour_and_is_told_once() {
        let at = |minute: i64| Timestamp::from_seconds(1_700_000_000 / 600 * 600 + minute * 60);
        let mut hour = Hour::default();
        assert!(hour.share().abs() < f64::EPSILON);
        for minute in 0..8 {
            assert_eq!(hour.add(Reason::Ok, at(minute)), None);
        }
        assert_eq!(hour.add(Reason::Maintenance, at(8)), None, "planned");
        assert_eq!(hour.add(Reason::Late, at(8)), None, "no run");
        assert_eq!(hour.add(Reason::ProberFault, at(8)), None);
        assert_eq!(hour.add(Reason::ProberFault, at(9)), None, "two are no pattern");
        assert_eq!(hour.add(Reason::ConfigFault, at(10)), Some(3.0 / 11.0));
        assert_eq!(hour.add(Reason::ProberFault, at(11)), None, "told already");
        // An hour later those are forgotten.
        for minute in 70..80 {
            hour.add(Reason::Failed, at(minute));
        }
        assert!(hour.share().abs() < f64::EPSILON, "{hour:?}");
        for minute in 80..83 {
            let told = hour.add(Reason::ProberFault, at(minute));
            assert_eq!(told.is_some(), minute == 82, "told again");
        }
        // A clock that was stepped back counts as now.
        assert_eq!(hour.add(Reason::Ok, at(0)), None);
        assert!(hour.share() < 3.0 / 13.0);
    }
}
