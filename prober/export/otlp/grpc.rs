//! gRPC as far as one call needs it: a frame of five bytes and the message, and a status in the trailers.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode_str;
use post::Answer;

use crate::proto::{Field, fields, text_of};

/// A call's message in its frame.
pub(super) fn framed(message: &[u8], compressed: bool) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a request has less than 4 GiB");
    let mut frame = Vec::with_capacity(message.len() + 5);
    frame.push(u8::from(compressed));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// The message in an answer's frame; `None` if it is not whole, or compressed, which nobody asked for.
pub(super) fn unframed(frame: &[u8]) -> Option<&[u8]> {
    let (head, rest) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(*head.last_chunk::<4>()?);
    (head[0] == 0).then_some(())?;
    rest.get(..usize::try_from(length).ok()?)
}

/// The headers of a call.
pub(super) fn headers(gzip: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    if gzip {
        headers.insert(HeaderName::from_static("grpc-encoding"), HeaderValue::from_static("gzip"));
    }
    headers
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u32,
    pub(super) message: String,
    /// How long the collector asks to be left alone.
    pub(super) after: Option<Duration>,
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ended with status {}", self.code)?;
        if self.message.is_empty() { Ok(()) } else { write!(out, ": {}", self.message) }
    }
}

/// `UNKNOWN`, for a call without a status.
const UNKNOWN: u32 = 2;
const RESOURCE_EXHAUSTED: u32 = 8;
/// `CANCELLED`, `DEADLINE_EXCEEDED`, `ABORTED`, `OUT_OF_RANGE`, `UNAVAILABLE`, `DATA_LOSS`.
const FOR_LATER: [u32; 6] = [1, 4, 10, 11, 14, 15];

impl Status {
    /// The status of an answer: in its trailers, or in its headers if there is nothing else.
    pub(super) fn of(answer: &Answer) -> Self {
        let text = |name: &str| {
            let value = answer.trailers.get(name).or_else(|| answer.headers.get(name))?;
            value.to_str().ok()
        };
        let message = percent_decode_str(text("grpc-message").unwrap_or_default()).decode_utf8_lossy();
        Self {
            code: text("grpc-status").and_then(|code| code.trim().parse().ok()).unwrap_or(UNKNOWN),
            message: message.chars().filter(|letter| !letter.is_control()).take(200).collect(),
            after: text("grpc-status-details-bin").and_then(retry_delay),
        }
    }

    /// Whether the call may be made again (<https://opentelemetry.io/docs/specs/otlp/#failures>).
    pub(super) fn is_for_later(&self) -> bool {
        FOR_LATER.contains(&self.code) || self.code == RESOURCE_EXHAUSTED && self.after.is_some()
    }
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
fn retry_delay(details: &str) -> Option<Duration> {
    let status = STANDARD_NO_PAD.decode(details.trim_end_matches('=')).ok()?;
    fields(&status).find_map(|(number, field)| {
        let Field::Bytes(any) = field else { return None };
        let is_retry = number == 3 && text_of(any, 1)?.ends_with("/google.rpc.RetryInfo");
        if !is_retry {
            return None;
        }
        let info = inner(any, 2)?;
        let delay = inner(info, 1).unwrap_or_default();
        let seconds = fields(delay).find_map(|(number, field)| match field {
            Field::Varint(seconds) if number == 1 => Some(seconds),
            _ => None,
        });
        Some(Duration::from_secs(seconds.unwrap_or(0).min(post::RETRY_AFTER_MAX.as_secs())))
    })
}

fn inner(bytes: &[u8], number: u32) -> Option<&[u8]> {
    fields(bytes).find_map(|(known, field)| match field {
        Field::Bytes(inner) if known == number => Some(inner),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(trailers: &[(&'static str, &str)]) -> Answer {
        let pairs =
            trailers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            trailers: pairs.collect(),
        }
    }

    #[test]
    fn frames_and_statuses() {
        assert_eq!(unframed(&framed(b"abc", false)), Some(&b"abc"[..]));
        for broken in [&b""[..], &[0, 0, 0, 0], &[0, 0, 0, 0, 9, 1], &framed(b"abc", true)] {
            assert_eq!(unframed(broken), None);
        }
        let status = Status::of(&answer(&[("grpc-status", "14"), ("grpc-message", "caf%C3%A9%0A closed")]));
        assert_eq!(status.to_string(), "ended with status 14: café closed");
        assert!(status.is_for_later());
        assert_eq!(Status::of(&answer(&[])).code, UNKNOWN);
        // RESOURCE_EXHAUSTED is for later only if it says when: Status{8, details: [RetryInfo{7 s}]}.
        let mut details = crate::proto::Message::default();
        details.int(1, 8);
        details.message(3, |any| {
            any.text(1, "type.googleapis.com/google.rpc.RetryInfo");
            any.message(2, |info| info.message(1, |delay| delay.int(1, 7)));
        });
        let details = STANDARD_NO_PAD.encode(details.into_bytes());
        let full = Status::of(&answer(&[("grpc-status", "8"), ("grpc-status-details-bin", &details)]));
        assert!(full.is_for_later() && full.after == Some(Duration::from_secs(7)));
        assert!(
            !Status::of(&answer(&[("grpc-status", "8"), ("grpc-status-details-bin", "AAAA")])).is_for_later()
        );
        assert!(!Status::of(&answer(&[("grpc-status", "3")])).is_for_later());
    }
}
