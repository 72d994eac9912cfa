//! Pages that say one thing: not found, refused, which of several.

use std::sync::Arc;

use maud::html;
use model::event::SliEvent;
use model::time::Timestamp;

use super::layout::{self, Frame};
use super::mark;
use crate::text::{NAME_MAX, SENTENCE_MAX, run_path, time, user};

/// A page with a sentence and what to do about it.
pub(crate) fn message(project: &str, now: Timestamp, (title, what, help): (&str, &str, &str)) -> String {
    let body = html! {
        div.sentence { h1 { (user(title, NAME_MAX)) } }
        p { (user(what, SENTENCE_MAX)) }
        @if !help.is_empty() { p { (user(help, SENTENCE_MAX)) } }
        p { a href="/" { "To the overview" } }
    };
    layout::page(&Frame { title, place: "", project, now, refresh: None }, &body)
}

/// The runs whose ids begin with the same digits.
pub(crate) fn choice(project: &str, now: Timestamp, (prefix, events): (&str, &[Arc<SliEvent>])) -> String {
    let title = format!("Runs that begin with {prefix}");
    let body = html! {
        div.sentence { h1 { (user(&title, NAME_MAX)) } }
        table.rows {
            thead { tr { th { "Slot" } th { "Verdict" } th { "Scenario" } th { "Region" } th { "Run" } } }
            tbody {
                @for event in events {
                    tr {
                        td { (time(event.slot.scheduled, now)) }
                        td { (mark::verdict(event.outcome.reason)) }
                        td { (user(&event.origin.stream.scenario, NAME_MAX)) }
                        td { (user(&event.origin.stream.region, NAME_MAX)) }
                        td { a href=(run_path(&event.slot)) { code { (event.slot.id) } } }
                    }
                }
            }
        }
    };
    layout::page(&Frame { title: &title, place: "", project, now, refresh: None }, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_was_asked_for_is_escaped() {
        let text = message("<p>", Timestamp::default(), ("<script>", "no \u{202e}<img>", ""));
        for bad in ["<script>", "<img", "\u{202e}", "<p></"] {
            assert!(!text.contains(bad), "{bad}\n{text}");
        }
    }

    #[test]
    fn each_choice_has_a_link() {
        let event = Arc::new(sample::failed_flow());
        let text = choice("", event.recorded, ("ab", &[Arc::clone(&event)]));
        assert!(text.contains(&run_path(&event.slot)), "{text}");
    }
}
