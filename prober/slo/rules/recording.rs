//! The recording rules of one objective: error ratios, bad runs and bad regions by window, and the budget.

use std::collections::BTreeSet;
use std::time::Duration;

use model::objective::{Objective, Window};
use model::policy::BurnRule;

use super::Subject;
use super::expression::{budget, increase, rate, selector, target, window};
use super::yaml::PromRule;

/// Bad events.
pub(super) const BAD: &str = "prober_sli_bad_events_total";
/// Good and bad events.
pub(super) const ELIGIBLE: &str = "prober_sli_events_total";
/// Slots that should have yielded an event.
pub(super) const EXPECTED: &str = "prober_sli_expected_events_total";
/// What is left of the budget, by these rules.
pub(super) const REMAINING: &str = "slo:period_error_budget_remaining:ratio";
/// How long the budget lasts at the present rate.
pub(super) const LASTS: &str = "slo:error_budget_lasts:seconds";
/// The same from the evaluator, which knows it exactly.
const REMAINING_EXACT: &str = "prober_slo_error_budget_remaining_ratio";

/// The rules, in the order in which they build on each other; none without an objective.
pub(super) fn rules(subject: &Subject) -> Vec<PromRule> {
    let Some(objective) = &subject.objective else { return Vec::new() };
    let policy = subject.policy();
    let burns = [policy.fast(), policy.slow()].into_iter().chain(policy.tickets());
    let burns: Vec<BurnRule> = burns.collect();
    let windows: BTreeSet<Duration> = burns.iter().flat_map(|rule| [rule.short, rule.long]).collect();
    let mut rules = Vec::new();
    for length in windows {
        rules.push(error_ratio(subject, &window(length)));
        rules.push(bad(subject, &window(length)));
    }
    if subject.regions > 1 {
        let paging: BTreeSet<Duration> = [policy.fast().short, policy.slow().short].into();
        rules.extend(paging.into_iter().map(|length| bad_regions(subject, &window(length))));
    }
    rules.extend(about(subject, objective));
    rules.extend(budget_rules(subject, objective, &policy.fast()));
    rules
}

fn record(subject: &Subject, name: String, expr: String, more: &[(&'static str, String)]) -> PromRule {
    let mut labels = vec![("slo", subject.name.to_string())];
    labels.extend_from_slice(more);
    PromRule { verb: "record", name, expr, hold: String::new(), labels, annotations: Vec::new() }
}

/// The labels that tools made for Sloth's rules look for.
fn sloth(subject: &Subject) -> Vec<(&'static str, String)> {
    vec![
        ("sloth_id", subject.name.to_string()),
        ("sloth_service", subject.service.to_string()),
        ("sloth_slo", subject.name.to_string()),
    ]
}

/// Bad of expected: gaps never inflate it.
fn error_ratio(subject: &Subject, over: &str) -> PromRule {
    let slo = &subject.name;
    let expr = format!("{}\n/ ({} > 0)", rate(BAD, slo, over), rate(EXPECTED, slo, over));
    let mut labels = sloth(subject);
    labels.push(("sloth_window", over.to_owned()));
    record(subject, format!("slo:sli_error:ratio_rate{over}"), expr, &labels)
}

fn bad(subject: &Subject, over: &str) -> PromRule {
    record(subject, format!("slo:sli_bad:increase{over}"), increase(BAD, &subject.name, over), &[])
}

fn bad_regions(subject: &Subject, over: &str) -> PromRule {
    let expr = format!("count(sum by (region) (increase({BAD}{}[{over}])) > 0.5)", selector(&subject.name));
    record(subject, format!("slo:sli_bad_regions:count{over}"), expr, &[])
}

/// What the objective is, for dashboards.
fn about(subject: &Subject, objective: &Objective) -> Vec<PromRule> {
    let labels = sloth(subject);
    let days = objective.window.length().as_secs_f64() / 86_400.0;
    let mut info = labels.clone();
    info.push(("sloth_mode", "prober".to_owned()));
    info.push(("sloth_objective", objective.target.to_string().trim_end_matches('%').to_owned()));
    [
        ("slo:objective:ratio", format!("vector({})", target(objective)), &labels),
        ("slo:error_budget:ratio", format!("vector(1 - {})", target(objective)), &labels),
        ("slo:time_period:days", format!("vector({days})"), &labels),
        ("sloth_slo_info", "vector(1)".to_owned(), &info),
    ]
    .map(|(name, expr, labels)| record(subject, name.to_owned(), expr, labels))
    .into()
}

fn budget_rules(subject: &Subject, objective: &Objective, fast: &BurnRule) -> Vec<PromRule> {
    let (labels, of) = (sloth(subject), selector(&subject.name));
    let long = window(fast.long);
    let short = window(fast.short);
    let rate = |over: &str| format!("slo:sli_error:ratio_rate{over}{of} / {}", budget(objective));
    let mut rules = vec![record(subject, "slo:current_burn_rate:ratio".to_owned(), rate(&short), &labels)];
    let exact = format!("min(({REMAINING_EXACT}{of}))");
    let remaining = match &objective.window {
        // A young objective has the budget of a whole window.
        Window::Rolling(length) => {
            let allowed = subject.policy().budget_in(*length);
            let counted = increase(BAD, &subject.name, &window(*length));
            rules.push(compliance(subject, &window(*length)));
            format!("{exact}\nor (1 - {counted} / {allowed})")
        }
        // PromQL has no calendar: only the evaluator knows when the period began.
        Window::Calendar { .. } => exact,
    };
    rules.push(record(subject, REMAINING.to_owned(), remaining, &labels));
    let seconds = objective.window.length().as_secs();
    let lasts = format!(
        "{seconds} * clamp_min({REMAINING}{of}, 0)\n/ on (slo) ((slo:sli_error:ratio_rate{long}{of} / {}) > 0)",
        budget(objective)
    );
    rules.push(record(subject, LASTS.to_owned(), lasts, &[]));
    rules
}

/// Bad of eligible over the whole window: what was attained is the rest.
fn compliance(subject: &Subject, over: &str) -> PromRule {
    let slo = &subject.name;
    let expr = format!("{}\n/ ({} > 0)", increase(BAD, slo, over), increase(ELIGIBLE, slo, over));
    record(subject, "slo:sli_error:ratio_period".to_owned(), expr, &sloth(subject))
}
