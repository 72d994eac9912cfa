//! What every request must pass: whom it is for, how long it may take, and what browsers may do with the answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, LOCATION, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::access::{Role, Who};
use crate::address::{BADGES, LOGIN, PROBE, RELOAD, STATUS};
use crate::answer::{refused, said};
use crate::app::{App, PROBE_MAX, RELOAD_MAX, Refusal};

/// Nothing is loaded from elsewhere, nothing is run but our own files, nobody frames the page.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// Lets a request through to its route, within its time, if it says who it is from.
pub(crate) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = if !is_for_us(&app, request.uri(), request.headers()) {
        (StatusCode::MISDIRECTED_REQUEST, "this server does not answer to that host name\n").into_response()
    } else if let Some(who) = app.door.who(request.headers()).or_else(|| nobody(&app, &path)) {
        request.extensions_mut().insert(who);
        let limit = app.sources.settings.request_timeout;
        let limit = match path.as_str() {
            RELOAD => limit.max(RELOAD_MAX * 2),
            PROBE => limit.max(PROBE_MAX),
            _ => limit,
        };
        match tokio::time::timeout(limit, next.run(request)).await {
            Ok(response) => response,
            Err(_) => refused(&app, &path, &Refusal::Late(limit)),
        }
    } else {
        stranger(&app, &path)
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Who asks for what everybody may see: whether the process lives, what the pages are made of, and the way in.
fn nobody(app: &App, path: &str) -> Option<Who> {
    let is_public = app.sources.settings.public_status && (path == STATUS || path.starts_with(BADGES));
    let is_for_all =
        is_public || matches!(path, "/healthz" | "/readyz" | LOGIN) || path.starts_with("/assets/");
    is_for_all.then(|| Who { name: "nobody".to_owned(), role: Role::Viewer })
}

/// The answer to somebody who does not say who it is: the way in for a browser.
fn stranger(app: &App, path: &str) -> Response {
    let is_page = !path.starts_with("/api/") && !matches!(path, "/metrics" | "/live" | PROBE);
    if is_page && app.door.takes_tokens() {
        return (StatusCode::SEE_OTHER, [(LOCATION, LOGIN)]).into_response();
    }
    let help = "send `Authorization: Bearer TOKEN`";
    let mut response = said(app, path, (StatusCode::UNAUTHORIZED, "this prober does not know you", help));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Whether the request's host is one of ours.
///
/// A page elsewhere may let its own name point to a loopback address; its requests then carry that name. Where
/// the server is reachable from outside anyway, only configured names restrict it.
fn is_for_us(app: &App, uri: &Uri, headers: &HeaderMap) -> bool {
    let hosts = &app.sources.settings.hosts;
    if !app.is_loopback && hosts.is_empty() {
        return true;
    }
    let mut given = headers.get_all(HOST).iter();
    let header = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(one), None) => match one.to_str() {
            Ok(text) => Some(text),
            Err(_) => return false,
        },
        (Some(_), Some(_)) => return false,
    };
    let asked = [uri.authority().map(Authority::as_str), header];
    // Without a name (HTTP/1.0) it is no browser.
    asked.into_iter().flatten().all(|host| is_known(host, hosts))
}

/// Whether the host, with or without a port, is loopback or configured.
fn is_known(host: &str, hosts: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((inner, port)) if port.is_empty() || is_port(port) => inner,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    is_loopback
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_known() {
        let hosts = ["prober.example".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST:9899",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
            "[::1]",
            "Prober.Example:80",
        ] {
            assert!(is_known(host, &hosts), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[::1",
            "[::1]x",
            "10.0.0.1",
            "",
            "::1:80",
            "localhost:x",
            "127.1",
        ] {
            assert!(!is_known(host, &hosts), "{host}");
        }
    }
}
