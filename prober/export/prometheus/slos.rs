//! What the evaluator knows of each promise: static numbers, budgets, burn rates, maintenance.

use model::objective::Objective;
use slo::budget::Gate;
use slo::standing::Standing;

use super::text::{Kind, Writer, escape};

/// Writes the families of all promises.
pub(super) fn families(out: &mut Writer, standings: &[Standing]) {
    ratios(out, standings);
    let name = "prober_slo_burn_rate_ratio";
    out.header(name, Kind::Gauge, "How fast the error budget burned over each window; 1 just uses it up.");
    for standing in standings {
        for burn in standing.windows() {
            let window = span(burn.window.as_secs());
            out.name(name, &slo(standing), &[("window", &window)]);
            out.number(burn.rate());
        }
    }
    let name = "prober_slo_gate_open";
    out.header(name, Kind::Gauge, "Whether the error budget lets a release go on without asking; 1 or 0.");
    for (standing, budget) in standings.iter().filter_map(|one| Some((one, one.budget?))) {
        out.name(name, &labels(standing), &[]);
        out.count(u64::from(budget.gate().lets_pass()));
    }
    let name = "prober_slo_budget_policy_state";
    out.header(
        name,
        Kind::Gauge,
        "What the state of the error budget asks for: 1 for one of the words, 0 for the others.",
    );
    for (standing, budget) in standings.iter().filter_map(|one| Some((one, one.budget?))) {
        for gate in Gate::ALL {
            out.name(name, &labels(standing), &[("state", gate.as_str())]);
            out.count(u64::from(budget.gate() == gate));
        }
    }
    let name = "prober_slo_post_mortems";
    out.header(
        name,
        Kind::Gauge,
        "Incidents of the window that cost so much of the budget that they want a post-mortem.",
    );
    for standing in standings.iter().filter(|standing| standing.budget.is_some()) {
        out.name(name, &labels(standing), &[]);
        out.count(standing.post_mortems.len() as u64);
    }
    let name = "prober_maintenance_active";
    out.header(name, Kind::Gauge, "Whether a planned maintenance keeps alerts quiet; 1 or 0.");
    for standing in standings {
        out.name(name, &slo(standing), &[]);
        out.count(u64::from(standing.maintenance.is_some()));
    }
    let name = "prober_slo_alerts_firing";
    out.header(name, Kind::Gauge, "Alerts that fire.");
    for standing in standings {
        for severity in [model::alert::Severity::Page, model::alert::Severity::Ticket] {
            let count = standing.alerts.iter().filter(|alert| alert.id.severity == severity).count();
            out.name(name, &slo(standing), &[("severity", severity.as_str())]);
            out.count(count as u64);
        }
    }
    let name = "prober_slo_last_evaluation_timestamp_seconds";
    out.header(name, Kind::Gauge, "The last tick at which promises were judged.");
    if let Some(at) = standings.iter().map(|standing| standing.at).max() {
        out.name(name, "", &[]);
        out.number(at.as_seconds_f64());
    }
}

type Ratio = fn(&Standing, &Objective) -> Option<f64>;

/// One number of each objective.
fn ratios(out: &mut Writer, standings: &[Standing]) {
    let families: [(&str, &str, Ratio); 3] = [
        ("prober_slo_objective_ratio", "The share of good runs that is promised.", |_, objective| {
            Some(f64::from(objective.target.millionths()) / 1e6)
        }),
        (
            "prober_slo_window_seconds",
            "The window that it is promised for; of the calendar the mean one.",
            |_, objective| Some(objective.window.length().as_secs_f64()),
        ),
        (
            "prober_slo_error_budget_remaining_ratio",
            "What is left of the error budget: 1 to below 0.",
            |standing, _| standing.budget.map(|budget| budget.remaining()),
        ),
    ];
    for (name, help, value) in families {
        out.header(name, Kind::Gauge, help);
        for standing in standings {
            if let Some(value) = standing.objective.as_ref().and_then(|objective| value(standing, objective))
            {
                out.name(name, &labels(standing), &[]);
                out.number(value);
            }
        }
    }
}

fn slo(standing: &Standing) -> String {
    format!("slo=\"{}\"", escape(&standing.name))
}

fn labels(standing: &Standing) -> String {
    format!("slo=\"{}\",service=\"{}\"", escape(&standing.name), escape(&standing.service))
}

/// A window as rules write it: `5m`, `1h`, `3d`.
fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let fits = |(size, _): &(u64, &str)| seconds >= *size && seconds.is_multiple_of(*size);
    let (size, unit) = units.into_iter().find(fits).unwrap_or((1, "s"));
    format!("{}{unit}", seconds / size)
}
