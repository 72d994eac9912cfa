//! The same request with curl, in the terminal.

use dashboard::curl::commands;
use model::event::SliEvent;

use super::line::{Line, paragraph};
use super::look::{About, Look, Tone};

/// Appends a command for each `http` step that asked for something.
pub(super) fn show(out: &mut String, event: &SliEvent, about: About<'_>, look: Look) {
    let commands = commands(event);
    if commands.is_empty() {
        return;
    }
    out.push('\n');
    let mut line = Line::new(look, 2);
    line.tint(Tone::Strong, "the same with curl");
    line.end(out);
    for words in commands {
        show_command(out, &words, look);
    }
    let place = if about.place.is_empty() { "the scenario's file" } else { about.place };
    let remark = format!("left out: headers, bodies, cookies and the values of queries; see {place}");
    paragraph(out, Line::new(look, 5), Tone::Dim, &remark);
}

/// The commands alone, each on one line, to be copied or run; empty if no step can be asked so.
pub(crate) fn curl_commands(event: &SliEvent) -> String {
    commands(event).iter().map(|words| words.join(" ") + "\n").collect()
}

/// The words of the command over as many lines as they need; a word is never broken.
fn show_command(out: &mut String, words: &[String], look: Look) {
    let mut line = Line::new(look, 5);
    let mut first = true;
    for word in words {
        // The backslash needs two columns.
        if !first && line.room() < word.len() + 3 {
            line.put(" \\");
            std::mem::replace(&mut line, Line::new(look, 7)).end(out);
            first = true;
        }
        line.gap(usize::from(!first)).whole(word);
        first = false;
    }
    line.end(out);
}
