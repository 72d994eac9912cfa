//! The policy: which rules hold at a tick. Only comparisons; the numbers come from `model::policy`.

use std::sync::Arc;
use std::time::Duration;

use model::alert::{Rule, Severity};
use model::policy::{BurnRule, Policy};
use model::time::Timestamp;

use crate::burn::Bad;
use crate::state::Slo;
use crate::watch::Key;

/// A rule that holds at a tick, or keeps an alert going that fires already.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) key: Key,
    /// Whether it may start an alert; if not, it only keeps one going.
    pub(crate) starts: bool,
    /// How long it must hold.
    pub(crate) wait: Duration,
    /// The burn rule that held, of those by burn rate.
    pub(crate) burn: Option<BurnRule>,
}

/// Every condition that holds at the tick `now`.
pub(crate) fn conditions(slo: &Slo, now: Timestamp, awake: Timestamp) -> Vec<Condition> {
    let mut holding = Vec::new();
    let mut add = |rule, severity, region: Option<&Arc<str>>, starts, wait| {
        let key = (rule, severity, region.cloned());
        holding.push(Condition { key, starts, wait, burn: None });
    };
    if let Some(starts) = outage(slo) {
        add(Rule::Outage, Severity::Page, None, starts, Duration::ZERO);
    }
    for region in &slo.regions {
        let lengths = region.streak.lengths();
        if lengths.all >= Policy::REGION_STREAK && slo.policy.regions >= 2 {
            let is_critical = slo.promise.critical.contains(&region.name);
            let severity = if is_critical { Severity::Page } else { Severity::Ticket };
            let starts = lengths.firm >= Policy::REGION_STREAK;
            add(Rule::RegionDown, severity, Some(&region.name), starts, Duration::ZERO);
        }
    }
    if is_blind(slo, now, awake) {
        add(Rule::Blind, Severity::Page, None, true, Policy::BLIND_FOR);
    }
    if is_ineligible(slo, now) {
        add(Rule::EligibilityLow, Severity::Ticket, None, true, Policy::ELIGIBILITY_FOR);
    }
    if slo.promise.objective.is_some() {
        burns(slo, now, &mut holding);
    }
    holding
}

/// Enough regions have only bad runs; the flag says whether of runs that were known in time.
fn outage(slo: &Slo) -> Option<bool> {
    let streak = slo.policy.streak();
    let quorum = usize::try_from(slo.quorum).unwrap_or(usize::MAX);
    let down = |long: &dyn Fn(crate::streak::Lengths) -> u32| {
        slo.regions.iter().filter(|region| long(region.streak.lengths()) >= streak).count() >= quorum
    };
    down(&|lengths| lengths.all).then(|| down(&|lengths| lengths.firm))
}

/// No eligible event for too long, counted from the last one, the end of a maintenance, the promise's begin, or
/// the moment from which on this evaluator has looked, whichever is latest.
fn is_blind(slo: &Slo, now: Timestamp, awake: Timestamp) -> bool {
    let last = slo.regions.iter().filter_map(|region| region.last_eligible).max();
    let since = [last.map(Timestamp::from_millis), slo.quiet_until, Some(slo.begin()), Some(awake)];
    let since = since.into_iter().flatten().max().unwrap_or(now);
    now.since(since) > slo.blind_after
}

/// Too much of what was planned says nothing: half of it, or a fifth if that is more than a run or two.
fn is_ineligible(slo: &Slo, now: Timestamp) -> bool {
    let Some((share, (eligible, expected))) = slo.eligibility(now) else { return false };
    // Half a run less, as the exported rules have it.
    let least_missing = f64::from(Policy::ELIGIBILITY_MISSING) - 0.5;
    let is_pattern = expected - eligible as f64 > least_missing;
    share < Policy::ELIGIBILITY_LEAST || (share < Policy::ELIGIBILITY_ENOUGH && is_pattern)
}

fn burns(slo: &Slo, now: Timestamp, holding: &mut Vec<Condition>) {
    let [fast, slow, day, days] = slo.burn_rules;
    let regions = slo.policy.burning_regions();
    let overspent = || slo.budget(now).is_some_and(|budget| budget.remaining() < 0.0);
    let held = |rule: &BurnRule, regions| {
        let all = holds(slo, rule, (Bad::All, regions), now);
        all.then(|| (*rule, holds(slo, rule, (Bad::Firm, regions), now)))
    };
    let fast = held(&fast, regions);
    let slow = held(&slow, regions);
    // What is used up cannot page for ever: it is a matter of the policy then.
    let downgraded = slow.filter(|_| overspent());
    let page = strongest(fast, slow.filter(|_| downgraded.is_none()));
    let background = held(&days, 0).filter(|_| !slo.is_background(now));
    let ticket = strongest(strongest(downgraded, held(&day, 0)), background);
    for (severity, found) in [(Severity::Page, page), (Severity::Ticket, ticket)] {
        if let Some((rule, starts)) = found {
            let key = (Rule::BudgetBurn, severity, None);
            holding.push(Condition { key, starts, wait: Duration::ZERO, burn: Some(rule) });
        }
    }
}

type Found = Option<(BurnRule, bool)>;

/// The first of the two, but one that may start an alert before one that may not.
fn strongest(first: Found, second: Found) -> Found {
    match (first, second) {
        (Some((_, false)), Some((_, true))) => second,
        (first, second) => first.or(second),
    }
}

/// Whether the burn rate is over the limit in both windows, with enough bad runs in both, in enough regions.
fn holds(slo: &Slo, rule: &BurnRule, (which, regions): (Bad, u32), now: Timestamp) -> bool {
    let (short, long) = (slo.burn(rule.short, now), slo.burn(rule.long, now));
    short.bad(which) >= u64::from(rule.short_floor)
        && long.bad(which) >= u64::from(rule.long_floor)
        && short.exceeds(rule.limit, which)
        && long.exceeds(rule.limit, which)
        && (regions < 2 || bad_regions(slo, rule.short, which, now) >= regions as usize)
}

/// In how many regions a run of the window was bad.
fn bad_regions(slo: &Slo, window: Duration, which: Bad, now: Timestamp) -> usize {
    let from = now.minus(window).as_millis();
    let last = |region: &crate::region::Region| match which {
        Bad::All => region.last_bad,
        Bad::Firm => region.last_firm_bad,
    };
    slo.regions.iter().filter(|region| last(region).is_some_and(|bad| bad >= from)).count()
}
