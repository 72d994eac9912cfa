//! A specification for Sloth (<https://sloth.dev>), version `prometheus/v1`: one document a service.

use std::collections::BTreeMap;

use model::objective::Window;

use super::Subject;
use super::exported::{Exported, lost_policy, with_objective};
use super::expression::selector;
use super::recording::{BAD, ELIGIBLE};
use super::yaml::{line, text};

/// The window that Sloth has unless its operator changes it, in days.
const WINDOW_DAYS: u64 = 30;

pub(super) fn write(subjects: &[Subject]) -> Exported {
    let mut exported = Exported::default();
    let mut services: BTreeMap<&str, Vec<&Subject>> = BTreeMap::new();
    for subject in with_objective(subjects, &mut exported.lost) {
        services.entry(&subject.service).or_default().push(subject);
    }
    for (service, subjects) in services {
        let out = &mut exported.text;
        line(out, 0, "---");
        line(out, 0, "version: \"prometheus/v1\"");
        line(out, 0, &format!("service: {}", text(service)));
        line(out, 0, "slos:");
        for subject in subjects {
            one(out, subject);
            exported.lost.extend(lost_policy("Sloth", subject));
            exported.lost.extend(lost_window(subject));
        }
    }
    exported
}

fn one(out: &mut String, subject: &Subject) {
    let Some(objective) = &subject.objective else { return };
    let of = selector(&subject.name);
    let percent = objective.target.to_string();
    line(out, 2, &format!("- name: {}", text(&subject.name)));
    line(out, 4, &format!("objective: {}", percent.trim_end_matches('%')));
    line(out, 4, &format!("description: {}", text(&subject.aim)));
    line(out, 4, "sli:");
    line(out, 6, "events:");
    for (key, metric) in [("error_query", BAD), ("total_query", ELIGIBLE)] {
        line(out, 8, &format!("{key}: {}", text(&format!("sum(rate({metric}{of}[{{{{.window}}}}]))"))));
    }
    line(out, 4, "alerting:");
    line(out, 6, "name: \"SLOBudgetBurn\"");
    line(out, 6, "labels:");
    for (name, value) in [("slo", &subject.name), ("team", &subject.team)] {
        if !value.is_empty() {
            line(out, 8, &format!("{name}: {}", text(value)));
        }
    }
    if !subject.runbook.is_empty() {
        line(out, 6, "annotations:");
        line(out, 8, &format!("runbook_url: {}", text(&subject.runbook)));
    }
    for severity in ["page", "ticket"] {
        line(out, 6, &format!("{severity}_alert:"));
        line(out, 8, "labels:");
        line(out, 10, &format!("severity: {severity}"));
    }
}

fn lost_window(subject: &Subject) -> Option<String> {
    let window = &subject.objective.as_ref()?.window;
    let same = matches!(window, Window::Rolling(length) if length.as_secs() == WINDOW_DAYS * 86_400);
    (!same).then(|| {
        format!("{}: its window of {window}; Sloth takes one for all from --default-slo-period", subject.name)
    })
}
