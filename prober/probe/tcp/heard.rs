//! What a server sends, read within a limit, and when it is looked at.

use std::io;

use model::outcome::Failure;
use model::step::Phase;
use regex::bytes::Regex;
use tokio::net::TcpStream;

use crate::net::fault;
use crate::net::phases::Phases;
use crate::octets::Encoding;

/// How much is read at once.
const CHUNK: usize = 4096;
/// How often all that may be read is looked through, in sum; a server that sends it byte by byte is not looked at
/// after each of them once that is used up.
const LOOKS: usize = 512;

/// Everything that came on a connection, and how far the rounds have got in it.
#[derive(Debug)]
pub(super) struct Heard {
    /// All of it, at most `limit` bytes.
    pub(super) bytes: Vec<u8>,
    limit: usize,
    /// Where the round in progress begins.
    pub(super) from: usize,
    /// How many bytes may still be looked through after every piece.
    budget: usize,
    /// How much there was at the last look.
    looked: usize,
    ended: bool,
}

impl Heard {
    /// Nothing yet.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            from: 0,
            budget: limit.saturating_mul(LOOKS),
            looked: 0,
            ended: false,
        }
    }

    /// What came in the round in progress.
    pub(super) fn round(&self) -> &[u8] {
        &self.bytes[self.from..]
    }

    /// Whether nothing more will be read.
    pub(super) const fn is_ended(&self) -> bool {
        self.ended || self.is_full()
    }

    /// Whether all that may be read was read.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }

    /// Reads what is there into [`Heard::bytes`]; waits for it if nothing is.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn read(&mut self, stream: &TcpStream, phases: &mut Phases) -> Result<(), Failure> {
        if self.is_ended() {
            return Ok(());
        }
        let room = (self.limit - self.bytes.len()).min(CHUNK);
        let count = loop {
            stream.readable().await.map_err(|error| self.broken(&error))?;
            // Readiness may be a false alarm; nothing is kept across the wait, which may be cut short.
            match take(stream, &mut self.bytes, room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => break read.map_err(|error| self.broken(&error))?,
            }
        };
        self.ended = count == 0;
        if count > 0 && phases.current() == Some(Phase::Wait) {
            phases.enter(Phase::Receive);
        }
        Ok(())
    }

    /// Where in the round the first match of `wanted` ends, in bytes, if it is worth a look and there is one.
    pub(super) fn matched(&mut self, wanted: &Regex, encoding: Encoding) -> Option<usize> {
        let length = self.round().len();
        let grown = self.bytes.len() - self.looked;
        if length > self.budget && grown < length / 8 && !self.is_ended() {
            return None;
        }
        self.budget = self.budget.saturating_sub(length);
        self.looked = self.bytes.len();
        let end = match encoding {
            // As they are: what is not UTF-8 would be longer once shown.
            Encoding::Text => wanted.find(self.round())?.end(),
            _ => wanted.find(encoding.show(self.round()).as_bytes())?.end(),
        };
        Some(encoding.bytes_of(end, length))
    }

    /// Where in the round the text `marker` ends, if it is there; only what is new since `seen` is looked at.
    pub(super) fn found(&self, marker: &[u8], seen: usize) -> Option<usize> {
        // The marker may have begun in the bytes before.
        let start = seen.saturating_sub(marker.len() - 1);
        let at = self.round()[start..].windows(marker.len()).position(|part| part == marker)?;
        Some(start + at + marker.len())
    }

    /// Ends the round after `length` of its bytes; the rest is the next one's. Gives what the round heard.
    pub(super) fn end_round(&mut self, length: usize) -> &[u8] {
        let from = self.from;
        self.from = (from + length).min(self.bytes.len());
        self.looked = self.from;
        &self.bytes[from..self.from]
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let failure = fault::of_io(error, "reading the answer");
        if self.bytes.is_empty() {
            return failure;
        }
        let said = Encoding::Text.quote(&self.bytes);
        Failure::new(
            failure.class,
            failure.error_type,
            format!("{}, after it had sent {said}", failure.message),
        )
    }
}

/// Moves at most `room` bytes that have arrived to the end of `heard`.
fn take(stream: &TcpStream, heard: &mut Vec<u8>, room: usize) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let count = stream.try_read(&mut chunk[..room])?;
    heard.extend_from_slice(&chunk[..count]);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_in_small_pieces_is_not_looked_at_after_each() {
        let never = Regex::new("never").unwrap();
        let mut heard = Heard::new(8192);
        let mut looks = 0;
        for _ in 0..8191 {
            heard.bytes.push(b'x');
            heard.matched(&never, Encoding::Text);
            looks += usize::from(heard.looked == heard.bytes.len());
        }
        assert!(looks < 4000, "{looks} looks");
        heard.bytes.extend(b"n");
        heard.ended = true;
        heard.matched(&never, Encoding::Text);
        assert_eq!(heard.looked, 8192, "the end is looked at in any case");
    }

    #[test]
    fn rounds_share_what_came_at_once() {
        let mut heard = Heard::new(100);
        heard.bytes.extend(b"220 a\r\n250 b\r\n");
        let end = heard.matched(&Regex::new("220 .*\r\n").unwrap(), Encoding::Text).unwrap();
        assert_eq!(heard.end_round(end), b"220 a\r\n");
        let end = heard.matched(&Regex::new("^3235").unwrap(), Encoding::Hex).unwrap();
        assert_eq!(heard.end_round(end), b"25");
        assert_eq!(heard.found(b"b\r\n", 0), Some(5));
        assert_eq!(heard.found(b"b\r\n", 4), Some(5));
    }
}
