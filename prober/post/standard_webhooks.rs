//! Signatures as Standard Webhooks 1.0 say (<https://www.standardwebhooks.com>): for webhooks of alerts and of events.
//!
//! Pure. Deliberately absent: Ed25519 (`v1a`), sending, and repeating.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header with the message's id, the same at every repetition.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// The header with the time of this attempt in seconds since the epoch.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The header with the signatures.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What secrets begin with as people see them.
const PREFIX: &str = "whsec_";
/// How many bytes a key has.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that bodies are signed with; cannot be printed.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(…)")
    }
}

/// A text that is no key; says nothing of the text.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for signing is `whsec_` and the Base64 of 24 to 64 bytes")]
pub struct NotAKey;

impl Key {
    /// The key in `text`: `whsec_`, which may be left out, and Base64.
    ///
    /// # Errors
    /// The text is no Base64, or of too few or too many bytes.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim();
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| NotAKey)?;
        if KEY_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(NotAKey) }
    }

    /// All keys of a list with spaces between them, for a change of keys: the receiver takes either.
    ///
    /// # Errors
    /// One of them is no key, or there is none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, NotAKey> {
        let keys: Vec<_> = text.split_whitespace().map(Self::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(NotAKey) } else { Ok(keys) }
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.0);
        let mut signing = ring::hmac::Context::with_key(&key);
        signing.update(format!("{id}.{timestamp}.").as_bytes());
        signing.update(body);
        format!("v1,{}", STANDARD.encode(signing.sign()))
    }
}

/// The value of the header [`SIGNATURE`]: one signature a key, with spaces between them.
///
/// `timestamp` is in seconds since the epoch.
pub fn sign(keys: &[Key], id: &str, timestamp: i64, body: &[u8]) -> String {
    keys.iter().map(|key| key.sign(id, timestamp, body)).collect::<Vec<_>>().join(" ")
}

/// The three headers of one attempt; without keys there is no signature.
///
/// An id that cannot stand in a header is replaced letter by letter, and signed as it is sent.
pub fn headers(keys: &[Key], id: &str, timestamp: i64, body: &[u8]) -> HeaderMap {
    let visible = |letter: char| if letter.is_ascii_graphic() { letter } else { '_' };
    let id: String = id.chars().map(visible).collect();
    let value = |text: &str| HeaderValue::from_str(text).expect("visible ASCII may stand in a header");
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ID, value(&id));
    headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
    if !keys.is_empty() {
        headers.insert(SIGNATURE, value(&sign(keys, &id, timestamp, body)));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the libraries of Standard Webhooks are tested with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const GOLDEN: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_vector() {
        let key = Key::parse(SECRET).unwrap();
        assert_eq!(sign(std::slice::from_ref(&key), MESSAGE, AT, BODY), GOLDEN);
        let bare = Key::parse(&SECRET[PREFIX.len()..]).unwrap();
        let both = sign(&[key, bare], MESSAGE, AT, BODY);
        assert_eq!(both, format!("{GOLDEN} {GOLDEN}"), "two keys while they change");
        let keys = Key::parse_all(&format!("{SECRET} {SECRET}\n")).unwrap();
        let headers = headers(&keys[..1], MESSAGE, AT, BODY);
        assert_eq!(headers[SIGNATURE], GOLDEN);
        assert_eq!((&headers[ID], &headers[TIMESTAMP]), (&MESSAGE.parse().unwrap(), &AT.into()));
        assert_ne!(sign(&keys[..1], MESSAGE, AT + 1, BODY), GOLDEN);
        assert!(!headers_of_nobody().contains_key(SIGNATURE));
    }

    fn headers_of_nobody() -> HeaderMap {
        let headers = headers(&[], "a b\r\né", AT, BODY);
        assert_eq!(headers[ID], "a_b___");
        headers
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_told() {
        let short = STANDARD.encode([1; 23]);
        let long = STANDARD.encode([1; 65]);
        for text in ["", "whsec_", "whsec_é", "not base64!", &short, &long] {
            assert_eq!(Key::parse(text).unwrap_err(), NotAKey, "{text}");
        }
        assert!(Key::parse_all(" ").is_err() && Key::parse_all(&format!("{SECRET} x")).is_err());
        assert_eq!(format!("{:?}", Key::parse(SECRET).unwrap()), "Key(…)");
    }
}
