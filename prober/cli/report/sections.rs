//! The parts of the weekly report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::alert::Severity;
use model::time::Timestamp;
use probe::Net;
use scenario::plan::Plan;
use slo::promise::Promise;
use slo::standing::Standing;

use super::document::{Cell, Document, Section};
use super::week::{Week, cost_of_one};
use crate::cli::show::distance;

/// The most rows of a list of the worst.
const TOP: usize = 10;
/// Certificates that end sooner are named.
const EXPIRES_WITHIN: Duration = Duration::from_hours(30 * 24);

/// The whole report.
pub(super) fn document(week: &Week, plans: &[Plan<Net>]) -> Document {
    let day = |at: Timestamp| at.jiff().strftime("%Y-%m-%d %H:%M").to_string();
    Document {
        title: format!("Weekly review, {} to {}", week.from.day(), week.until.day()),
        about: format!(
            "From {} to {} UTC: {} objectives, {} scenarios with stored runs.",
            day(week.from),
            day(week.until),
            week.promises.iter().filter(|promise| promise.objective.is_some()).count(),
            week.scenarios.len()
        ),
        sections: vec![
            objectives(week),
            spenders(week),
            incidents(week),
            pages(week),
            coverage(week),
            maintenance(week, plans),
            changes(week),
            certificates(week),
            noisy(week),
            unpromised(week, plans),
        ],
    }
}

pub(super) fn percent(share: f64) -> Cell {
    Cell::shown(share, format!("{:.1}%", share * 100.0))
}

pub(super) fn exact(share: f64) -> Cell {
    Cell::shown(share, format!("{:.4}%", (share * 1e6).floor() / 1e4))
}

pub(super) fn count(number: u64) -> Cell {
    Cell::shown(number, number.to_string())
}

pub(super) fn time(at: Timestamp) -> Cell {
    Cell::shown(at.to_string(), at.jiff().strftime("%m-%d %H:%M").to_string())
}

fn objectives(week: &Week) -> Section {
    let of = |standings: &[Standing], promise: &Promise| {
        standings.iter().find(|one| one.name == promise.name).and_then(|one| one.budget)
    };
    let row = |(index, promise): (usize, &Promise)| {
        let objective = promise.objective.as_ref()?;
        let after = of(&week.after, promise);
        let change = after
            .zip(of(&week.before, promise))
            .map(|(after, before)| after.remaining() - before.remaining());
        Some(vec![
            Cell::text(&*promise.name),
            Cell::text(format!("{} in {}", objective.target, objective.window)),
            after.and_then(|budget| budget.attained()).map_or_else(Cell::none, exact),
            after.map_or_else(Cell::none, |budget| percent(budget.remaining())),
            change.map_or_else(Cell::none, |change| Cell::shown(change, format!("{:+.1}%", change * 100.0))),
            worst_hour(week, index).map_or_else(Cell::none, Cell::text),
            after.map_or_else(Cell::none, |budget| Cell::text(budget.gate().as_str())),
            count(
                week.after
                    .iter()
                    .find(|one| one.name == promise.name)
                    .map_or(0, |one| one.post_mortems.len() as u64),
            ),
        ])
    };
    Section {
        key: "objectives",
        title: "Objectives",
        columns: &[
            ("slo", "SLO"),
            ("objective", "Objective"),
            ("attained", "Attained"),
            ("budget_left", "Budget left"),
            ("change", "In the week"),
            ("worst_hour", "Worst hour (UTC)"),
            ("gate", "Releases"),
            ("post_mortems", "Post-mortems"),
        ],
        rows: week.promises.iter().enumerate().filter_map(row).collect(),
        empty: "Nothing is promised: add slo: { objective: 99.9% } to a scenario.",
        ..Section::default()
    }
}

/// `03-01 12:00, 17 of 60 bad`
fn worst_hour(week: &Week, promise: usize) -> Option<String> {
    let hours = week.hours.iter().filter(|((index, _), (_, bad))| *index == promise && *bad > 0);
    let ((_, hour), (good, bad)) = hours.max_by_key(|((_, hour), (_, bad))| (*bad, *hour))?;
    let at = Timestamp::from_millis(hour * 3_600_000).jiff().strftime("%m-%d %H:00");
    Some(format!("{at}, {bad} of {} bad", good + bad))
}

