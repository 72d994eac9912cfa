//! The weekly review: the report's tables, and what people said of alerts.

use std::sync::Arc;

use maud::{Markup, html};
use model::time::Timestamp;

use super::layout::{self, Frame};
use crate::sources::{Review, ReviewSection};
use crate::text::{BLOCK_MAX, NAME_MAX, SENTENCE_MAX, clean, encoded, user};
use crate::view::review::{ReviewPart, ReviewView, Teams, Usefulness};

/// The page.
pub(crate) fn page(
    answer: &Result<(Arc<Review>, ReviewView), String>,
    project: &str,
    now: Timestamp,
) -> String {
    let body = html! {
        @match answer {
            Err(why) => {
                div.sentence { h1 { "The review could not be made." } }
                p.failure role="alert" { (user(why, SENTENCE_MAX)) }
                p { a href="/review" { "Try again" } }
            }
            Ok((review, view)) => {
                div.sentence { h1 { (user(&review.title, NAME_MAX)) } p { (user(&review.about, SENTENCE_MAX)) } }
                (teams(view))
                p.note { a href="/review.md" { "as Markdown" } " · in the terminal: " code { "prober report weekly" } }
                @for part in &view.parts { (shown(part)) }
            }
        }
    };
    layout::page(&Frame { title: "weekly review", place: "/review", project, now, refresh: None }, &body)
}

/// A team's name for people.
fn team_name(team: &str) -> &str {
    if team.is_empty() { "without an owner" } else { team }
}

/// Ways to one team's review, and to all of them for the printer.
fn teams(view: &ReviewView) -> Markup {
    let current = |teams: &Teams| (view.asked == *teams).then_some("page");
    html! {
        @if view.teams.len() > 1 {
            nav.contents aria-label="Teams" {
                a href="/review" aria-current=[current(&Teams::All)] { "Everybody" } " "
                @for team in &view.teams {
                    a href=(format!("/review?team={}", encoded(team))) aria-current=[current(&Teams::One(team.clone()))] {
                        (user(team_name(team), NAME_MAX))
                    } " "
                }
                a href="/review?teams=each" aria-current=[current(&Teams::Each)] { "a page for each, to print" }
            }
        }
    }
}

fn shown(part: &ReviewPart) -> Markup {
    // Anchors are for the one part of a page; with several they would not be unique.
    let one = part.team.is_none();
    html! {
        div.team {
            @if let Some(team) = &part.team { h2.team { (user(team_name(team), NAME_MAX)) } }
            @if one {
                nav.contents aria-label="Sections" {
                    @for section in &part.sections { a href=(format!("#{}", section.key)) { (section.title) } " " }
                    a href="#useful" { "Was it useful?" }
                }
            }
            @for section_of in &part.sections { (section(section_of, one)) }
            (usefulness(&part.useful, one))
        }
    }
}

fn section(section: &ReviewSection, anchored: bool) -> Markup {
    html! {
        section.review id=[anchored.then_some(&section.key)] {
            h2 { (section.title) }
            @if !section.note.is_empty() { p.note { (user(&section.note, SENTENCE_MAX)) } }
            @if section.rows.is_empty() { p.empty { (user(&section.empty, SENTENCE_MAX)) } } @else {
                table.rows {
                    thead { tr { @for (_, title) in &section.columns { th scope="col" { (title) } } } }
                    tbody { @for row in &section.rows { tr {
                        @for ((key, title), cell) in section.columns.iter().zip(row) {
                            td data-label=(title) { (linked(key, cell)) }
                        }
                    } } }
                }
            }
        }
    }
}

/// A cell; runs and scenarios lead to their pages.
fn linked(key: &str, cell: &str) -> Markup {
    html! {
        @match key {
            "run" => { a href=(format!("/runs/{}", encoded(cell))) { code { (user(&cell[..cell.floor_char_boundary(12)], 20)) } } },
            "scenario" => { a href=(format!("/scenarios/{}", encoded(cell))) { (user(cell, NAME_MAX)) } },
            _ => { (user(cell, SENTENCE_MAX)) },
        }
    }
}

fn usefulness(said: &[Usefulness], anchored: bool) -> Markup {
    html! {
        section.review id=[anchored.then_some("useful")] {
            h2 { "Was it useful?" }
            p.note { "What people said of the week's alerts; an alert that is mostly noise wants another limit or none." }
            @if said.is_empty() { p.empty { "No alert fired." } } @else {
                table.rows {
                    thead { tr { th scope="col" { "Promise" } th scope="col" { "Severity" } th.number scope="col" { "Fired" } th.number scope="col" { "Useful" } th.number scope="col" { "Noise" } th.number scope="col" { "Nobody said" } } }
                    tbody { @for one in said {
                        tr {
                            td { (user(&one.slo, NAME_MAX)) }
                            td data-label="severity" { (user(&one.severity, 20)) }
                            td.number data-label="fired" { (one.fired) }
                            td.number data-label="useful" { (one.useful) }
                            td.number data-label="noise" { @if one.noise > one.useful { strong.bad { (one.noise) } } @else { (one.noise) } }
                            td.number data-label="nobody said" { (one.fired.saturating_sub(one.useful + one.noise)) }
                        }
                    } }
                }
            }
        }
    }
}

/// The review as Markdown, as the command makes it.
pub(crate) fn markdown(review: &Review) -> String {
    clean(&review.markdown, BLOCK_MAX * 16)
}
