//! The error budget: how many bad runs a window allows, and what is left.

use std::time::Duration;

/// An error budget at a moment.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Budget {
    /// Good runs in the window.
    pub good: u64,
    /// Bad runs in the window.
    pub bad: u64,
    /// How many bad runs the whole window allows: those of its eligible runs, and of the planned ones for the part
    /// of the window that lies before the promise or, in a calendar period, ahead.
    pub allowed: f64,
    /// The window's length.
    pub window: Duration,
    /// What its state asks for.
    pub policy: BudgetPolicy,
}

/// An error-budget policy: at which share that is left something is asked of the team. Nothing being left is a state
/// of its own, whatever the policy.
///
/// The default is the example of the SRE workbook (<https://sre.google/workbook/error-budget-policy/>) with two steps
/// before it.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct BudgetPolicy {
    /// With less than this left, what burns it is to be looked at.
    pub review: f64,
    /// With less than this left, a release needs somebody's word.
    pub approval: f64,
    /// An incident that costs more than this wants a post-mortem.
    pub incident: f64,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self { review: 0.5, approval: 0.25, incident: 0.2 }
    }
}

impl Budget {
    /// The share that is left, from 1.0 (untouched) to below 0.0 (overspent).
    ///
    /// With no run at all the budget is untouched: no evidence is not bad news.
    pub fn remaining(&self) -> f64 {
        if self.bad == 0 {
            return 1.0;
        }
        if self.allowed > 0.0 { 1.0 - self.bad as f64 / self.allowed } else { f64::NEG_INFINITY.max(-1e9) }
    }

    /// The share of good runs; `None` without any run.
    pub fn attained(&self) -> Option<f64> {
        let eligible = self.good + self.bad;
        (eligible > 0).then(|| self.good as f64 / eligible as f64)
    }

    /// How long what is left lasts at this burn rate; `None` if nothing burns.
    ///
    /// A burn rate of 1 uses up a whole budget in exactly its window.
    pub fn lasts(&self, burn: f64) -> Option<Duration> {
        if burn <= 0.0 {
            return None;
        }
        let seconds = self.window.as_secs_f64() * self.remaining().max(0.0) / burn;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// What the error-budget policy says.
    pub fn gate(&self) -> Gate {
        let left = self.remaining();
        match left {
            left if left <= 0.0 => Gate::Frozen,
            left if left < self.policy.approval => Gate::Approval,
            left if left < self.policy.review => Gate::Review,
            _ => Gate::Open,
        }
    }

    /// What the error-budget policy asks for, for people.
    pub fn asks(&self) -> String {
        let left =
            |share: f64| format!("less than {} of the budget is left", crate::words::short_percent(share));
        match self.gate() {
            Gate::Open => "release as you like".to_owned(),
            Gate::Review => format!("{}: look at what burns it", left(self.policy.review)),
            Gate::Approval => format!("{}: a release needs approval", left(self.policy.approval)),
            Gate::Frozen => {
                "the budget is used up: only changes for reliability and security until it is above 0 again"
                    .to_owned()
            }
        }
    }
}

/// What an error-budget policy lets a team do.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Enough of the budget is left: nothing is asked.
    Open,
    /// Look at what burns it.
    Review,
    /// A release needs somebody's word.
    Approval,
    /// Nothing is left: only what makes it more reliable or more secure.
    Frozen,
}

impl Gate {
    /// All states, from the one that asks for nothing to the one that asks for most.
    pub const ALL: [Self; 4] = [Self::Open, Self::Review, Self::Approval, Self::Frozen];

    /// The word for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Review => "review",
            Self::Approval => "approval",
            Self::Frozen => "frozen",
        }
    }

    /// Whether a release may go on without asking anybody.
    pub const fn lets_pass(self) -> bool {
        matches!(self, Self::Open | Self::Review)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_and_how_long_it_lasts() {
        let month = Duration::from_hours(720);
        let budget = |bad, allowed| Budget {
            good: 1_000,
            bad,
            allowed,
            window: month,
            policy: BudgetPolicy::default(),
        };
        assert!((budget(0, 43.2).remaining() - 1.0).abs() < 1e-9);
        assert!((budget(43, 43.2).remaining() - 0.2 / 43.2).abs() < 1e-9);
        assert!(budget(1, 0.0).remaining() < -1e8);
        // A total outage at 99.9 % empties a full budget in 43 minutes.
        let lasts = budget(0, 43.2).lasts(1_000.0).unwrap();
        assert_eq!(lasts.as_secs() / 60, 43);
        assert_eq!((budget(50, 43.2).lasts(2.0), budget(1, 43.2).lasts(0.0)), (Some(Duration::ZERO), None));
        assert_eq!(Budget { good: 0, ..budget(0, 1.0) }.attained(), None);
    }

    #[test]
    fn gates_close_step_by_step() {
        let strict = BudgetPolicy { review: 0.8, approval: 0.6, incident: 0.1 };
        let usual = BudgetPolicy::default();
        for (policy, bad, gate, asks) in [
            (usual, 0, Gate::Open, "as you like"),
            (usual, 500, Gate::Open, ""),
            (usual, 501, Gate::Review, "less than 50% of"),
            (usual, 750, Gate::Review, ""),
            (usual, 900, Gate::Approval, "less than 25% of"),
            (usual, 1_000, Gate::Frozen, "used up"),
            (usual, 4_000, Gate::Frozen, ""),
            (strict, 200, Gate::Open, ""),
            (strict, 201, Gate::Review, "less than 80% of"),
            (strict, 401, Gate::Approval, "less than 60% of"),
        ] {
            let window = Duration::from_hours(720);
            let budget = Budget { good: 1_000, bad, allowed: 1_000.0, window, policy };
            assert_eq!(budget.gate(), gate, "{bad}");
            assert!(budget.asks().contains(asks), "{bad}: {}", budget.asks());
        }
    }
}
