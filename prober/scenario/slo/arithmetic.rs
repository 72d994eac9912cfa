//! What an objective means in runs, and warnings where there are too few of them.

use std::time::Duration;

use model::objective::Objective;
use model::policy::{BurnRule, Policy};

use super::Slo;
use crate::diagnostic::{Diagnostic, Report};
use crate::source::Span;
use crate::units::show_duration;

const HOUR: Duration = Duration::from_hours(1);

/// What an objective means for so many runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// The policy that follows from interval, regions and objective.
    pub policy: Policy,
    /// Runs in the objective's window, all regions together.
    pub runs: f64,
    /// How many of them may be bad.
    pub budget: f64,
    /// The part of the budget that one bad run takes; above 1.0 it breaks the objective.
    pub cost_of_one: f64,
    /// The burn rate that one bad run makes over an hour.
    pub burn_of_one: f64,
    /// The rule that pages for a fast burn.
    pub fast: BurnRule,
    /// The rule that pages for a slower burn.
    pub slow: BurnRule,
    /// In how many regions a run must be bad for an outage.
    pub quorum: u32,
    /// How many runs in a row must be bad in each of them.
    pub streak: u32,
    /// The longest time from the start of a total outage to the run that makes it an outage; the run's own
    /// duration comes on top.
    pub detection: Duration,
    /// How long a total outage takes to use up the whole budget.
    pub exhausted: Duration,
}

impl Sums {
    /// The sums of an objective; `None` without one.
    pub fn of(slo: &Slo) -> Option<Self> {
        let objective = slo.objective.as_ref()?;
        let policy = slo.policy()?;
        let window = objective.window.length();
        let (runs, budget) = (policy.runs_in(window), policy.budget_in(window));
        let streak = policy.streak();
        Some(Self {
            policy,
            runs,
            budget,
            cost_of_one: 1.0 / budget.max(1e-9),
            burn_of_one: policy.burn_of_one(HOUR),
            fast: policy.fast(),
            slow: policy.slow(),
            quorum: slo.quorum.unwrap_or_else(|| policy.quorum()),
            streak,
            detection: policy.interval.saturating_mul(streak),
            exhausted: window.mul_f64(policy.target.rest()),
        })
    }
}

/// Warns where one failed run decides; `pages` is whether anybody is woken up.
pub(super) fn check(slo: &Slo, at: Span, pages: bool, report: &mut Report) {
    let (Some(objective), Some(sums)) = (&slo.objective, Sums::of(slo)) else { return };
    if sums.budget < 1.0 {
        report.push(too_few(objective, &sums, at));
    } else if pages && sums.policy.bad_to_exceed(Policy::FAST, HOUR) == 1 {
        report.push(one_pages(objective, &sums, at));
    }
}

/// One failed run breaks the objective for the whole window: W311.
fn too_few(objective: &Objective, sums: &Sums, at: Span) -> Diagnostic {
    let message = format!(
        "{} runs in {} are too few for {}: one failed run breaks it",
        whole(sums.runs),
        objective.window,
        objective.target
    );
    let problem = Diagnostic::warning("W311", at, message)
        .label(format!("it allows {} of them to be bad", number(sums.budget)));
    options(problem, objective, sums, |policy| policy.budget_in(objective.window.length()) >= 1.0)
}

/// One failed run exceeds the burn rate that pages: W310.
fn one_pages(objective: &Objective, sums: &Sums, at: Span) -> Diagnostic {
    let message = format!(
        "by its burn rate alone one failed run would page: {} over an hour, and {} is the limit",
        number(sums.burn_of_one),
        Policy::FAST
    );
    let floor = sums.fast.long_floor;
    let problem = Diagnostic::warning("W310", at, message)
        .label(format!(
            "{} runs an hour, of which {} may be bad",
            whole(sums.policy.runs_in(HOUR)),
            number(sums.policy.budget_in(HOUR))
        ))
        .help(format!(
            "prober's own policy waits for {floor} bad runs in {}; rules without such a floor do not",
            show_duration(sums.fast.long)
        ));
    options(problem, objective, sums, |policy| policy.bad_to_exceed(Policy::FAST, HOUR) > 1)
}

/// What to type so that `enough` holds: a shorter interval, more regions, or another objective.
fn options(
    problem: Diagnostic,
    objective: &Objective,
    sums: &Sums,
    enough: impl Fn(&Policy) -> bool,
) -> Diagnostic {
    let policy = sums.policy;
    let mut words = Vec::new();
    let intervals = [3_600, 1_800, 900, 600, 300, 120, 60, 30, 15, 10, 5].map(Duration::from_secs);
    let sooner = intervals
        .into_iter()
        .filter(|interval| *interval < policy.interval)
        .find(|interval| enough(&Policy { interval: *interval, ..policy }));
    words.extend(sooner.map(|interval| format!("every: {}", show_duration(interval))));
    let regions = (policy.regions + 1..=10).find(|regions| enough(&Policy { regions: *regions, ..policy }));
    words.extend(regions.map(|regions| format!("{regions} regions")));
    let targets = [999_500, 999_000, 995_000, 990_000, 980_000, 950_000];
    let lower = targets
        .into_iter()
        .filter_map(model::objective::Share::of_millionths)
        .filter(|target| *target < objective.target)
        .find(|target| enough(&Policy { target: *target, ..policy }));
    words.extend(lower.map(|target| format!("objective: {target}")));
    match words.as_slice() {
        [] => problem,
        [only] => problem.help(format!("enough would be {only}")),
        [before @ .., last] => problem.help(format!("enough would be {} or {last}", before.join(", "))),
    }
}

fn whole(number: f64) -> String {
    format!("{number:.0}")
}

/// Two or three digits that matter: `0.06`, `0.72`, `16.7`, `43`.
pub(crate) fn number(number: f64) -> String {
    let text = match number {
        small if small < 0.1 => format!("{small:.3}"),
        small if small < 10.0 => format!("{small:.2}"),
        middling if middling < 100.0 => format!("{middling:.1}"),
        large => format!("{large:.0}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        for (given, shown) in [
            (0.06, "0.06"),
            (0.72, "0.72"),
            (16.666, "16.7"),
            (43.2, "43.2"),
            (100.0, "100"),
            (8_640.0, "8640"),
        ] {
            assert_eq!(number(given), shown);
        }
    }
}
