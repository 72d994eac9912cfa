//! The prober's own health, and its configuration.

use std::collections::BTreeMap;

use maud::{Markup, html};
use model::time::Timestamp;

use super::alerts::Asker;
use super::banner::{self, Banner};
use super::layout::{self, Frame, Refresh};
use crate::access::Role;
use crate::fleet::FleetView;
use crate::sources::{Catalogue, OwnFact, ReloadState};
use crate::text::{BLOCK_MAX, NAME_MAX, SENTENCE_MAX, clean, duration, time, user};
use crate::view::own::{Lag, OwnView};

/// Files that are listed.
const FILES_MAX: usize = 500;

/// The page of the prober's health.
pub(crate) fn page(
    (view, fleet): (&OwnView, Option<&FleetView>),
    banners: &[Banner],
    refreshes: bool,
) -> String {
    let body = html! {
        div.sentence { h1 {
            @if banners.is_empty() { "The prober is well." } @else { "The prober is not well." }
        } }
        (banner::show(banners, view.now))
        @if let Some(fleet) = fleet { (super::fleet::show(fleet, view.now)) }
        (lag(&view.lag))
        (account(view))
        (facts(&view.facts))
    };
    let other = if refreshes { "/prober?refresh=off" } else { "/prober" };
    let refresh = Some(Refresh { is_on: refreshes, other });
    let frame =
        Frame { title: "the prober", place: "/prober", project: &view.project, now: view.now, refresh };
    layout::page(&frame, &body)
}

/// How late runs began.
fn lag(lags: &[Lag]) -> Markup {
    html! {
        h2 { "How late runs began" }
        @if lags.is_empty() { p.empty { "No run yet." } } @else {
            table.rows {
                thead { tr {
                    th scope="col" { "Prober" } th scope="col" { "Region" } th.number scope="col" { "Runs" }
                    th.number scope="col" { "p50" } th.number scope="col" { "p95" } th.number scope="col" { "Latest" } th scope="col" { "Last event (UTC)" }
                } }
                tbody { @for one in lags {
                    tr {
                        td { (user(&one.prober, NAME_MAX)) }
                        td data-label="region" { (user(&one.region, NAME_MAX)) }
                        td.number data-label="runs" { (one.runs) }
                        td.number data-label="p50" { (duration(one.p50)) }
                        td.number data-label="p95" { (duration(one.p95)) }
                        td.number data-label="latest" { (duration(one.most)) }
                        td data-label="last event" { (time(one.last, one.now)) @if one.is_silent { " " strong.bad { "✕ silent" } } }
                    }
                } }
            }
            p.note { "Of the newest runs: from the moment a run was due to its real start. A latency that was measured late is marked and does not count." }
        }
    }
}

/// What became of the slots of the last hour, by region.
fn account(view: &OwnView) -> Markup {
    html! {
        h2 { "Slots of the last hour" }
        @if view.regions.is_empty() { p.empty { "Not counted yet." } } @else {
            table.rows {
                thead { tr {
                    th scope="col" { "Region" } th.number scope="col" { "Expected" } th.number scope="col" { "Good" } th.number scope="col" { "Bad" }
                    th.number scope="col" { "Ineligible" } th.number scope="col" { "Missed" } th.number scope="col" { "Unaccounted" }
                } }
                tbody { @for (name, one) in &view.regions {
                    tr {
                        td { (user(name, NAME_MAX)) }
                        td.number data-label="expected" { (one.expected) }
                        td.number data-label="good" { (one.good) }
                        td.number data-label="bad" { (one.bad) }
                        td.number data-label="ineligible" { (one.ineligible) }
                        td.number data-label="missed" { (one.missed) }
                        td.number data-label="unaccounted" { @if one.violations > 0 { strong.bad { (one.violations) } } @else { "0" } }
                    }
                } }
            }
        }
    }
}

fn facts(facts: &[OwnFact]) -> Markup {
    let mut groups: BTreeMap<&str, Vec<&OwnFact>> = BTreeMap::new();
    for fact in facts {
        groups.entry(fact.group).or_default().push(fact);
    }
    html! {
        @for (group, facts) in groups {
            h2 { (group) }
            dl.facts.wide { @for fact in facts {
                div { dt { (user(&fact.name, NAME_MAX)) } dd { @if fact.is_bad { strong.bad { "✕ " (user(&fact.value, SENTENCE_MAX)) } } @else { (user(&fact.value, SENTENCE_MAX)) } } }
            } }
        }
    }
}

/// The page of the files that run.
pub(crate) fn config(
    (catalogue, state): (&Catalogue, &ReloadState),
    asker: &Asker,
    schemas: &[&str],
    now: Timestamp,
) -> String {
    let body = html! {
        div.sentence.bad[matches!(state, ReloadState::Failed { .. })] { @match state {
            ReloadState::Loaded { at } => { h1 { "The files were loaded at " (time(*at, now)) "." } }
            ReloadState::Failed { at, .. } => { h1 { "The files could not be loaded at " (time(*at, now)) ": those from before run on." } }
        } }
        @if let ReloadState::Failed { diagnostics, .. } = state {
            h2 { "What is wrong with them" }
            pre.diagnostics dir="ltr" tabindex="0" { (clean(diagnostics, BLOCK_MAX)) }
        }
        @if asker.who.role >= Role::Operator {
            form action="/config" method="post" {
                input type="hidden" name="form" value=(asker.form_token);
                button { "Load the files again" }
            }
        }
        @if !catalogue.warnings.is_empty() {
            h2 { "Warnings" }
            pre.diagnostics dir="ltr" tabindex="0" { (clean(&catalogue.warnings, BLOCK_MAX)) }
        }
        (files(catalogue))
        @if !schemas.is_empty() {
            h2 { "Schemas for editors" }
            ul { @for name in schemas { li { a href=(format!("/config/{name}")) { (name) } } } }
        }
        p.note { "Every setting and where it comes from: " code { "prober config" } }
    };
    layout::page(
        &Frame { title: "configuration", place: "/config", project: &catalogue.project, now, refresh: None },
        &body,
    )
}

/// The files with what they define.
fn files(catalogue: &Catalogue) -> Markup {
    let mut files: BTreeMap<&str, Vec<&crate::ScenarioCard>> = BTreeMap::new();
    for card in &catalogue.cards {
        files.entry(&card.path).or_default().push(card);
    }
    html! {
        h2 { "Files that run" span.since { (files.len()) } }
        table.rows {
            thead { tr { th scope="col" { "File" } th scope="col" { "Scenario" } th scope="col" { "Version" } th scope="col" { "Due" } th scope="col" { "Regions" } } }
            tbody { @for (path, cards) in files.iter().take(FILES_MAX) {
                @let first = cards[0];
                tr {
                    td { code { (user(path, 300)) } }
                    td data-label="scenario" { a href=(super::overview::scenario_link(first)) { (user(&first.title, NAME_MAX)) } }
                    td data-label="version" { code { (user(&first.version, 40)) } }
                    td data-label="due" { (user(&first.cadence, NAME_MAX)) }
                    td data-label="regions" { (cards.len()) }
                }
            } }
        }
        @if files.len() > FILES_MAX { p.note { (files.len() - FILES_MAX) " more; see " a href="/api/v1/scenarios" { "the JSON" } "." } }
    }
}
