//! `OpenSLO` v1 (<https://github.com/OpenSLO/OpenSLO>): one `SLO` an objective, with its indicator inside.

use model::objective::{Period, Window};

use super::Subject;
use super::exported::{Exported, lost_policy, with_objective};
use super::expression::{selector, target, window};
use super::pyrra::resource_name;
use super::recording::{BAD, ELIGIBLE};
use super::yaml::{line, text};

pub(super) fn write(subjects: &[Subject]) -> Exported {
    let mut exported = Exported::default();
    for subject in with_objective(subjects, &mut exported.lost) {
        one(&mut exported.text, subject);
        exported.lost.extend(lost_policy("a tool for OpenSLO", subject));
        exported.lost.push(format!("{}: rules of two windows; no AlertPolicy is written", subject.name));
    }
    exported
}

fn one(out: &mut String, subject: &Subject) {
    let Some(objective) = &subject.objective else { return };
    line(out, 0, "---");
    line(out, 0, "apiVersion: openslo/v1");
    line(out, 0, "kind: SLO");
    line(out, 0, "metadata:");
    line(out, 2, &format!("name: {}", text(&resource_name(&subject.name))));
    line(out, 2, &format!("displayName: {}", text(&subject.name)));
    let notes = [("prober.io/owner", &subject.team), ("prober.io/runbook", &subject.runbook)];
    if notes.iter().any(|(_, value)| !value.is_empty()) {
        line(out, 2, "annotations:");
        for (name, value) in notes.iter().filter(|(_, value)| !value.is_empty()) {
            line(out, 4, &format!("{name}: {}", text(value)));
        }
    }
    line(out, 0, "spec:");
    line(out, 2, &format!("description: {}", text(&subject.aim)));
    line(out, 2, &format!("service: {}", text(&resource_name(&subject.service))));
    indicator(out, subject);
    line(out, 2, "timeWindow:");
    time_window(out, &objective.window);
    line(out, 2, "budgetingMethod: Occurrences");
    line(out, 2, "objectives:");
    line(out, 4, &format!("- displayName: {}", text(&format!("{} good", objective.target))));
    line(out, 6, &format!("target: {}", target(objective)));
}

fn indicator(out: &mut String, subject: &Subject) {
    let of = selector(&subject.name);
    line(out, 2, "indicator:");
    line(out, 4, "metadata:");
    line(out, 6, &format!("name: {}", text(&format!("{}-runs", resource_name(&subject.name)))));
    line(out, 4, "spec:");
    line(out, 6, "ratioMetric:");
    line(out, 8, "counter: true");
    for (key, metric) in [("bad", BAD), ("total", ELIGIBLE)] {
        line(out, 8, &format!("{key}:"));
        line(out, 10, "metricSource:");
        line(out, 12, "type: Prometheus");
        line(out, 12, "spec:");
        line(out, 14, &format!("query: {}", text(&format!("sum({metric}{of})"))));
    }
}

fn time_window(out: &mut String, of: &Window) {
    match of {
        Window::Rolling(length) => {
            line(out, 4, &format!("- duration: {}", window(*length)));
            line(out, 6, "isRolling: true");
        }
        Window::Calendar { period, timezone } => {
            // Any start of such a period: the first Monday, the first of a month that begins a quarter.
            let (duration, start) = match period {
                Period::Week => ("1w", "2026-01-05 00:00:00"),
                Period::Month => ("1M", "2026-01-01 00:00:00"),
                Period::Quarter => ("1Q", "2026-01-01 00:00:00"),
            };
            line(out, 4, &format!("- duration: {duration}"));
            line(out, 6, "isRolling: false");
            line(out, 6, "calendar:");
            line(out, 8, &format!("startTime: {start}"));
            line(out, 8, &format!("timeZone: {}", text(timezone)));
        }
    }
}
