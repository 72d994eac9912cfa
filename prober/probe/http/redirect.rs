//! Where a redirect leads, and what goes along.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HOST, HeaderName, LOCATION,
};
use http::{HeaderMap, Method, StatusCode};
use model::outcome::{Failure, FailureClass};
use percent_encoding::percent_decode_str;
use url::Url;

use super::auth::basic;
use super::fault;
use super::request::{Ready, TRACEPARENT};
use super::target::Target;
use crate::net::policy::POLICY;

/// Where an answer leads to.
pub(super) struct Onward {
    pub(super) target: Target,
    /// The user and the password to sign in there with, if the answer says so.
    pub(super) login: Option<(String, String)>,
}

/// Where an answer redirects to; `None` if it is no redirect that can be followed.
///
/// # Errors
/// The answer leads to something that is not a URL of HTTP, or from https to http.
pub(super) fn destination(
    status: StatusCode,
    headers: &HeaderMap,
    from: &Target,
) -> Result<Option<Onward>, Failure> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let bad = |why: &dyn std::fmt::Display| {
        fault::protocol(format!("the server redirects to a place that cannot be asked: {why}"))
    };
    let mut url = from.url.join(&ascii(location.as_bytes())).map_err(|error| bad(&error))?;
    let login = take_login(&mut url);
    let target = Target::of(url).map_err(|error| bad(&error))?;
    if from.secure && !target.secure {
        let message = format!("the server redirects from https to http: {}", target.shown);
        return Err(Failure::new(FailureClass::Protocol, "http.redirect_downgrade", message));
    }
    Ok(Some(Onward { target, login }))
}

/// Takes `user:password@` out of `url`: browsers and Go sign in with it, curl only at its first host.
fn take_login(url: &mut Url) -> Option<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = (decode(url.username()), decode(url.password().unwrap_or_default()));
    // Both can only fail where there is no host, and nobody who signs in.
    let _none = (url.set_username(""), url.set_password(None));
    (login != Default::default()).then_some(login)
}

/// The place as it is asked for: bytes that are no ASCII as `%E9`, as browsers and curl do, whatever letters they stand for.
fn ascii(location: &[u8]) -> String {
    let mut text = String::with_capacity(location.len());
    for &byte in location {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes every text");
        }
    }
    text
}

/// The failure of a hop that a redirect led to; a place that may not be probed is one that the target itself named.
///
/// What an answer says never takes a run out of the account, else a target could hide its failure in a redirect.
pub(super) fn led_to(failure: Failure) -> Failure {
    if failure.error_type != POLICY {
        return failure;
    }
    let message = format!("the server redirects to a place that may not be probed; {}", failure.message);
    Failure::new(FailureClass::Protocol, "http.redirect_denied", message)
}

/// The failure of more redirects than are followed.
pub(super) fn too_many(follow: u32, to: &Target) -> Failure {
    let message = format!("more than {follow} redirects; the next one leads to {}", to.shown);
    Failure::new(FailureClass::Protocol, "http.redirect_loop", message)
}

/// The request that follows `ready` to `to` after `status` (RFC 9110, section 15.4, as browsers do it).
pub(super) fn follow<'a>(
    ready: &Ready,
    status: StatusCode,
    Onward { target: to, login }: Onward,
    private: impl Iterator<Item = &'a HeaderName>,
) -> Ready {
    let mut next = ready.clone();
    let becomes_get = match status.as_u16() {
        301 | 302 => ready.method == Method::POST,
        303 => ready.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body = bytes::Bytes::new();
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            next.headers.remove(name);
        }
    }
    if !ready.target.same_origin(&to) {
        for name in private {
            next.headers.remove(name);
        }
        next.headers.remove(TRACEPARENT);
        next.traced = false;
        next.headers.insert(HOST, to.authority());
    }
    if let Some((user, password)) = login {
        next.headers.insert(AUTHORIZATION, basic(&user, &password));
    }
    next.target = Arc::new(to);
    next
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn places_in_other_letters_than_ascii_are_asked_for_byte_by_byte() {
        let from = Target::parse("http://shop.example/a").unwrap();
        for (location, url) in [
            (&b"/caf\xe9?q=\xfc"[..], "http://shop.example/caf%E9?q=%FC"),
            ("/café".as_bytes(), "http://shop.example/caf%C3%A9"),
            (b"b%20c", "http://shop.example/b%20c"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
            let to = destination(StatusCode::FOUND, &headers, &from).unwrap().unwrap();
            assert_eq!(to.target.url.as_str(), url);
        }
    }
}
