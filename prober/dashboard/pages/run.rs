//! One run: what it showed, where the time went, and what is different from the last good one.

use maud::{Markup, html};
use model::event::SliEvent;
use model::step::{AssertionRecord, Message, StepRecord};
use model::time::Timestamp;

use super::difference::{self, shown};
use super::facts::{facts, freshness, link, tags};
use super::layout::{self, Frame};
use super::{mark, waterfall};
use crate::sources::place;
use crate::text::{BLOCK_MAX, NAME_MAX, SENTENCE_MAX, age, clean, duration, encoded, run_path, time, user};
use crate::view::RunView;

/// Assertions on the page.
const ASSERTIONS_MAX: usize = 200;
/// Attributes of one step on the page.
const ATTRIBUTES_MAX: usize = 100;
/// The longest value on the page, in bytes.
const VALUE_MAX: usize = 600;

/// The page.
pub(crate) fn page(view: &RunView) -> String {
    let event = &*view.event;
    let name = &*event.origin.stream.scenario;
    let id = event.slot.id.to_string();
    let body = html! {
        div.sentence {
            p.path { a href=(format!("/scenarios/{}", encoded(name))) { (user(name, NAME_MAX)) }
                " (" (user(&place(&event.origin.stream), NAME_MAX)) ")" }
            h1 { (mark::verdict(event.outcome.reason)) " " (tags(event)) }
        }
        (failure(event))
        (times(view))
        @if !event.outcome.steps.is_empty() { h2 { "Where the time went" } (waterfall::waterfall(&event.outcome)) }
        @if !event.outcome.assertions.is_empty() { (assertions(event)) }
        (exchanges(event))
        (comparison(view))
        (same_with_curl(event))
        (evidence(event))
        @if let Some(card) = &view.card { h2 { "The scenario" } (about(card)) }
        p.note { "Run " code { (id) } " · " a href=(format!("/api/v1/events?id={id}")) { "the whole event as JSON" }
            " · in the terminal: " code { "prober explain " (id[..12]) } }
    };
    let title = format!("{} {}", clean(name, NAME_MAX), event.verdict());
    layout::page(
        &Frame { title: &title, place: "/", project: &view.project, now: view.now, refresh: None },
        &body,
    )
}

/// What a run showed, for a page that is about more.
pub(super) fn findings(view: &RunView) -> Markup {
    let event = &*view.event;
    html! {
        (failure(event))
        @if !event.outcome.steps.is_empty() { (waterfall::waterfall(&event.outcome)) }
        @if !event.outcome.assertions.is_empty() { (assertions(event)) }
        (exchanges(event))
        (comparison(view))
    }
}

fn about(card: &crate::sources::ScenarioCard) -> Markup {
    html! {
        @if !card.aim.is_empty() { p.lead { (user(&card.aim, SENTENCE_MAX)) } }
        (facts(card))
    }
}

fn failure(event: &SliEvent) -> Markup {
    html! {
        @if let Some(failure) = &event.outcome.failure {
            div.failure {
                p { code { (user(&failure.error_type, 80)) } " "
                    @if !failure.step.is_empty() && event.outcome.steps.len() > 1 {
                        "in step " strong { (user(&failure.step, NAME_MAX)) }
                    }
                }
                p.lead { (user(&failure.message, SENTENCE_MAX)) }
            }
        }
    }
}

fn times(view: &RunView) -> Markup {
    let (event, now) = (&*view.event, view.now);
    let runbook = view.card.as_ref().map(|card| &card.runbook).filter(|runbook| !runbook.is_empty());
    html! {
        dl.facts {
            div { dt { "slot" } dd { (time(event.slot.scheduled, now)) " UTC" } }
            @if let Some(started) = event.started {
                div { dt { "started" } dd { (duration(started.since(event.slot.scheduled))) " after its slot" } }
                div { dt { "took" } dd { (duration(event.outcome.duration)) } }
            } @else {
                div { dt { "run" } dd { "There was none." } }
                div { dt { "noticed" } dd { (time(event.recorded, now)) " UTC" } }
            }
            @if event.origin.side_effects { div { dt { "side effects" } dd { "Yes, so no slot is run twice." } } }
            @if let Some(maybe_sent) = event.outcome.maybe_sent {
                div { dt { "sent" } dd { (if maybe_sent { "Perhaps: the run had begun, or was about to." } else { "No." }) } }
            }
            @if let Some(seconds) = event.outcome.freshness_age { div { dt { "age of the value" } dd { (freshness(seconds)) } } }
            @if event.attempt > 0 { div { dt { "attempt" } dd { (event.attempt + 1) } } }
            @if let Some(runbook) = runbook { div { dt { "runbook" } dd { (link(runbook)) } } }
            div { dt { "prober" } dd { (user(&event.origin.prober, NAME_MAX)) } }
        }
    }
}

fn assertions(event: &SliEvent) -> Markup {
    let mut sorted: Vec<_> = event.outcome.assertions.iter().collect();
    sorted.sort_by_key(|one| one.pass);
    let has_steps = event.outcome.steps.len() > 1;
    html! {
        h2 { "What was expected" }
        table.rows.assertions {
            thead { tr {
                th scope="col" { "" }
                @if has_steps { th scope="col" { "Step" } }
                th scope="col" { "What" } th scope="col" { "Expected" } th scope="col" { "Actual" }
            } }
            tbody { @for one in sorted.iter().take(ASSERTIONS_MAX) {
                (assertion(one, has_steps, is_of_teardown(event, one)))
            } }
        }
        @if sorted.len() > ASSERTIONS_MAX { p.note { (sorted.len() - ASSERTIONS_MAX) " more; see the JSON." } }
    }
}

