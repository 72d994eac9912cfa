//! The first bytes that a peer sent, for the sentence that says that they were not what was expected.
//!
//! They are kept in a fixed place, whatever they are, and shown only where a failure is told; then the run's redaction
//! goes over them as over every text. A limit's `…` stands right after what was cut, which is how redaction knows the
//! beginning of a secret.

use std::fmt::Write as _;

use crate::net::followed::{Break, Follow};

/// How many bytes are kept.
pub(crate) const KEPT_BYTES: usize = 64;

/// The first bytes of what came.
#[derive(Clone, Debug)]
pub(crate) struct Banner {
    bytes: [u8; KEPT_BYTES],
    length: usize,
}

/// What was expected in the place of what came.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An answer of HTTP/1.1.
    Http1,
    /// Frames of HTTP/2.
    Http2,
    /// A TLS handshake.
    Tls,
}

/// What is known by how it begins, and how people are told of it.
const KNOWN: [(&[u8], &str); 7] = [
    (b"SSH-", "SSH"),
    (b"+OK", "POP3 or Redis"),
    (b"-ERR", "POP3 or Redis"),
    (b"* OK", "IMAP"),
    (b"INFO {", "NATS"),
    (b"AMQP", "AMQP"),
    (b"RFB ", "VNC"),
];

impl Follow for Banner {
    fn came(&mut self, bytes: &[u8]) -> Result<(), Break> {
        if !self.is_full() {
            self.keep(bytes);
        }
        Ok(())
    }
}

impl Banner {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; KEPT_BYTES], length: 0 }
    }

    /// Whether nothing came.
    pub(crate) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether more will not be kept.
    pub(crate) const fn is_full(&self) -> bool {
        self.length == KEPT_BYTES
    }

    /// Forgets what came.
    pub(crate) const fn clear(&mut self) {
        self.length = 0;
    }

    /// Keeps of `bytes`, which came next, what there is room for.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(KEPT_BYTES - self.length);
        self.bytes[self.length..self.length + taken].copy_from_slice(&bytes[..taken]);
        self.length += taken;
    }

    /// What came, as the end of a sentence: `: it sent ..., which looks like SSH`. Empty if nothing came, and for what was
    /// `expected`: it has a mistake further on, which its beginning does not show.
    pub(crate) fn told(&self, expected: Expected) -> String {
        let bytes = &self.bytes[..self.length];
        if bytes.is_empty() || spoken(bytes) == Some(expected) {
            return String::new();
        }
        let what = recognise(bytes, expected);
        let what = what.map_or_else(String::new, |what| format!(", which looks like {what}"));
        format!(": it sent `{}`{what}", self.shown())
    }

    /// The bytes as people can read them: letters as they are, anything else escaped.
    fn shown(&self) -> String {
        let mut shown = String::with_capacity(2 * KEPT_BYTES);
        let mut chunks = self.bytes[..self.length].utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for letter in chunk.valid().chars() {
                if letter.is_control() {
                    shown.extend(letter.escape_default());
                } else {
                    shown.push(letter);
                }
            }
            // The limit may have cut a letter in two; half of one is nothing.
            if chunks.peek().is_some() || !self.is_full() {
                for byte in chunk.invalid() {
                    write!(shown, "\\x{byte:02x}").expect("a String takes every text");
                }
            }
        }
        if self.is_full() {
            shown.push('…');
        }
        shown
    }
}

/// Which of what may be expected it is.
fn spoken(bytes: &[u8]) -> Option<Expected> {
    match bytes {
        // Of any other version nothing is known here.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', ..] => Some(Expected::Http1),
        // Settings come first: their length, a multiple of six, and their type (RFC 9113, section 6.5).
        [0, 0, length, 4, ..] if length % 6 == 0 => Some(Expected::Http2),
        // An alert or a handshake, of any version (RFC 8446, section 5.1).
        [0x15 | 0x16, 3, ..] => Some(Expected::Tls),
        _ => None,
    }
}

fn recognise(bytes: &[u8], expected: Expected) -> Option<&'static str> {
    match (spoken(bytes), expected) {
        (Some(Expected::Http1), Expected::Tls) => return Some("plain HTTP: use http:"),
        (Some(Expected::Http1), _) => return Some("HTTP/1.1"),
        (Some(Expected::Http2), _) => return Some("HTTP/2"),
        (Some(Expected::Tls), _) => return Some("TLS: use https:"),
        (None, _) => {}
    }
    let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    if bytes.starts_with(b"220") {
        return Some(match (has(b"SMTP"), has(b"FTP")) {
            (true, _) => "a mail server (SMTP)",
            (_, true) => "FTP",
            _ => "a mail server or FTP",
        });
    }
    // A packet's length and number, then version 10 of its protocol.
    if bytes.get(3..6).is_some_and(|part| part[..2] == [0, 10] && part[2].is_ascii_digit()) {
        return Some("MySQL");
    }
    KNOWN.iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let mut banner = Banner::new();
        // However it comes.
        bytes.chunks(3).for_each(|piece| banner.keep(piece));
        assert_eq!(banner.told(Expected::Http1), expected);
    }

    #[test]
    fn what_came_is_shown_and_recognised() {
        check(b"", "");
        check(b"SSH-2.0-OpenSSH_9.2p1\r\n", ": it sent `SSH-2.0-OpenSSH_9.2p1\\r\\n`, which looks like SSH");
        check(
            b"220 mx.test ESMTP\r\n",
            ": it sent `220 mx.test ESMTP\\r\\n`, which looks like a mail server (SMTP)",
        );
        check(b"HTTP/2.0 200 OK\r\n", ": it sent `HTTP/2.0 200 OK\\r\\n`");
        check(b"220 ready", ": it sent `220 ready`, which looks like a mail server or FTP");
        check(
            b"\x15\x03\x01\0\x02\x02\x46",
            ": it sent `\\u{15}\\u{3}\\u{1}\\u{0}\\u{2}\\u{2}F`, which looks like TLS: use https:",
        );
        check(
            b"J\0\0\0\x0a8.0.36\0",
            ": it sent `J\\u{0}\\u{0}\\u{0}\\n8.0.36\\u{0}`, which looks like MySQL",
        );
        check("grüße \u{202e}".as_bytes(), ": it sent `grüße \u{202e}`");
        check(b"\xff\xfe", ": it sent `\\xff\\xfe`");
        check(&[b'x'; 65], &format!(": it sent `{}…`", "x".repeat(64)));
        check(format!("{}ü", "x".repeat(63)).as_bytes(), &format!(": it sent `{}…`", "x".repeat(63)));
    }

    #[test]
    fn what_was_expected_is_not_shown_and_what_is_near_is_named() {
        let told = |bytes: &[u8], expected| {
            let mut banner = Banner::new();
            banner.keep(bytes);
            banner.told(expected)
        };
        let (http1, http2, tls) = (&b"HTTP/1.1 400 Bad"[..], &b"\0\0\x12\x04\0"[..], &b"\x16\x03\x01"[..]);
        assert_eq!(told(http1, Expected::Http1), "");
        assert_eq!(told(http2, Expected::Http2), "");
        assert_eq!(told(tls, Expected::Tls), "");
        assert!(told(http1, Expected::Http2).ends_with("`HTTP/1.1 400 Bad`, which looks like HTTP/1.1"));
        assert!(told(http1, Expected::Tls).ends_with("which looks like plain HTTP: use http:"));
        assert!(told(http2, Expected::Http1).ends_with("which looks like HTTP/2"));
        assert!(told(tls, Expected::Http1).ends_with("which looks like TLS: use https:"));
    }
}
