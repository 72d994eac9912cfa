//! The same request with curl, as far as the event knows it.
//!
//! Deliberately absent: headers, bodies and the values of queries; they may hold secrets, and events do not
//! keep them.

use std::net::IpAddr;

use model::event::SliEvent;
use model::step::StepRecord;

/// The words of a command for each `http` step that asked for something; joined by blanks, each is a line for a shell.
pub fn commands(event: &SliEvent) -> Vec<Vec<String>> {
    event.outcome.steps.iter().filter_map(command).collect()
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
