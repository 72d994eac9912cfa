//! The status page and the badges: for everybody, and only what is public.

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::time::Timestamp;

use super::mark;
use crate::text::{NAME_MAX, clean, count, moment, user};
use crate::view::public::{DAYS, Day, PublicScenario, PublicState};

/// How often the status page looks for news, in seconds.
const AGAIN_SECONDS: u32 = 60;

/// The status page.
pub(crate) fn page(all: &[PublicScenario], project: &str, now: Timestamp) -> String {
    let broken = all.iter().filter(|one| one.state == PublicState::Broken).count();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                noscript { meta http-equiv="refresh" content=(AGAIN_SECONDS); }
                title { "Status – " (clean(project, NAME_MAX)) }
                link rel="stylesheet" href="/assets/style.css";
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                script src="/assets/app.js" {}
            }
            body data-again=(AGAIN_SECONDS) {
                (PreEscaped(mark::DEFINITIONS))
                header.top { span.home { (user(project, NAME_MAX)) } span.now {
                    span #stale hidden { "not up to date · " }
                    "as of " time datetime=(now.to_string()) { (moment(now, now)) } " UTC"
                } }
                main #main {
                    div.sentence.bad[broken > 0] { h1 {
                        @if all.is_empty() { "Nothing is public here." }
                        @else if broken == 0 { "Everything works." }
                        @else { (broken) " of " (count(all.len() as u64, "service")) @if broken == 1 { " is broken." } @else { " are broken." } }
                    } }
                    @for one in all {
                        section.public {
                            h2 { (user(&one.title, NAME_MAX)) " " (state(one.state)) }
                            (strip(&one.days))
                        }
                    }
                    @if !all.is_empty() { p.note { "The last " (DAYS) " days, today on the right; a gap is a day without a run." } }
                }
            }
        }
    };
    markup.into_string()
}

fn state(state: PublicState) -> Markup {
    let (id, family) = match state {
        PublicState::Works => ("s-good", "good"),
        PublicState::Broken => ("s-bad", "bad"),
        PublicState::Unknown => ("s-unknown", "unknown"),
    };
    html! { span.state.(family) { svg.icon viewBox="0 0 16 16" aria-hidden="true" { use href=(format!("#{id}")) {} } (state.word()) } }
}

/// A cell a day: good if nothing was bad, slow if little was, bad beyond one in a hundred.
fn strip(days: &[Option<Day>]) -> Markup {
    let mut shapes = String::new();
    let (mut ran, mut flawed) = (0, 0);
    for (place, day) in days.iter().enumerate() {
        let Some(day) = day.filter(|day| day.good + day.bad > 0) else { continue };
        let share = f64::from(day.bad) / f64::from(day.good + day.bad);
        ran += 1;
        flawed += usize::from(day.bad > 0);
        let letter = match share {
            0.0 => 'g',
            share if share < 0.01 => 'w',
            _ => 'b',
        };
        let back = days.len() - 1 - place;
        let x = place * mark::CELL;
        write!(
            shapes,
            r##"<g><title>{back} days ago: {:.2} % good</title><use href="#{letter}" x="{x}"/></g>"##,
            (1.0 - share) * 100.0
        )
        .expect("a String takes every character");
    }
    let label = format!("{ran} days with runs, {flawed} of them with failures");
    html! {
        svg.strip.long viewBox=(format!("0 0 {} 18", DAYS * mark::CELL - 1)) preserveAspectRatio="none" role="img" aria-label=(label) {
            (PreEscaped(shapes))
        }
    }
}

/// A badge that says a name and a word: `checkout | works`.
pub(crate) fn badge(name: &str, word: &str, state: PublicState) -> String {
    // About the width of a letter of that size; the text is fitted into it.
    let width = |text: &str| text.chars().count() * 7 + 12;
    let name = clean(name, 40);
    let (left, right) = (width(&name), width(word));
    let colour = match state {
        PublicState::Works => "#0072b2",
        PublicState::Broken => "#c1272d",
        PublicState::Unknown => "#6b7280",
    };
    let whole = left + right;
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(whole) height="20" role="img" aria-label=(format!("{name}: {word}")) {
            title { (name) ": " (word) }
            rect width=(left) height="20" fill="#334155" {}
            rect x=(left) width=(right) height="20" fill=(colour) {}
            g fill="#ffffff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" {
                text x="6" y="14" textLength=(left - 12) { (name) }
                text x=(left + 6) y="14" textLength=(right - 12) { (word) }
            }
        }
    };
    markup.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_a_picture_with_words_and_nothing_else() {
        let text = badge("<script>&", "broken", PublicState::Broken);
        assert!(text.starts_with("<svg") && !text.contains("<script>"), "{text}");
        assert!(text.contains("aria-label=\"&lt;script&gt;&amp;: broken\""), "{text}");
    }

    #[test]
    fn a_day_is_bad_beyond_one_in_a_hundred() {
        let day = |good, bad| Some(Day { good, bad });
        let text = strip(&[None, day(10, 0), day(1_000, 1), day(9, 1)]).into_string();
        for part in [
            r##"href="#g" x="7""##,
            r##"href="#w" x="14""##,
            r##"href="#b" x="21""##,
            "3 days with runs, 2 of them",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
