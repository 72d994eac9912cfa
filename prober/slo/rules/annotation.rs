//! What an alert tells people: the sum that it was made of, what it means, and what to do.
//!
//! Annotations are templates of Prometheus: what the author wrote is shown as it is, braces included.

use std::time::Duration;

use model::alert::{Rule, Severity};
use model::policy::{BurnRule, Policy};

use super::Subject;
use super::expression::{budget, selector, window};
use super::recording::{LASTS, REMAINING};
use super::yaml;

/// A text of the author's own, in which no braces begin a template.
pub(super) fn plain(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// The annotations of one alert.
pub(super) fn of(subject: &Subject, rule: Rule, severity: Severity) -> Vec<(&'static str, String)> {
    let (summary, description) = match rule {
        Rule::Outage => outage(subject),
        Rule::BudgetBurn => burn(subject, severity),
        Rule::RegionDown => region_down(subject),
        Rule::Blind => blind(subject),
        Rule::EligibilityLow => eligibility(subject),
    };
    let left = subject.objective.as_ref().map(|_| left(subject)).unwrap_or_default();
    let texts = [
        ("summary", summary),
        ("description", description),
        ("error_budget", left),
        ("aim", plain(&subject.aim)),
        ("runbook_url", plain(&subject.runbook)),
    ];
    texts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

fn outage(subject: &Subject) -> (String, String) {
    let (name, streak) = (plain(&subject.name), subject.policy().streak());
    let every = window(subject.interval);
    let summary = format!("{name} is down");
    let description = if subject.regions > 1 {
        let (quorum, regions) = (subject.quorum(), subject.regions);
        format!(
            "In {{{{ $value }}}} of {regions} regions the last {streak} runs, one every {every}, were all bad; \
             {quorum} such regions are an outage."
        )
    } else {
        format!(
            "The last {{{{ $value }}}} runs, one every {every}, were all bad; {streak} in a row are an outage."
        )
    };
    (summary, description)
}

fn burn(subject: &Subject, severity: Severity) -> (String, String) {
    let policy = subject.policy();
    let rules: Vec<BurnRule> = match severity {
        Severity::Page => vec![policy.fast(), policy.slow()],
        Severity::Ticket => policy.tickets().into(),
    };
    let name = plain(&subject.name);
    let goes = if severity == Severity::Page { "within hours" } else { "within days" };
    let sums: Vec<_> = rules.iter().map(|rule| sum(subject, rule)).collect();
    (format!("{name} uses its error budget up {goes}"), format!("{}.", sums.join("; ")))
}

/// `6 bad runs and a burn of 25.0 in 1h (limit 14.4, floor 5 runs)`
fn sum(subject: &Subject, rule: &BurnRule) -> String {
    let Some(objective) = &subject.objective else { return String::new() };
    let (of, budget) = (selector(&subject.name), budget(objective));
    let part = |length: Duration, floor: u32| {
        let over = window(length);
        let bad = value(&format!("slo:sli_bad:increase{over}{of}"), "%.0f");
        let burn = value(&format!("slo:sli_error:ratio_rate{over}{of} / {budget}"), "%.1f");
        format!("{bad} bad runs (at least {floor}) and a burn of {burn} in {over}")
    };
    let (long, short) = (part(rule.long, rule.long_floor), part(rule.short, rule.short_floor));
    format!("limit {}: {long}, {short}", rule.limit)
}

/// What the rules recorded, as a text.
fn value(query: &str, format: &str) -> String {
    let query = yaml::text(query);
    format!(
        "{{{{ with query {query} }}}}{{{{ . | first | value | printf \"{format}\" }}}}{{{{ else }}}}no{{{{ end }}}}"
    )
}

/// What is left of the budget, and how long that lasts.
fn left(subject: &Subject) -> String {
    let of = selector(&subject.name);
    let Some(objective) = &subject.objective else { return String::new() };
    let (remaining, lasts) = (yaml::text(&format!("{REMAINING}{of}")), yaml::text(&format!("{LASTS}{of}")));
    format!(
        "{} good in {}; {{{{ with query {remaining} }}}}{{{{ . | first | value | humanizePercentage }}}} of the budget is \
         left{{{{ else }}}}what is left of the budget is not known{{{{ end }}}}{{{{ with query {lasts} }}}}, and lasts \
         {{{{ . | first | value | humanizeDuration }}}} at this rate{{{{ end }}}}.",
        objective.target,
        plain(&objective.window.to_string()),
    )
}

fn region_down(subject: &Subject) -> (String, String) {
    let (name, streak) = (plain(&subject.name), Policy::REGION_STREAK);
    (
        format!("{name} is down in {{{{ $labels.region }}}}"),
        format!(
            "The last {{{{ $value }}}} runs in {{{{ $labels.region }}}} were all bad; {streak} in a row are \
             reported."
        ),
    )
}

fn blind(subject: &Subject) -> (String, String) {
    let (name, after) = (plain(&subject.name), window(subject.blind_after()));
    (
        format!("nobody sees whether {name} works"),
        format!(
            "There was no good or bad run for more than {after}, with one planned every {}: no prober runs, or all \
             that they see says nothing about the target.",
            window(subject.interval)
        ),
    )
}

fn eligibility(subject: &Subject) -> (String, String) {
    (
        format!("too many runs of {} say nothing about it", plain(&subject.name)),
        "Only {{ $value | humanizePercentage }} of the runs that were planned in the last hour were good or bad; the \
         others were missed or ineligible, and their reasons are in prober_run_missed_slots_total and \
         prober_run_ineligible_total."
            .to_owned(),
    )
}
