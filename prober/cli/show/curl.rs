//! The same request with curl, as far as the event knows it.
//!
//! Deliberately absent: headers, bodies and the values of queries; they may hold secrets, and events do not
//! keep them.

use std::net::IpAddr;

use model::event::SliEvent;
use model::step::StepRecord;

use super::line::{Line, paragraph};
use super::look::{About, Look, Tone};

/// Appends a command for each `http` step that asked for something.
pub(super) fn show(out: &mut String, event: &SliEvent, about: About<'_>, look: Look) {
    let commands: Vec<_> = event.outcome.steps.iter().filter_map(command).collect();
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
    let commands = event.outcome.steps.iter().filter_map(command);
    commands.map(|words| words.join(" ") + "\n").collect()
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

/// The command for the step's first request; `None` if it cannot be told safely.
fn command(step: &StepRecord) -> Option<Vec<String>> {
    let first = step.hops.first()?;
    let (method, url) = first.label.split_once(' ')?;
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    let is_word = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    // Whatever else stands in an address, such as a masked secret, cannot be copied into a shell.
    if step.kind != "http" || !is_http || !is_word || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut words = vec!["curl -v".to_owned()];
    match method {
        "GET" => {}
        "HEAD" => words.push("--head".to_owned()),
        other => words.push(format!("-X {other}")),
    }
    words.extend(version(step).map(str::to_owned));
    if step.hops.len() > 1 {
        words.push("--location".to_owned());
    } else {
        words.extend(resolve(step));
    }
    if step.attributes.get("prober.tls.insecure").is_some() {
        words.push("--insecure".to_owned());
    }
    words.push(quoted(url));
    Some(words)
}

fn version(step: &StepRecord) -> Option<&'static str> {
    match step.attributes.text("network.protocol.version")? {
        "2" => Some("--http2"),
        "1.1" => Some("--http1.1"),
        _ => None,
    }
}

/// The address that answered, so that curl asks the same one.
fn resolve(step: &StepRecord) -> Option<String> {
    let host = step.attributes.text("server.address")?;
    let peer = step.hops.first()?.peer?;
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if !is_name || host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let ip = if peer.is_ipv6() { format!("[{}]", peer.ip()) } else { peer.ip().to_string() };
    Some(format!("--resolve {}", quoted(&format!("{host}:{}:{ip}", peer.port()))))
}

/// `word` as a shell takes it to the letter.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
