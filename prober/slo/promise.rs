//! What is promised, and what it is judged by: the evaluator's input.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::objective::{Objective, Share, Window};
use model::policy::{BurnRule, Policy};
use model::time::Timestamp;

/// One SLO: an objective with the streams that feed it, or streams whose outage alone can alert.
#[derive(Clone, Debug)]
pub struct Promise {
    /// What metrics and alerts call it; unique.
    pub name: Arc<str>,
    /// The monitored service.
    pub service: Arc<str>,
    /// The team; empty if none is declared.
    pub owner: Arc<str>,
    /// What the system is for; empty if not given.
    pub aim: Arc<str>,
    /// Where to read what to do; empty if not given.
    pub runbook: Arc<str>,
    /// What is promised; `None` if only outages are watched.
    pub objective: Option<Objective>,
    /// The mean distance of two runs in one region.
    pub interval: Duration,
    /// The longest distance of two runs in one region; longer than the interval for cron with pauses.
    pub gap: Duration,
    /// In how many regions it must be bad to be down, if not the policy's number.
    pub quorum: Option<u32>,
    /// How long there may be no eligible event, if longer than the policy says.
    pub blind_after: Option<Duration>,
    /// Regions whose outage alone is a page.
    pub critical: BTreeSet<Arc<str>>,
    /// The streams that it is made of; at least one.
    pub feeds: Vec<Feed>,
    /// The routes of pages, by name.
    pub page: Vec<Arc<str>>,
    /// The routes of tickets, by name.
    pub ticket: Vec<Arc<str>>,
    /// Since when it is promised, unless the evaluator remembers an earlier begin.
    pub begin: Timestamp,
    /// Its planned maintenance.
    pub maintenance: Arc<dyn Maintained>,
}

/// One stream that feeds a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The scenario.
    pub scenario: Arc<str>,
    /// The region.
    pub region: Arc<str>,
    /// The mean distance of two runs.
    pub interval: Duration,
    /// The longest that a run may take.
    pub timeout: Duration,
}

/// When alerts of a promise keep quiet: a pure function of time.
pub trait Maintained: fmt::Debug + Send + Sync {
    /// The maintenance that is active at `at`, by its name, and until when the answer holds.
    fn look(&self, at: Timestamp) -> (Option<Arc<str>>, Timestamp);
}

/// No maintenance, ever.
#[derive(Copy, Clone, Debug)]
pub struct Never;

impl Maintained for Never {
    fn look(&self, _: Timestamp) -> (Option<Arc<str>>, Timestamp) {
        (None, Timestamp::from_nanos(i64::MAX))
    }
}

/// The objective that windows and floors are computed with where none is given.
const UNPROMISED: Share = match Share::of_millionths(999_000) {
    Some(share) => share,
    None => unreachable!(),
};

impl Promise {
    /// The regions of its streams, sorted.
    pub fn regions(&self) -> BTreeSet<Arc<str>> {
        self.feeds.iter().map(|feed| Arc::clone(&feed.region)).collect()
    }

    /// The policy that it is judged by.
    pub fn policy(&self) -> Policy {
        let regions = u32::try_from(self.regions().len()).unwrap_or(u32::MAX).max(1);
        let target = self.objective.as_ref().map_or(UNPROMISED, |objective| objective.target);
        Policy { interval: self.interval, regions, target }
    }

    /// In how many regions it must be bad to be down.
    pub fn quorum(&self) -> u32 {
        self.quorum.unwrap_or_else(|| self.policy().quorum()).max(1)
    }

    /// The longest streak of bad runs that a rule asks for.
    pub fn longest_streak(&self) -> u32 {
        self.policy().streak().max(Policy::REGION_STREAK)
    }

    /// How long there may be no eligible event.
    pub fn blind_after(&self) -> Duration {
        let policy = self.policy().blind_after(self.gap);
        self.blind_after.map_or(policy, |given| given.max(policy))
    }

    /// Slots of all streams in an hour.
    pub fn slots_an_hour(&self) -> f64 {
        let an_hour = |feed: &Feed| 3_600_000.0 / (feed.interval.as_millis().max(1) as f64);
        self.feeds.iter().map(an_hour).sum()
    }

    /// The routes of a severity.
    pub fn routes(&self, severity: model::alert::Severity) -> &[Arc<str>] {
        match severity {
            model::alert::Severity::Page => &self.page,
            model::alert::Severity::Ticket => &self.ticket,
        }
    }

    /// The four rules of burn rates, the fastest first.
    pub fn burn_rules(&self) -> [BurnRule; 4] {
        let policy = self.policy();
        let [day, days] = policy.tickets();
        [policy.fast(), policy.slow(), day, days]
    }

    /// Every window that is looked at.
    pub(crate) fn windows(&self) -> Vec<Duration> {
        let mut windows: Vec<_> = self.burn_rules().iter().flat_map(|rule| [rule.short, rule.long]).collect();
        windows.push(Policy::ELIGIBILITY_WINDOW);
        if let Some(Objective { window: Window::Rolling(length), .. }) = &self.objective {
            windows.push(*length);
        }
        windows.sort_unstable();
        windows.dedup();
        windows
    }
}
