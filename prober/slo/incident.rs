//! Incidents: hours in a row that burnt more than the objective allows, and what they cost.
//!
//! Made from the counts by hour, so the order in which events become known does not matter, and an adjustment takes
//! its runs out of the incident as well.

use std::time::Duration;

use model::objective::{Objective, Window};
use model::time::Timestamp;

use crate::state::Slo;

/// Hours in a row in which the budget burned too fast.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Incident {
    /// The begin of the first hour.
    pub from: Timestamp,
    /// The end of the last hour, or the moment that is looked from.
    pub to: Timestamp,
    /// Bad runs in them.
    pub bad: u64,
    /// The share of the whole budget that they used up.
    pub cost: f64,
}

/// One bad run in an hour is none.
const BAD_LEAST: u32 = 2;
const HOUR: Duration = Duration::from_hours(1);

impl Slo {
    /// The incidents of the window that cost more than the policy lets pass without a post-mortem, the oldest first.
    pub(crate) fn post_mortems(&self, now: Timestamp) -> Vec<Incident> {
        let Some((budget, objective)) = self.budget(now).zip(self.promise.objective.as_ref()) else {
            return Vec::new();
        };
        if budget.bad as f64 <= budget.allowed * budget.policy.incident {
            return Vec::new();
        }
        let allowed = budget.allowed;
        let all = self.incidents(objective, now).into_iter();
        let priced = all.map(|one| Incident { cost: one.bad as f64 / allowed.max(1e-9), ..one });
        priced.filter(|one| one.cost > budget.policy.incident).collect()
    }

    fn incidents(&self, objective: &Objective, now: Timestamp) -> Vec<Incident> {
        let begin = match (&objective.window, self.kept.going) {
            (Window::Calendar { .. }, Some(going)) => going.from,
            (window, _) => now.minus(window.length()),
        };
        let hours = usize::try_from(now.since(begin).as_secs().div_ceil(3_600)).unwrap_or(usize::MAX);
        // An hour burns too fast if more is bad in it than the objective allows of all that was planned.
        let allowed = self.kept.rates.newest() * objective.target.rest();
        let newest = Timestamp::from_millis((now.as_millis() - 1).div_euclid(3_600_000) * 3_600_000);
        let counts: Vec<u32> = self.kept.history.bad_by_hour(hours).collect();
        let mut found: Vec<Incident> = Vec::new();
        for (age, bad) in (0..counts.len()).rev().zip(counts) {
            if bad < BAD_LEAST || f64::from(bad) <= allowed {
                continue;
            }
            let from = newest.minus(HOUR.saturating_mul(u32::try_from(age).unwrap_or(u32::MAX)));
            let to = from.plus(HOUR).min(now);
            match found.last_mut().filter(|last| last.to == from) {
                Some(last) => (last.to, last.bad) = (to, last.bad + u64::from(bad)),
                None => found.push(Incident { from, to, bad: bad.into(), cost: 0.0 }),
            }
        }
        found
    }
}
