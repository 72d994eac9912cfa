//! Where the time of a run went: steps, hops and phases as bars to one scale.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, PreEscaped, html};
use model::outcome::Outcome;
use model::step::{Hop, Phase, PhaseSpan, StepRecord, StepState};

use crate::text::{NAME_MAX, SENTENCE_MAX, clean, duration, user};

/// The width of a bar in its own units.
const WIDTH: f64 = 1_000.0;
/// Bars drawn of one run; a polling flow may have thousands of hops.
const BARS_MAX: usize = 400;
/// Hops of one step that have a line of their own.
const HOPS_MAX: usize = 40;

/// One bar with all phases of the run; `whole` is as wide as the bar's place.
pub(crate) fn run_bar(outcome: &Outcome, whole: Duration) -> Markup {
    let mut bars = Vec::new();
    for step in &outcome.steps {
        // The bar is about what counts: the run without what it cleans up.
        if step.state == StepState::Skipped || step.teardown {
            continue;
        }
        bars.push((step.start, step.duration, "p-rest"));
        let tried = step.attempts.iter().flat_map(|attempt| &attempt.hops);
        let spans = tried.chain(&step.hops).flat_map(|hop| &hop.phases);
        bars.extend(spans.map(|span| (step.start + span.start, span.duration, class(span.phase))));
    }
    if outcome.steps.is_empty() {
        bars.push((Duration::ZERO, outcome.duration, "p-rest"));
    }
    bars.truncate(BARS_MAX);
    svg(&bars, whole, &format!("{} of {}", duration(outcome.duration), duration(whole)))
}

/// What the colours of the phases mean; `with_rest` adds the time outside of them.
pub(crate) fn phase_legend(with_rest: bool) -> Markup {
    html! {
        p.legend aria-label="Phases" {
            @for phase in Phase::ALL {
                @if phase != Phase::Handshake {
                    span { svg.swatch viewBox="0 0 1 1" aria-hidden="true" { rect.(class(phase)) width="1" height="1" {} } (phase.as_str()) }
                }
            }
            @if with_rest { span { svg.swatch viewBox="0 0 1 1" aria-hidden="true" { rect.p-rest width="1" height="1" {} } "other" } }
        }
    }
}

/// The run's steps and hops, a line each.
pub(crate) fn waterfall(outcome: &Outcome) -> Markup {
    let ends = outcome.steps.iter().map(|step| step.start + step.duration);
    let whole = ends.max().unwrap_or_default().max(outcome.duration);
    html! {
        div.waterfall {
            @for step in &outcome.steps { (step_lines(step, whole)) }
        }
        (phase_legend(false))
    }
}

fn step_lines(step: &StepRecord, whole: Duration) -> Markup {
    let (mark, class) = match step.state {
        StepState::Passed => ("✓", "passed"),
        // What is left behind is worth a look, and no matter for the verdict.
        StepState::Failed if step.teardown => ("!", "odd"),
        StepState::Failed => ("✕", "failed"),
        StepState::Skipped => ("–", "skipped"),
    };
    let bar = [(step.start, step.duration, "p-rest")];
    let bars: &[_] = if step.state == StepState::Skipped { &[] } else { &bar };
    html! {
        div.line.step.(class) {
            span.label {
                span.sign aria-hidden="true" { (mark) } " " strong { (user(&step.name, NAME_MAX)) }
                " " span.note {
                    @if step.teardown { "teardown · " }
                    (user(&step.kind, 40)) " · " (step.state.as_str())
                    @if !step.attempts.is_empty() { " · " (step.attempts.len() + 1) " attempts" }
                    @if let Some(poll) = &step.poll { " · " (poll.count) @if poll.count == 1 { " poll" } @else { " polls" } }
                }
            }
            (svg(bars, whole, &format!("{} {}", clean(&step.name, NAME_MAX), duration(step.duration))))
            span.took { @if step.state == StepState::Skipped { "–" } @else { (duration(step.duration)) } }
        }
        @if let Some(note) = &step.note { p.under { (user(note, SENTENCE_MAX)) } }
        @if let Some(failure) = &step.failure {
            p.under.why { code { (user(&failure.error_type, 60)) } " " (user(&failure.message, SENTENCE_MAX)) }
        }
        @for (index, attempt) in step.attempts.iter().enumerate() {
            p.under { "attempt " (index + 1) " failed after " (duration(attempt.duration)) ": "
                code { (user(&attempt.failure.error_type, 60)) } " " (user(&attempt.failure.message, SENTENCE_MAX)) }
            @for hop in attempt.hops.iter().take(HOPS_MAX) { (hop_line(step, hop, whole)) }
        }
        @for hop in step.hops.iter().take(HOPS_MAX) { (hop_line(step, hop, whole)) }
        @if let Some(poll) = &step.poll {
            p.under {
                @if poll.hops_left_out > 0 { (poll.hops_left_out) " requests between the first and the last polls are not kept. " }
                "The last poll took " (duration(poll.last_duration))
                @if let Some(status) = &poll.last_status { " and was answered " (user(status, 40)) } "."
            }
        }
        @if step.hops.len() > HOPS_MAX { p.under { (step.hops.len() - HOPS_MAX) " more requests; see the JSON." } }
        @if !step.captures.is_empty() {
            p.under { "captured "
                @for (name, value) in step.captures.iter().take(20) {
                    code { (user(name, 60)) " = " (user(value, 200)) } " "
                }
            }
        }
    }
}

