//! What is promised, and what it is judged by: the evaluator's input.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::objective::{Objective, Share, Window};
use model::policy::{BurnRule, Policy};
use model::time::Timestamp;

use crate::budget::BudgetPolicy;
use crate::bytes::{Broken, In, Out};
use crate::good::GoodRun;

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
    /// What makes a correct run good, if not what its scenario says.
    pub good: Option<Arc<dyn GoodRun>>,
    /// What the state of the budget asks for.
    pub budget_policy: BudgetPolicy,
    /// Runs of the past that do not count; no two of them are about the same slot.
    pub adjustments: Vec<Arc<Adjustment>>,
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
    /// The mean distance of two runs of one replica.
    pub interval: Duration,
    /// How many probers run it in the region, each at times of its own; at least 1. Together they are one feed.
    pub replicas: u16,
    /// The longest that a run may take.
    pub timeout: Duration,
}

/// Runs of the past that do not count, because somebody said so, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// The first instant of the slots that it is about.
    pub from: Timestamp,
    /// The first instant after them; never after `added`.
    pub to: Timestamp,
    /// The scenarios that it is about; empty for all.
    pub scenarios: Vec<Arc<str>>,
    /// The regions that it is about; empty for all.
    pub regions: Vec<Arc<str>>,
    /// Whose word it is.
    pub author: Arc<str>,
    /// Why they do not count.
    pub reason: Arc<str>,
    /// Since when they do not count.
    pub added: Timestamp,
}

impl Adjustment {
    /// Whether it is about the slot of a stream, given by scenario and region, that starts at `scheduled`.
    pub fn is_about(&self, (scenario, region): (&str, &str), scheduled: Timestamp) -> bool {
        let among =
            |names: &[Arc<str>], name: &str| names.is_empty() || names.iter().any(|one| **one == *name);
        (self.from..self.to).contains(&scheduled)
            && among(&self.scenarios, scenario)
            && among(&self.regions, region)
    }

    /// Whether it takes out the same slots from the same moment on, whatever its words are.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let what = |one: &Self| (one.from, one.to, one.added, one.scenarios.clone(), one.regions.clone());
        what(self) == what(other)
    }

    pub(crate) fn write(&self, out: &mut Out) {
        for at in [self.from, self.to, self.added] {
            out.signed(at.as_nanos());
        }
        for names in [&self.scenarios, &self.regions] {
            out.number(names.len() as u64);
            for name in names {
                out.text(name);
            }
        }
        out.text(&self.author);
        out.text(&self.reason);
    }

    pub(crate) fn read(from: &mut In<'_>) -> Result<Self, Broken> {
        let mut at = || from.signed().map(Timestamp::from_nanos);
        let (begin, to, added) = (at()?, at()?, at()?);
        let names = |from: &mut In<'_>| {
            let count = from.count()?;
            (0..count).map(|_| from.text()).collect::<Result<Vec<_>, Broken>>()
        };
        let (scenarios, regions) = (names(from)?, names(from)?);
        let (author, reason) = (from.text()?, from.text()?);
        Ok(Self { from: begin, to, scenarios, regions, author, reason, added })
    }
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
        let an_hour = |feed: &Feed| {
            f64::from(feed.replicas.max(1)) * 3_600_000.0 / (feed.interval.as_millis().max(1) as f64)
        };
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

    /// Names what is counted: the streams, and what makes their runs good.
    pub(crate) fn counted(&self) -> [u8; 8] {
        let mut hash = blake3::Hasher::new();
        let mut part = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        self.feeds
            .iter()
            .for_each(|feed| [&feed.scenario, &feed.region].into_iter().for_each(|text| part(text)));
        part(&self.good.as_ref().map(|good| good.words()).unwrap_or_default());
        let mut name = [0; 8];
        name.copy_from_slice(&hash.finalize().as_bytes()[..8]);
        name
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
