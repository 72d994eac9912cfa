//! The answer's body, up to its limit.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::speaker::Speaker;

/// A body that was read.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The pieces as they came; usually one, and then never copied.
    pieces: Vec<Bytes>,
    size: u64,
    /// The limit, if there was more than it allows.
    cut_at: Option<u64>,
}

impl Body {
    /// Reads `incoming` to its end or to `limit` bytes into `self`, so that what was read is there even if
    /// the connection breaks.
    ///
    /// # Errors
    /// The connection broke before the end.
    pub(super) async fn read(
        &mut self,
        speaker: &mut Speaker,
        mut incoming: Incoming,
        limit: u64,
    ) -> hyper::Result<()> {
        while let Some(frame) = speaker.drive(incoming.frame()).await {
            let Ok(piece) = frame?.into_data() else { continue };
            let room = limit - self.size;
            let length = piece.len() as u64;
            if length > room {
                self.cut_at = Some(limit);
                self.push(piece.slice(..usize::try_from(room).unwrap_or(piece.len())));
                return Ok(());
            }
            self.push(piece);
        }
        Ok(())
    }

    fn push(&mut self, piece: Bytes) {
        self.size += piece.len() as u64;
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
    }

    /// How many bytes were read.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The limit, if there was more than it allows.
    pub(crate) const fn cut_at(&self) -> Option<u64> {
        self.cut_at
    }

    /// All bytes, in one piece.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self.pieces.as_slice() {
            [] => Cow::Borrowed(&[]),
            [only] => Cow::Borrowed(only),
            pieces => {
                let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
                for piece in pieces {
                    joined.extend_from_slice(piece);
                }
                Cow::Owned(joined.into())
            }
        }
    }
}
