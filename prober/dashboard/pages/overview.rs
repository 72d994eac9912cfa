//! The first page: one sentence, what is wrong with the prober, and a row for each stream.

use maud::{Markup, html};
use model::time::Timestamp;
use store::EventSummary;

use super::banner::{self, Banner};
use super::layout::{self, Frame, Refresh};
use super::mark;
use crate::sources::ScenarioCard;
use crate::state::{Since, State};
use crate::text::{NAME_MAX, SENTENCE_MAX, brief_age, clean, count, duration, encoded, moment, time, user};
use crate::view::{BrokenPromise, Filter, Overview, ROWS_MAX, Row, STRIP};

/// The page.
pub(crate) fn page(view: &Overview, banners: &[Banner]) -> String {
    let other = address(&view.filter, |filter| filter.refresh = !filter.refresh);
    let title = match view.broken_promises {
        0 => "all promises hold".to_owned(),
        broken => format!("{broken} broken"),
    };
    let body = html! {
        (sentence(view))
        (banner::show(banners, view.now))
        (filters(view))
        @if view.promises == 0 {
            p.empty { "No scenarios are loaded. Add a file to the project's " code { "scenarios" } " folder and reload." }
        } @else if view.rows.is_empty() {
            p.empty { "Nothing fits this filter. " a href="/" { "Show all" } }
        } @else {
            (table(view))
            (pages(view))
            (legend())
        }
        p.note { "Prober " (user(&view.prober, NAME_MAX)) ". Times are UTC." }
    };
    let refresh = Refresh { is_on: view.filter.refresh, other: &other };
    let frame = Frame { title: &title, project: &view.project, now: view.now, refresh: Some(refresh) };
    layout::page(&frame, &body)
}

/// `2 of 11 promises are broken: checkout — since 02:51`.
fn sentence(view: &Overview) -> Markup {
    let waiting = view.counts.waiting == view.counts.sum();
    html! {
        div.sentence.bad[view.broken_promises > 0] {
            @if view.promises == 0 {
                h1 { "Nothing is promised yet." }
            } @else if view.broken_promises > 0 {
                h1 {
                    (view.broken_promises) " of " (count(view.promises as u64, "promise"))
                    @if view.broken_promises == 1 { " is" } @else { " are" } " broken"
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
        }
    }
}

fn first_slot(view: &Overview) -> Markup {
    let first = view.rows.iter().filter_map(|row| row.next).min();
    html! { @if let Some(at) = first { ": the first run is due at " (time(at, view.now)) " UTC" } }
}

fn broken(promise: &BrokenPromise, view: &Overview) -> Markup {
    let card = &promise.card;
    html! {
        a href=(scenario_link(card)) { (user(&card.title, NAME_MAX)) }
        @if view.has_regions { " (" (user(&card.stream.region, NAME_MAX)) ")" }
        @if let Some(since) = promise.since { span.since { (since_words(since, view.now)) } }
    }
}

/// ` — since 02:51:07, 12 min ago`.
pub(super) fn since_words(since: Since, now: Timestamp) -> Markup {
    let (words, at) = match since {
        Since::Slot(at) => ("since", at),
        Since::Before(at) => ("since before", at),
        Since::Always(at) => ("in every run since", at),
    };
    html! { " – " (words) " " (time(at, now)) " (" (brief_age(now.since(at))) ")" }
}

pub(super) fn scenario_link(card: &ScenarioCard) -> String {
    format!("/scenarios/{}", encoded(&card.stream.scenario))
}

fn filters(view: &Overview) -> Markup {
    let counts = view.counts;
    let number = |word: &str| match word {
        "broken" => counts.broken,
        "unknown" => counts.unknown,
        "waiting" => counts.waiting,
        _ => counts.good,
    };
    let link = |word: &str| {
        address(&view.filter, |filter| {
            word.clone_into(&mut filter.state);
            filter.page = 0;
        })
    };
    html! {
        div.filters {
            nav aria-label="States" {
                a.on[view.filter.state.is_empty()] href=(link("")) { "all " (counts.sum()) }
                @for word in State::WORDS {
                    @if number(word) > 0 || view.filter.state == word {
                        a.on[view.filter.state == word] href=(link(word)) { (word) " " (number(word)) }
                    }
                }
            }
            form action="/" method="get" role="search" {
                @if !view.filter.state.is_empty() { input type="hidden" name="state" value=(view.filter.state); }
                input type="search" name="q" value=(clean(&view.filter.search, NAME_MAX)) maxlength="100"
                    aria-label="Find scenarios" placeholder="name, owner, region, label=value";
                button { "Find" }
            }
        }
    }
}

impl crate::view::StateCounts {
    pub(crate) const fn sum(self) -> usize {
        self.broken + self.unknown + self.waiting + self.good
    }
}

fn table(view: &Overview) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "State" }
                th scope="col" { "Scenario" }
                @if view.has_regions { th scope="col" { "Region" } }
                th scope="col" { "Last " (STRIP) " events, newest right" }
                th.number scope="col" { "Took" }
                th.number scope="col" { "Last slot" }
                th.number scope="col" { "Next" }
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
                @if !card.aim.is_empty() { p.aim { (user(&card.aim, 200)) } }
            }
            @if view.has_regions { td data-label="region" { (user(&card.stream.region, NAME_MAX)) } }
            td.history {
                @if row.newest.is_empty() { span.note { "no events yet" } } @else { (mark::strip(&row.newest, STRIP)) }
            }
            td.number data-label="took" { (took(row.newest.first())) }
            td.number data-label="last slot" {
                @if let Some(last) = row.newest.first() {
                    span title=(moment(last.slot.scheduled, view.now)) {
                        (brief_age(view.now.since(last.slot.scheduled))) " ago"
                    }
                } @else { "–" }
            }
            td.number data-label="next" {
                @if let Some(next) = row.next { "in " (brief_age(next.since(view.now))) } @else { "never" }
            }
            td.owner data-label="owner" { @if card.owner.is_empty() { "–" } @else { (user(&card.owner, NAME_MAX)) } }
        }
    }
}

