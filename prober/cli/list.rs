//! `prober list`: the scenarios with their regions and schedules.

use model::time::{Clock as _, SystemClock};
use schedule::slots::Timetable;
use serde_json::json;

use super::args::{Global, List, ReportFormat};
use super::out::Out;
use super::place::{checked, chosen};
use super::show::{ListRow, list_table};
use crate::agent::load::cadence_text;
use crate::exit::{Exit, Stop};

/// Shows every wanted plan; wrong files are an error.
pub(crate) fn list(global: &Global, args: &List, out: &Out) -> Result<Exit, Stop> {
    let (place, options, wanted) = chosen(global, &args.choice)?;
    let compiled = checked(&place, &options)?.compiled;
    if compiled.has_errors() {
        let text = scenario::render::human(
            &compiled.diagnostics,
            &compiled.sources,
            &scenario::render::Style::PLAIN,
        );
        return Err(Stop::file(text));
    }
    wanted.all_known(compiled.plans.iter().map(|plan| &*plan.stream().scenario))?;
    let now = SystemClock.now();
    let plans: Vec<_> = compiled.plans.iter().filter(|plan| wanted.takes(plan.origin())).collect();
    let next = |plan: &scenario::plan::Plan<probe::Net>| {
        Timetable::new(plan.cadence(), plan.stream()).ok().and_then(|table| table.first_from(now))
    };
    if args.format == ReportFormat::Json {
        let rows: Vec<_> = plans
            .iter()
            .map(|plan| {
                json!({
                    "name": &*plan.stream().scenario, "region": &*plan.stream().region, "title": &*plan.about().title,
                    "aim": &*plan.about().aim, "owner": &*plan.about().owner, "kind": &*plan.origin().kind,
                    "cadence": cadence_text(plan.cadence()), "timeout": plan.timeout().as_secs_f64(),
                    "targets": plan.targets(), "version": &*plan.origin().version, "next": next(plan),
                    "file": format!("{}:{}", plan.about().path, plan.about().line),
                })
            })
            .collect();
        out.line(&serde_json::to_string_pretty(&rows).unwrap_or_default());
        return Ok(Exit::Good);
    }
    let targets: Vec<_> = plans.iter().map(|plan| plan.targets().join(", ")).collect();
    let rows: Vec<_> = plans
        .iter()
        .zip(&targets)
        .map(|(plan, target)| ListRow {
            stream: plan.stream(),
            cadence: plan.cadence(),
            kind: &plan.origin().kind,
            target,
            owner: &plan.about().owner,
            next: next(plan),
        })
        .collect();
    out.raw(list_table(&rows, now, out.look()).as_bytes());
    Ok(Exit::Good)
}
