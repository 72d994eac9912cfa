//! The hops of a step: what was asked, what answered, and where the time went.

use std::time::Duration;

use model::outcome::FailureClass;
use model::step::{Hop, Phase, StepRecord, StepState};

use super::line::{Line, items, paragraph};
use super::look::{Look, Tone};
use super::number::duration;
use super::safe::{columns_of, safe};

/// Blanks before a hop.
const INDENT: usize = 8;

/// The columns of a hop's phases as letters.
const LETTERS: usize = 24;

/// How many hops are shown at the start and at the end of a longer list.
const HOPS_SHOWN: usize = 3;

/// Appends the hops of `step`, those of earlier attempts first; of many the first and the last ones.
pub(super) fn show(out: &mut String, step: &StepRecord, look: Look) {
    if let Some(note) = step.note.as_ref().filter(|_| step.state != StepState::Skipped) {
        paragraph(out, Line::new(look, INDENT), Tone::Dim, note);
    }
    for (index, attempt) in step.attempts.iter().enumerate() {
        let mut line = Line::new(look, INDENT);
        line.tint(Tone::Odd, &format!("attempt {} failed after {}: ", index + 1, duration(attempt.duration)));
        line.put(&attempt.failure.message);
        line.end(out);
        for hop in attempt.hops.iter().take(2 * HOPS_SHOWN) {
            show_head(out, hop, look);
            show_attempts(out, hop, look);
            show_phases(out, hop, None, look);
        }
    }
    let left_out = step.poll.as_ref().map_or(0, |poll| poll.hops_left_out);
    let failed = failed_phase(step);
    let count = step.hops.len();
    for (index, hop) in step.hops.iter().enumerate() {
        if count > 2 * HOPS_SHOWN && (HOPS_SHOWN..count - HOPS_SHOWN).contains(&index) {
            if index == HOPS_SHOWN {
                let mut line = Line::new(look, INDENT);
                line.tint(Tone::Dim, &format!("and {} more", count - 2 * HOPS_SHOWN));
                line.end(out);
            }
            continue;
        }
        if left_out > 0 && index == count / 2 {
            let mut line = Line::new(look, INDENT);
            line.tint(Tone::Dim, &format!("and {left_out} more in between"));
            line.end(out);
        }
        show_head(out, hop, look);
        show_attempts(out, hop, look);
        show_phases(out, hop, if index + 1 == count { failed } else { None }, look);
    }
}

/// The phase in which a step broke off; `None` if it ended, whatever came of it.
pub(super) fn failed_phase(step: &StepRecord) -> Option<Phase> {
    let failure = step.failure.as_ref().filter(|_| step.state == StepState::Failed)?;
    let hop = step.hops.last()?;
    // With a status there was an answer: it is wrong, or another server's, but no phase of it broke off.
    if failure.class == FailureClass::Dns && hop.status.is_some() {
        return None;
    }
    if let Some(phase) = step.attributes.text("timeout.phase").and_then(|word| word.parse().ok()) {
        return Some(phase);
    }
    let broke = match failure.class {
        FailureClass::Dns | FailureClass::Connect | FailureClass::Tls | FailureClass::Timeout => true,
        FailureClass::Protocol => matches!(&*failure.error_type, "http.protocol" | "http.truncated"),
        _ => false,
    };
    hop.phases.last().filter(|_| broke).map(|last| last.phase)
}

fn show_head(out: &mut String, hop: &Hop, look: Look) {
    let peer = hop.peer.map(|peer| peer.to_string());
    let reused = hop.reused.then(|| "reused".to_owned());
    let facts: Vec<String> =
        hop.status.clone().map(String::from).into_iter().chain(peer).chain(reused).collect();
    let facts = facts.join("  ");
    let mut line = Line::new(look, INDENT);
    let wide = columns_of(&safe(&facts, look.unicode, look.columns()));
    let room = line.room().saturating_sub(wide + 2).max(16);
    line.field(Tone::Plain, &hop.label, room).gap(2).tint(Tone::Dim, &facts);
    line.end(out);
}

fn show_attempts(out: &mut String, hop: &Hop, look: Look) {
    for attempt in &hop.attempts {
        let mut line = Line::new(look, INDENT + 2);
        line.put(&format!("tried {} for {}: ", attempt.peer, duration(attempt.duration)));
        line.put(&attempt.error_type);
        line.end(out);
    }
}

fn show_phases(out: &mut String, hop: &Hop, failed: Option<Phase>, look: Look) {
    if hop.phases.is_empty() {
        return;
    }
    let letters = letters(hop);
    let last = hop.phases.len() - 1;
    let spans = hop.phases.iter().enumerate().map(|(index, span)| {
        let times = format!("{} {} {}", letter(span.phase), span.phase.as_str(), duration(span.duration));
        if failed == Some(span.phase) && index == last {
            return (Tone::Bad, format!("{times} {} failed here", look.either("←", "<-")));
        }
        (Tone::Plain, times)
    });
    let spans: Vec<(Tone, String)> = std::iter::once((Tone::Dim, letters)).chain(spans).collect();
    let spans = spans.iter().filter(|(_, text)| !text.is_empty()).map(|(tone, text)| (*tone, text.as_str()));
    items(out, Line::new(look, INDENT + 2), spans);
}

const fn letter(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "D",
        Phase::Connect => "C",
        Phase::Tls => "T",
        Phase::Handshake => "H",
        Phase::Send => "S",
        Phase::Wait => "W",
        Phase::Receive => "R",
    }
}

/// The phases to scale, each at least one letter; empty if there is only one.
fn letters(hop: &Hop) -> String {
    let total = hop.duration().as_secs_f64();
    if total <= 0.0 || hop.phases.len() < 2 {
        return String::new();
    }
    let mut out = String::new();
    let mut spent = Duration::ZERO;
    for span in &hop.phases {
        spent = spent.saturating_add(span.duration);
        let share = (spent.as_secs_f64() / total).min(1.0) * LETTERS as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and LETTERS")]
        let end = share.round() as usize;
        out.push_str(&letter(span.phase).repeat(end.saturating_sub(out.len()).max(1)));
    }
    out
}
