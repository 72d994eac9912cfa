//! One scenario: what it is for, how it stands, what was measured, what failed, its last events and its account.

use std::collections::BTreeSet;

use maud::{Markup, html};
use model::event::SliEvent;
use model::time::Timestamp;
use store::StreamAccount;

use super::asked::address;
use super::banner::{self, Banner};
use super::facts::{facts, freshness, link, tags};
use super::layout::{self, Frame, Refresh};
use super::mark::{self, legend, since_words};
use super::{chart, failures, promise, run, source, waterfall};
use crate::sources::{ScenarioCard, place};
use crate::text::{NAME_MAX, SENTENCE_MAX, age, duration, encoded, moment, run_path, time, user};
use crate::view::series::SPANS;
use crate::view::{Listed, ScenarioView, StreamView};

/// The page.
pub(crate) fn page(view: &ScenarioView, banners: &[Banner]) -> String {
    let about = view.streams.first().map(|stream| &stream.card);
    let title = about.map_or(view.name.as_str(), |card| &card.title);
    let body = html! {
        @if let Some(card) = about { (head(card)) }
        @if view.is_archived {
            p.lead { "Archived: no file has this scenario any more. Its history stays until its time is over." }
        }
        (banner::show(banners, view.now))
        (verdicts(view))
        (spans(view))
        (chart::show(view))
        (chart::strips(view))
        (legend())
        (failures::show(view))
        @if let Some(selected) = &view.selected {
            section #run {
                h2 { "A failed run" span.since {
                    a href=(run_path(&selected.event.slot)) { (time(selected.event.slot.scheduled, view.now)) }
                    " in " (user(&place(&selected.event.origin.stream), NAME_MAX))
                } }
                (run::findings(selected))
            }
        }
        @if let Some(standing) = &view.standing { (promise::section(standing, view.now)) }
        @for one in &view.streams { (stream(one, view)) }
        @if view.more > 0 {
            p.empty { (view.more) " more regions are not shown; add " code { "?region=NAME" } " to the address." }
        }
        (waterfall::phase_legend(true))
        @if let Some(card) = about { (source::show(card, view.selected.as_deref())) }
    };
    let other = address(&view.asked, |asked| asked.refresh = !asked.refresh);
    let refresh = Some(Refresh { is_on: view.asked.refresh, other: &other });
    layout::page(&Frame { title, place: "/", project: &view.project, now: view.now, refresh }, &body)
}

fn head(card: &ScenarioCard) -> Markup {
    html! {
        div.sentence { h1 { (user(&card.title, NAME_MAX)) } }
        @if !card.aim.is_empty() { p.lead { (user(&card.aim, SENTENCE_MAX)) } }
        p.about {
            @if !card.owner.is_empty() { "Owner " strong { (user(&card.owner, NAME_MAX)) } " · " }
            @if !card.runbook.is_empty() { "Runbook " (link(&card.runbook)) " · " }
            (user(&card.cadence, NAME_MAX)) " · " (user(&card.kind, NAME_MAX))
            " · " a href="#file" { "the file" }
            " · " a href=(format!("/events?q={}", encoded(&format!("scenario={}", card.stream.scenario)))) { "its events" }
        }
        details { summary { "More about it" } (facts(card)) }
    }
}

/// The current verdict of each region, in words.
fn verdicts(view: &ScenarioView) -> Markup {
    html! {
        p.verdicts {
            @for stream in &view.streams {
                span.verdict {
                    (mark::state(stream.state)) " " (user(&stream.card.place(), NAME_MAX))
                    @if let Some(since) = stream.since { span.since { (since_words(since, view.now)) } }
                }
            }
        }
    }
}

fn spans(view: &ScenarioView) -> Markup {
    let words = |hours: u32| match hours {
        1..=24 => format!("{hours} h"),
        _ => format!("{} d", hours / 24),
    };
    html! {
        div.filters {
            nav aria-label="Span" {
                @for hours in SPANS {
                    a.on[hours == view.asked.hours] href=(address(&view.asked, |asked| asked.hours = hours)) { (words(hours)) }
                }
            }
            @let regions: BTreeSet<_> = view.streams.iter().map(|stream| &stream.card.stream.region).collect();
            @if regions.len() > 1 || view.asked.region.is_some() {
                nav aria-label="Region" {
                    a.on[view.asked.region.is_none()] href=(address(&view.asked, |asked| asked.region = None)) { "all regions" }
                    @for name in regions {
                        a.on[view.asked.region.as_deref() == Some(&**name)]
                            href=(address(&view.asked, |asked| asked.region = Some(name.to_string()))) { (user(name, 60)) }
                    }
                }
            }
        }
    }
}

