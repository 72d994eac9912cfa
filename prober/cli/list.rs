//! `prober list`: the scenarios with their regions and schedules.

use model::time::{Clock as _, SystemClock};
use schedule::slots::Timetable;
use serde_json::json;

use super::args::{Global, List, ListFormat};
use super::out::Out;
use super::place::{chosen, wanted_plans};
use super::promise::{alerts_json, alerts_text, objective_json, objective_text};
use super::show::{ListRow, list_table};
use crate::agent::load::cadence_text;
use crate::exit::{Exit, Stop};

/// Shows every wanted plan; wrong files are an error.
pub(crate) fn list(global: &Global, args: &List, out: &Out) -> Result<Exit, Stop> {
    let (place, options, wanted) = chosen(global, &args.choice)?;
    let plans = wanted_plans(&place, &options, &wanted)?;
    let now = SystemClock.now();
    let next = |plan: &scenario::plan::Plan<probe::Net>| {
        Timetable::new(plan.cadence(), plan.stream()).ok().and_then(|table| table.first_from(now))
    };
    if args.format != ListFormat::Human {
        let rows: Vec<_> = plans
            .iter()
            .map(|plan| {
                json!({
                    "name": &*plan.stream().scenario, "region": &*plan.stream().region, "title": &*plan.about().title,
                    "aim": &*plan.about().aim, "owner": &*plan.about().owner, "kind": &*plan.origin().kind,
                    "cadence": cadence_text(plan.cadence()), "timeout": plan.timeout().as_secs_f64(),
                    "targets": plan.targets(), "labels": labels(plan.origin()), "was": plan.about().was, "public": plan.about().public, "side_effects": plan.side_effects(), "version": &*plan.origin().version, "next": next(plan),
                    "objective": objective_json(plan.slo()), "alerts": alerts_json(plan.slo()),
                    "quorum": plan.slo().quorum,
                    "file": format!("{}:{}", plan.about().path, plan.about().line),
                })
            })
            .collect();
        match args.format {
            ListFormat::Jsonl => rows.iter().for_each(|row| out.line(&row.to_string())),
            _ => out.json(&rows.into()),
        }
        return Ok(Exit::Good);
    }
    let targets: Vec<_> = plans.iter().map(|plan| plan.targets().join(", ")).collect();
    let promises: Vec<_> =
        plans.iter().map(|plan| (objective_text(plan.slo()), alerts_text(plan.slo()))).collect();
    let rows: Vec<_> = plans
        .iter()
        .zip(&targets)
        .zip(&promises)
        .map(|((plan, target), (objective, alerts))| ListRow {
            stream: plan.stream(),
            cadence: plan.cadence(),
            kind: &plan.origin().kind,
            side_effects: plan.side_effects(),
            target,
            owner: &plan.about().owner,
            objective,
            alerts,
            next: next(plan),
        })
        .collect();
    out.raw(list_table(&rows, now, out.look()).as_bytes());
    Ok(Exit::Good)
}

fn labels(origin: &model::event::Origin) -> serde_json::Map<String, serde_json::Value> {
    origin.labels.iter().map(|(name, value)| (name.to_string(), (&**value).into())).collect()
}