fn spenders(week: &Week) -> Section {
    let mut all: Vec<_> = week.spenders.iter().collect();
    all.sort_by(|one, other| other.1.1.total_cmp(&one.1.1).then(other.1.0.cmp(&one.1.0)));
    let row = |((error, region), (bad, spent)): (&(String, Arc<str>), &(u64, f64))| {
        vec![Cell::text(error), Cell::text(&**region), count(*bad), percent(*spent)]
    };
    Section {
        key: "spenders",
        title: "What spent the budgets",
        note:
            "Bad runs by what was wrong and where; spent is the sum over all objectives that they belong to."
                .to_owned(),
        columns: &[("error", "Error"), ("region", "Region"), ("bad", "Bad runs"), ("spent", "Of a budget")],
        rows: all.into_iter().take(TOP).map(row).collect(),
        empty: "No run was bad.",
    }
}

fn incidents(week: &Week) -> Section {
    let mut all: Vec<_> = week
        .incidents
        .iter()
        .map(|incident| (incident, incident.bad as f64 * cost_of_one(&week.promises[incident.promise])))
        .collect();
    all.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.first.cmp(&other.0.first)));
    let rows = all.into_iter().take(TOP).map(|(incident, cost)| {
        vec![
            time(incident.first),
            Cell::text(&*week.promises[incident.promise].name),
            Cell::shown(
                incident.last.since(incident.first).as_secs_f64(),
                distance(incident.last.since(incident.first)),
            ),
            count(incident.bad),
            percent(cost),
            Cell::text(incident.regions.iter().map(|region| &**region).collect::<Vec<_>>().join(", ")),
            Cell::text(&incident.error),
            Cell::text(&incident.sample),
        ]
    });
    Section {
        key: "incidents",
        title: "Incidents",
        note: "Bad runs that belong together; the budget policy says from which cost on one wants a post-mortem."
            .to_owned(),
        columns: &[
            ("at", "Began (UTC)"),
            ("slo", "SLO"),
            ("seconds", "Lasted"),
            ("bad", "Bad runs"),
            ("cost", "Of its budget"),
            ("regions", "Regions"),
            ("error", "Error"),
            ("run", "A run"),
        ],
        rows: rows.collect(),
        empty: "None.",
    }
}

/// Healthy is fewer than two pages a week, more than five are too many: the SRE book's limits for a team.
fn pages(week: &Week) -> Section {
    let (pages, tickets) = (week.fired(Severity::Page).count(), week.fired(Severity::Ticket).count());
    let word = match pages {
        0..2 => "healthy",
        2..=5 => "to be watched",
        _ => "too many",
    };
    let mut by_rule: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for change in &week.fired {
        let id = &change.alert.id;
        *by_rule.entry((id.severity.as_str(), id.rule.as_str(), &id.slo)).or_default() += 1;
    }
    let mut rows: Vec<_> = by_rule.into_iter().collect();
    rows.sort_by_key(|((severity, ..), fired)| (*severity, std::cmp::Reverse(*fired)));
    let row = |((severity, rule, slo), fired): ((&str, &str, &str), u64)| {
        vec![Cell::text(severity), Cell::text(rule), Cell::text(slo), count(fired)]
    };
    Section {
        key: "pages",
        title: "Pager load",
        note: format!(
            "{pages} pages ({word}) and {tickets} tickets, by the stored events and today's promises."
        ),
        columns: &[("severity", "Severity"), ("rule", "Rule"), ("slo", "SLO"), ("fired", "Times")],
        rows: rows.into_iter().map(row).collect(),
        empty: "Nothing alerted.",
    }
}

fn coverage(week: &Week) -> Section {
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let mut all: Vec<_> = week.scenarios.iter().filter(|(_, slots)| !slots.reasons.is_empty()).collect();
    all.sort_by(|one, other| {
        let seen = |slots: &super::week::Slots| share(slots.good + slots.bad, slots.expected());
        seen(one.1).total_cmp(&seen(other.1))
    });
    let row = |(name, slots): (&Arc<str>, &super::week::Slots)| {
        let mut reasons: Vec<_> = slots.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let reasons = reasons.iter().take(3).map(|(reason, count)| format!("{reason} {count}"));
        vec![
            Cell::text(&**name),
            count(slots.expected()),
            percent(share(slots.good + slots.bad, slots.expected())),
            percent(share(slots.missed, slots.expected())),
            Cell::text(reasons.collect::<Vec<_>>().join(", ")),
        ]
    };
    Section {
        key: "coverage",
        title: "Slots that say nothing",
        note: "Of the slots that should have counted: how many did, how many nobody ran, and why.".to_owned(),
        columns: &[
            ("scenario", "Scenario"),
            ("expected", "Expected"),
            ("eligible", "Eligible"),
            ("missed", "Missed"),
            ("reasons", "Reasons"),
        ],
        rows: all.into_iter().take(TOP).map(row).collect(),
        empty: "Every slot was run, and every run counts.",
    }
}

