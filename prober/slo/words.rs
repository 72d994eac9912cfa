//! What an alert says: the sum that it was made of, and everything that whoever is woken up asks first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::alert::Rule;
use model::policy::{BurnRule, Policy};
use model::time::Timestamp;

use crate::burn::Burn;
use crate::evidence::Evidence;
use crate::judge::Condition;
use crate::state::Slo;

/// Regions that are named as the worst ones.
const WORST: usize = 3;

/// The annotations of an alert at the tick `now`; empty ones are left out.
pub(crate) fn annotations(slo: &Slo, condition: &Condition, now: Timestamp) -> BTreeMap<Arc<str>, String> {
    let (rule, _, region) = &condition.key;
    let (summary, sum) = match (rule, &condition.burn, region) {
        (Rule::Outage, ..) => outage(slo),
        (Rule::BudgetBurn, Some(rule), _) => burning(slo, rule, now),
        (Rule::BudgetBurn, None, _) => (String::new(), String::new()),
        (Rule::RegionDown, _, region) => down(slo, region.as_deref().unwrap_or_default()),
        (Rule::Blind, ..) => blind(slo, now),
        (Rule::EligibilityLow, ..) => unjudged(slo, now),
    };
    let window = condition.burn.map_or(Duration::from_hours(1), |rule| rule.long);
    let mut all = BTreeMap::new();
    let mut add = |name: &str, text: String| {
        if !text.is_empty() {
            all.insert(name.into(), text);
        }
    };
    add("summary", summary);
    add("sum", sum.clone());
    let promise = &slo.promise;
    add("aim", promise.aim.to_string());
    add("owner", promise.owner.to_string());
    add("runbook_url", promise.runbook.to_string());
    let worst = worst_regions(slo, window, now);
    let evidence = newest(slo, region.as_deref());
    add("description", description(slo, (&sum, &worst), evidence));
    add("worst_regions", worst);
    if let Some(evidence) = evidence {
        add("failing_step", evidence.step.to_string());
        add("error_type", evidence.error.to_string());
        add("failure", evidence.message.to_string());
        add("sample_run", evidence.slot.to_string());
    }
    if let Some(budget) = slo.budget(now) {
        add("budget_left", percent(budget.remaining()));
        if let Some(rule) = condition.burn {
            let lasts = budget.lasts(slo.burn(rule.long, now).rate());
            add("time_to_exhaustion", lasts.map(rough).unwrap_or_default());
        }
    }
    all
}

fn description(slo: &Slo, (sum, worst): (&str, &str), evidence: Option<&Evidence>) -> String {
    let mut text = sum.to_owned();
    if !worst.is_empty() && slo.regions.len() > 1 {
        let _ = write!(text, "; worst: {worst}");
    }
    if let Some(evidence) = evidence {
        let step =
            if evidence.step.is_empty() { String::new() } else { format!(" in step {}", evidence.step) };
        let _ = write!(text, "; last: {}{step}", evidence.error);
    }
    text
}

fn outage(slo: &Slo) -> (String, String) {
    let streak = slo.policy.streak();
    let down: Vec<_> = slo
        .regions
        .iter()
        .filter(|region| region.streak.lengths().all >= streak)
        .map(|region| &*region.name)
        .collect();
    let summary =
        format!("{} is down in {} of {}", slo.promise.name, down.len(), counted(slo.regions.len(), "region"));
    let sum = format!(
        "the last {streak} runs are bad in {} of {} ({}), {} make an outage",
        down.len(),
        counted(slo.regions.len(), "region"),
        down.join(", "),
        slo.quorum
    );
    (summary, sum)
}

fn down(slo: &Slo, name: &str) -> (String, String) {
    let streak = slo
        .regions
        .iter()
        .find(|region| *region.name == *name)
        .map_or(0, |region| region.streak.lengths().all);
    (
        format!("{} is down in {name} alone or among others", slo.promise.name),
        format!("the last {streak} runs in {name} are bad, {} make a region down", Policy::REGION_STREAK),
    )
}

