//! `ServiceLevelObjective`s for Pyrra (<https://github.com/pyrra-dev/pyrra>), `pyrra.dev/v1alpha1`.

use model::objective::Window;

use super::Subject;
use super::exported::{Exported, lost_policy, with_objective};
use super::expression::{selector, window};
use super::recording::{BAD, ELIGIBLE};
use super::yaml::{line, text};

pub(super) fn write(subjects: &[Subject]) -> Exported {
    let mut exported = Exported::default();
    for subject in with_objective(subjects, &mut exported.lost) {
        one(&mut exported.text, subject);
        exported.lost.extend(lost_policy("Pyrra", subject));
        let window = subject.objective.as_ref().map(|objective| &objective.window);
        if let Some(calendar @ Window::Calendar { .. }) = window {
            let rolling = rolling(calendar);
            exported.lost.push(format!(
                "{}: its window of the calendar ({calendar}); written as a rolling one of {rolling}",
                subject.name
            ));
        }
    }
    exported
}

/// Pyrra's windows all roll.
fn rolling(window_of: &Window) -> String {
    match window_of {
        Window::Rolling(length) => window(*length),
        Window::Calendar { period, .. } => match period {
            model::objective::Period::Week => "1w".to_owned(),
            model::objective::Period::Month => "30d".to_owned(),
            model::objective::Period::Quarter => "90d".to_owned(),
        },
    }
}

fn one(out: &mut String, subject: &Subject) {
    let Some(objective) = &subject.objective else { return };
    let of = selector(&subject.name);
    line(out, 0, "---");
    line(out, 0, "apiVersion: pyrra.dev/v1alpha1");
    line(out, 0, "kind: ServiceLevelObjective");
    line(out, 0, "metadata:");
    line(out, 2, &format!("name: {}", text(&resource_name(&subject.name))));
    line(out, 2, "labels:");
    line(out, 4, &format!("pyrra.dev/slo: {}", text(&subject.name)));
    line(out, 4, &format!("pyrra.dev/service: {}", text(&subject.service)));
    if !subject.team.is_empty() {
        line(out, 4, &format!("pyrra.dev/team: {}", text(&subject.team)));
    }
    line(out, 0, "spec:");
    line(out, 2, &format!("target: {}", text(objective.target.to_string().trim_end_matches('%'))));
    line(out, 2, &format!("window: {}", rolling(&objective.window)));
    line(out, 2, &format!("description: {}", text(&subject.aim)));
    line(out, 2, "indicator:");
    line(out, 4, "ratio:");
    for (key, metric) in [("errors", BAD), ("total", ELIGIBLE)] {
        line(out, 6, &format!("{key}:"));
        line(out, 8, &format!("metric: {}", text(&format!("{metric}{of}"))));
    }
}

/// The name of a resource of Kubernetes: small letters, digits, `-` and `.`.
pub(super) fn resource_name(name: &str) -> String {
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '.') => letter,
        _ => '-',
    };
    let name: String = name.chars().map(plain).collect();
    name.trim_matches(['-', '.']).to_owned()
}
