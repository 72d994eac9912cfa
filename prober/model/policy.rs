//! The alert policy: which limits and floors hold for an interval and a number of regions.
//!
//! One set of numbers for the validator, the evaluator and the exported rules. The burn limits are those of
//! the SRE workbook (<https://sre.google/workbook/alerting-on-slos/>); the floors beside them are ours, since a
//! prober sends so few requests that a single failed one would exceed the limits. Deliberately absent:
//! events, and what an alert says.

use std::time::Duration;

use crate::objective::Share;

const MINUTE: Duration = Duration::from_mins(1);

/// The policy for one scenario.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Policy {
    /// The distance between two runs in one region; for cron the mean one.
    pub interval: Duration,
    /// In how many regions it runs, at least 1.
    pub regions: u32,
    /// The share of good runs that is promised.
    pub target: Share,
}

/// Two windows over which the burn rate must exceed a limit, and how many bad runs they must hold.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct BurnRule {
    /// The burn rate that must be exceeded over both windows.
    pub limit: f64,
    /// The window that shows that it is still going on.
    pub short: Duration,
    /// The window that shows that it matters.
    pub long: Duration,
    /// The least number of bad runs in the short window.
    pub short_floor: u32,
    /// The least number of bad runs in the long window.
    pub long_floor: u32,
}

impl Policy {
    /// The limit of the fast burn: 2 % of a budget of 30 days within one hour.
    pub const FAST: f64 = 14.4;
    /// The limit of the slower burn that still pages: 5 % within six hours.
    pub const SLOW: f64 = 6.0;

    /// The rule that pages for a fast burn.
    pub fn fast(&self) -> BurnRule {
        let short = (5 * MINUTE).max(self.interval.saturating_mul(5));
        self.paging(Self::FAST, short, (60 * MINUTE).max(short.saturating_mul(12)))
    }

    /// The rule that pages for a slower burn.
    pub fn slow(&self) -> BurnRule {
        let short = (30 * MINUTE).max(self.fast().short.saturating_mul(2));
        self.paging(Self::SLOW, short, (360 * MINUTE).max(short.saturating_mul(12)))
    }

    /// The rules that open a ticket: three times the budget's rate over a day, or more than it over three days.
    ///
    /// Their windows are the workbook's whatever the interval is: a ticket has the time.
    pub fn tickets(&self) -> [BurnRule; 2] {
        let rule = |limit, short_hours, long_hours| BurnRule {
            limit,
            short: Duration::from_hours(short_hours),
            long: Duration::from_hours(long_hours),
            short_floor: 3,
            long_floor: 10,
        };
        [rule(3.0, 2, 24), rule(1.0, 6, 72)]
    }

    /// How long there may be no eligible event before nobody knows how it goes.
    ///
    /// `gap` is the longest distance between two runs: the interval, or for cron the longest pause.
    pub fn blind_after(&self, gap: Duration) -> Duration {
        gap.max(self.interval).saturating_add(self.interval.saturating_mul(2)).saturating_add(MINUTE)
    }

    /// In how many regions a bad run must be seen in a short window for a burn to page.
    pub const fn burning_regions(&self) -> u32 {
        if self.regions >= 2 { 2 } else { 1 }
    }

    /// How many runs in a row must be bad in one region for that region to count as down.
    pub const REGION_STREAK: u32 = 5;
    /// How long blindness must last before it pages.
    pub const BLIND_FOR: Duration = MINUTE;
    /// The share of expected runs below which too few are eligible, over [`Policy::ELIGIBILITY_WINDOW`].
    pub const ELIGIBILITY_LEAST: f64 = 0.5;
    /// The same for enough runs to be a pattern: whoever says nothing for more than a fifth of an hour may hide an outage.
    pub const ELIGIBILITY_ENOUGH: f64 = 0.8;
    /// How many runs must be missing for that.
    pub const ELIGIBILITY_MISSING: u32 = 3;
    /// Over how long the share of eligible runs is looked at.
    pub const ELIGIBILITY_WINDOW: Duration = Duration::from_hours(1);
    /// How long the share must be too low before that is a ticket.
    pub const ELIGIBILITY_FOR: Duration = Duration::from_mins(10);

    /// More than one failed round, so that a blip that all regions see does not page.
    fn paging(&self, limit: f64, short: Duration, long: Duration) -> BurnRule {
        let long_floor = self.regions.saturating_add(1).max(3);
        BurnRule { limit, short, long, short_floor: 2, long_floor }
    }

    /// In how many regions a total outage must be seen: half of them, at least 2 where there are as many.
    pub const fn quorum(&self) -> u32 {
        match self.regions {
            0 | 1 => 1,
            regions if regions.div_ceil(2) < 2 => 2,
            regions => regions.div_ceil(2),
        }
    }

    /// How many runs in a row must be bad in each of them: 2, or in a single region 3 or as many as 90 s hold.
    pub fn streak(&self) -> u32 {
        if self.regions >= 2 {
            return 2;
        }
        let interval = self.interval.as_millis().max(1);
        u32::try_from(90_000_u128.div_ceil(interval)).unwrap_or(u32::MAX).max(3)
    }

