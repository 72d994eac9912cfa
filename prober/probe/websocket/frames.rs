//! What the library does not tell of the frames that come: the code of a close, and lengths in more bytes than they take.
//!
//! The library puts 1002 in the place of codes that may not be sent, so that nobody can tell a server that breaks the
//! rules from one that complains of ours; and it reads a length of any form. Here the frames are followed by their
//! lengths, and of a close the code is kept. Nothing is copied.

use std::io;

use crate::net::followed::{Break, Follow};

/// The opcode of a close (RFC 6455, section 5.2).
const CLOSE: u8 = 8;
/// The longest head of a frame: two bytes, a length of eight, a mask of four.
const HEAD_BYTES_MAX: usize = 14;

/// The length of a frame takes fewer bytes than it is written in, which RFC 6455, section 5.2, forbids.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the length {length} of a frame is written in {bytes} bytes and not in as few as it takes")]
pub(super) struct Padded {
    length: u64,
    bytes: usize,
}

/// Where in the frames what came so far ends.
#[derive(Debug, Default)]
pub(super) struct Frames {
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

impl Follow for Frames {
    /// Breaks before the last byte of a head that is not as it must be, so that every frame before it is still read.
    fn came(&mut self, bytes: &[u8]) -> Result<(), Break> {
        let mut left = bytes;
        while !self.done
            && let Some((&first, rest)) = left.split_first()
        {
            if self.left == 0 {
                self.head[self.head_bytes] = first;
                self.head_bytes += 1;
                let passed = bytes.len() - left.len();
                self.end_of_head().map_err(|padded| Break { passed, error: io::Error::other(padded) })?;
                left = rest;
            } else {
                let taken = usize::try_from(self.left).map_or(left.len(), |content| content.min(left.len()));
                self.content(&left[..taken]);
                left = &left[taken..];
            }
        }
        Ok(())
    }
}

impl Frames {
    /// The code of the server's close, if one has come that has a code.
    pub(super) fn close_code(&self) -> Option<u16> {
        (self.code_bytes == 2).then(|| u16::from_be_bytes(self.code))
    }

    /// Begins with the content, if the head is whole.
    fn end_of_head(&mut self) -> Result<(), Padded> {
        let [first, second, ..] = self.head;
        let (extended, masked) = (second & 0x7f, second & 0x80 != 0);
        let length_bytes = match extended {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let whole = 2 + length_bytes + if masked { 4 } else { 0 };
        if self.head_bytes < 2 || self.head_bytes < whole {
            return Ok(());
        }
        let length = self.head[2..2 + length_bytes].iter();
        let length = length.fold(0, |length, byte| length << 8 | u64::from(*byte));
        let least = match length_bytes {
            2 => 126,
            8 => 1 << 16,
            _ => 0,
        };
        if length < least {
            return Err(Padded { length, bytes: length_bytes });
        }
        self.left = if length_bytes == 0 { u64::from(extended) } else { length };
        self.head_bytes = 0;
        self.closing = first & 0x0f == CLOSE;
        self.done = self.closing && self.left == 0;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of the close in `bytes`, however they are cut into pieces.
    fn check(bytes: &[u8], expected: Option<u16>) {
        for piece in 1..=bytes.len() {
            let mut frames = Frames::default();
            bytes.chunks(piece).for_each(|bytes| frames.came(bytes).unwrap());
            assert_eq!(frames.close_code(), expected, "pieces of {piece}");
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
    #[test]
    fn a_length_in_too_many_bytes_breaks_the_stream_before_its_head_is_whole() {
        let padded = |length, bytes| Padded { length, bytes };
        for (frame, expected) in [
            (&[0x81, 126, 0, 125][..], Some(padded(125, 2))),
            (&[0x88, 126, 0, 2], Some(padded(2, 2))),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Some(padded(65_535, 8))),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0], Some(padded(0, 8))),
            (&[0x81, 126, 0, 126], None),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], None),
            (&[0x81, 125], None),
        ] {
            let bytes = [&[0x81, 1, b'x'][..], frame].concat();
            for piece in 1..=bytes.len() {
                let mut frames = Frames::default();
                let (mut passed, mut broken) = (0, None);
                for bytes in bytes.chunks(piece) {
                    match frames.came(bytes) {
                        Ok(()) => passed += bytes.len(),
                        Err(Break { passed: more, error }) => {
                            passed += more;
                            broken = error.into_inner().and_then(|inner| inner.downcast::<Padded>().ok());
                        }
                    }
                }
                assert_eq!(broken.as_deref(), expected.as_ref(), "{frame:?} in pieces of {piece}");
                let last = usize::from(expected.is_some());
                assert_eq!(passed, bytes.len() - last, "{frame:?} in pieces of {piece}");
            }
        }
    }
}
