//! `prober slo` and `prober slo NAME`.

use std::fmt::Write as _;
use std::sync::Arc;

use dashboard::adjustment_json;
use model::time::{Clock as _, SystemClock, Timestamp};
use scenario::slo::Sums;
use serde_json::{Value, json};
use slo::budget::Budget;
use slo::incident::Incident;
use slo::promise::Promise;
use slo::standing::{AdjustmentStanding, Standing};

use super::super::args::{self, FactsFormat, Global};
use super::super::out::Out;
use super::super::place::data;
use super::super::promise::slo_text;
use super::super::show::{SloRow, slo_table};
use super::standings::standings;
use super::{as_slo, named, percent, promised, rough, scenarios};
use crate::exit::{Exit, Stop};

/// Shows what is promised, and how it stands if there are events.
pub(super) fn show(global: &Global, args: &args::Slo, out: &Out) -> Result<Exit, Stop> {
    let (_, promises) = promised(global)?;
    let names: Vec<String> = args.name.iter().cloned().collect();
    let promises = named(promises, &names)?;
    let standings = standings(&data(global, args.data.as_ref())?, &promises, SystemClock.now())?;
    let standing = |promise: &Promise| standings.iter().flatten().find(|one| one.name == promise.name);
    if args.format == FactsFormat::Json {
        out.json(&promises.iter().map(|promise| as_json(promise, standing(promise))).collect());
        return Ok(Exit::Good);
    }
    if args.name.is_some() {
        for promise in &promises {
            out.raw(text(promise, standing(promise)).as_bytes());
        }
        return Ok(Exit::Good);
    }
    if promises.is_empty() {
        out.note("nothing is promised: add slo: { objective: 99.9% } to a scenario");
        return Ok(Exit::Good);
    }
    let rows: Vec<_> = promises.iter().map(|promise| row(promise, standing(promise))).collect();
    out.raw(slo_table(&rows, out.look()).as_bytes());
    Ok(Exit::Good)
}

fn row(promise: &Promise, standing: Option<&Standing>) -> SloRow {
    let budget = standing.and_then(|standing| standing.budget);
    let hour = standing.and_then(|standing| standing.burns.first().map(|(_, [_, long])| long.rate()));
    let sums = Sums::of(&as_slo(promise));
    SloRow {
        name: promise.name.to_string(),
        objective: promise
            .objective
            .as_ref()
            .map_or_else(|| "only outages".to_owned(), |one| format!("{} in {}", one.target, one.window)),
        runs: sums.as_ref().map(|sums| format!("{:.0}", sums.runs)).unwrap_or_default(),
        budget: sums.as_ref().map(|sums| format!("{:.1}", sums.budget)).unwrap_or_default(),
        one_costs: sums.as_ref().map(|sums| percent(sums.cost_of_one)).unwrap_or_default(),
        attained: budget.and_then(|budget| budget.attained()).map(exact).unwrap_or_default(),
        left: budget.map(|budget| percent(budget.remaining())).unwrap_or_default(),
        burn: hour.map(|rate| format!("{rate:.1}")).unwrap_or_default(),
        lasts: budget.zip(hour).and_then(|(budget, rate)| lasts(&budget, rate)).unwrap_or_default(),
        firing: standing.map(firing).unwrap_or_default(),
        is_overspent: budget.is_some_and(|budget| budget.remaining() < 0.0),
    }
}

/// How long what is left lasts; `None` if nothing burns, or nothing is left.
fn lasts(budget: &Budget, rate: f64) -> Option<String> {
    budget.lasts(rate).filter(|_| budget.remaining() > 0.0).map(rough)
}

/// A share of good runs, not rounded up to a promise that was broken.
fn exact(share: f64) -> String {
    format!("{:.4}%", (share * 1e6).floor() / 1e4)
}

fn firing(standing: &Standing) -> String {
    let names = standing
        .alerts
        .iter()
        .map(|alert| format!("{} {}", alert.id.severity.as_str(), alert.id.rule.as_str()));
    names.collect::<Vec<_>>().join(", ")
}

/// Everything about one.
fn text(promise: &Promise, standing: Option<&Standing>) -> String {
    let mut text = slo_text(&promise.name, &as_slo(promise));
    let mut line = |word: &str, sentence: String| {
        writeln!(text, "  {word:<12} {sentence}").expect("a String takes every text");
    };
    let of = scenarios(promise);
    if of.len() > 1 {
        line("scenarios", of.into_iter().collect::<Vec<_>>().join(", "));
    }
    if let Some(good) = &promise.good {
        line("good", format!("{}; a run that failed is bad anyway", good.words()));
    }
    if !promise.critical.is_empty() {
        let regions: Vec<_> = promise.critical.iter().map(|region| &**region).collect();
        line("critical", format!("an outage of {} alone is a page", regions.join(" or ")));
    }
    let Some(standing) = standing else {
        line("so far", "no stored events; `prober serve` writes them".to_owned());
        return text;
    };
    if let Some(budget) = standing.budget {
        let attained = budget.attained().map_or_else(|| "no run yet".to_owned(), exact);
        line("attained", format!("{attained}: {} good and {} bad runs", budget.good, budget.bad));
        let left = percent(budget.remaining());
        line("left", format!("{left} of {:.1} bad runs", budget.allowed));
        line("policy", format!("{}: {}", budget.gate().as_str(), budget.asks()));
        for one in &standing.post_mortems {
            line("post-mortem", post_mortem(one));
        }
        for one in &standing.adjustments {
            line("adjusted", adjusted(one));
        }
        if let Some(lasts) = standing.burns.first().and_then(|(_, [_, long])| lasts(&budget, long.rate())) {
            line("lasts", format!("{lasts} at the rate of the last hour"));
        }
    }
    for (rule, burns) in &standing.burns {
        let rates = burns
            .iter()
            .rev()
            .map(|burn| format!("{:.1} in {} ({} bad)", burn.rate(), rough(burn.window), burn.bad));
        line("burn", format!("{}; the limit is {}", rates.collect::<Vec<_>>().join(", "), rule.limit));
    }
    if let Some(noise) = &standing.noise {
        line("noise", noise.clone());
    }
    if let Some(maintenance) = &standing.maintenance {
        line("maintenance", maintenance.to_string());
    }
    if !standing.alerts.is_empty() {
        line("firing", firing(standing));
    }
    text
}

