//! A protocol of lines on a connection, read within limits.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use bytes::BufMut as _;
use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::net::fault;
use crate::net::phases::Phases;

/// How much is read at once.
const CHUNK: usize = 2048;

/// A connection on which both sides speak in lines.
#[derive(Debug)]
pub(crate) struct Lines<S> {
    stream: S,
    /// What was read and not yet taken.
    buffer: Vec<u8>,
    /// How many bytes may still be read.
    room: usize,
}

/// Why a connection is not as it should be before TLS begins on it.
#[derive(Debug)]
pub(crate) enum Leftover {
    /// This came, and nobody asked for it.
    Said(String),
    /// The connection broke, or was closed.
    Broken(Failure),
}

/// Why there is no line.
#[derive(Debug)]
pub(crate) enum LineError {
    /// The connection broke, or was closed.
    Broken(Failure),
    /// A line, or all of them together, is longer than it may be.
    TooLong,
}

impl LineError {
    /// The failure; a line that is too long is of class `protocol` and `error_type`.
    pub(crate) fn into_failure(self, error_type: &'static str) -> Failure {
        match self {
            Self::Broken(failure) => failure,
            Self::TooLong => {
                let message = "the server's answer is longer than it may be";
                Failure::new(FailureClass::Protocol, error_type, message)
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// The lines on `stream`, of which at most `room` bytes are read.
    pub(crate) const fn new(stream: S, room: usize) -> Self {
        Self { stream, buffer: Vec::new(), room }
    }

    /// Writes `bytes`; takes the phase `send` and opens `wait`.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn write(&mut self, bytes: &[u8], phases: &mut Phases) -> Result<(), Failure> {
        phases.enter(Phase::Send);
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| fault::of_io(&error, "sending"))?;
        phases.enter(Phase::Wait);
        Ok(())
    }

    /// The next line without its end, at most `bytes_max` long; `receive` begins with its first byte.
    ///
    /// # Errors
    /// The connection ended, or there is too much.
    pub(crate) async fn line(&mut self, bytes_max: usize, phases: &mut Phases) -> Result<String, LineError> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffer[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=seen + at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if line.len() > bytes_max {
                    return Err(LineError::TooLong);
                }
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            seen = self.buffer.len();
            if seen > bytes_max + 1 {
                return Err(LineError::TooLong);
            }
            self.fill(phases).await?;
        }
    }

    /// Exactly `count` bytes.
    ///
    /// # Errors
    /// The connection ended before, or there is too much.
    pub(crate) async fn exactly(&mut self, count: usize, phases: &mut Phases) -> Result<Vec<u8>, LineError> {
        if count > self.buffer.len() + self.room {
            return Err(LineError::TooLong);
        }
        while self.buffer.len() < count {
            self.fill(phases).await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    async fn fill(&mut self, phases: &mut Phases) -> Result<(), LineError> {
        if self.room == 0 {
            return Err(LineError::TooLong);
        }
        let mut room = (&mut self.buffer).limit(self.room.min(CHUNK));
        let read = self.stream.read_buf(&mut room).await;
        let broken = |error: io::Error| LineError::Broken(fault::of_io(&error, "reading the answer"));
        let count = read.map_err(broken)?;
        if count == 0 {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if phases.current() == Some(Phase::Wait) {
            phases.enter(Phase::Receive);
        }
        self.room -= count;
        Ok(())
    }

    /// The connection, if nothing has come by now that has not been taken.
    ///
    /// # Errors
    /// Something has; or the other side hung up.
    pub(crate) async fn into_inner(mut self) -> Result<S, Leftover> {
        if self.buffer.is_empty() {
            match come_by_now(&mut self.stream).await {
                Ok(bytes) => self.buffer = bytes,
                Err(error) => return Err(Leftover::Broken(fault::of_io(&error, "reading the answer"))),
            }
        }
        if self.buffer.is_empty() {
            return Ok(self.stream);
        }
        let said = String::from_utf8_lossy(&self.buffer);
        Err(Leftover::Said(said.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// What has come on `stream` by now, without waiting for it.
///
/// # Errors
/// The connection broke, or the other side hung up.
pub(crate) async fn come_by_now<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut chunk = [0; CHUNK];
    let mut bytes = ReadBuf::new(&mut chunk);
    let read = poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut bytes)));
    // Whether something is there is asked once; what this task has done before does not matter.
    match tokio::task::unconstrained(read).await {
        Poll::Pending => Ok(Vec::new()),
        Poll::Ready(Ok(())) if bytes.filled().is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        Poll::Ready(read) => read.map(|()| bytes.filled().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn lines_come_within_limits() {
        let (near, mut far) = tokio::io::duplex(4096);
        let mut lines = Lines::new(near, 100);
        let mut phases = Phases::start(Instant::now());
        far.write_all(b"220 a\r\n250 b\nrest").await.unwrap();
        assert_eq!(lines.line(20, &mut phases).await.unwrap(), "220 a");
        assert_eq!(lines.line(20, &mut phases).await.unwrap(), "250 b");
        assert_eq!(lines.exactly(2, &mut phases).await.unwrap(), b"re");
        far.write_all(&[b'x'; 60]).await.unwrap();
        assert!(matches!(lines.line(20, &mut phases).await, Err(LineError::TooLong)));
        assert!(matches!(lines.exactly(90, &mut phases).await, Err(LineError::TooLong)));
        assert!(matches!(lines.into_inner().await, Err(Leftover::Said(said)) if said.ends_with("xxx")));
        let (near, _far) = tokio::io::duplex(4096);
        assert!(Lines::new(near, 100).into_inner().await.is_ok());
        let (near, mut more) = tokio::io::duplex(4096);
        more.write_all(b"250 FORGED\r\n").await.unwrap();
        let left = Lines::new(near, 100).into_inner().await;
        assert!(matches!(left, Err(Leftover::Said(said)) if said == "250 FORGED"), "it was not read yet");
        let (near, gone) = tokio::io::duplex(4096);
        drop(gone);
        assert!(matches!(Lines::new(near, 100).into_inner().await, Err(Leftover::Broken(_))));
        let (near, far) = tokio::io::duplex(4096);
        drop(far);
        let mut lines = Lines::new(near, 100);
        let end = lines.line(20, &mut phases).await.unwrap_err().into_failure("x.too_long");
        assert_eq!(end.error_type, "connect.reset");
    }
}
