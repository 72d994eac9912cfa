//! XMPP: a stream, its features, and the wish to go on in TLS (RFC 6120, section 5).
//!
//! The few elements that matter are looked for by their names; the stream is dropped at the handshake anyway.

use model::outcome::Failure;

use super::dialogue::Dialogue;

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";

pub(super) async fn upgrade(dialogue: &mut Dialogue<'_>, name: &str) -> Result<(), Failure> {
    // A server's name has neither quotes nor brackets.
    let stream = format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='{name}'>"
    );
    dialogue.say(stream.as_bytes()).await?;
    let features = dialogue
        .until(|heard| {
            let ends = ["</stream:features>", "<stream:features/>", "</stream:error>", "</stream:stream>"];
            // Another protocol's words have no such end.
            let is_stream = heard.trim_start().chars().next().is_none_or(|first| first == '<');
            if is_stream { after(heard, &ends) } else { Some(heard.len()) }
        })
        .await?;
    if !features.contains("<stream:stream") {
        return Err(dialogue.unexpected(&features));
    }
    if let Some(at) = features.find("<stream:error") {
        return Err(dialogue.refused(&features[at..]));
    }
    if !(features.contains("<starttls") && features.contains(TLS)) {
        return Err(dialogue.wrong("it does not offer STARTTLS"));
    }
    dialogue.say(format!("<starttls xmlns='{TLS}'/>").as_bytes()).await?;
    let answer = dialogue.until(whole_element).await?;
    if answer.trim_start().starts_with("<proceed") {
        Ok(())
    } else if answer.contains("<failure") || answer.contains("<stream:error") {
        Err(dialogue.refused(&answer))
    } else {
        Err(dialogue.unexpected(&answer))
    }
}

/// Behind the first of `ends`.
fn after(heard: &str, ends: &[&str]) -> Option<usize> {
    ends.iter().filter_map(|end| heard.find(end).map(|at| at + end.len())).min()
}

/// Behind the first element: `<proceed …/>`, or `<proceed …></proceed>`.
fn whole_element(heard: &str) -> Option<usize> {
    let first = heard.find('>')? + 1;
    let opened = heard[..first].trim_start();
    if opened.ends_with("/>") || !opened.starts_with('<') {
        return Some(first);
    }
    let name = opened[1..].split([' ', '>', '\t', '\r', '\n']).next().unwrap_or_default();
    after(heard, &[&format!("</{name}>"), "</stream:stream>"])
}
