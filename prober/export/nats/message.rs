//! What is published of an event, pure: subject, headers, payload.

use std::fmt::Write as _;

use model::event::SliEvent;

use crate::cloud_event;

/// Whether `text` is a subject without wildcards.
pub(super) fn is_subject(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b'>')
    };
    text.split('.').all(is_word)
}

/// A name as one word of a subject: what could not stand there is replaced.
fn word(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_=[]".contains(letter);
    let word: String = name.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect();
    if word.is_empty() { "_".to_owned() } else { word }
}

/// `PREFIX.REGION.SCENARIO`
pub(super) fn subject(prefix: &str, event: &SliEvent) -> String {
    let stream = &event.origin.stream;
    format!("{prefix}.{}.{}", word(&stream.region), word(&stream.scenario))
}

/// The headers of a message: those of CloudEvents' binary mode, and the id that JetStream leaves out repetitions by.
pub(super) fn headers(event: &SliEvent) -> String {
    let mut text = String::from("NATS/1.0\r\n");
    let mut push = |name: &str, value: &str| {
        write!(text, "{name}: {value}\r\n").expect("a String takes every text");
    };
    push("Nats-Msg-Id", &cloud_event::id(event));
    for (name, value) in cloud_event::attributes(event) {
        push(&format!("ce-{name}"), &value);
    }
    push("content-type", "application/json");
    text.push_str("\r\n");
    text
}

/// The command that publishes an event, with `reply` as where the answer goes.
pub(super) fn publication(prefix: &str, event: &SliEvent, reply: &str) -> Vec<u8> {
    let (headers, payload) = (headers(event), event.to_json());
    let total = headers.len() + payload.len();
    let reply = if reply.is_empty() { String::new() } else { format!("{reply} ") };
    let mut bytes =
        format!("HPUB {} {reply}{} {total}\r\n", subject(prefix, event), headers.len()).into_bytes();
    bytes.extend_from_slice(headers.as_bytes());
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use model::outcome::Reason;

    use super::*;
    use crate::sample::{event, origin};

    #[test]
    fn hostile_names_stay_in_their_word() {
        for (scenario, expected) in [
            ("shop", "p.v1.eu.shop"),
            ("a.b *>\r\nPUB x", "p.v1.eu.a_b_____PUB_x"),
            ("", "p.v1.eu._"),
            ("é[region=eu]", "p.v1.eu._[region=eu]"),
        ] {
            let one = event(&origin(scenario), 0, Reason::Ok);
            assert_eq!(subject("p.v1", &one), expected);
            let headers = headers(&one);
            assert_eq!(headers.lines().count(), 9, "{headers}");
            assert!(!publication("p", &one, "").starts_with(b"HPUB p.eu.a.b"));
        }
        let one = event(&origin("a/b"), 0, Reason::Ok);
        assert!(headers(&one).contains("\r\nce-source: /a%2Fb/eu\r\n"));
        assert!(is_subject("prober.runs.v1"));
        for text in ["", "a..b", "a.*", "a.>", "a b", "a.", "a\r\n"] {
            assert!(!is_subject(text), "{text:?}");
        }
    }
}
