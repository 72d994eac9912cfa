//! Burn rates: how fast a budget is used up, in multiples of the rate that just uses it up.

use std::time::Duration;

/// How fast the budget burned over one window.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Burn {
    /// The window.
    pub window: Duration,
    /// Bad runs in it.
    pub bad: u64,
    /// Bad runs in it that were known in time to start an alert.
    pub firm_bad: u64,
    /// Slots that should have given an eligible event: the counted ones, or the planned ones if those are more.
    pub expected: f64,
    /// The share of bad runs that the objective allows.
    pub budget: f64,
}

/// Which bad runs a rule looks at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Those that were known in time: they start an alert.
    Firm,
    /// All: they keep one going.
    All,
}

impl Burn {
    /// How many bad runs count.
    pub const fn bad(&self, which: Bad) -> u64 {
        match which {
            Bad::Firm => self.firm_bad,
            Bad::All => self.bad,
        }
    }

    /// The burn rate; 0 if nothing is expected.
    pub fn rate(&self) -> f64 {
        if self.expected > 0.0 && self.budget > 0.0 {
            self.bad as f64 / self.expected / self.budget
        } else {
            0.0
        }
    }

    /// Whether the rate is greater than `limit`; one that equals it is not.
    pub fn exceeds(&self, limit: f64, which: Bad) -> bool {
        // The least bit of a float must not decide.
        self.expected > 0.0 && self.bad(which) as f64 > limit * self.budget * self.expected + 1e-9
    }
}
