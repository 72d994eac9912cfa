//! The page of alerts.

use maud::{Markup, html};
use model::alert::Severity;
use model::time::Timestamp;

use super::facts::link;
use super::layout::{self, Frame, Refresh};
use crate::access::{Role, Who};
use crate::text::{NAME_MAX, SENTENCE_MAX, age, brief_age, count, time, user};
use crate::view::alerts::{AlertsView, Episode, Firing, Said};

/// Who looks, and what their forms must bring back.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) who: Who,
    pub(crate) form_token: String,
}

/// The page.
pub(crate) fn page(view: &AlertsView, asker: &Asker, refreshes: bool) -> String {
    let fires = view.firing.len();
    let body = html! {
        div.sentence.bad[fires > 0] {
            h1 { @if fires == 0 { "Nothing fires." } @else { (count(fires as u64, "alert")) @if fires == 1 { " fires" } @else { " fire" } } }
        }
        @for one in &view.firing { (firing(one, asker, view.now)) }
        @if !view.pending.is_empty() { (pending(view)) }
        @if !view.muted.is_empty() {
            h2 { "Quiet for a maintenance" }
            ul { @for (slo, maintenance) in &view.muted { li { (user(slo, NAME_MAX)) ": " (user(maintenance, NAME_MAX)) } } }
        }
        (past(view, asker))
        (audit(view))
    };
    let title = if fires == 0 { "alerts".to_owned() } else { format!("{fires} firing") };
    let other = if refreshes { "/alerts?refresh=off" } else { "/alerts" };
    let refresh = Some(Refresh { is_on: refreshes, other });
    layout::page(
        &Frame { title: &title, place: "/alerts", project: &view.project, now: view.now, refresh },
        &body,
    )
}

fn firing(one: &Firing, asker: &Asker, now: Timestamp) -> Markup {
    let alert = &one.alert;
    let said = |name: &str| alert.annotations.get(name).map_or("", String::as_str);
    let pages = alert.id.severity == Severity::Page;
    html! {
        article.alert.page[pages] {
            h2 {
                span.state.(if pages { "bad" } else { "warn" }) {
                    svg.icon viewBox="0 0 16 16" aria-hidden="true" { use href=(if pages { "#s-bad" } else { "#s-warn" }) {} }
                    (alert.id.severity.as_str())
                }
                a href=(one.page) { (user(said("summary"), SENTENCE_MAX)) }
                span.since { "since " (time(alert.starts, now)) " (" (brief_age(now.since(alert.starts))) ")" }
            }
            p.sum { (user(said("sum"), SENTENCE_MAX)) }
            @if !said("aim").is_empty() { p.aim { (user(said("aim"), SENTENCE_MAX)) } }
            dl.facts {
                @for (name, title) in [
                    ("worst_regions", "worst regions"), ("failing_step", "failing step"), ("error_type", "error"),
                    ("failure", "what it says"), ("budget_left", "budget left"), ("time_to_exhaustion", "budget lasts"),
                    ("owner", "owner"),
                ] {
                    @if !said(name).is_empty() { div { dt { (title) } dd { (user(said(name), SENTENCE_MAX)) } } }
                }
                div { dt { "rule" } dd { (alert.id.rule.as_str()) } }
                @if !said("sample_run").is_empty() {
                    div { dt { "a run" } dd { a href=(format!("/runs/{}", crate::text::encoded(said("sample_run")))) { code { (user(said("sample_run"), 12)) } } } }
                }
            }
            p.asked {
                strong { "What to do: " }
                @if said("runbook_url").is_empty() { "look at the failing run; there is no runbook." }
                @else { "follow " (link(said("runbook_url"))) "." }
            }
            (buttons(&alert.episode(), &one.said, asker, now))
        }
    }
}

/// What was said of an alert, and what can be said.
fn buttons(episode: &str, said: &Said, asker: &Asker, now: Timestamp) -> Markup {
    html! {
        div.said-of {
            @if let Some((who, at)) = &said.acknowledged { span { "acknowledged by " (user(who, 60)) " at " (time(*at, now)) " " } }
            @match said.useful {
                Some(true) => { span { "✓ useful " } }
                Some(false) => { span { "✕ noise " } }
                None => {}
            }
            @if asker.who.role >= Role::Operator {
                form action="/alerts" method="post" {
                    input type="hidden" name="form" value=(asker.form_token);
                    input type="hidden" name="episode" value=(episode);
                    @if said.acknowledged.is_none() { button name="action" value="acknowledge" { "Acknowledge" } " " }
                    @if said.useful != Some(true) { button name="action" value="useful" { "It was useful" } " " }
                    @if said.useful != Some(false) { button name="action" value="noise" { "It was noise" } }
                }
            }
        }
    }
}

fn pending(view: &AlertsView) -> Markup {
    html! {
        h2 { "About to fire" }
        table.rows {
            thead { tr { th scope="col" { "Promise" } th scope="col" { "Rule" } th scope="col" { "Severity" } th scope="col" { "Region" } th scope="col" { "Holds since (UTC)" } } }
            tbody { @for one in &view.pending {
                tr {
                    td { (user(&one.slo, NAME_MAX)) }
                    td data-label="rule" { (one.rule) }
                    td data-label="severity" { (one.severity) }
                    td data-label="region" { (user(&one.region, NAME_MAX)) }
                    td data-label="since" { (time(one.since, view.now)) }
                }
            } }
        }
    }
}

fn past(view: &AlertsView, asker: &Asker) -> Markup {
    html! {
        h2 { "Before" }
        @if view.past.is_empty() { p.empty { "No alert has ended yet." } } @else {
            table.rows.past {
                thead { tr {
                    th scope="col" { "Began (UTC)" } th.number scope="col" { "Lasted" } th scope="col" { "Severity" }
                    th scope="col" { "Promise" } th scope="col" { "The sum that it was made of" } th scope="col" { "Was it useful?" }
                } }
                tbody { @for episode in &view.past { (past_row(episode, asker, view.now)) } }
            }
        }
    }
}

fn past_row(episode: &Episode, asker: &Asker, now: Timestamp) -> Markup {
    let label = |name: &str| episode.alert["labels"][name].as_str().unwrap_or_default();
    let said = |name: &str| episode.alert["annotations"][name].as_str().unwrap_or_default();
    let lasted = episode.ended.map(|ended| age(ended.since(episode.began)));
    html! {
        tr {
            td { (time(episode.began, now)) }
            td.number data-label="lasted" { (lasted.unwrap_or_else(|| "–".to_owned())) }
            td data-label="severity" { (user(label("severity"), 20)) }
            td data-label="promise" { (user(label("slo"), NAME_MAX)) " " span.note { (user(label("alertname"), 60)) " " (user(label("region"), 60)) } }
            td.said { (user(said("sum"), SENTENCE_MAX)) }
            td { (buttons(&episode.name, &episode.said, asker, now)) }
        }
    }
}

fn audit(view: &AlertsView) -> Markup {
    html! {
        details {
            summary { "What was done here (" (view.audit.len()) ")" }
            table.rows {
                thead { tr { th scope="col" { "At (UTC)" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "To what" } } }
                tbody { @for note in &view.audit {
                    tr {
                        td { (time(note.at, view.now)) }
                        td data-label="who" { (user(&note.who, NAME_MAX)) }
                        td data-label="what" { (user(&note.action, 40)) }
                        td { (user(&note.subject, 200)) }
                    }
                } }
            }
        }
    }
}
