//! The alerting rules of one objective, in the order of the policy.

use std::time::Duration;

use model::alert::{Rule, Severity};
use model::policy::{BurnRule, Policy};

use super::Subject;
use super::annotation;
use super::expression::{budget, escaped, floor, increase, increase_before, indented, selector, window};
use super::recording::{ELIGIBLE, EXPECTED, REMAINING};
use super::yaml::PromRule;

/// When the last eligible run finished.
const LAST: &str = "prober_sli_last_event_timestamp_seconds";
const STREAK: &str = "prober_sli_consecutive_bad_events";
const MAINTENANCE: &str = "prober_maintenance_active";

/// A slot is counted as expected when its window is closed: at least so much later than its run is counted, and up to
/// twice as much. More would find runs missing that are only not yet asked for.
const EXPECTED_AFTER: Duration = Duration::from_secs(30);

/// The rules; without an objective those that need no budget.
pub(super) fn rules(subject: &Subject) -> Vec<PromRule> {
    let mut rules = vec![outage(subject)];
    rules.extend(burns(subject));
    rules.extend(regions_down(subject));
    rules.extend([blind(subject), eligibility(subject)]);
    rules
}

fn alert(subject: &Subject, (rule, severity): (Rule, Severity), condition: &str, hold: &str) -> PromRule {
    let expr = format!("{condition}\nunless on (slo) ({MAINTENANCE} == 1)");
    let labels = [
        ("severity", severity.as_str()),
        ("slo", &*subject.name),
        ("service", &*subject.service),
        ("team", &*subject.team),
    ];
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    PromRule {
        verb: "alert",
        name: rule.as_str().to_owned(),
        expr,
        hold: hold.to_owned(),
        labels: labels.map(|(name, value)| (name, annotation::plain(value))).collect(),
        annotations: annotation::of(subject, rule, severity),
    }
}

/// Enough regions have only bad runs.
fn outage(subject: &Subject) -> PromRule {
    let (of, streak) = (selector(&subject.name), subject.policy().streak());
    let condition = if subject.regions > 1 {
        // Replicas of a region are one region.
        format!("count by (slo) (max by (slo, region) ({STREAK}{of}) >= {streak}) >= {}", subject.quorum())
    } else {
        format!("max by (slo) ({STREAK}{of}) >= {streak}")
    };
    alert(subject, (Rule::Outage, Severity::Page), &condition, "")
}

/// The budget burns too fast: a page for hours, a ticket for days.
fn burns(subject: &Subject) -> Vec<PromRule> {
    if subject.objective.is_none() {
        return Vec::new();
    }
    let policy = subject.policy();
    let of = selector(&subject.name);
    // With nothing left to lose a slow burn is work for the day.
    let overspent = format!("on (slo) ({REMAINING}{of} < 0)");
    let regions = policy.burning_regions();
    let fast = burn(subject, &policy.fast(), regions, "");
    let slow = |also: &str| burn(subject, &policy.slow(), regions, also);
    let page = [fast, slow(&format!("unless {overspent}"))];
    let tickets = policy.tickets().map(|rule| burn(subject, &rule, 1, ""));
    let tickets: Vec<_> = tickets.into_iter().chain([slow(&format!("and {overspent}"))]).collect();
    [(Severity::Page, page.join("\n  or\n")), (Severity::Ticket, tickets.join("\n  or\n"))]
        .map(|(severity, any)| {
            alert(subject, (Rule::BudgetBurn, severity), &format!("max by (slo) (\n{any}\n)"), "")
        })
        .into()
}

/// One pair of windows with its guards; `also` is a last condition.
fn burn(subject: &Subject, rule: &BurnRule, regions: u32, also: &str) -> String {
    let Some(objective) = &subject.objective else { return String::new() };
    let (of, budget) = (selector(&subject.name), budget(objective));
    let (short, long, limit) = (window(rule.short), window(rule.long), rule.limit);
    let mut lines = vec![
        format!("(slo:sli_error:ratio_rate{short}{of} > {limit} * {budget})"),
        format!("and on (slo) (slo:sli_error:ratio_rate{long}{of} > {limit} * {budget})"),
        format!("and on (slo) (slo:sli_bad:increase{short}{of} > {})", floor(rule.short_floor)),
        format!("and on (slo) (slo:sli_bad:increase{long}{of} > {})", floor(rule.long_floor)),
    ];
    if regions > 1 {
        lines.push(format!("and on (slo) (slo:sli_bad_regions:count{short}{of} >= {regions})"));
    }
    lines.extend((!also.is_empty()).then(|| also.to_owned()));
    format!("  (\n{}\n  )", indented(&lines.join("\n"), 4))
}

