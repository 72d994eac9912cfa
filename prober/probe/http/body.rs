//! The answer's body, up to its limit, as it came and unpacked.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use model::outcome::{Failure, FailureClass};

use super::decode::{Coding, RATIO_MAX, Unpacked};
use super::speaker::Speaker;

/// Pieces up to this length are put together: one byte a piece would cost forty times its size.
const SMALL_BYTES: usize = 4 << 10;
/// How many pieces are read before others get their turn.
const TURN_PIECES: usize = 256;

/// How many times the limit a body may have once it is unpacked.
const UNPACKED_FACTOR: u64 = 4;

/// A body that was read.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The pieces as they came or were unpacked; usually one, and then never copied.
    pieces: Vec<Bytes>,
    /// Small pieces that came after those, put together.
    tail: BytesMut,
    /// How many bytes came.
    wire: u64,
    /// How it was packed and how long it is unpacked, if it was packed.
    unpacked: Option<(String, u64)>,
    /// The limit, if more came than it allows.
    cut_at: Option<u64>,
    /// Why the body cannot be looked at.
    trouble: Option<String>,
    /// Whether its end was read.
    whole: bool,
    /// The headers behind it, if there were any.
    trailers: Option<HeaderMap>,
}

impl Body {
    /// Reads `incoming` to its end or to `limit` bytes into `self`, so that what was read is there even if
    /// the connection breaks.
    ///
    /// # Errors
    /// The connection broke before the end. A stream of HTTP/2 may also end before its end without an error: the body
    /// is then neither whole nor cut.
    pub(super) async fn read(
        &mut self,
        speaker: &mut Speaker,
        mut incoming: Incoming,
        limit: u64,
    ) -> hyper::Result<()> {
        let mut turn = 0;
        while let Some(frame) = speaker.drive(incoming.frame()).await {
            turn += 1;
            if turn % TURN_PIECES == 0 {
                tokio::task::yield_now().await;
            }
            let piece = match frame?.into_data() {
                Ok(piece) => piece,
                Err(frame) => {
                    self.trailers = frame.into_trailers().ok();
                    continue;
                }
            };
            if !self.take(piece, limit) {
                return Ok(());
            }
        }
        // hyper takes a stream that was reset without an error for one that ended (RFC 9113, section 8.1).
        if !speaker.is_h2() || incoming.is_end_stream() {
            self.end();
        }
        Ok(())
    }

    /// Takes the next piece, as far as `limit` allows; false if that was not all of it.
    pub(super) fn take(&mut self, piece: Bytes, limit: u64) -> bool {
        let room = limit - self.wire;
        if piece.len() as u64 <= room {
            self.push(piece);
            return true;
        }
        self.cut_at = Some(limit);
        self.trouble = Some(too_long("body", limit));
        self.push(piece.slice(..usize::try_from(room).unwrap_or(piece.len())));
        false
    }

    /// Notes that its end was read.
    pub(super) const fn end(&mut self) {
        self.whole = true;
    }

    fn push(&mut self, piece: Bytes) {
        self.wire += piece.len() as u64;
        if piece.is_empty() {
            return;
        }
        // The first piece is usually the only one, and stays as it is. A later small one is copied: it would also
        // keep the buffer alive that it was cut out of.
        if piece.len() < SMALL_BYTES && !self.pieces.is_empty() {
            self.tail.extend_from_slice(&piece);
        } else {
            if !self.tail.is_empty() {
                self.pieces.push(self.tail.split().freeze());
            }
            self.pieces.push(piece);
        }
    }

    /// Unpacks what was read as the `headers` of an answer in this version say, up to four times `limit`.
    ///
    /// # Errors
    /// Class `protocol`: it is not packed as the headers say (`http.encoding`), or would unpack to more than the
    /// limit and more than a hundred times its size (`http.decompression_bomb`).
    pub(super) async fn unpack(
        &mut self,
        (headers, version): (&HeaderMap, Version),
        limit: u64,
    ) -> Result<(), Failure> {
        // Also an answer to HEAD says how its body would be packed.
        if self.wire == 0 || self.cut_at.is_some() {
            return Ok(());
        }
        let codings = match Coding::of(headers, version) {
            Ok(codings) => codings,
            Err(why) => {
                self.trouble = Some(why);
                return Ok(());
            }
        };
        let limit = limit.saturating_mul(UNPACKED_FACTOR);
        for coding in codings.iter().rev() {
            let room = usize::try_from(limit).unwrap_or(usize::MAX - 1);
            let Unpacked { bytes, cut } =
                coding.unpack(&self.bytes(), room).await.map_err(|error| not(*coding, &error))?;
            if cut && limit / self.wire.max(1) >= RATIO_MAX {
                return Err(bomb(self.wire, limit));
            }
            if cut {
                self.trouble = Some(too_long("unpacked body", limit));
            }
            self.unpacked = Some((
                codings.iter().map(|coding| coding.name()).collect::<Vec<_>>().join(", "),
                bytes.len() as u64,
            ));
            self.pieces = vec![bytes.into()];
            self.tail = BytesMut::new();
            if cut {
                break;
            }
        }
        Ok(())
    }

    /// Whether its end was read.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// The headers behind it, if there were any.
    pub(crate) const fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// How many bytes came.
    pub(crate) const fn wire_size(&self) -> u64 {
        self.wire
    }

    /// How it was packed and how long it is unpacked, if it was packed.
    pub(super) fn unpacked(&self) -> Option<(&str, u64)> {
        self.unpacked.as_ref().map(|(coding, size)| (coding.as_str(), *size))
    }

    /// The limit, if more came than it allows.
    pub(crate) const fn cut_at(&self) -> Option<u64> {
        self.cut_at
    }

    /// Why the body cannot be looked at, if it cannot.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// All bytes, unpacked and in one piece.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self.pieces.as_slice() {
            [] => Cow::Borrowed(&[]),
            [only] if self.tail.is_empty() => Cow::Borrowed(only),
            pieces => {
                let length = pieces.iter().map(Bytes::len).sum::<usize>() + self.tail.len();
                let mut joined = BytesMut::with_capacity(length);
                for piece in pieces {
                    joined.extend_from_slice(piece);
                }
                joined.extend_from_slice(&self.tail);
                Cow::Owned(joined.into())
            }
        }
    }
}

fn too_long(what: &str, limit: u64) -> String {
    format!("the {what} is longer than the limit of {} and was truncated", size(limit))
}

/// A limit as its author may have written it.
fn size(bytes: u64) -> String {
    let (mebibytes, kibibytes) = (bytes >> 20, bytes >> 10);
    match bytes {
        _ if bytes == mebibytes << 20 && bytes > 0 => format!("{mebibytes} MiB"),
        _ if bytes == kibibytes << 10 && bytes > 0 => format!("{kibibytes} KiB"),
        _ => format!("{bytes} bytes"),
    }
}

fn not(coding: Coding, error: &std::io::Error) -> Failure {
    let message =
        format!("the body cannot be unpacked: it is not {} as the answer says ({error})", coding.name());
    Failure::new(FailureClass::Protocol, "http.encoding", message)
}

fn bomb(wire: u64, limit: u64) -> Failure {
    let message = format!(
        "the body of {wire} bytes would unpack to more than {}, over {RATIO_MAX} times its size",
        size(limit)
    );
    Failure::new(FailureClass::Protocol, "http.decompression_bomb", message)
}
