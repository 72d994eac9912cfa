//! The lines of a scenario's file, with the step that failed.

use maud::{Markup, html};

use crate::sources::ScenarioCard;
use crate::text::{clean, user};
use crate::view::RunView;

/// Lines that are shown at most.
const LINES_MAX: usize = 400;
/// The longest line, in bytes.
const LINE_MAX: usize = 400;

/// The file; lines that name the failed step are marked.
pub(super) fn show(card: &ScenarioCard, failed: Option<&RunView>) -> Markup {
    let step =
        failed.and_then(|view| view.event.outcome.failure.as_ref()).map_or("", |failure| &failure.step);
    html! {
        @if !card.path.is_empty() {
            section #file {
                h2 { "The file" span.since { code { (user(&card.path, 300)) @if card.line > 0 { ":" (card.line) } } } }
                @if card.text.is_empty() {
                    p.empty { "Its text is not at hand." }
                } @else {
                    (lines(&card.text, step))
                }
            }
        }
    }
}

fn lines(text: &str, step: &str) -> Markup {
    let names = |line: &str| !step.is_empty() && names_step(line, step);
    html! {
        ol.source dir="ltr" {
            @for line in text.lines().take(LINES_MAX) {
                li.at-fault[names(line)] { code { (clean(line, LINE_MAX)) } @if names(line) { strong.bad { " ← failed" } } }
            }
        }
        @if text.lines().count() > LINES_MAX { p.note { "Cut after " (LINES_MAX) " lines." } }
    }
}

/// Whether the line is `name: STEP`, as a step begins.
fn names_step(line: &str, step: &str) -> bool {
    let line = line.trim().trim_start_matches("- ").trim_start_matches('{').trim();
    let Some(value) = line.strip_prefix("name:") else { return false };
    let value = value.split(['#', ',', '}']).next().unwrap_or_default();
    value.trim().trim_matches(['"', '\'']) == step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_that_failed_is_found_in_its_file() {
        for (line, found) in [
            ("  - name: create-order", true),
            ("  - { name: create-order, http: {} }", true),
            ("    name: \"create-order\"  # the second", true),
            ("  - name: create-order-2", false),
            ("scenario: create-order", false),
        ] {
            assert_eq!(names_step(line, "create-order"), found, "{line}");
        }
        let text = lines("<script>\n- name: pay\n", "pay").into_string();
        assert!(text.contains("&lt;script&gt;") && text.contains("← failed"), "{text}");
    }
}