fn burning(slo: &Slo, rule: &BurnRule, now: Timestamp) -> (String, String) {
    let (short, long) = (slo.burn(rule.short, now), slo.burn(rule.long, now));
    let name = &slo.promise.name;
    let summary = format!("{name} uses up its error budget {} times as fast as it may", one(long.rate()));
    let sum = format!("{}, limit {}; {}", burned(&long), limit(rule.limit), burned(&short));
    (summary, sum)
}

/// `12 bad of 240 expected in 1h = burn 50.0`.
pub(crate) fn burned(burn: &Burn) -> String {
    let expected = (burn.expected * 10.0).round() / 10.0;
    format!("{} bad of {expected} expected in {} = burn {}", burn.bad, span(burn.window), one(burn.rate()))
}

fn blind(slo: &Slo, now: Timestamp) -> (String, String) {
    let last = slo.regions.iter().filter_map(|region| region.last_eligible).max();
    let summary = format!("nobody knows how {} is", slo.promise.name);
    let limit = rough(slo.blind_after);
    let sum = match last {
        Some(last) => {
            let since = rough(now.since(Timestamp::from_millis(last)));
            format!("the last run that counts ended {since} ago, limit {limit}")
        }
        None => format!("no run has counted yet, limit {limit}"),
    };
    (summary, sum)
}

fn unjudged(slo: &Slo, now: Timestamp) -> (String, String) {
    let (share, (eligible, expected)) = slo.eligibility(now).unwrap_or_default();
    let summary = format!("too many runs of {} say nothing about it", slo.promise.name);
    let least = percent(Policy::ELIGIBILITY_ENOUGH);
    (
        summary,
        format!("{eligible} of {expected:.0} expected runs count in 1h = {}, limit {least}", percent(share)),
    )
}

/// The regions with the most bad runs of about the last `window`: `us 12 of 12, eu 3 of 12`.
pub(crate) fn worst_regions(slo: &Slo, window: Duration, now: Timestamp) -> String {
    let mut worst: Vec<_> = slo
        .regions
        .iter()
        .map(|region| (region.last(window, now), &region.name))
        .filter(|(tally, _)| tally.bad() > 0)
        .collect();
    worst.sort_by_key(|(tally, name)| (std::cmp::Reverse(tally.bad()), Arc::clone(name)));
    let shown = worst.iter().take(WORST);
    shown
        .map(|(tally, name)| format!("{name} {} of {}", tally.bad(), tally.eligible()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What the newest bad run showed, of one region or of all.
fn newest<'a>(slo: &'a Slo, region: Option<&str>) -> Option<&'a Evidence> {
    let regions = slo.regions.iter().filter(|known| region.is_none_or(|region| *known.name == *region));
    regions
        .filter_map(|region| region.evidence.as_ref())
        .max_by_key(|evidence| (evidence.scheduled, evidence.slot))
}

/// What a background of bad runs at the objective's own rate is called.
pub(crate) fn background(slo: &Slo, now: Timestamp) -> String {
    let days = slo.burn(slo.burn_rules[3].long, now);
    format!(
        "the objective equals the noise floor: {}, spread evenly over the hours; promise less or find what makes the noise",
        burned(&days)
    )
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn one(number: f64) -> String {
    format!("{number:.1}")
}

fn limit(number: f64) -> String {
    format!("{number}")
}

/// `12.5 %`; one digit after the point.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `12.5%`, `25%`: no digit after the point where none is needed.
pub(crate) fn short_percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A window as it is written: `5m`, `1h`, `3d`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
        .unwrap_or((1, "s"));
    format!("{}{unit}", seconds / size)
}

/// A time for people, with the two largest units: `2d 4h`, `43m`, `50s`.
pub(crate) fn rough(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) if seconds.is_multiple_of(60) || minutes >= 10 => format!("{minutes}m"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        for (seconds, shown) in
            [(50, "50s"), (300, "5m"), (263, "4m 23s"), (2_580, "43m"), (7_260, "2h 1m"), (190_000, "2d 4h")]
        {
            assert_eq!(rough(Duration::from_secs(seconds)), shown);
        }
        for (seconds, shown) in [(300, "5m"), (3_600, "1h"), (259_200, "3d"), (1_500, "25m"), (7, "7s")] {
            assert_eq!(span(Duration::from_secs(seconds)), shown);
        }
        assert_eq!(percent(-0.125), "-12.5 %");
    }
}
