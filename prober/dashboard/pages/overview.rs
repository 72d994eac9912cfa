//! The first page: one sentence, what is wrong with the prober, and a row for each scenario.

use maud::{Markup, html};
use slo::standing::Standing;

use super::banner::{self, Banner};
use super::layout::{self, Frame, Refresh};
use super::mark::{self, legend, since_words};
use super::{filters, promise};
use crate::sources::ScenarioCard;
use crate::state::State;
use crate::text::{NAME_MAX, SENTENCE_MAX, brief_age, count, encoded, moment, run_path, time, user};
use crate::view::{BrokenPromise, JointRow, Overview, Row, StateCounts};

/// The page.
pub(crate) fn page(view: &Overview, banners: &[Banner]) -> String {
    let other = filters::address(&view.filter, |filter| filter.refresh = !filter.refresh);
    let title = headline(view.promises, &view.counts);
    let body = html! {
        (sentence(view))
        (banner::show(banners, view.now))
        (filters::show(view))
        @if view.promises == 0 {
            p.empty { "No scenarios are loaded. Add a file to the project's " code { "scenarios" } " folder and reload." }
        } @else if view.rows.is_empty() {
            p.empty { "Nothing fits this filter. " a href="/" { "Show all" } }
        } @else {
            (table(view))
            (filters::pages(view))
            (legend())
        }
        @if !view.joint.is_empty() { (joint(view)) }
        p.note { "Prober " (user(&view.prober, NAME_MAX)) ". Times are UTC unless you choose otherwise." }
    };
    let refresh = Refresh { is_on: view.filter.refresh, other: &other };
    let frame =
        Frame { title: &title, place: "/", project: &view.project, now: view.now, refresh: Some(refresh) };
    layout::page(&frame, &body)
}

/// `2 of 11 promises are broken`, and the words of what was promised.
fn sentence(view: &Overview) -> Markup {
    let waiting = view.counts.waiting == view.counts.sum();
    html! {
        div.sentence.bad[view.counts.broken > 0] {
            @if view.promises == 0 {
                h1 { "Nothing is promised yet." }
            } @else if view.counts.broken > 0 {
                h1 {
                    (view.counts.broken) " of " (count(view.promises as u64, "promise"))
                    @if view.counts.broken == 1 { " is" } @else { " are" } " broken"
                }
                ul { @for promise in &view.broken { li { (broken(promise, view)) } } }
                @if view.counts.broken > view.broken.len() {
                    p { a href="/?state=broken" { "and " (view.counts.broken - view.broken.len()) " more" } }
                }
            } @else if waiting {
                h1 { "No verdict yet" (first_slot(view)) "." }
            } @else if view.counts.unknown > 0 {
                h1 { "Nothing is known to be broken, but " (count(view.counts.unknown as u64, "promise")) " cannot be judged." }
            } @else if view.promises == 1 {
                h1 { "The promise holds." }
            } @else {
                h1 { "All " (view.promises) " promises hold." }
            }
            @if view.firing > 0 {
                p { a href="/alerts" { (count(view.firing as u64, "alert")) @if view.firing == 1 { " fires" } @else { " fire" } } }
            }
        }
    }
}

/// What the browser's tab says: never more than the sentence.
fn headline(promises: usize, counts: &StateCounts) -> String {
    match (promises, counts.broken, counts.unknown) {
        (0, ..) => "nothing is promised".to_owned(),
        (_, 1.., _) => format!("{} broken", counts.broken),
        _ if counts.waiting == counts.sum() => "no verdict yet".to_owned(),
        (_, _, 1..) => format!("{} cannot be judged", counts.unknown),
        _ => "all promises hold".to_owned(),
    }
}

fn first_slot(view: &Overview) -> Markup {
    let first = view.rows.iter().filter_map(|row| row.next).min();
    html! { @if let Some(at) = first { ": the first run is due at " (time(at, view.now)) " UTC" } }
}

fn broken(promise: &BrokenPromise, view: &Overview) -> Markup {
    let card = &promise.card;
    let words = if card.aim.is_empty() { &card.title } else { &card.aim };
    html! {
        a href=(scenario_link(card)) { (user(words, 200)) }
        span.since {
            @if !card.aim.is_empty() { " – " (user(&card.title, NAME_MAX)) }
            @if view.has_regions {
                " ("
                @for (index, region) in promise.regions.iter().take(8).enumerate() {
                    @if index > 0 { ", " }
                    (user(region, 60))
                }
                ")"
            }
            @if let Some(since) = promise.since { (since_words(since, view.now)) }
        }
    }
}

pub(super) fn scenario_link(card: &ScenarioCard) -> String {
    format!("/scenarios/{}", encoded(&card.stream.scenario))
}

