//! Unpacking a body: gzip, deflate, Brotli and Zstandard, in bounded memory.

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use http::header::{CONTENT_ENCODING, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, Version};
use model::outcome::cut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a request says that it can unpack, most wanted first as browsers do.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// How many times larger than on the wire a body that breaks its limit may be, before it counts as an attack.
pub(super) const RATIO_MAX: u64 = 100;

/// The most codings of one body.
const CODINGS_MAX: usize = 3;
/// The largest window of Zstandard on the web: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// How much is unpacked before others get their turn.
const TURN_BYTES: usize = 256 << 10;

/// One way to pack a body.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// What unpacking gave.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) bytes: Vec<u8>,
    /// Whether there was more than the limit allows.
    pub(super) cut: bool,
}

impl Coding {
    /// The codings of an answer, in the order in which they were applied: those of the content, then, in HTTP/1.1,
    /// those of the transfer (RFC 9112, section 7).
    ///
    /// # Errors
    /// One of them is not known here, or there are too many; in words for people.
    pub(super) fn of(headers: &HeaderMap, version: Version) -> Result<Vec<Self>, String> {
        let mut names = named(headers, &CONTENT_ENCODING);
        if version <= Version::HTTP_11 {
            let mut transfer = named(headers, &TRANSFER_ENCODING);
            // The pieces have been put together already.
            transfer.pop_if(|name| name == "chunked");
            names.append(&mut transfer);
        }
        // `none` is no registered name; servers write it, and browsers and curl take the body as it is.
        let packed = names.iter().filter(|name| !matches!(name.as_str(), "identity" | "none"));
        let codings = packed.map(|name| match name.as_str() {
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            _ => {
                let name = cut(name.clone(), 40);
                Err(format!("the body is packed as `{name}`, which is not known here"))
            }
        });
        let codings: Vec<_> = codings.collect::<Result<_, _>>()?;
        if codings.len() > CODINGS_MAX {
            return Err(format!("the body is packed more than {CODINGS_MAX} times"));
        }
        Ok(codings)
    }

    /// The name in `Content-Encoding`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Unpacks `packed` up to `limit` bytes.
    ///
    /// # Errors
    /// It is not packed like this, or ends too early.
    pub(super) async fn unpack(self, packed: &[u8], limit: usize) -> std::io::Result<Unpacked> {
        match self {
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(packed);
                decoder.multiple_members(true);
                read(decoder, limit).await
            }
            Self::Brotli => read(BrotliDecoder::new(packed), limit).await,
            Self::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)];
                let mut decoder = ZstdDecoder::with_params(packed, &window);
                decoder.multiple_members(true);
                read(decoder, limit).await
            }
            // Servers disagree what deflate is, and browsers read both.
            Self::Deflate if is_zlib(packed) => read(ZlibDecoder::new(packed), limit).await,
            Self::Deflate => read(DeflateDecoder::new(packed), limit).await,
        }
    }
}

/// The names in a header that lists codings, in small letters and without their parameters.
fn named(headers: &HeaderMap, header: &HeaderName) -> Vec<String> {
    let values = headers.get_all(header).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let name = |part: &str| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let names = values.flat_map(|value| value.split(',').map(name).collect::<Vec<_>>());
    names.filter(|name| !name.is_empty()).collect()
}

/// Whether the first two bytes are those of a zlib stream (RFC 1950, section 2.2).
fn is_zlib(packed: &[u8]) -> bool {
    matches!(packed, [first, second, ..]
        if first & 15 == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

async fn read(decoder: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<Unpacked> {
    let mut decoder = decoder.take(limit as u64 + 1);
    let mut bytes = Vec::new();
    let mut turn = TURN_BYTES;
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(16 << 10);
        }
        if decoder.read_buf(&mut bytes).await? == 0 {
            let cut = bytes.len() > limit;
            bytes.truncate(limit);
            return Ok(Unpacked { bytes, cut });
        }
        if bytes.len() >= turn {
            turn = bytes.len() + TURN_BYTES;
            tokio::task::yield_now().await;
        }
    }
}
