//! Frames of HTTP/2 (RFC 9113), written by hand so that they may be wrong.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The kinds of frames that faults are made of.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A piece of body.
    Data = 0,
    /// The head of an answer.
    Headers = 1,
    /// The end of a stream, with an error.
    ResetStream = 3,
    /// Settings, and their acknowledgement.
    Settings = 4,
    /// A ping, which the other side must answer.
    Ping = 6,
    /// The end of the connection.
    GoAway = 7,
    /// More of a head.
    Continuation = 9,
}

/// The flag that ends a stream.
pub const END_STREAM: u8 = 1;
/// The flag that ends a head.
pub const END_HEADERS: u8 = 4;
/// The head `:status: 200`, packed (RFC 7541, appendix A).
pub const STATUS_200: &[u8] = &[0x88];

/// One frame.
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame of a test is short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind as u8, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A server's first frame: no settings of its own.
pub fn settings() -> Vec<u8> {
    frame(Kind::Settings, 0, 0, &[])
}

/// Frames one after the other, behind the server's settings.
pub fn speech(frames: &[Vec<u8>]) -> Vec<u8> {
    [&settings(), &*frames.concat()].concat()
}

/// The head of an answer to the client's first request.
pub fn head(flags: u8) -> Vec<u8> {
    frame(Kind::Headers, flags, 1, STATUS_200)
}

/// Reads what a client sends first: its preface, its settings and its request, as far as they come at once.
pub(super) async fn opening(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    let mut read = stream.read(&mut buffer).await?;
    // The request comes in the same write as the preface, or in one right behind it.
    while let Ok(more) = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut buffer)).await {
        match more? {
            0 => break,
            more => read += more,
        }
    }
    if read == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