    /// How many runs all regions together make in `window`.
    pub fn runs_in(&self, window: Duration) -> f64 {
        f64::from(self.regions) * window.as_secs_f64() / self.interval.as_secs_f64().max(0.001)
    }

    /// How many bad runs the objective allows in `window`.
    pub fn budget_in(&self, window: Duration) -> f64 {
        self.runs_in(window) * self.target.rest()
    }

    /// The burn rate over `window` that one bad run makes.
    pub fn burn_of_one(&self, window: Duration) -> f64 {
        let budget = self.budget_in(window);
        if budget > 0.0 { 1.0 / budget } else { f64::INFINITY }
    }

    /// The least number of bad runs in `window` whose burn rate is greater than `limit`, without any floor.
    pub fn bad_to_exceed(&self, limit: f64, window: Duration) -> u64 {
        // A burn that equals the limit does not exceed it; the least bit of a float must not decide.
        let exact = limit * self.budget_in(window) + 1e-9;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; saturates"
        )]
        let whole = exact.floor() as u64;
        whole.saturating_add(1)
    }

    /// The least number of bad runs that pages by a rule, its floors included.
    pub fn bad_to_page(&self, rule: &BurnRule) -> u64 {
        let by_burn =
            self.bad_to_exceed(rule.limit, rule.long).max(self.bad_to_exceed(rule.limit, rule.short));
        by_burn.max(u64::from(rule.long_floor.max(rule.short_floor)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(regions: u32, seconds: u64, millionths: u32) -> Policy {
        let target = Share::of_millionths(millionths).expect("a share");
        Policy { interval: Duration::from_secs(seconds), regions, target }
    }

    /// Bad runs that exceed 14.4 over 1 h and 6 over 6 h: the table of low traffic, exact counts.
    #[test]
    fn counts_that_exceed_the_limits() {
        for (regions, seconds, expected) in [
            (1, 10, [(52, 130), (26, 65), (6, 13), (3, 7)]),
            (1, 30, [(18, 44), (9, 22), (2, 5), (1, 3)]),
            (1, 60, [(9, 22), (5, 11), (1, 3), (1, 2)]),
            (1, 300, [(2, 5), (1, 3), (1, 1), (1, 1)]),
            (4, 10, [(208, 519), (104, 260), (21, 52), (11, 26)]),
            (4, 30, [(70, 173), (35, 87), (7, 18), (4, 9)]),
            (4, 60, [(35, 87), (18, 44), (4, 9), (2, 5)]),
            (4, 300, [(7, 18), (4, 9), (1, 2), (1, 1)]),
        ] {
            for (millionths, counts) in [990_000, 995_000, 999_000, 999_500].into_iter().zip(expected) {
                let policy = policy(regions, seconds, millionths);
                let found = (
                    policy.bad_to_exceed(Policy::FAST, 60 * MINUTE),
                    policy.bad_to_exceed(Policy::SLOW, 360 * MINUTE),
                );
                assert_eq!(found, counts, "{policy:?}");
            }
        }
    }

    #[test]
    fn burns_of_one_failed_run() {
        for (regions, seconds, shown) in [(1, 60, "16.7"), (3, 30, "2.8"), (3, 300, "27.8")] {
            let burn = policy(regions, seconds, 999_000).burn_of_one(60 * MINUTE);
            assert_eq!(format!("{burn:.1}"), shown);
        }
        assert_eq!(policy(3, 30, 999_000).bad_to_exceed(Policy::FAST, 60 * MINUTE), 6);
    }

    #[test]
    fn windows_floors_and_quorum() {
        let minutes = |rule: BurnRule| (rule.short.as_secs() / 60, rule.long.as_secs() / 60);
        for (regions, seconds, fast, slow, floor, quorum, streak) in [
            (1, 10, (5, 60), (30, 360), 3, 1, 9),
            (1, 60, (5, 60), (30, 360), 3, 1, 3),
            (2, 60, (5, 60), (30, 360), 3, 2, 2),
            (4, 300, (25, 300), (50, 600), 5, 2, 2),
            (5, 60, (5, 60), (30, 360), 6, 3, 2),
        ] {
            let policy = policy(regions, seconds, 999_000);
            assert_eq!((minutes(policy.fast()), minutes(policy.slow())), (fast, slow), "{policy:?}");
            assert_eq!((policy.fast().long_floor, policy.quorum(), policy.streak()), (floor, quorum, streak));
        }
        let single = policy(1, 60, 999_000);
        assert_eq!(
            single.tickets().map(|rule| (rule.short.as_secs(), rule.long.as_secs())),
            [(7_200, 86_400), (21_600, 259_200)]
        );
        assert_eq!(single.blind_after(MINUTE), Duration::from_mins(4));
        assert_eq!(policy(1, 300, 999_000).blind_after(MINUTE), Duration::from_mins(16));
        // One failed run never pages, however few runs there are.
        assert_eq!(policy(1, 60, 999_000).bad_to_page(&policy(1, 60, 999_000).fast()), 3);
    }
}
