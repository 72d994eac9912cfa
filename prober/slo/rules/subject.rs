//! One objective as rules need it.

use std::sync::Arc;
use std::time::Duration;

use model::objective::Objective;
use model::policy::Policy;

use crate::promise::Promise;

/// One promise: what the rules of an objective are made from.
///
/// Without an objective there is no budget to burn, and only outages, silence and doubt can alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The value of the label `slo` of its metrics and alerts.
    pub name: Arc<str>,
    /// The monitored service.
    pub service: Arc<str>,
    /// The owner; empty if none is declared.
    pub team: Arc<str>,
    /// What the system is for; empty if not said.
    pub aim: Arc<str>,
    /// Where to read what to do; empty if not said.
    pub runbook: Arc<str>,
    /// What is promised.
    pub objective: Option<Objective>,
    /// The mean distance between two runs in one region.
    pub interval: Duration,
    /// In how many regions it runs, at least 1.
    pub regions: u32,
    /// In how many of them a run must be bad for an outage; `None` for the policy's number.
    pub quorum: Option<u32>,
    /// The longest distance of two runs in one region; longer than the interval for cron with pauses.
    pub gap: Duration,
    /// How long without an eligible event is blindness, if longer than the policy says.
    pub blind_after: Option<Duration>,
    /// Regions whose outage alone is a page.
    pub critical: Vec<Arc<str>>,
}

impl Subject {
    /// The alert policy; without an objective one of a target that no rule looks at.
    pub(super) fn policy(&self) -> Policy {
        let whole = model::objective::Share::of_millionths(model::objective::Share::WHOLE);
        let target = self.objective.as_ref().map(|objective| objective.target).or(whole);
        let target = target.expect("the whole is a share");
        Policy { interval: self.interval, regions: self.regions, target }
    }

    /// In how many regions a run must be bad.
    pub(super) fn quorum(&self) -> u32 {
        self.quorum.unwrap_or_else(|| self.policy().quorum())
    }

    /// How long without an eligible event is blindness.
    pub(super) fn blind_after(&self) -> Duration {
        let policy = self.policy().blind_after(self.gap);
        self.blind_after.map_or(policy, |given| given.max(policy))
    }
}

impl From<&Promise> for Subject {
    fn from(promise: &Promise) -> Self {
        Self {
            name: Arc::clone(&promise.name),
            service: Arc::clone(&promise.service),
            team: Arc::clone(&promise.owner),
            aim: Arc::clone(&promise.aim),
            runbook: Arc::clone(&promise.runbook),
            objective: promise.objective.clone(),
            interval: promise.interval,
            regions: promise.policy().regions,
            quorum: promise.quorum,
            gap: promise.gap,
            blind_after: promise.blind_after,
            critical: promise.critical.iter().cloned().collect(),
        }
    }
}
