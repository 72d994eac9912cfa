//! Marks of verdicts and states: always a shape and a word, never colour alone.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use model::outcome::{Reason, Verdict};
use model::time::Timestamp;

use crate::state::{Cell, Silence, Since, State, is_amber, is_ours};
use crate::text::{brief_age, time};

/// Shapes used by every page: bad is full height with a notch, good two thirds, ineligible hatched, missed an outline.
pub(crate) const DEFINITIONS: &str = concat!(
    r#"<svg class="definitions" width="0" height="0" aria-hidden="true"><defs>"#,
    r#"<pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">"#,
    r#"<rect class="c-grey" width="1.6" height="4"/></pattern>"#,
    r#"<pattern id="ours" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">"#,
    r#"<rect class="c-violet" width="1.8" height="4"/></pattern>"#,
    r#"<rect id="g" class="c-good" y="6" width="6" height="12" rx="1"/>"#,
    r#"<path id="b" class="c-bad" d="M0 0h1.2l1.8 4 1.8-4h1.2v18h-6z"/>"#,
    r#"<path id="w" class="c-warn" d="M0 0h1.2l1.8 4 1.8-4h1.2v18h-6z"/>"#,
    r#"<g id="i"><rect class="o-grey" x=".5" y="6.5" width="5" height="11" fill="url(#hatch)"/></g>"#,
    r#"<g id="o"><rect class="o-violet" x=".5" y="6.5" width="5" height="11" fill="url(#ours)"/></g>"#,
    r#"<rect id="m" class="o-grey gap" x=".5" y="6.5" width="5" height="11" fill="none"/>"#,
    r#"<circle id="dot" class="c-good" cx="6" cy="0" r="2.6"/>"#,
    r#"<path id="d-b" class="c-bad" d="M2-4l4 3 4-3v3l-3 2 3 3v3l-4-3-4 3v-3l3-3-3-2z"/>"#,
    r#"<path id="d-w" class="c-warn" d="M6-5l5 9h-10z"/>"#,
    r#"<rect id="d-i" class="o-grey" x="2" y="-4" width="8" height="8" fill="none"/>"#,
    r#"<path id="d-o" class="o-violet" d="M6-5l5 5-5 5-5-5z" fill="none"/>"#,
    r#"<rect id="d-m" class="o-grey gap" x="2" y="-4" width="8" height="8" fill="none"/>"#,
    r#"<g id="s-good"><circle class="c-good" cx="8" cy="8" r="7"/><path class="o-paper" d="M4.6 8.3l2.4 2.4 4.4-5"/></g>"#,
    r#"<g id="s-bad"><path class="c-bad" d="M5 1h6l4 4v6l-4 4h-6l-4-4v-6z"/><path class="o-paper" d="M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2"/></g>"#,
    r#"<g id="s-warn"><path class="c-warn" d="M8 1l7.4 13.6h-14.8z"/><path class="o-paper" d="M8 5.8v4.4m0 1.4v1.4"/></g>"#,
    r#"<g id="s-unknown"><path class="o-violet" d="M8 1.2l6.8 6.8-6.8 6.8-6.8-6.8z" fill="none"/>"#,
    r#"<path class="o-violet" d="M6.3 6.5c.2-2.2 3.5-2 3.4 0 0 1.2-1.7 1.2-1.7 2.6m0 1v1" fill="none"/></g>"#,
    r#"<g id="s-ours"><circle class="o-violet" cx="8" cy="8" r="6.2" fill="url(#ours)"/></g>"#,
    r#"<g id="s-ineligible"><circle class="o-grey" cx="8" cy="8" r="6.2" fill="url(#hatch)"/></g>"#,
    r#"<g id="s-missed"><rect class="o-grey gap" x="2" y="2" width="12" height="12" fill="none"/></g>"#,
    r#"<g id="s-waiting"><circle class="o-grey" cx="8" cy="8" r="6.2" fill="none"/><path class="o-grey" d="M8 4.4v3.8l2.6 1.6" fill="none"/></g>"#,
    "</defs></svg>"
);

/// The icon of the site.
pub(crate) const FAVICON: &str = concat!(
    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0f172a"/>"##,
    r##"<path d="M2 9h3l1.6-5 2.6 8.4 1.7-4.6.8 1.2h2.3" fill="none" stroke="#56b4e9" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"/></svg>"##
);

/// The sign beside the name.
pub(crate) fn logo() -> Markup {
    html! {
        svg.logo viewBox="0 0 16 16" aria-hidden="true" { path d="M1 9h3.4l1.7-5.4 2.8 9 1.8-5 .9 1.4h3.4" {} }
    }
}

fn icon(id: &str) -> Markup {
    html! { svg.icon viewBox="0 0 16 16" aria-hidden="true" { use href=(format!("#{id}")) {} } }
}

/// Icon and word of a state.
pub(crate) fn state(state: State) -> Markup {
    let (id, class, word) = match state {
        State::Broken(reason) => (if is_amber(reason) { "s-warn" } else { "s-bad" }, "bad", reason.as_str()),
        State::Unknown(Silence::Overdue) => ("s-unknown", "unknown", "overdue"),
        State::Unknown(Silence::NotEligible(reason)) => ("s-unknown", "unknown", reason.as_str()),
        State::Waiting => ("s-waiting", "grey", "waiting"),
        State::Holds => ("s-good", "good", "good"),
    };
    let family = match state {
        State::Broken(reason) if is_amber(reason) => "warn",
        _ => class,
    };
    html! { span.state.(family) { (icon(id)) (word.replace('_', " ")) } }
}

