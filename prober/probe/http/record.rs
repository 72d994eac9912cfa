//! What was sent and received, for people who asked for it; secrets of the scenario are masked at the run's end.
//!
//! Credentials that no scenario names, such as a session's cookie, are masked here by the header they stand in.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use model::outcome::cut;
use model::probe::Detail;
use model::step::{BODY_SHOWN_MAX, Message};

use super::facts;
use super::request::Ready;
use super::trail::Answer;

/// What stands for a hidden value.
const MASK: &str = "•••";

/// The longest value of a header that is shown, in bytes.
const VALUE_SHOWN_MAX: usize = 1 << 10;

/// The request with the headers that are sent.
pub(super) fn request(ready: &Ready, headers: &HeaderMap, version: &str, detail: Detail) -> Message {
    let mut head = vec![format!("{} {} HTTP/{version}", ready.method, ready.target.path)];
    head.extend(lines(headers));
    Message { head, body: body(detail, || Cow::Borrowed(&ready.body)) }
}

/// The answer as far as it came.
pub(super) fn answer(answer: &Answer, detail: Detail) -> Message {
    let reason = answer.status.canonical_reason().unwrap_or_default();
    let first = format!("HTTP/{} {} {reason}", facts::version(answer.version), answer.status.as_str());
    let mut head = vec![first.trim_end().to_owned()];
    head.extend(lines(&answer.headers));
    // What did not come whole may end in the middle of a secret; `…` says so, also to whoever looks for those.
    let end = if answer.body.is_whole() { "" } else { "…" };
    let body = body(detail, || answer.body.bytes()).map(|text| cut(text + end, BODY_SHOWN_MAX));
    Message { head, body }
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = String> + '_ {
    headers.iter().map(|(name, value)| format!("{name}: {}", cut(shown(name, value), VALUE_SHOWN_MAX)))
}

/// The value, without what proves who somebody is.
fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    if *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION {
        // `Bearer` or `Basic` says how, and is no secret.
        return text.split_once(' ').map_or_else(|| MASK.to_owned(), |(how, _)| format!("{how} {MASK}"));
    }
    if *name == COOKIE {
        return text.split("; ").map(without_value).collect::<Vec<_>>().join("; ");
    }
    if *name == SET_COOKIE {
        let (pair, attributes) = text.split_once(';').unwrap_or((&text, ""));
        let more = if attributes.is_empty() { "" } else { ";" };
        return format!("{}{more}{attributes}", without_value(pair));
    }
    text.into_owned()
}

fn without_value(pair: &str) -> String {
    pair.split_once('=').map_or_else(|| MASK.to_owned(), |(name, _)| format!("{name}={MASK}"))
}

/// The body as text, cut; what is no text is counted.
fn body<'a>(detail: Detail, bytes: impl FnOnce() -> Cow<'a, [u8]>) -> Option<String> {
    if detail < Detail::Bodies {
        return None;
    }
    let bytes = bytes();
    if bytes.is_empty() {
        return None;
    }
    let part = &bytes[..bytes.len().min(BODY_SHOWN_MAX)];
    let text = match std::str::from_utf8(part) {
        Ok(text) => text,
        // A character that the cut has split is no fault of the body.
        Err(error) if error.error_len().is_none() && part.len() < bytes.len() => {
            std::str::from_utf8(&part[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Some(format!("({} bytes that are no text)", bytes.len())),
    };
    Some(if part.len() < bytes.len() {
        cut(format!("{text}……"), BODY_SHOWN_MAX)
    } else {
        text.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_who_somebody_is_is_masked() {
        let check = |name: &str, value: &str, expected: &str| {
            let name: HeaderName = name.parse().unwrap();
            assert_eq!(shown(&name, &HeaderValue::from_str(value).unwrap()), expected);
        };
        check("authorization", "Bearer abc.def", "Bearer •••");
        check("authorization", "token", "•••");
        check("cookie", "session=abc; lang=de", "session=•••; lang=•••");
        check("set-cookie", "session=abc=; Path=/; HttpOnly", "session=•••; Path=/; HttpOnly");
        check("set-cookie", "broken", "•••");
        check("content-type", "text/html", "text/html");
    }

    #[test]
    fn bodies_are_cut_at_a_character_and_noise_is_counted() {
        let of = |bytes: &[u8]| body(Detail::Bodies, || Cow::Owned(bytes.to_vec()));
        assert_eq!(of(b""), None);
        assert_eq!(of(b"plain").as_deref(), Some("plain"));
        assert_eq!(of(&[0xff, 0xfe]).as_deref(), Some("(2 bytes that are no text)"));
        let long = of("é".repeat(BODY_SHOWN_MAX).as_bytes()).unwrap();
        assert!(long.ends_with('…') && long.len() <= BODY_SHOWN_MAX, "{}", long.len());
        assert_eq!(body(Detail::Heads, || Cow::Borrowed(b"x")), None);
    }
}
