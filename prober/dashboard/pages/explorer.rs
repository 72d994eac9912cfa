//! The page of the events explorer.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, PreEscaped, html};
use model::time::Timestamp;

use super::layout::{self, Frame};
use super::mark::{self, legend};
use crate::state::Cell;
use crate::text::{NAME_MAX, SENTENCE_MAX, clean, count, duration, encoded, run_path, time, user};
use crate::view::explorer::{Explored, Found, LISTED_MAX, POINTS_MAX};

/// The picture's size in its own units.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 240.0;

/// Fields that are offered to group by.
const GROUPS: [&str; 12] = [
    "scenario",
    "region",
    "verdict",
    "reason",
    "error",
    "class",
    "step",
    "status",
    "owner",
    "prober.id",
    "network.peer.address",
    "tls.server.issuer",
];

/// What stands on the page: what was found, or why the query means nothing.
pub(crate) type Answer = Result<Found, String>;

/// The page.
pub(crate) fn page((asked, answer): (&Explored, &Answer), project: &str, now: Timestamp) -> String {
    let body = html! {
        h1.quiet { "Events" }
        (form(asked))
        @match answer {
            Err(why) => { p.failure role="alert" { (user(why, SENTENCE_MAX)) } },
            Ok(found) => { (results(asked, found, now)) },
        }
    };
    layout::page(&Frame { title: "events", place: "/events", project, now, refresh: None }, &body)
}

fn form(asked: &Explored) -> Markup {
    html! {
        form #explore.explore action="/events" method="get" role="search" {
            label { "Conditions " input type="text" name="q" value=(clean(&asked.query, SENTENCE_MAX)) maxlength="1000" spellcheck="false"
                placeholder="scenario=checkout verdict=bad since=1h status>=500 'message~timed out'"; }
            label { "Group by " input type="text" name="group" list="fields" value=(clean(&asked.group, NAME_MAX)) maxlength="100" spellcheck="false"; }
            datalist #fields { @for field in GROUPS { option value=(field) {} } }
            @let box_of = |part: &str| asked.selection.map(|chosen| match part {
                "from" => chosen.from.to_string(),
                "to" => chosen.to.to_string(),
                "low" => chosen.low.to_string(),
                _ => chosen.high.to_string(),
            }).unwrap_or_default();
            details.selection open[asked.selection.is_some()] {
                summary { "Compare a part with the rest" }
                p.note { "Draw a box in the picture, or say from when to when and how long a run took." }
                label { "from " input type="text" name="from" value=(box_of("from")); }
                label { "to " input type="text" name="to" value=(box_of("to")); }
                label { "at least (s) " input type="text" name="low" value=(box_of("low")); }
                label { "at most (s) " input type="text" name="high" value=(box_of("high")); }
            }
            button { "Show" }
            " " span.note { "in the terminal: " code { "prober events " (user(&asked.query, 200)) } }
        }
    }
}

fn results(asked: &Explored, found: &Found, now: Timestamp) -> Markup {
    html! {
        p.lead {
            strong { (count(found.matched as u64, "event")) }
            @for (verdict, number) in &found.verdicts { " · " (number) " " (verdict) }
            @if let (Some(p50), Some(p95)) = (found.p50, found.p95) { " · p50 " (seconds(p50)) " · p95 " (seconds(p95)) }
        }
        @if !found.is_whole {
            p.banner role="status" { "Only the newest were looked at"
                @if let Some(oldest) = found.oldest { ", back to " (time(oldest, now)) } ": narrow the conditions to see further back." }
        }
        @if found.matched == 0 { p.empty { "No event fits." } } @else {
            (scatter(found))
            @if asked.selection.is_some() { (comparison(asked, found)) }
            @if !asked.group.is_empty() { (groups(asked, found)) }
            (list(found, now))
        }
    }
}

fn seconds(value: f64) -> String {
    duration(Duration::try_from_secs_f64(value.max(0.0)).unwrap_or_default())
}

