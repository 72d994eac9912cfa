//! How an objective stands: budget, burn rates and what is left, as numbers, a bar and a curve.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, PreEscaped, html};
use model::time::Timestamp;
use slo::standing::Standing;

use super::facts::link;
use super::layout::{self, Frame};
use crate::text::{NAME_MAX, SENTENCE_MAX, age, brief_age, encoded, time, user};
use crate::view;

/// `99.9% in 30d`.
pub(super) fn objective(standing: &Standing) -> Markup {
    html! { @match &standing.objective {
        Some(objective) => { (objective.target) " in " (objective.window) },
        None => { "–" },
    } }
}

/// The share of good runs over the window.
pub(super) fn attained(standing: &Standing) -> Markup {
    let attained = standing.budget.and_then(|budget| budget.attained());
    html! { @match attained {
        Some(share) => { (floored(share)) },
        None => { "–" },
    } }
}

/// A percentage that is never rounded up.
fn floored(share: f64) -> String {
    if share >= 1.0 { "100 %".to_owned() } else { format!("{:.3} %", (share * 1e5).floor() / 1e3) }
}

/// A bar and `27.9 %, 12 of 43 runs`.
pub(super) fn budget_bar(standing: &Standing) -> Markup {
    let Some(budget) = standing.budget else { return html! { "–" } };
    let left = budget.remaining();
    let width = format!("{:.1}", (left * 100.0).clamp(0.0, 100.0));
    html! {
        svg.budget.low[left < 0.25] viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect.ground width="100" height="8" {}
            rect.left width=(width) height="8" {}
        }
        span.budget-words { (percent(left)) " · " (runs_left(&budget)) }
    }
}

/// `12 of 43 runs`: how many more runs may be bad, and how many the window allows.
fn runs_left(budget: &slo::budget::Budget) -> String {
    let left = (budget.allowed - budget.bad as f64).floor();
    if left < 0.0 {
        format!("{:.0} of {} too many", -left, whole(budget.allowed))
    } else {
        format!("{left:.0} of {} runs", whole(budget.allowed))
    }
}

/// A number of runs; small ones with a digit after the point.
fn whole(runs: f64) -> String {
    if runs < 10.0 { format!("{runs:.1}") } else { format!("{runs:.0}") }
}

/// A percentage, cut where it is far below zero.
fn percent(left: f64) -> String {
    if left < -9.99 { "below −999 %".to_owned() } else { format!("{:.1} %", left * 100.0) }
}

/// `12.3 / 2.1 / 0.4`: the long windows of the rules, but for the ticket's first.
pub(super) fn burns(standing: &Standing) -> Markup {
    let rates: Vec<_> = [0, 1, 3]
        .into_iter()
        .filter_map(|index| standing.burns.get(index))
        .map(|(rule, [_, long])| (long.rate(), long.rate() > rule.limit))
        .collect();
    html! {
        @for (index, (rate, exceeds)) in rates.iter().enumerate() {
            @if index > 0 { " / " }
            @if *exceeds { strong.bad { (rate_words(*rate)) "!" } } @else { (rate_words(*rate)) }
        }
        @if rates.is_empty() { "–" }
    }
}