fn stream(stream: &StreamView, view: &ScenarioView) -> Markup {
    let now = view.now;
    html! {
        section.stream {
            h2 {
                span { "Region " (user(&stream.card.place(), NAME_MAX)) } " " (mark::state(stream.state))
            }
            p.next {
                @match stream.next {
                    Some(next) => { "Next slot at " (time(next, now)) " UTC, in " (age(next.since(now))) "." },
                    None => { "No slot is due any more." },
                }
            }
            @if let Some(account) = &stream.account { (accounted(account, view.window, now)) }
            @if stream.events.is_empty() { p.empty { "No runs yet." } } @else { (events(&stream.events, now)) }
        }
    }
}

fn accounted(account: &StreamAccount, window: Option<(Timestamp, Timestamp)>, now: Timestamp) -> Markup {
    let eligible = account.good + account.bad;
    html! {
        dl.account {
            div { dt { "expected" } dd { (account.expected) } }
            div { dt { "good" } dd.good { (account.good) } }
            div { dt { "bad" } dd.bad[account.bad > 0] { (account.bad) } }
            div { dt { "ineligible" } dd { (account.ineligible) } }
            div { dt { "missed" } dd { (account.missed) } }
            @if eligible > 0 { div { dt { "good of eligible" } dd { (share(account.good, eligible)) } } }
            @if account.planned > 0 { div { dt { "planned absence" } dd { (account.planned) } } }
            @if account.violations() > 0 { div { dt { "unaccounted" } dd.bad { (account.violations()) } } }
        }
        @if let Some((from, to)) = window {
            p.note { "Slots from " (moment(from, now)) " to " (moment(to, now)) " UTC." }
        }
    }
}

/// A percentage that says 100 only if it is.
fn share(part: u64, whole: u64) -> String {
    if part == whole {
        return "100 %".to_owned();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    format!("{:.2} %", (percent * 100.0).floor() / 100.0)
}

fn events(events: &[Listed], now: Timestamp) -> Markup {
    let durations =
        events.iter().filter_map(|listed| listed.event.as_ref()).map(|event| event.outcome.duration);
    let longest = durations.max().unwrap_or_default();
    html! {
        table.rows.events {
            thead { tr {
                th scope="col" { "Slot (UTC)" }
                th scope="col" { "Verdict" }
                th.number scope="col" { "Took" }
                th scope="col" { "Phases, to " (duration(longest)) }
                th scope="col" { "What happened" }
            } }
            tbody {
                @for listed in events {
                    tr {
                        td { a href=(run_path(&listed.slot)) { (time(listed.slot.scheduled, now)) } }
                        td { (mark::verdict(listed.reason)) }
                        @match &listed.event {
                            Some(event) => {
                                td.number { (duration(event.outcome.duration)) }
                                td.bar { (waterfall::run_bar(&event.outcome, longest)) }
                                td.said { (what_happened(event)) }
                            },
                            None => { td.number { "–" } td {} td {} },
                        }
                    }
                }
            }
        }
    }
}

fn what_happened(event: &SliEvent) -> Markup {
    html! {
        (tags(event))
        @if let Some(age) = event.outcome.freshness_age {
            "age " (freshness(age)) " "
        }
        @if let Some(failure) = &event.outcome.failure {
            code { (user(&failure.error_type, 60)) } " "
            @if !failure.step.is_empty() && event.outcome.steps.len() > 1 { (user(&failure.step, 60)) ": " }
            (user(&failure.message, 300))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!(share(3_600, 3_600), "100 %");
        assert_eq!(share(99_999, 100_000), "99.99 %");
        assert_eq!(share(0, 3), "0.00 %");
    }
}
