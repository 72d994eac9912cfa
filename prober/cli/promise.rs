//! What a scenario promises, in words for people.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use scenario::slo::{Slo, Sums};
use scenario::units::show_duration;
use serde_json::{Value, json};

/// `99.9% in 30d`; empty without an objective.
pub(crate) fn objective_text(slo: &Slo) -> String {
    slo.objective
        .as_ref()
        .map_or_else(String::new, |objective| format!("{} in {}", objective.target, objective.window))
}

/// `page shop-oncall, ticket shop-tickets`; empty for nobody.
pub(crate) fn alerts_text(slo: &Slo) -> String {
    let routes =
        slo.page.iter().map(|route| ("page", route)).chain(slo.ticket.iter().map(|route| ("ticket", route)));
    routes.map(|(word, route)| format!("{word} {route}")).collect::<Vec<_>>().join(", ")
}

/// The objective with its name, for `list`; null without one.
pub(crate) fn objective_json(slo: &Slo) -> Value {
    slo.objective.as_ref().map_or(Value::Null, |objective| {
        json!({
            "name": &*objective.name, "target": objective.target.to_string(), "window": objective.window.to_string(),
        })
    })
}

/// The routes by urgency, for `list`.
pub(crate) fn alerts_json(slo: &Slo) -> Value {
    let names = |routes: &[Arc<str>]| routes.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({ "page": names(&slo.page), "ticket": names(&slo.ticket) })
}

/// What `explain slo NAME` says: the objective in runs, what a failure costs, and when somebody is told.
pub(crate) fn slo_text(name: &str, slo: &Slo) -> String {
    let (Some(objective), Some(sums)) = (&slo.objective, Sums::of(slo)) else {
        let alerts = if slo.alerts() { "; only an outage would alert" } else { "" };
        return format!("{name} promises nothing{alerts}\n\n  add slo: {{ objective: 99.9% }} to its file\n");
    };
    let mut lines = vec![
        ("objective", format!("{} of all runs are good, in {}", objective.target, objective.window)),
        (
            "runs",
            format!(
                "{} in {}: every {} in {}",
                count(sums.runs),
                objective.window,
                show_duration(slo.interval),
                regions(slo.regions)
            ),
        ),
        ("budget", format!("{} of them may be bad", short(sums.budget))),
        ("one failure", one_failure(&sums)),
        ("outage", format!("a total one uses the budget up in {}", show_duration(rounded(sums.exhausted)))),
        ("seen", detection(&sums)),
    ];
    for (word, rule) in [("fast burn", &sums.fast), ("slow burn", &sums.slow)] {
        lines.push((
            word,
            format!(
                "pages from {} bad runs: burn over {} in {} and {}, at least {} and {} bad runs{}",
                sums.policy.bad_to_page(rule),
                rule.limit,
                show_duration(rule.long),
                show_duration(rule.short),
                rule.long_floor,
                rule.short_floor,
                if slo.regions > 1 { ", in 2 regions" } else { "" },
            ),
        ));
    }
    let alerts = alerts_text(slo);
    lines.push(("told", if alerts.is_empty() { "nobody: there is no `alerts`".to_owned() } else { alerts }));
    let mut text = format!("{name}\n\n");
    for (word, sentence) in lines {
        writeln!(text, "  {word:<12} {sentence}").expect("a String takes every text");
    }
    text
}

fn one_failure(sums: &Sums) -> String {
    let burn = short(sums.burn_of_one);
    if sums.cost_of_one > 1.0 {
        return format!("breaks the objective; for an hour the budget burns {burn} times too fast");
    }
    format!(
        "takes {}% of the budget; for an hour it burns {burn} times too fast",
        short(sums.cost_of_one * 100.0)
    )
}

fn detection(sums: &Sums) -> String {
    let within = show_duration(rounded(sums.detection));
    let place = match sums.policy.regions {
        1 => String::new(),
        _ => format!(" in {} regions", sums.quorum),
    };
    format!(
        "a total outage after {} bad runs in a row{place}, {within} at most and the time of a run",
        sums.streak
    )
}

fn regions(count: u32) -> String {
    if count == 1 { "one region".to_owned() } else { format!("{count} regions") }
}

/// Whole runs with thousands marked.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Digits that matter.
fn short(number: f64) -> String {
    let text = match number {
        small if small < 10.0 => format!("{small:.2}"),
        middling if middling < 100.0 => format!("{middling:.1}"),
        large => return count(large),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whole seconds.
fn rounded(duration: Duration) -> Duration {
    Duration::from_secs((duration + Duration::from_millis(500)).as_secs())
}

#[cfg(test)]
mod tests {
    use model::objective::{Objective, Share, Window};

    use super::*;

    fn slo(regions: u32, seconds: u64) -> Slo {
        let target = Share::of_millionths(999_000).expect("a share");
        let window = Window::Rolling(Duration::from_hours(720));
        Slo {
            objective: Some(Objective { name: "cart".into(), target, window }),
            page: vec![Arc::from("shop-oncall")],
            regions,
            interval: Duration::from_secs(seconds),
            ..Slo::default()
        }
    }

    #[test]
    fn an_objective_in_runs() {
        let text = slo_text("cart", &slo(1, 60));
        for part in [
            "43,200 in 30d: every 1m in one region",
            "43.2 of them may be bad",
            "takes 2.31% of the budget; for an hour it burns 16.7 times too fast",
            "uses the budget up in 43m 12s",
            "after 3 bad runs in a row, 3m at most",
            "pages from 3 bad runs: burn over 14.4 in 1h and 5m, at least 3 and 2 bad runs",
            "page shop-oncall",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let text = slo_text("cart", &slo(4, 60));
        assert!(text.contains("2 bad runs in a row in 2 regions, 2m at most"), "{text}");
        assert!(slo_text("cart", &Slo::default()).contains("promises nothing"));
    }
}