/// Icon and words of a verdict: `bad · slow`.
pub(crate) fn verdict(reason: Reason) -> Markup {
    let verdict = reason.verdict();
    let (id, family) = match verdict {
        Verdict::Good => ("s-good", "good"),
        Verdict::Bad if is_amber(reason) => ("s-warn", "warn"),
        Verdict::Bad => ("s-bad", "bad"),
        Verdict::Ineligible if is_ours(reason) => ("s-ours", "unknown"),
        Verdict::Ineligible => ("s-ineligible", "grey"),
        Verdict::Missed => ("s-missed", "grey"),
    };
    html! {
        span.state.(family) {
            (icon(id)) (verdict.as_str())
            @if verdict != Verdict::Good { " · " (reason.as_str().replace('_', " ")) }
        }
    }
}

/// The width of a cell with the gap behind it.
pub(crate) const CELL: usize = 7;

/// Cells in a row, the oldest on the left; a stretch of good ones is one shape, so that a long strip is a short text.
pub(crate) fn strip(cells: &[Cell], label: &str) -> Markup {
    let mut shapes = String::new();
    let mut place = 0;
    while place < cells.len() {
        let cell = cells[place];
        let same = cells[place..].iter().take_while(|other| **other == cell).count();
        let x = place * CELL;
        match cell {
            Cell::None => {}
            Cell::Good => {
                let width = same * CELL - 1;
                write!(shapes, r#"<rect class="c-good" x="{x}" y="6" width="{width}" height="12"/>"#)
            }
            .expect("a String takes every character"),
            other => {
                for index in 0..same {
                    let (letter, x) = (other.letter(), x + index * CELL);
                    write!(shapes, r##"<use href="#{letter}" x="{x}"/>"##)
                        .expect("a String takes every character");
                }
            }
        }
        place += same;
    }
    html! {
        svg.strip viewBox=(format!("0 0 {} 18", cells.len() * CELL - 1)) preserveAspectRatio="none" role="img"
            aria-label=(format!("{label}: {}", spoken(cells))) {
            (PreEscaped(shapes))
        }
    }
}

/// The cells in words: `28 good, 2 bad`.
pub(crate) fn spoken(cells: &[Cell]) -> String {
    let counts = Cell::SEEN.map(|cell| (cell, cells.iter().filter(|other| **other == cell).count()));
    let words: Vec<_> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(cell, count)| format!("{count} {}", cell.word()))
        .collect();
    if words.is_empty() { "no runs".to_owned() } else { words.join(", ") }
}

/// One region of a scenario as a sign: its shape and what it says.
pub(crate) fn region(name: &str, state: State) -> Markup {
    let (id, word) = match state {
        State::Broken(reason) if is_amber(reason) => ("s-warn", reason.as_str()),
        State::Broken(reason) => ("s-bad", reason.as_str()),
        State::Unknown(Silence::Overdue) => ("s-unknown", "overdue"),
        State::Unknown(Silence::NotEligible(reason)) => ("s-unknown", reason.as_str()),
        State::Waiting => ("s-waiting", "waiting"),
        State::Holds => ("s-good", "good"),
    };
    let said = format!("{}: {}", crate::text::clean(name, crate::text::NAME_MAX), word.replace('_', " "));
    html! {
        span.region title=(said) {
            svg.icon viewBox="0 0 16 16" role="img" aria-label=(said) { use href=(format!("#{id}")) {} }
        }
    }
}

/// What the cells mean.
pub(super) fn legend() -> Markup {
    html! {
        p.legend {
            @for cell in Cell::SEEN {
                span { svg.cell viewBox="0 0 6 18" aria-hidden="true" { use href=(format!("#{}", cell.letter())) {} } (cell.word()) }
            }
            span { svg.cell viewBox="0 0 6 18" aria-hidden="true" {} "gap: no slot" }
        }
    }
}

/// ` – since 02:51:07 (12 min)`.
pub(super) fn since_words(since: Since, now: Timestamp) -> Markup {
    let (words, at) = match since {
        Since::Slot(at) => ("since", at),
        Since::Before(at) => ("since before", at),
        Since::Always(at) => ("in every run since", at),
    };
    html! { " – " (words) " " (time(at, now)) " (" (brief_age(now.since(at))) ")" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_a_shape_of_its_own_and_a_word() {
        let marks: Vec<_> =
            [Reason::Ok, Reason::Failed, Reason::Slow, Reason::ProberFault, Reason::Declared, Reason::Late]
                .map(|reason| verdict(reason).into_string())
                .into();
        for (index, mark) in marks.iter().enumerate() {
            let shape = mark.split('#').nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            assert!(DEFINITIONS.contains(&format!("id=\"{shape}\"")), "{shape}");
            assert!(
                marks.iter().skip(index + 1).all(|other| !other.contains(&format!("#{shape}\""))),
                "{shape}"
            );
        }
        assert!(marks[3].contains("ineligible · prober fault"), "{}", marks[3]);
    }

    #[test]
    fn a_strip_is_drawn_from_the_left_and_said_in_words() {
        let cells = [Cell::None, Cell::Good, Cell::Good, Cell::Bad, Cell::None, Cell::Missed];
        let text = strip(&cells, "last 6 minutes").into_string();
        assert!(text.contains(r#"<rect class="c-good" x="7" y="6" width="13""#), "{text}");
        assert!(text.contains(r##"<use href="#b" x="21"/><use href="#m" x="35"/>"##), "{text}");
        assert!(text.contains(r#"aria-label="last 6 minutes: 2 good, 1 bad, 1 missed""#), "{text}");
        assert!(strip(&[Cell::None], "x").into_string().contains("no runs"));
    }
}
