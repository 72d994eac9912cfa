//! Messages, said and heard within limits.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use model::outcome::{Failure, FailureClass, cut};
use model::step::Phase;
use regex::bytes::Regex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frames::{Frames, Padded};
use super::run::{MESSAGES_MAX, Until};
use crate::http::wire::{Marks, NoHead, Wire};
use crate::net::fault::{self, within};
use crate::net::followed::Followed;
use crate::net::phases::Phases;
use crate::net::tls::words::of_io;
use crate::octets::Encoding;

/// The most that comes on one WebSocket, in bytes.
const RECEIVED_MAX: u64 = 8 * 1024 * 1024;
/// The most frames of pings, pongs and messages; pings without end say nothing.
const FRAMES_MAX: usize = 10_000;
/// How much is read at once; the library would take 128 KiB.
const READ_BUFFER: usize = 4096;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(250);
/// What stands for a close without a code (RFC 6455, section 7.1.5).
const NO_CODE: u16 = 1005;

/// An open WebSocket, and all that came on it.
pub(super) struct Talk {
    stream: WebSocketStream<Followed<Wire, Frames>>,
    marks: Arc<Marks>,
    encoding: Encoding,
    pub(super) heard: Heard,
    frames: usize,
}

/// What came on a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The messages in their order.
    pub(super) messages: Vec<Vec<u8>>,
    /// Code and reason of the server's close, once it has come.
    pub(super) closed: Option<(u16, String)>,
}

impl Talk {
    /// The WebSocket on `wire`, of which `read` was read already.
    pub(super) async fn new(
        wire: Wire,
        read: &Bytes,
        (marks, encoding, message_bytes_max): (Arc<Marks>, Encoding, usize),
    ) -> Self {
        marks.limit(RECEIVED_MAX);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let (wire, passed) = Followed::after(wire, Frames::default(), read);
        let read = read[..passed].to_vec();
        let stream = WebSocketStream::from_partially_read(wire, read, Role::Client, Some(config)).await;
        Self { stream, marks, encoding, heard: Heard::default(), frames: 0 }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let message = match (self.encoding, std::str::from_utf8(bytes)) {
            (Encoding::Text, Ok(text)) => Message::text(text),
            _ => Message::binary(bytes.to_vec()),
        };
        self.stream.send(message).await.map_err(|error| of_frames(error, "sending"))
    }

    /// Reads messages until there are enough, beginning with message `from`.
    ///
    /// # Errors
    /// The server closed before that, sent what is no WebSocket, or more than it may.
    pub(super) async fn hear(
        &mut self,
        until: &Until,
        from: usize,
        phases: &mut Phases,
    ) -> Result<(), Failure> {
        let enough = |heard: &Heard, encoding: Encoding| match until {
            Until::Count(count) => heard.messages.len() >= from + count,
            Until::Match(wanted) => {
                let last = heard.messages.last().filter(|_| heard.messages.len() > from);
                last.is_some_and(|bytes| matches(wanted, bytes, encoding))
            }
        };
        while !enough(&self.heard, self.encoding) {
            if self.heard.messages.len() >= usize::try_from(MESSAGES_MAX).unwrap_or(usize::MAX) {
                return Err(flood(format!(
                    "the server sent {MESSAGES_MAX} messages and not the one that is expected"
                )));
            }
            self.next().await?;
            if phases.current() == Some(Phase::Wait) {
                phases.enter(Phase::Receive);
            }
            if self.heard.closed.is_some() && !enough(&self.heard, self.encoding) {
                return Err(self.closed_early(until, from));
            }
        }
        Ok(())
    }

    /// Waits until the server has closed; it gets the last word.
    ///
    /// # Errors
    /// The connection broke without a close, or there is more than there may be.
    pub(super) async fn until_closed(&mut self) -> Result<(), Failure> {
        while self.heard.closed.is_none() {
            if self.heard.messages.len() >= usize::try_from(MESSAGES_MAX).unwrap_or(usize::MAX) {
                return Err(flood(format!("the server sent {MESSAGES_MAX} messages and did not close")));
            }
            self.next().await?;
        }
        Ok(())
    }