fn rate_words(rate: f64) -> String {
    if rate >= 100.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// How long the budget lasts at the rate at which it burns.
pub(super) fn gone_in(standing: &Standing) -> Markup {
    html! { @match view::gone_in(standing) {
        Some(Duration::ZERO) => { strong.bad { "gone" } },
        Some(left) if left < Duration::from_hours(24 * 365) => { (brief_age(left)) },
        _ => { "–" },
    } }
}

/// The page of an objective over several scenarios.
pub(crate) fn page(standing: &Standing, project: &str, now: Timestamp) -> String {
    let body = html! {
        div.sentence { h1 { (user(&standing.name, NAME_MAX)) } }
        @if !standing.aim.is_empty() { p.lead { (user(&standing.aim, SENTENCE_MAX)) } }
        p.about {
            @if !standing.owner.is_empty() { "Owner " strong { (user(&standing.owner, NAME_MAX)) } " · " }
            @if !standing.runbook.is_empty() { "Runbook " (link(&standing.runbook)) " · " }
            a href=(format!("/api/v1/slos/{}", encoded(&standing.name))) { "as JSON" }
        }
        (section(standing, now))
        h2 { "Its regions" }
        table.rows {
            thead { tr { th scope="col" { "Region" } th.number scope="col" { "Bad in a row" }
                th.number scope="col" { "Good in 1 h" } th.number scope="col" { "Bad in 1 h" } th scope="col" { "Last run that counts" } } }
            tbody { @for region in &standing.regions {
                tr {
                    td { (user(&region.name, NAME_MAX)) }
                    td.number data-label="bad in a row" { (region.streak) }
                    td.number data-label="good" { (region.hour.good()) }
                    td.number data-label="bad" { (region.hour.bad()) }
                    td data-label="last" { @match region.last_event { Some(at) => { (time(at, now)) }, None => { "–" } } }
                }
            } }
        }
    };
    layout::page(&Frame { title: &standing.name, place: "/", project, now, refresh: None }, &body)
}

/// Everything that is known of the objective, with its curve.
pub(super) fn section(standing: &Standing, now: Timestamp) -> Markup {
    html! {
        section.promise {
            h2 { "What is promised" @if let Some(name) = &standing.maintenance { span.tag { "maintenance: " (user(name, 60)) } } }
            @match &standing.objective {
                None => { p.empty { "No objective: only outages are watched." } }
                Some(objective) => {
                    p {
                        (objective.target) " of the runs are good in " (objective.window) ". "
                        @if let Some(budget) = &standing.budget {
                            (whole(budget.allowed)) " failed runs may happen, " (budget.bad) " did: "
                            strong.bad[budget.remaining() <= 0.0] { (percent(budget.remaining())) " of the budget is left" } ", "
                            (runs_left(budget)) ". "
                            @if let Some(left) = view::gone_in(standing) {
                                @if left > Duration::ZERO { "At the rate of now it lasts " (age(left)) ". " }
                            }
                            "Releases: " (budget.asks()) "."
                        }
                    }
                    (curve(standing, now))
                    (burn_table(standing))
                }
            }
            @if let Some(noise) = &standing.noise { p.note { (user(noise, SENTENCE_MAX)) } }
        }
    }
}

/// The share of the budget that was left, on an axis from 0 to 100 %.
fn curve(standing: &Standing, now: Timestamp) -> Markup {
    let ends = [standing.curve.first(), standing.curve.last()];
    let [Some((from, _)), Some((to, last))] = ends else {
        return html! { p.note { "The window is too short for a curve." } };
    };
    if standing.curve.len() < 3 {
        return html! { p.note { "The curve of the budget begins some hours after the promise." } };
    }
    let span = to.since(*from).as_secs_f64().max(1.0);
    let mut points = String::new();
    for (at, left) in &standing.curve {
        let (x, y) =
            (at.since(*from).as_secs_f64() / span * 1_000.0, 100.0 - f64::from(left.clamp(0.0, 1.0)) * 100.0);
        write!(points, "{x:.0},{y:.1} ").expect("a String takes every character");
    }
    let words = format!("error budget left: {} now", percent(f64::from(*last)));
    html! {
        figure.curve {
            div.curve-axis aria-hidden="true" { span { "100 %" } span { "50" } span { "0" } }
            svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label=(words) {
                (PreEscaped(r#"<path class="grid" d="M0 0h1000M0 50h1000M0 100h1000"/><path class="grid warn-line" d="M0 75h1000"/>"#))
                polyline.left points=(points.trim_end()) {}
            }
            figcaption { (time(*from, now)) " to " (time(*to, now)) ": the share of the budget that was left; the dashed line at 25 % is where a release needs approval" }
        }
        details.table {
            summary { "The curve as a table" }
            table.rows { thead { tr { th scope="col" { "At (UTC)" } th.number scope="col" { "Left" } } }
                tbody { @for (at, left) in standing.curve.iter().rev().step_by(5) {
                    tr { td { (time(*at, now)) } td.number { (percent(f64::from(*left))) } }
                } } }
        }
    }
}

/// Each rule with its windows, rates and limit.
fn burn_table(standing: &Standing) -> Markup {
    html! {
        table.rows.burns {
            thead { tr {
                th scope="col" { "Alerts when it burns" } th.number scope="col" { "Short window" }
                th.number scope="col" { "Long window" } th scope="col" { "" }
            } }
            tbody { @for (index, (rule, [short, long])) in standing.burns.iter().enumerate() {
                @let both = short.rate() > rule.limit && long.rate() > rule.limit;
                tr.broken[both] {
                    td { "over " (rule.limit) " × (" (if index < 2 { "page" } else { "ticket" }) ")" }
                    @for burn in [short, long] {
                        td.number data-label=(brief_age(burn.window)) {
                            (rate_words(burn.rate())) " × in " (brief_age(burn.window)) ", " (burn.bad) " bad"
                        }
                    }
                    td { @if both { strong.bad { "exceeded" } } }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{T0, standing};

    #[test]
    fn a_budget_is_said_in_runs_and_never_rounded_up() {
        let text = budget_bar(&standing(10)).into_string();
        assert!(text.contains("of 43 runs"), "{text}");
        assert_eq!(floored(0.999_999), "99.999 %");
        assert_eq!(floored(1.0), "100 %");
        assert!(budget_bar(&standing(50)).into_string().contains("too many"));
        assert_eq!(percent(-1e9), "below −999 %");
    }

    #[test]
    fn what_is_promised_has_a_curve_and_its_limits() {
        let text = section(&standing(10), Timestamp::from_seconds(T0 + 3_600)).into_string();
        for part in [
            "99.9% of the runs are good in 30d",
            "over 14.4 × (page)",
            "exceeded",
            "failed runs may happen, 10 did",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
