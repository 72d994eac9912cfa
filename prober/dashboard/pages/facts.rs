//! What is said of a scenario and of a run wherever they are shown.

use maud::{Markup, html};
use model::event::{SliEvent, Trigger};
use model::outcome::Mark;

use crate::sources::ScenarioCard;
use crate::text::{NAME_MAX, age, brief_age, user, web_address};

/// What the file says.
pub(super) fn facts(card: &ScenarioCard) -> Markup {
    html! {
        dl.facts {
            div { dt { "name" } dd { code { (user(&card.stream.scenario, NAME_MAX)) } } }
            div { dt { "kind" } dd { (user(&card.kind, NAME_MAX)) } }
            div { dt { "due" } dd { (user(&card.cadence, NAME_MAX)) } }
            @if !card.owner.is_empty() { div { dt { "owner" } dd { (user(&card.owner, NAME_MAX)) } } }
            @if !card.runbook.is_empty() { div { dt { "runbook" } dd { (link(&card.runbook)) } } }
            @if !card.targets.is_empty() {
                div { dt { "targets" } dd {
                    @for target in card.targets.iter().take(8) { code { (user(target, 200)) } " " }
                    @if card.targets.len() > 8 { "and " (card.targets.len() - 8) " more" }
                } }
            }
            @if !card.labels.is_empty() {
                div { dt { "labels" } dd {
                    @for (name, value) in &card.labels { code { (user(&format!("{name}={value}"), NAME_MAX)) } " " }
                } }
            }
            @if !card.was.is_empty() {
                div { dt { "was" } dd {
                    @for name in card.was.iter().take(8) { code { (user(name, NAME_MAX)) } " " }
                } }
            }
            @if !card.path.is_empty() {
                div { dt { "file" } dd { code {
                    (user(&card.path, 300)) @if card.line > 0 { ":" (card.line) }
                } } }
            }
            div { dt { "version" } dd { code { (user(&card.version, 40)) } } }
        }
    }
}

/// The address as a link if it may be one.
pub(super) fn link(address: &str) -> Markup {
    html! {
        @match web_address(address) {
            Some(target) => { a href=(target) rel="noreferrer noopener" { (user(address, 200)) } },
            None => { (user(address, 200)) },
        }
    }
}

/// The age of a value, also of one that lies in the future.
pub(super) fn freshness(seconds: f64) -> String {
    let span = std::time::Duration::try_from_secs_f64(seconds.abs()).unwrap_or(std::time::Duration::MAX);
    if seconds < 0.0 { format!("{} in the future", brief_age(span)) } else { age(span) }
}

/// The marks of a run as words.
pub(super) fn tags(event: &SliEvent) -> Markup {
    html! {
        @match event.trigger {
                Trigger::Schedule => {}
                Trigger::Manual => { span.tag { "by hand" } " " }
                Trigger::Ci => { span.tag { "by a pipeline" } " " }
            }
        @for mark in &event.outcome.marks {
            span.tag.warn {
                @match mark {
                    Mark::Flaky => { "flaky" },
                    Mark::Warned => { "warned" },
                    Mark::TeardownFailed => { "teardown failed" },
                    Mark::Lagged => { "prober was busy" },
                    Mark::Settled => { "held at first" },
                    Mark::Unvouched => { "nobody vouches for the prober" },
                }
            } " "
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_may_lie_in_the_future() {
        assert_eq!(freshness(-90.0), "1 min in the future");
        assert_eq!(freshness(90.4), "1 min 30 s");
        assert_eq!(freshness(f64::NAN), age(std::time::Duration::MAX));
    }
}