/// Whether it is about what is cleaned up, which decides nothing.
fn is_of_teardown(event: &SliEvent, one: &AssertionRecord) -> bool {
    event.outcome.steps.iter().any(|step| step.teardown && step.name == one.step)
}

fn assertion(one: &AssertionRecord, has_steps: bool, of_teardown: bool) -> Markup {
    use model::step::Part;
    let word = match (one.part, one.pass) {
        (Part::Ineligible | Part::StopIf, true) => "matched",
        (Part::Ineligible | Part::StopIf, false) => "no match",
        (_, true) => "holds",
        (Part::Warn, false) => "warns",
        (_, false) => "fails",
    };
    let fails = !one.pass && !of_teardown && matches!(one.part, Part::Expect | Part::Good | Part::Until);
    html! {
        tr.broken[fails] {
            td { @if fails { strong.bad { "✕ " (word) } } @else { (word) } }
            @if has_steps { td data-label="step" { (user(&one.step, NAME_MAX)) } }
            td { code { (user(&one.name, 200)) } @if one.part != Part::Expect { " " span.tag { (one.part.as_str()) } } }
            td data-label="expected" { code { (user(&one.expected, VALUE_MAX)) } }
            td data-label="actual" { code { (user(&one.actual, VALUE_MAX)) } }
        }
    }
}

fn comparison(view: &RunView) -> Markup {
    let event = &*view.event;
    let Some(good) = &view.last_good else {
        return html! {
            @if event.started.is_some() { h2 { "Last good run" } p.empty { "There is no good run before this one." } }
        };
    };
    let all = difference::differences(event, good);
    let before = age(event.slot.scheduled.since(good.slot.scheduled));
    html! {
        h2 { "Different from the last good run" }
        p.note { a href=(run_path(&good.slot)) { "That run" } " was " (before) " before and took "
            (duration(good.outcome.duration)) "." }
        @if all.is_empty() { p.empty { "Nothing that was recorded differs noticeably." } } @else {
            table.rows.difference {
                thead { tr { th scope="col" { "What" } th scope="col" { "Then" } th scope="col" { "Now" } } }
                tbody {
                    @for one in &all {
                        tr {
                            td { code { (user(&one.what, 200)) } }
                            td data-label="then" { (side(&one.before)) }
                            td data-label="now" { (side(&one.now)) }
                        }
                    }
                }
            }
        }
    }
}

fn side(text: &str) -> Markup {
    html! { @if text.is_empty() { span.note { "not there" } } @else { code { (user(text, VALUE_MAX)) } } }
}

/// What was sent and what came back, where the run kept it; secrets were masked before it was stored.
fn exchanges(event: &SliEvent) -> Markup {
    let hops = event.outcome.steps.iter().flat_map(|step| step.hops.iter().map(move |hop| (step, hop)));
    let kept: Vec<_> =
        hops.filter_map(|(step, hop)| Some((step, hop, hop.exchange.as_ref()?))).take(20).collect();
    html! {
        @if !kept.is_empty() {
            h2 { "What was sent and what came back" }
            @for (step, hop, exchange) in kept {
                details {
                    summary { (user(&step.name, NAME_MAX)) ": " (user(&hop.label, 200)) }
                    (message("request", &exchange.request))
                    @if let Some(answer) = &exchange.answer { (message("answer", answer)) } @else { p.empty { "No answer came." } }
                }
            }
        }
    }
}

fn message(what: &str, message: &Message) -> Markup {
    let head = message.head.join("\n");
    html! {
        pre dir="ltr" aria-label=(what) {
            (clean(&head, BLOCK_MAX))
            @if let Some(body) = &message.body { "\n\n" (clean(body, BLOCK_MAX)) }
        }
    }
}

/// Commands that ask the same, to be copied.
fn same_with_curl(event: &SliEvent) -> Markup {
    let commands = crate::curl::commands(event);
    html! {
        @if !commands.is_empty() {
            details {
                summary { "The same with curl" }
                @for words in &commands {
                    div.copied { pre dir="ltr" aria-label="command" { (clean(&words.join(" "), BLOCK_MAX)) } }
                }
                p.note { "Left out: headers, bodies, cookies and the values of queries; the scenario's file has them." }
            }
        }
    }
}

/// What was seen on the way: addresses, answers, certificates.
fn evidence(event: &SliEvent) -> Markup {
    let steps: Vec<_> = event.outcome.steps.iter().filter(|step| !step.attributes.is_empty()).collect();
    html! {
        @if !steps.is_empty() {
            h2 { "What was seen" }
            @for step in &steps {
                details open[steps.len() == 1 || is_main(event, step)] {
                    summary { (user(&step.name, NAME_MAX)) }
                    dl.facts.wide {
                        @for (key, value) in step.attributes.iter().take(ATTRIBUTES_MAX) {
                            div { dt { code { (user(key, NAME_MAX)) } } dd {
                                (user(&shown(value), VALUE_MAX)) (remaining(key, &shown(value), event))
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn is_main(event: &SliEvent, step: &StepRecord) -> bool {
    event.outcome.main_step().is_some_and(|main| std::ptr::eq(main, step))
}

/// How long a certificate was still good for when the run began.
fn remaining(key: &str, value: &str, event: &SliEvent) -> Markup {
    let ends: Option<Timestamp> = if key == "tls.server.not_after" { value.parse().ok() } else { None };
    let at = event.slot.scheduled;
    html! {
        @if let Some(ends) = ends {
            @if ends > at { " – " (age(ends.since(at))) " left" } @else { " – expired for " (age(at.since(ends))) }
        }
    }
}
