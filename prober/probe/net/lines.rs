//! A protocol of lines on a connection, read within limits.

use std::io;

use bytes::BufMut as _;
use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

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

    /// The connection, if nothing was read that has not been taken.
    pub(crate) fn into_inner(self) -> Option<S> {
        self.buffer.is_empty().then_some(self.stream)
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
        assert!(lines.into_inner().is_none(), "something is left");
        let (near, far) = tokio::io::duplex(4096);
        drop(far);
        let mut lines = Lines::new(near, 100);
        let end = lines.line(20, &mut phases).await.unwrap_err().into_failure("x.too_long");
        assert_eq!(end.error_type, "connect.reset");
    }
}