fn maintenance(week: &Week, plans: &[Plan<Net>]) -> Section {
    let row = |((scenario, name), slots): (&(Arc<str>, String), &u64)| {
        let plan = plans.iter().find(|plan| plan.stream().scenario == *scenario);
        let hours = plan.map(|plan| {
            // Slots of all regions, each of which stands for an interval.
            *slots as f64 * plan.slo().interval.as_secs_f64() / 3_600.0 / f64::from(plan.slo().regions.max(1))
        });
        vec![
            Cell::text(&**scenario),
            Cell::text(name),
            count(*slots),
            hours.map_or_else(Cell::none, |hours| Cell::shown(hours, format!("{hours:.1} h"))),
        ]
    };
    Section {
        key: "maintenance",
        title: "Maintenance",
        note: "Slots that did not count because that was planned; it is no way to buy nines.".to_owned(),
        columns: &[
            ("scenario", "Scenario"),
            ("maintenance", "Maintenance"),
            ("slots", "Slots"),
            ("hours", "Hours"),
        ],
        rows: week.maintenance.iter().map(row).collect(),
        empty: "None.",
    }
}

fn changes(week: &Week) -> Section {
    let changed = week.versions.iter().filter(|(_, versions)| versions.len() > 1);
    let row = |(scenario, versions): (&Arc<str>, &Vec<(Timestamp, Arc<str>)>)| {
        let texts: Vec<_> = versions.iter().map(|(_, version)| &**version).collect();
        vec![
            Cell::text(&**scenario),
            versions.last().map_or_else(Cell::none, |(at, _)| time(*at)),
            Cell::text(texts.join(" → ")),
        ]
    };
    Section {
        key: "changes",
        title: "Changed scenarios",
        columns: &[("scenario", "Scenario"), ("at", "Last change (UTC)"), ("versions", "Versions")],
        rows: changed.map(row).collect(),
        empty: "No scenario changed.",
        ..Section::default()
    }
}

fn certificates(week: &Week) -> Section {
    let mut soon: Vec<_> =
        week.certificates.iter().filter(|(_, ends)| **ends < week.until.plus(EXPIRES_WITHIN)).collect();
    soon.sort_by_key(|(_, ends)| **ends);
    let rows = soon.into_iter().map(|(stream, ends)| {
        let left = ends.seconds_since(week.until);
        let shown = if left < 0.0 { "expired".to_owned() } else { distance(ends.since(week.until)) };
        vec![
            Cell::text(&*stream.scenario),
            Cell::text(&*stream.region),
            time(*ends),
            Cell::shown(left / 86_400.0, shown),
        ]
    });
    Section {
        key: "certificates",
        title: "Certificates that end within 30 days",
        columns: &[("scenario", "Scenario"), ("region", "Region"), ("ends", "Ends (UTC)"), ("days", "Left")],
        rows: rows.collect(),
        empty: "None.",
        ..Section::default()
    }
}

/// Objectives that are hardly above what fails anyway.
fn noisy(week: &Week) -> Section {
    let rows = week.promises.iter().zip(&week.noise).filter_map(|(promise, (runs, alone))| {
        let rest = promise.objective.as_ref()?.target.rest();
        let floor = if *runs == 0 { 0.0 } else { *alone as f64 / *runs as f64 };
        (*alone > 1 && floor * 2.0 >= rest)
            .then(|| vec![Cell::text(&*promise.name), exact(rest), exact(floor), count(*alone)])
    });
    Section {
        key: "noise",
        title: "Objectives within twice the noise floor",
        note: "Runs that fail alone, between good ones, are a background; an objective so close to it shows nothing else.".to_owned(),
        columns: &[("slo", "SLO"), ("allowed", "May be bad"), ("noise", "Fails alone"), ("runs", "Runs")],
        rows: rows.collect(),
        empty: "None.",
    }
}

fn unpromised(week: &Week, plans: &[Plan<Net>]) -> Section {
    let promised = week.promised();
    let mut names: Vec<_> = plans
        .iter()
        .map(|plan| (&*plan.stream().scenario, &*plan.about().owner))
        .filter(|(name, _)| !promised.contains(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    Section {
        key: "without_objective",
        title: "Scenarios without an objective",
        columns: &[("scenario", "Scenario"), ("owner", "Owner")],
        rows: names.into_iter().map(|(name, owner)| vec![Cell::text(name), Cell::text(owner)]).collect(),
        empty: "None.",
        ..Section::default()
    }
}