fn table(view: &Overview) -> Markup {
    html! {
        table.rows.overview {
            caption.hidden { "Scenarios: what is broken first, then by the time until the error budget is gone" }
            thead { tr {
                th scope="col" { "State" }
                th scope="col" { "Scenario" }
                @if view.has_regions { th scope="col" { "Regions" } }
                th scope="col" { "Last 60 minutes" }
                th scope="col" { "Objective" }
                th.number scope="col" { "Attained" }
                th scope="col" { "Budget left" }
                th.number scope="col" { abbr title="how many times as fast as allowed the budget burned over the last 1 hour, 6 hours and 3 days" { "Burn 1h / 6h / 3d" } }
                th.number scope="col" { "Gone in" }
                th.number scope="col" { "Last" }
                th scope="col" { "Owner" }
            } }
            tbody { @for one in &view.rows { (row(one, view)) } }
        }
    }
}

fn row(row: &Row, view: &Overview) -> Markup {
    let card = &row.card;
    let has_own_title = card.title != card.stream.scenario;
    html! {
        tr.broken[matches!(row.state, State::Broken(_))] {
            td.what { (mark::state(row.state)) }
            td.name {
                a href=(scenario_link(card)) { (user(&card.title, NAME_MAX)) }
                @if has_own_title { " " code { (user(&card.stream.scenario, NAME_MAX)) } }
                (failing(row))
            }
            @if view.has_regions {
                td.regions data-label="regions" { @for (name, state) in row.regions.iter().take(12) { (mark::region(name, *state)) } }
            }
            td.history { (mark::strip(&row.minutes, "last 60 minutes")) }
            (standing(row.standing.as_ref()))
            td.number data-label="last" {
                @if let Some(last) = &row.last {
                    span title=(moment(last.slot.scheduled, view.now)) {
                        (brief_age(view.now.since(last.slot.scheduled))) " ago"
                    }
                } @else if let Some(next) = row.next {
                    "first in " (brief_age(next.since(view.now)))
                } @else { "never" }
            }
            td.owner data-label="owner" { @if card.owner.is_empty() { "–" } @else { (user(&card.owner, NAME_MAX)) } }
        }
    }
}

/// The cells of an objective: objective, attained, budget, burn, gone in.
fn standing(standing: Option<&Standing>) -> Markup {
    let Some(standing) = standing.filter(|standing| standing.objective.is_some()) else {
        return html! { td.none { "–" } td.none {} td.none {} td.none {} td.none {} };
    };
    html! {
        td data-label="objective" { (promise::objective(standing)) }
        td.number data-label="attained" { (promise::attained(standing)) }
        td data-label="budget left" { (promise::budget_bar(standing)) }
        td.number data-label="burn" { (promise::burns(standing)) }
        td.number data-label="gone in" { (promise::gone_in(standing)) }
    }
}

/// Why the promise is broken, with a link to the run.
fn failing(row: &Row) -> Markup {
    let Some(event) = &row.failing else { return html! {} };
    html! {
        p.why {
            @if let Some(failure) = &event.outcome.failure {
                code { (user(&failure.error_type, 60)) } " "
                @if !failure.step.is_empty() && event.outcome.steps.len() > 1 {
                    "in step " (user(&failure.step, 60)) ": "
                }
                (user(&failure.message, SENTENCE_MAX / 4)) " "
            }
            a href=(run_path(&event.slot)) { "the run" }
        }
    }
}

/// Objectives over several scenarios.
fn joint(view: &Overview) -> Markup {
    html! {
        h2 { "Promises over several scenarios" }
        table.rows.overview {
            thead { tr {
                th scope="col" { "Promise" } th scope="col" { "Objective" } th.number scope="col" { "Attained" }
                th scope="col" { "Budget left" } th.number scope="col" { "Burn 1h / 6h / 3d" }
                th.number scope="col" { "Gone in" } th scope="col" { "Owner" }
            } }
            tbody { @for JointRow { standing: one } in &view.joint {
                tr.broken[!one.alerts.is_empty()] {
                    td.name {
                        a href=(format!("/slos/{}", encoded(&one.name))) { (user(&one.name, NAME_MAX)) }
                        @if !one.aim.is_empty() { p.aim { (user(&one.aim, 200)) } }
                    }
                    (standing(Some(one)))
                    td.owner data-label="owner" { (user(&one.owner, NAME_MAX)) }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tab_says_no_more_than_the_sentence() {
        let counts =
            |[broken, unknown, waiting, good]: [usize; 4]| StateCounts { broken, unknown, waiting, good };
        for (states, title) in [
            ([0, 0, 0, 0], "nothing is promised"),
            ([2, 1, 1, 7], "2 broken"),
            ([0, 0, 3, 0], "no verdict yet"),
            ([0, 1, 0, 2], "1 cannot be judged"),
            ([0, 0, 1, 2], "all promises hold"),
            ([0, 0, 0, 3], "all promises hold"),
        ] {
            let counts = counts(states);
            assert_eq!(headline(counts.sum(), &counts), title, "{states:?}");
        }
    }
}
