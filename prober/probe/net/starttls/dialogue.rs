//! The plaintext part of a connection: bounded reading, byte by byte accounted for.

use std::io;

use model::outcome::{Failure, FailureClass, cut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Protocol;
use crate::net::fault;
use crate::net::lines::come_by_now;

/// The longest line or packet, in bytes; SMTP allows 512, IMAP's capabilities may have more.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// The most that a server may say before TLS, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// The longest part of what a server said that a message shows, in bytes.
pub(super) const SHOWN: usize = 160;

/// One conversation before TLS.
pub(super) struct Dialogue<'a> {
    stream: &'a mut TcpStream,
    protocol: Protocol,
    /// What has come and was not taken yet.
    buffer: Vec<u8>,
    /// Everything that has come, in bytes.
    heard: usize,
}

impl<'a> Dialogue<'a> {
    pub(super) const fn new(stream: &'a mut TcpStream, protocol: Protocol) -> Self {
        Self { stream, protocol, buffer: Vec::new(), heard: 0 }
    }

    /// The connection, before anything was said on it.
    pub(super) fn into_stream(self) -> &'a mut TcpStream {
        self.stream
    }

    /// Sends `bytes`.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.stream.write_all(bytes).await;
        sent.map_err(|error| fault::of_io(&error, "asking for STARTTLS"))
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(text(&line));
            }
            if self.buffer.len() > PIECE_BYTES_MAX {
                return Err(self.wrong(format!("it sent a line of more than {PIECE_BYTES_MAX} bytes")));
            }
            self.more().await?;
        }
    }

    /// The next `count` bytes.
    pub(super) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        if count > PIECE_BYTES_MAX {
            return Err(self.wrong(format!("it announced a packet of {count} bytes")));
        }
        while self.buffer.len() < count {
            self.more().await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Everything up to and with the place where `end` says that it ends.
    pub(super) async fn until(&mut self, end: impl Fn(&str) -> Option<usize>) -> Result<String, Failure> {
        loop {
            // Only ASCII is looked for; every other byte is one sign, so that places stay what they are.
            let heard: String = self.buffer.iter().map(|byte| ascii(*byte)).collect();
            if let Some(at) = end(&heard) {
                self.buffer.drain(..at);
                return Ok(heard[..at].to_owned());
            }
            if self.buffer.len() > PIECE_BYTES_MAX {
                return Err(self.wrong(format!("it sent {PIECE_BYTES_MAX} bytes without an end")));
            }
            self.more().await?;
        }
    }

    /// What has come and was not taken yet; nothing more is waited for.
    pub(super) fn at_hand(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    async fn more(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; 1024];
        let count = self.stream.read(&mut chunk).await;
        let count = count
            .and_then(|count| if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) });
        let count = count.map_err(|error| fault::of_io(&error, "asking for STARTTLS"))?;
        self.heard += count;
        if self.heard > BYTES_MAX {
            return Err(self.wrong(format!("it sent more than {BYTES_MAX} bytes")));
        }
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(())
    }

    /// After the server agreed: not a byte may come before the handshake.
    ///
    /// # Errors
    /// There are some; or the server hung up.
    pub(super) async fn nothing_left(mut self) -> Result<(), Failure> {
        match come_by_now(self.stream).await {
            Ok(bytes) => self.buffer.extend(bytes),
            Err(error) => return Err(fault::of_io(&error, "asking for STARTTLS")),
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let said = text(&self.buffer);
        Err(self.wrong(format!("more came in plaintext after it had agreed to TLS: {:?}", cut(said, SHOWN))))
    }

    /// The server does not want TLS.
    pub(super) fn refused(&self, said: &str) -> Failure {
        self.wrong(format!("it refused: {:?}", cut(said.to_owned(), SHOWN)))
    }

    /// The server says something that has no place here.
    pub(super) fn unexpected(&self, said: &str) -> Failure {
        self.wrong(format!("it sent {:?}", cut(said.to_owned(), SHOWN)))
    }

    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> Failure {
        wrong(self.protocol, what)
    }
}

/// The failure of a server that does not come to TLS.
pub(super) fn wrong(protocol: Protocol, what: impl std::fmt::Display) -> Failure {
    let message = format!("the server did not come to TLS over {}: {what}", protocol.word());
    Failure::new(FailureClass::Tls, "tls.starttls", message)
}

const fn ascii(byte: u8) -> char {
    if byte.is_ascii() { byte as char } else { '?' }
}

/// `bytes` as a text without the end of its line.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n']).to_owned()
}