/// `2026-03-01 22:00 to 2026-03-01 23:00 UTC: 17 bad runs used up 39.4%; one top-priority action has to come of it`
fn post_mortem(one: &Incident) -> String {
    let (from, to) = (minute(one.from), minute(one.to));
    let cost = percent(one.cost);
    format!(
        "{from} to {to} UTC: {} bad runs used up {cost}; it wants one, with a top-priority action",
        one.bad
    )
}

/// `2026-03-01 21:00 to 2026-03-01 21:40 UTC in eu: 4 good and 80 bad runs do not count, which gives back …`
pub(super) fn adjusted(one: &AdjustmentStanding) -> String {
    let AdjustmentStanding { adjustment, taken, gives_back } = one;
    let (from, to) = (minute(adjustment.from), minute(adjustment.to));
    let named = |word: &str, names: &[Arc<str>]| match names {
        [] => String::new(),
        names => format!(" {word} {}", names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")),
    };
    let (scenarios, regions) = (named("of", &adjustment.scenarios), named("in", &adjustment.regions));
    let rest = taken.missed() + taken.ineligible();
    let rest = if rest == 0 { String::new() } else { format!(", and {rest} other slots") };
    let back = gives_back.map(|share| format!(", which gives back {}", percent(share))).unwrap_or_default();
    format!(
        "{from} to {to} UTC{scenarios}{regions}: {} good and {} bad runs do not count{rest}{back}; {}, {}: {}",
        taken.good(),
        taken.bad(),
        adjustment.author,
        adjustment.added.day(),
        adjustment.reason
    )
}

fn minute(at: Timestamp) -> String {
    at.jiff().strftime("%Y-%m-%d %H:%M").to_string()
}

fn as_json(promise: &Promise, standing: Option<&Standing>) -> Value {
    let sums = Sums::of(&as_slo(promise));
    let objective = promise.objective.as_ref();
    json!({
        "name": &*promise.name, "service": &*promise.service, "owner": &*promise.owner, "aim": &*promise.aim,
        "runbook": &*promise.runbook, "scenarios": scenarios(promise),
        "objective": objective.map(|one| one.target.to_string()),
        "window": objective.map(|one| one.window.to_string()),
        "interval": promise.interval.as_secs_f64(), "regions": promise.policy().regions,
        "quorum": promise.quorum(), "blind_after": promise.blind_after().as_secs_f64(),
        "runs": sums.as_ref().map(|sums| sums.runs), "budget": sums.as_ref().map(|sums| sums.budget),
        "cost_of_one": sums.as_ref().map(|sums| sums.cost_of_one),
        "page": promise.page, "ticket": promise.ticket,
        "good": promise.good.as_ref().map(|good| good.words()), "critical": promise.critical,
        "standing": standing.map(standing_json),
    })
}

fn standing_json(standing: &Standing) -> Value {
    let burns = standing.windows().into_iter().map(|burn| {
        json!({
            "window": burn.window.as_secs(), "bad": burn.bad, "expected": burn.expected, "rate": burn.rate(),
        })
    });
    let alerts = standing.alerts.iter().map(|alert| {
        json!({
            "rule": alert.id.rule.as_str(), "severity": alert.id.severity.as_str(), "region": alert.id.region,
            "since": alert.starts, "annotations": alert.annotations,
        })
    });
    let lasts = standing.budget.zip(standing.burns.first());
    let adjustments = standing.adjustments.iter().map(adjustment_json);
    let post_mortems = standing
        .post_mortems
        .iter()
        .map(|one| json!({ "from": one.from, "to": one.to, "bad": one.bad, "cost": one.cost }));
    json!({
        "at": standing.at, "good": standing.budget.map(|budget| budget.good),
        "bad": standing.budget.map(|budget| budget.bad),
        "attained": standing.budget.and_then(|budget| budget.attained()),
        "remaining": standing.budget.map(|budget| budget.remaining()),
        "gate": standing.budget.map(|budget| budget.gate().as_str()),
        "adjustments": adjustments.collect::<Vec<_>>(), "post_mortems": post_mortems.collect::<Vec<_>>(),
        "lasts": lasts.and_then(|(budget, (_, [_, long]))| budget.lasts(long.rate())).map(|lasts| lasts.as_secs_f64()),
        "eligibility": standing.eligibility, "burns": burns.collect::<Vec<_>>(),
        "maintenance": standing.maintenance, "noise": standing.noise, "alerts": alerts.collect::<Vec<_>>(),
    })
}