/// Each event by when it was due and how long it took.
fn scatter(found: &Found) -> Markup {
    let times = || found.points.iter().map(|one| one.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return html! {} };
    let span = last.since(first).as_secs_f64().max(1.0);
    let top = found.points.iter().map(|one| one.seconds).fold(0.001, f64::max) * 1.05;
    let mut marks = String::new();
    for point in &found.points {
        let x = point.at.since(first).as_secs_f64() / span * (WIDTH - 12.0);
        let y = HEIGHT - 6.0 - point.seconds / top * (HEIGHT - 12.0);
        let letter =
            if point.cell.letter() == 'g' { "dot".to_owned() } else { format!("d-{}", point.cell.letter()) };
        let shape = format!(r##"<use href="#{letter}" x="{x:.0}" y="{y:.0}"/>"##);
        // Where the script leads who points at it; the table has the links.
        match point.cell {
            Cell::Bad | Cell::Warn => {
                write!(marks, r#"<g data-run="{}">{shape}</g>"#, run_path(&point.slot))
            }
            _ => marks.write_str(&shape),
        }
        .expect("a String takes every character");
    }
    let label = format!(
        "events by time and duration, from 0 to {}; {}",
        seconds(top),
        count(found.points.len() as u64, "event")
    );
    html! {
        figure.scatter-figure {
            svg.scatter viewBox="0 0 1000 240" preserveAspectRatio="none" role="img" aria-label=(label)
                data-form="explore" data-since=(first.as_millis()) data-until=(last.as_millis().max(first.as_millis() + 1_000)) data-top=(top) {
                (PreEscaped(marks))
            }
            figcaption { "0 to " (seconds(top)) ", " (time(first, last)) " to " (time(last, last)) " UTC; draw a box to compare it with the rest."
                @if found.points.len() >= POINTS_MAX { " Not every good run is drawn." } }
        }
        (legend())
    }
}

fn comparison(asked: &Explored, found: &Found) -> Markup {
    html! {
        h2 { "What differs most" span.since { (count(found.selected as u64, "event")) " in the box, " (found.matched - found.selected) " outside" } }
        @if found.differences.is_empty() {
            p.empty { "Nothing differs: the box, or the rest, is empty, or alike." }
        } @else {
            table.rows.compare {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } th.number scope="col" { "In the box" } th.number scope="col" { "Outside" } th scope="col" { "" } } }
                tbody { @for one in &found.differences {
                    tr {
                        td { code { (user(&one.field, NAME_MAX)) } }
                        td data-label="value" { code { (user(&one.value, 200)) } }
                        td.number data-label="in the box" { (percent(one.selected)) }
                        td.number data-label="outside" { (percent(one.rest)) }
                        td { a href=(narrowed(asked, &one.field, &one.value)) { "only these" } }
                    }
                } }
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The same query with one more condition.
fn narrowed(asked: &Explored, field: &str, value: &str) -> String {
    let condition = format!("{field}={value}");
    let condition =
        if condition.contains(char::is_whitespace) { format!("'{condition}'") } else { condition };
    let query = format!("{} {condition}", asked.query);
    format!("/events?q={}&group={}", encoded(query.trim()), encoded(&asked.group))
}

fn groups(asked: &Explored, found: &Found) -> Markup {
    html! {
        h2 { "By " code { (user(&asked.group, NAME_MAX)) } }
        table.rows.groups {
            thead { tr { th scope="col" { "Value" } th.number scope="col" { "Events" } th.number scope="col" { "Bad" } th.number scope="col" { "p50" } th.number scope="col" { "p95" } } }
            tbody { @for group in &found.groups {
                @let share = group.bad as f64 / group.count.max(1) as f64;
                tr {
                    td { a href=(narrowed(asked, &asked.group, &group.value)) { (user(&group.value, 200)) } }
                    td.number data-label="events" { (group.count) }
                    td.number data-label="bad" { @if group.bad > 0 { strong.bad { (percent(share)) } } @else { "0 %" } }
                    td.number data-label="p50" { (group.p50.map_or_else(|| "–".to_owned(), seconds)) }
                    td.number data-label="p95" { (group.p95.map_or_else(|| "–".to_owned(), seconds)) }
                }
            } }
        }
    }
}

fn list(found: &Found, now: Timestamp) -> Markup {
    html! {
        h2 { "The newest" @if found.matched > LISTED_MAX { span.since { (LISTED_MAX) " of " (found.matched) } } }
        table.rows.events {
            thead { tr { th scope="col" { "Slot (UTC)" } th scope="col" { "Verdict" } th scope="col" { "Scenario" } th scope="col" { "Region" } th.number scope="col" { "Took" } th scope="col" { "What happened" } } }
            tbody { @for event in &found.listed {
                tr {
                    td { a href=(run_path(&event.slot)) { (time(event.slot.scheduled, now)) } }
                    td { (mark::verdict(event.outcome.reason)) }
                    td data-label="scenario" { (user(&event.origin.stream.scenario, NAME_MAX)) }
                    td data-label="region" { (user(&event.origin.stream.region, NAME_MAX)) }
                    td.number data-label="took" { (duration(event.outcome.duration)) }
                    td.said { @if let Some(failure) = &event.outcome.failure { code { (user(&failure.error_type, 60)) } " " (user(&failure.message, 200)) } }
                }
            } }
        }
    }
}