fn took(last: Option<&EventSummary>) -> String {
    match last {
        Some(event) if event.reason.verdict() != model::outcome::Verdict::Missed => duration(event.duration),
        _ => "–".to_owned(),
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
            a href=(format!("/runs/{}", event.slot.id)) { "the run" }
        }
    }
}

fn pages(view: &Overview) -> Markup {
    let last = view.found.saturating_sub(1) / ROWS_MAX;
    let page = view.filter.page;
    let link = |page: usize| address(&view.filter, |filter| filter.page = page);
    html! {
        @if last > 0 {
            nav.pages aria-label="Pages" {
                @if page > 0 { a rel="prev" href=(link(page - 1)) { "‹ before" } }
                span { "rows " (page * ROWS_MAX + 1) "–" (page * ROWS_MAX + view.rows.len()) " of " (view.found) }
                @if page < last { a rel="next" href=(link(page + 1)) { "next ›" } }
            }
        }
    }
}

/// What the cells mean.
pub(super) fn legend() -> Markup {
    html! {
        p.legend aria-label="Legend" {
            @for (id, words) in [
                ("g", "good"),
                ("b", "bad"),
                ("w", "bad: slow or stale"),
                ("i", "ineligible"),
                ("o", "ineligible: prober's fault"),
                ("m", "missed"),
            ] {
                span { svg.cell viewBox="0 0 6 18" aria-hidden="true" { use href=(format!("#{id}")) {} } (words) }
            }
        }
    }
}

/// The address of this page with a change.
fn address(filter: &Filter, change: impl FnOnce(&mut Filter)) -> String {
    let mut filter = filter.clone();
    change(&mut filter);
    let mut parts = Vec::new();
    if !filter.search.is_empty() {
        parts.push(format!("q={}", encoded(&filter.search)));
    }
    if !filter.state.is_empty() {
        parts.push(format!("state={}", filter.state));
    }
    if filter.page > 0 {
        parts.push(format!("page={}", filter.page + 1));
    }
    if !filter.refresh {
        parts.push("refresh=off".to_owned());
    }
    if parts.is_empty() { "/".to_owned() } else { format!("/?{}", parts.join("&")) }
}
