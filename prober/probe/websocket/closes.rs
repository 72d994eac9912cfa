//! The code with which a server closes, as it came.
//!
//! The library puts 1002 in the place of codes that may not be sent, so that nobody can tell a server that breaks the
//! rules from one that complains of ours. Here the frames are followed by their lengths, and of a close the code is
//! kept. Nothing is copied, and nothing is judged.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::wire::Wire;

/// The opcode of a close (RFC 6455, section 5.2).
const CLOSE: u8 = 8;
/// The longest head of a frame: two bytes, a length of eight, a mask of four.
const HEAD_BYTES_MAX: usize = 14;

/// The bytes below a WebSocket, and the code of the close that came in them.
#[derive(Debug)]
pub(super) struct Watched {
    wire: Wire,
    frames: Frames,
}

/// Where in the frames what came so far ends.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    /// How much of the head has come.
    head_bytes: usize,
    /// How much of the frame's content is still to come; zero before the head is whole.
    left: u64,
    /// Whether the content that is to come is that of the first close.
    closing: bool,
    /// The code, as far as it has come.
    code: [u8; 2],
    code_bytes: usize,
    done: bool,
}

impl Watched {
    /// `wire`, of which `read` was read already.
    pub(super) fn new(wire: Wire, read: &[u8]) -> Self {
        let mut frames = Frames::default();
        frames.follow(read);
        Self { wire, frames }
    }

    /// The code of the server's close, if one has come that has a code.
    pub(super) fn close_code(&self) -> Option<u16> {
        (self.frames.code_bytes == 2).then(|| u16::from_be_bytes(self.frames.code))
    }
}

impl Frames {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !self.done
            && let Some((&first, rest)) = bytes.split_first()
        {
            if self.left == 0 {
                self.head[self.head_bytes] = first;
                self.head_bytes += 1;
                bytes = rest;
                self.end_of_head();
            } else {
                let taken = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.content(&bytes[..taken]);
                bytes = &bytes[taken..];
            }
        }
    }

    /// Begins with the content, if the head is whole.
    fn end_of_head(&mut self) {
        let [first, second, ..] = self.head;
        let (extended, masked) = (second & 0x7f, second & 0x80 != 0);
        let length_bytes = match extended {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let whole = 2 + length_bytes + if masked { 4 } else { 0 };
        if self.head_bytes < 2 || self.head_bytes < whole {
            return;
        }
        let length = self.head[2..2 + length_bytes].iter();
        let length = length.fold(0, |length, byte| length << 8 | u64::from(*byte));
        self.left = if length_bytes == 0 { u64::from(extended) } else { length };
        self.head_bytes = 0;
        self.closing = first & 0x0f == CLOSE;
        self.done = self.closing && self.left == 0;
    }

    fn content(&mut self, bytes: &[u8]) {
        self.left -= bytes.len() as u64;
        if !self.closing {
            return;
        }
        for byte in bytes.iter().take(2 - self.code_bytes) {
            self.code[self.code_bytes] = *byte;
            self.code_bytes += 1;
        }
        // Nothing counts after a close.
        self.done = self.left == 0 || self.code_bytes == 2;
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.wire).poll_read(context, buffer);
        self.frames.follow(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of the close in `bytes`, however they are cut into pieces.
    fn check(bytes: &[u8], expected: Option<u16>) {
        for piece in 1..=bytes.len() {
            let mut frames = Frames::default();
            bytes.chunks(piece).for_each(|bytes| frames.follow(bytes));
            let code = (frames.code_bytes == 2).then(|| u16::from_be_bytes(frames.code));
            assert_eq!(code, expected, "pieces of {piece}");
        }
    }

    #[test]
    fn the_code_of_a_close_is_found_between_frames() {
        let close = [0x88, 2, 3, 0xed];
        check(&close, Some(1005));
        check(&[&[0x81, 2, 0x88, 2][..], &close].concat(), Some(1005));
        check(&[&[0x82, 126, 0, 200][..], &[0x88; 200], &close].concat(), Some(1005));
        check(&[&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &vec![0x88; 65_536][..4], &close].concat(), None);
        check(&[&[0x81, 0x82, 1, 2, 3, 4, 0x88, 2][..], &close].concat(), Some(1005));
        check(&[&[0x89, 0][..], &close, &[0x88, 2, 3, 0xe8]].concat(), Some(1005));
        check(&[0x88, 0, 0x88, 2, 3, 0xe8], None);
        check(&[0x88, 1, 3], None);
        check(&[0x88, 6, 3, 0xe8, b'b', b'y', b'e', b'!'], Some(1000));
        check(&[0x81, 1, b'x'], None);
        check(&[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], None);
    }
}
