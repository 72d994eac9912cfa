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
        Gate::of(self.remaining())
    }
}

/// What an error-budget policy lets a team do: the example policy of the SRE workbook
/// (<https://sre.google/workbook/error-budget-policy/>), with its first two steps.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Half of the budget or more is left: nothing is asked.
    Open,
    /// Less than half: look at what burns it.
    Review,
    /// Less than a quarter: a release needs somebody's word.
    Approval,
    /// Nothing is left: only what makes it more reliable or more secure.
    Frozen,
}

impl Gate {
    /// The state for a share that is left.
    pub fn of(remaining: f64) -> Self {
        match remaining {
            left if left <= 0.0 => Self::Frozen,
            left if left < 0.25 => Self::Approval,
            left if left < 0.5 => Self::Review,
            _ => Self::Open,
        }
    }

    /// The word for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Review => "review",
            Self::Approval => "approval",
            Self::Frozen => "frozen",
        }
    }

    /// What it asks for, for people.
    pub const fn asks(self) -> &'static str {
        match self {
            Self::Open => "release as you like",
            Self::Review => "less than half of the budget is left: look at what burns it",
            Self::Approval => "less than a quarter of the budget is left: a release needs approval",
            Self::Frozen => {
                "the budget is used up: only changes for reliability and security until it is above 0 again"
            }
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
        let budget = |bad, allowed| Budget { good: 1_000, bad, allowed, window: month };
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
        for (left, gate) in [
            (1.0, Gate::Open),
            (0.5, Gate::Open),
            (0.499, Gate::Review),
            (0.25, Gate::Review),
            (0.1, Gate::Approval),
            (0.0, Gate::Frozen),
            (-3.0, Gate::Frozen),
        ] {
            assert_eq!(Gate::of(left), gate, "{left}");
        }
    }
}
