//! What was sent and received, if the run kept it.

use model::outcome::Outcome;
use model::step::Message;

use super::line::Line;
use super::look::{Look, Tone};

/// The most lines of one body.
const LINES_MAX: usize = 400;

/// Appends the exchanges of every step, as `curl -v` shows them.
pub(super) fn show(out: &mut String, outcome: &Outcome, look: Look) {
    for step in &outcome.steps {
        for exchange in step.hops.iter().filter_map(|hop| hop.exchange.as_ref()) {
            let mut line = Line::new(look, 2);
            line.tint(Tone::Strong, &step.name);
            line.end(out);
            show_message(out, &exchange.request, "> ", look);
            match &exchange.answer {
                Some(answer) => show_message(out, answer, "< ", look),
                None => show_line(out, "< ", "(no answer)", look),
            }
            out.push('\n');
        }
    }
}

fn show_message(out: &mut String, message: &Message, sign: &'static str, look: Look) {
    for line in &message.head {
        show_line(out, sign, line, look);
    }
    let Some(body) = &message.body else { return };
    show_line(out, sign, "", look);
    let mut lines = body.lines();
    for line in lines.by_ref().take(LINES_MAX) {
        show_line(out, "  ", line, look);
    }
    let more = lines.count();
    if more > 0 {
        show_line(out, "  ", &format!("and {more} more lines"), look);
    }
}

fn show_line(out: &mut String, sign: &'static str, text: &str, look: Look) {
    let mut line = Line::new(look, 5);
    line.tint(Tone::Dim, sign).whole(text);
    line.end(out);
}