fn hop_line(step: &StepRecord, hop: &Hop, whole: Duration) -> Markup {
    let bars: Vec<_> = hop
        .phases
        .iter()
        .take(BARS_MAX)
        .map(|span| (step.start + span.start, span.duration, class(span.phase)))
        .collect();
    html! {
        div.line.hop {
            span.label { code { (user(&hop.label, 300)) } }
            (svg(&bars, whole, &phases(&hop.phases)))
            span.took { (duration(hop.duration())) }
        }
        p.under {
            @if let Some(status) = &hop.status { strong { (user(status, 40)) } " · " }
            (phases(&hop.phases))
            @if hop.reused { " · connection reused" }
            @if let Some(peer) = hop.peer { " · " (peer) }
            @for attempt in hop.attempts.iter().take(8) {
                br; "tried " (attempt.peer) " in vain for " (duration(attempt.duration)) ": " code { (user(&attempt.error_type, 60)) }
            }
        }
    }
}

/// `dns 2 ms, connect 0.4 ms, wait 180 ms`.
fn phases(spans: &[PhaseSpan]) -> String {
    let words =
        spans.iter().take(12).map(|span| format!("{} {}", span.phase.as_str(), duration(span.duration)));
    words.collect::<Vec<_>>().join(", ")
}

const fn class(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "p-dns",
        Phase::Connect => "p-connect",
        Phase::Tls | Phase::Handshake => "p-tls",
        Phase::Send => "p-send",
        Phase::Wait => "p-wait",
        Phase::Receive => "p-receive",
    }
}

/// Bars in a picture that is as wide as its place; each is at least wide enough to be seen.
fn svg(bars: &[(Duration, Duration, &str)], whole: Duration, label: &str) -> Markup {
    let scale = WIDTH / whole.as_secs_f64().max(1e-9);
    let mut rects = String::with_capacity(bars.len() * 56);
    for (start, length, class) in bars {
        let x = (start.as_secs_f64() * scale).clamp(0.0, WIDTH - 2.0);
        let width = (length.as_secs_f64() * scale).clamp(2.0, WIDTH - x);
        write!(rects, r#"<rect class="{class}" x="{x:.1}" width="{width:.1}" height="10"/>"#)
            .expect("a String takes every character");
    }
    html! {
        svg.bars viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(label) { (PreEscaped(rects)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn bars_stay_inside_their_place() {
        let ms = Duration::from_millis;
        let text =
            svg(&[(ms(900), ms(500), "p-wait"), (ms(0), ms(0), "p-dns")], ms(1_000), "a").into_string();
        assert!(text.contains(r#"class="p-wait" x="900.0" width="100.0""#), "{text}");
        assert!(text.contains(r#"class="p-dns" x="0.0" width="2.0""#), "{text}");
        let text = svg(&[(ms(5), ms(5), "p-wait")], Duration::ZERO, "a").into_string();
        assert!(text.contains(r#"x="998.0" width="2.0""#), "{text}");
    }

    #[test]
    fn every_step_and_hop_has_its_line() {
        let text = waterfall(&sample::failed_flow().outcome).into_string();
        for part in [
            "login",
            "wait-until-confirmed",
            "skipped",
            "connection reused",
            "dns 2.0 ms, connect 1.0 ms",
            "captured ",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn polls_attempts_and_teardown_are_told() {
        let outcome = sample::busy_flow().outcome;
        let text = waterfall(&outcome).into_string();
        for part in [
            " · 2 attempts",
            "attempt 1 failed after 20 ms: <code><bdi>connect.refused</bdi></code> <bdi>it refused</bdi>",
            " · 31 polls",
            "27 requests between the first and the last polls are not kept. The last poll took 212 ms and was answered <bdi>200</bdi>.",
            "line step odd",
            "teardown · <bdi>http</bdi> · failed",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_run_with_thousands_of_hops_stays_small() {
        let mut outcome = sample::failed_flow().outcome;
        outcome.steps[0].hops = vec![outcome.steps[0].hops[0].clone(); 5_000];
        assert!(run_bar(&outcome, outcome.duration).into_string().len() < 64 * 1_024);
        assert!(waterfall(&outcome).into_string().len() < 128 * 1_024);
    }
}
