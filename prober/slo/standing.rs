//! How a promise stands at a tick: what metrics, pages and the API show.

use std::sync::Arc;
use std::time::Duration;

use model::alert::{Alert, Rule, Severity};
use model::objective::Objective;
use model::policy::BurnRule;
use model::time::Timestamp;

use crate::adjusted::Adjusted;
use crate::budget::Budget;
use crate::burn::Burn;
use crate::count::Tally;
use crate::incident::Incident;
use crate::promise::Adjustment;
use crate::state::Slo;
use crate::watch::Watch;
use crate::words;

/// How one promise stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What metrics and alerts call it.
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
    /// Since when.
    pub begin: Timestamp,
    /// The tick that this is about.
    pub at: Timestamp,
    /// The error budget.
    pub budget: Option<Budget>,
    /// The rules of burn rates with the short and the long window, the fastest rule first.
    pub burns: Vec<(BurnRule, [Burn; 2])>,
    /// Slots of the last hour.
    pub hour: Tally,
    /// The share of the last hour's expected slots that are eligible; `None` if nothing was expected.
    pub eligibility: Option<f64>,
    /// Its regions, by name.
    pub regions: Vec<RegionStanding>,
    /// The maintenance that is active.
    pub maintenance: Option<Arc<str>>,
    /// What fires.
    pub alerts: Vec<Alert>,
    /// Conditions that hold, and not yet for long enough to fire: rule, severity, region, and since when.
    pub pending: Vec<(Rule, Severity, Option<Arc<str>>, Timestamp)>,
    /// What is said instead of a ticket when bad runs are a steady background at the objective's own rate.
    pub noise: Option<String>,
    /// Good and bad runs of each of the last 72 hours, the oldest first.
    pub hours: Vec<(u32, u32)>,
    /// What makes a correct run good, in words; `None` if its scenario says so.
    pub good: Option<String>,
    /// The adjustments whose moment has come.
    pub adjustments: Vec<AdjustmentStanding>,
    /// The incidents of the window that want a post-mortem, the oldest first.
    pub post_mortems: Vec<Incident>,
    /// The share of the budget that was left at moments of the window, the last one at this tick; empty without an
    /// objective.
    pub curve: Vec<(Timestamp, f32)>,
}

/// What an adjustment took out.
#[derive(Clone, Debug, PartialEq)]
pub struct AdjustmentStanding {
    /// Which one.
    pub adjustment: Arc<Adjustment>,
    /// The slots, by what they were counted as before.
    pub taken: Tally,
    /// The share of the whole budget that it gives back, if its time is in the window; `None` without a budget.
    pub gives_back: Option<f64>,
}

/// How a promise stands in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionStanding {
    /// The region.
    pub name: Arc<str>,
    /// Bad runs since the last good one.
    pub streak: u32,
    /// The end of the last run that counts.
    pub last_event: Option<Timestamp>,
    /// Good and bad runs of about the last hour.
    pub hour: Tally,
}

/// Hours that are shown one by one.
const HOURS: usize = 72;

impl Standing {
    pub(crate) fn of(slo: &Slo, at: Timestamp) -> Self {
        let promise = &slo.promise;
        let hour = Duration::from_hours(1);
        let rules = promise.objective.is_some().then_some(slo.burn_rules);
        let burn = |rule: BurnRule| (rule, [slo.burn(rule.short, at), slo.burn(rule.long, at)]);
        Self {
            name: Arc::clone(&promise.name),
            service: Arc::clone(&promise.service),
            owner: Arc::clone(&promise.owner),
            aim: Arc::clone(&promise.aim),
            runbook: Arc::clone(&promise.runbook),
            objective: promise.objective.clone(),
            begin: slo.begin(),
            at,
            budget: slo.budget(at),
            burns: rules.into_iter().flatten().map(burn).collect(),
            hour: slo.kept.history.window(hour).tally,
            eligibility: slo.eligibility(at).map(|(share, _)| share),
            regions: slo
                .regions
                .iter()
                .map(|region| RegionStanding {
                    name: Arc::clone(&region.name),
                    streak: region.streak.lengths().all,
                    last_event: region.last_eligible.map(Timestamp::from_millis),
                    hour: region.last(hour, at),
                })
                .collect(),
            maintenance: slo.quiet().cloned(),
            alerts: slo.firing(),
            pending: slo.pending(),
            noise: (promise.objective.is_some() && slo.is_background(at)).then(|| words::background(slo, at)),
            hours: slo.kept.history.by_hour(HOURS).collect(),
            good: promise.good.as_ref().map(|good| good.words()),
            adjustments: slo
                .adjusted
                .iter()
                .filter(|one| one.is_applied())
                .map(|one| slo.adjustment(one, at))
                .collect(),
            post_mortems: slo.post_mortems(at),
            curve: slo.curve(at),
        }
    }

    /// The different windows of burn rates, the shortest first.
    pub fn windows(&self) -> Vec<Burn> {
        let mut all: Vec<Burn> = self.burns.iter().flat_map(|(_, burns)| *burns).collect();
        all.sort_by_key(|burn| burn.window);
        all.dedup_by_key(|burn| burn.window);
        all
    }
}

impl Slo {
    fn adjustment(&self, one: &Adjusted, at: Timestamp) -> AdjustmentStanding {
        let budget = self.budget(at);
        let begin =
            budget.map(|budget| self.kept.going.map_or_else(|| at.minus(budget.window), |going| going.from));
        // The bad runs were never more than the budget of what is counted without them.
        let gives_back = budget.zip(begin).map(|(budget, begin)| {
            let is_inside = one.adjustment.to > begin && budget.allowed > 0.0;
            if is_inside { one.taken.bad() as f64 / budget.allowed } else { 0.0 }
        });
        AdjustmentStanding { adjustment: Arc::clone(&one.adjustment), taken: one.taken, gives_back }
    }

    /// What holds and does not fire yet.
    fn pending(&self) -> Vec<(Rule, Severity, Option<Arc<str>>, Timestamp)> {
        let pending = self.watches.iter().filter_map(|((rule, severity, region), watch)| match watch {
            Watch::Pending(since) => Some((*rule, *severity, region.clone(), *since)),
            Watch::Firing(_) => None,
        });
        pending.collect()
    }

    /// What fires, by rule, severity and region.
    pub(crate) fn firing(&self) -> Vec<Alert> {
        let firing = self.watches.values().filter_map(|watch| match watch {
            Watch::Firing(alert) => Some(Alert::clone(alert)),
            Watch::Pending(_) => None,
        });
        firing.collect()
    }
}