    /// Closes in good order, and hears what the server says to it; a server that says nothing is left.
    pub(super) async fn close(&mut self, deadline: Instant) {
        let count = self.heard.messages.len();
        let until = deadline.min(Instant::now() + GOODBYE);
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let polite = async {
            if self.heard.closed.is_none() && self.stream.close(Some(frame)).await.is_ok() {
                // What is still under way is nobody's failure any more.
                while self.heard.closed.is_none() && self.next().await.is_ok() {}
            }
            // Lets the answer to the server's close go out.
            let _sent = self.stream.flush().await;
        };
        let _said = within(until, polite).await;
        // What came after that is no answer.
        self.heard.messages.truncate(count);
    }

    /// Takes the next frame.
    async fn next(&mut self) -> Result<(), Failure> {
        self.frames += 1;
        if self.frames > FRAMES_MAX {
            return Err(flood(format!("the server sent {FRAMES_MAX} frames and not what is expected")));
        }
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => self.heard.messages.push(text.as_bytes().to_vec()),
            Some(Ok(Message::Binary(bytes))) => self.heard.messages.push(bytes.to_vec()),
            Some(Ok(Message::Close(frame))) => {
                let frame = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                let came = self.stream.get_ref().follower().close_code();
                let came = came.filter(|code| !CloseCode::from(*code).is_allowed());
                if let Some(code) = came {
                    self.heard.closed = Some((code, String::new()));
                    return Err(forbidden(code));
                }
                self.heard.closed = Some(frame.unwrap_or((NO_CODE, String::new())));
            }
            // The library answers pings by itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(of_frames(error, "waiting for a message")),
            None => return Err(left()),
        }
        Ok(())
    }

    fn closed_early(&self, until: &Until, from: usize) -> Failure {
        let (code, reason) = self.heard.closed.as_ref().map_or((&NO_CODE, ""), |(code, text)| (code, text));
        let reason =
            if reason.is_empty() { String::new() } else { format!(" ({})", cut(reason.to_owned(), 120)) };
        let wanted = match until {
            Until::Count(count) => {
                format!("when {} of {count} messages had come", self.heard.messages.len() - from)
            }
            Until::Match(wanted) => format!("before a message matched `{}`", wanted.as_str()),
        };
        let code = if *code == NO_CODE { "out a code".to_owned() } else { format!(" {code}") };
        let message = format!("the server closed the WebSocket with{code}{reason} {wanted}");
        Failure::new(FailureClass::Protocol, "websocket.closed", message)
    }

    /// When the last byte was written, if nothing is left to be written.
    pub(super) fn sent(&self) -> Option<Instant> {
        self.marks.sent()
    }
}

fn matches(wanted: &Regex, bytes: &[u8], encoding: Encoding) -> bool {
    match encoding {
        Encoding::Text => wanted.is_match(bytes),
        _ => wanted.is_match(encoding.show(bytes).as_bytes()),
    }
}

/// The failure of a close with a code that stands for what happened without a close, or that nobody has defined.
fn forbidden(code: u16) -> Failure {
    let message = format!(
        "the server closed the WebSocket with {code}, a code that may not be sent (RFC 6455, section 7.4)"
    );
    Failure::new(FailureClass::Protocol, "websocket.protocol", message)
}

/// The failure of a connection that ended in good order, and the WebSocket on it did not.
fn left() -> Failure {
    let message = "the server closed the connection without a close frame";
    Failure::new(FailureClass::Protocol, "websocket.closed", message)
}

fn flood(message: String) -> Failure {
    Failure::new(FailureClass::Protocol, "websocket.too_much", message)
}

/// The failure of frames that could not be sent or read.
fn of_frames(error: Error, doing: &str) -> Failure {
    let broken = |why: String| Failure::new(FailureClass::Protocol, "websocket.protocol", why);
    match error {
        Error::Io(error) => match error.get_ref() {
            Some(inner) if inner.is::<NoHead>() => flood("the server sent more than 8 MiB".to_owned()),
            Some(inner) if inner.is::<Padded>() => {
                broken(format!("the server breaks the rules of WebSocket: {inner}"))
            }
            _ if error.kind() == io::ErrorKind::InvalidData => {
                broken(format!("what came cannot be decrypted: {}", of_io(&error)))
            }
            _ => fault::of_io(&error, doing),
        },
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => left(),
        Error::Capacity(error) => Failure::new(
            FailureClass::Protocol,
            "websocket.too_large",
            format!("a message is too long: {error}"),
        ),
        Error::Protocol(ProtocolError::InvalidCloseSequence) => {
            broken("the server closed the WebSocket with half a code, one byte".to_owned())
        }
        other => broken(format!("the server breaks the rules of WebSocket: {other}")),
    }
}
