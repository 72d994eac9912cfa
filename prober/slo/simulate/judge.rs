//! The rules that page, on the times of bad runs alone.

use std::collections::VecDeque;

use model::policy::BurnRule;

use super::{Setting, first_from};

/// A run that failed.
#[derive(Copy, Clone, Debug)]
pub(super) struct Bad {
    /// When, in seconds.
    pub(super) at: f64,
    /// Which of the beats.
    pub(super) beat: usize,
}

/// What bad runs so far amount to.
pub(super) struct Judge<'a> {
    setting: &'a Setting,
    /// Bad runs of the longest window, in order, each with its region.
    recent: VecDeque<(f64, usize)>,
    /// Of each region: how many runs in a row were bad, and when the last one was.
    streaks: Vec<(u32, f64)>,
    rules: [Limit; 2],
}

/// A burn rule in seconds and whole runs.
struct Limit {
    short: f64,
    long: f64,
    short_least: u64,
    long_least: u64,
}

impl<'a> Judge<'a> {
    pub(super) fn new(setting: &'a Setting) -> Self {
        let policy = &setting.policy;
        let limit = |rule: BurnRule| Limit {
            short: rule.short.as_secs_f64(),
            long: rule.long.as_secs_f64(),
            short_least: policy.bad_to_exceed(rule.limit, rule.short).max(u64::from(rule.short_floor)),
            long_least: policy.bad_to_exceed(rule.limit, rule.long).max(u64::from(rule.long_floor)),
        };
        let regions = setting.beats.iter().map(|beat| beat.region + 1).max().unwrap_or(1);
        Self {
            setting,
            recent: VecDeque::new(),
            streaks: vec![(0, f64::NEG_INFINITY); regions],
            rules: [limit(policy.fast()), limit(policy.slow())],
        }
    }

    /// Takes in a bad run; they come in order.
    pub(super) fn take(&mut self, bad: Bad) {
        let region = self.setting.beats[bad.beat].region;
        let (length, last) = self.streaks[region];
        let goes_on = length > 0 && !self.ran_between(region, last, bad.at);
        self.streaks[region] = (if goes_on { length + 1 } else { 1 }, bad.at);
        self.recent.push_back((bad.at, region));
        let longest = self.rules.iter().map(|rule| rule.long).fold(0.0, f64::max);
        while self.recent.front().is_some_and(|(at, _)| *at <= bad.at - longest) {
            self.recent.pop_front();
        }
    }

    /// Whether the region ran after `from` and before `to`: then that run was good.
    fn ran_between(&self, region: usize, from: f64, to: f64) -> bool {
        const INSTANT: f64 = 0.000_5;
        let beats = self.setting.beats.iter().filter(|beat| beat.region == region);
        beats.into_iter().any(|beat| first_from(beat, from + INSTANT) < to - INSTANT)
    }

    /// Whether a page fires at `now`, the time of the last bad run; the flag says that it is the quorum's.
    pub(super) fn pages(&self, now: f64) -> Option<bool> {
        if self.is_outage(now) {
            return Some(true);
        }
        (self.setting.burns && self.rules.iter().any(|rule| self.burns(rule, now))).then_some(false)
    }

    fn is_outage(&self, now: f64) -> bool {
        let streak = self.setting.policy.streak();
        let is_down = |(region, (length, last)): (usize, &(u32, f64))| {
            *length >= streak && !self.ran_between(region, *last, now)
        };
        let down = self.streaks.iter().enumerate().filter(|one| is_down(*one)).count();
        down >= self.setting.quorum as usize
    }

    fn burns(&self, rule: &Limit, now: f64) -> bool {
        let within = |length: f64| self.recent.iter().rev().take_while(move |(at, _)| *at > now - length);
        let (short, long) = (within(rule.short).count() as u64, within(rule.long).count() as u64);
        if short < rule.short_least || long < rule.long_least {
            return false;
        }
        let mut regions: Vec<usize> = within(rule.short).map(|(_, region)| *region).collect();
        regions.sort_unstable();
        regions.dedup();
        regions.len() >= self.setting.policy.burning_regions() as usize
    }
}