/// One region of several has only bad runs: a ticket, or a page if it is declared critical.
fn regions_down(subject: &Subject) -> Vec<PromRule> {
    if subject.regions < 2 {
        return Vec::new();
    }
    let slo = escaped(&subject.name);
    let critical: Vec<_> = subject.critical.iter().map(|region| escaped(&literal(region))).collect();
    let critical = critical.join("|");
    let down = |severity, matcher: &str| {
        let condition =
            format!("max by (slo, region) ({STREAK}{{slo=\"{slo}\"{matcher}}}) >= {}", Policy::REGION_STREAK);
        alert(subject, (Rule::RegionDown, severity), &condition, "")
    };
    if critical.is_empty() {
        return vec![down(Severity::Ticket, "")];
    }
    vec![
        down(Severity::Page, &format!(", region=~\"{critical}\"")),
        down(Severity::Ticket, &format!(", region!~\"{critical}\"")),
    ]
}

/// A text as a regular expression that matches nothing else.
fn literal(text: &str) -> String {
    let special = |letter: char| {
        if ".+*?()|[]{}^$\\".contains(letter) { format!("\\{letter}") } else { letter.to_string() }
    };
    text.chars().map(special).collect()
}

/// Nobody has seen anything for too long.
///
/// The last event is looked for further back than Prometheus itself looks (5 minutes), so that long intervals are
/// no silence; behind that, there being no event at all counts, unless the objective itself is that young.
fn blind(subject: &Subject) -> PromRule {
    let (of, after) = (selector(&subject.name), subject.blind_after());
    let back = window(after.saturating_mul(2) + Duration::from_mins(10));
    let (seconds, shown) = (after.as_secs_f64(), window(after));
    let condition = format!(
        "(\n  (time() - max by (slo) (max_over_time({LAST}{of}[{back}])) > {seconds})\n  \
         or on (slo)\n  \
         (\n    absent_over_time({LAST}{of}[{back}])\n    \
         unless on (slo)\n    \
         (count by (slo) ({ELIGIBLE}{of}) unless on (slo) count by (slo) ({ELIGIBLE}{of} offset {shown}))\n  )\n)\n\
         unless on (slo) (max by (slo) (max_over_time({MAINTENANCE}{of}[{shown}])) == 1)"
    );
    alert(subject, (Rule::Blind, Severity::Page), &condition, &window(Policy::BLIND_FOR))
}

/// Too much of what was planned says nothing: the runs are asked for as of when the expected slots are from, or an hour
/// whose share sinks slowly would pass its limit minutes apart in the two.
fn eligibility(subject: &Subject) -> PromRule {
    let (slo, over) = (&subject.name, window(Policy::ELIGIBILITY_WINDOW));
    let eligible = increase_before(ELIGIBLE, slo, &over, &window(EXPECTED_AFTER));
    let expected = increase(EXPECTED, slo, &over);
    let condition = format!(
        "label_replace(\n  {eligible}\n  / ({expected} > 0)\n  < {}\n  or\n  {eligible}\n  / ({expected} > 0)\n  < {}\n  \
         and\n  {expected} - {eligible} > {},\n  \"slo\", \"{}\", \"\", \"\"\n)",
        Policy::ELIGIBILITY_LEAST,
        Policy::ELIGIBILITY_ENOUGH,
        floor(Policy::ELIGIBILITY_MISSING),
        // A `$` would name a group.
        escaped(&slo.replace('$', "$$")),
    );
    alert(subject, (Rule::EligibilityLow, Severity::Ticket), &condition, &window(Policy::ELIGIBILITY_FOR))
}
