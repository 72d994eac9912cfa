//! Open connections and cookies of one run.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::Arc;

use cookie_store::{Cookie, CookieDomain, CookieStore, StoreAction};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use url::Url;

use super::facts::TlsFacts;
use super::request::Version;
use super::speaker::Speaker;
use super::wire::Marks;
use crate::net::address::{Host, HostPort};
use crate::net::dial::Start;
use crate::net::proxy::Proxy;
use crate::net::tls::TlsChoice;

/// The most connections that a run keeps open.
const OPEN_MAX: usize = 8;
/// The most cookies that a run keeps, far above what a browser needs for one journey.
const COOKIES_MAX: usize = 200;

/// What one run carries from request to request.
#[derive(Default)]
pub(super) struct Session {
    open: Vec<Connection>,
    jar: Option<CookieStore>,
    /// Whose cookies they are, where they go and their names, in the order in which they came: the jar has none.
    came: Vec<CookieKey>,
}

type CookieKey = (CookieDomain, String, String);

fn key(cookie: &Cookie<'_>) -> CookieKey {
    (cookie.domain.clone(), cookie.path.to_string(), cookie.name().to_owned())
}

/// The cookie that a browser would keep of an answer from `url`: its own site's, and as its name promises.
fn allowed(line: String, url: &Url) -> Option<Cookie<'static>> {
    let mut cookie = Cookie::parse(line, url).ok()?;
    if !keeps_its_promise(&cookie) {
        return None;
    }
    // A name without a dot is nobody's alone (as `com`): only a host of that name sets it, for itself.
    if let CookieDomain::Suffix(site) = &cookie.domain
        && !site.contains('.')
    {
        cookie.domain = (url.host_str() == Some(site)).then(|| CookieDomain::HostOnly(site.clone()))?;
    }
    Some(cookie)
}

/// Whether a cookie whose name begins with `__Secure-` or `__Host-` is what that says (RFC 6265bis, section 4.1.3).
fn keeps_its_promise(cookie: &Cookie<'_>) -> bool {
    let begins_with = |prefix: &str| {
        cookie.name().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_secure = cookie.secure() == Some(true);
    if begins_with("__Host-") {
        return is_secure
            && cookie.path.as_ref() == "/"
            && matches!(cookie.domain, CookieDomain::HostOnly(_));
    }
    is_secure || !begins_with("__Secure-")
}

/// Where bytes that are not ASCII stand in a jar's texts: in a plane of private letters, none of which is a blank.
const BYTES_FROM: u32 = 0xF_0000;

/// Bytes of any letters as the jar's text, so that the same ones are sent back.
fn as_text(bytes: &[u8]) -> String {
    let letter = |byte: &u8| match byte {
        0..=0x7F => char::from(*byte),
        _ => char::from_u32(BYTES_FROM + u32::from(*byte)).expect("the plane is one of letters"),
    };
    bytes.iter().map(letter).collect()
}

/// The bytes that [`as_text`] was given.
fn as_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match u32::from(letter).checked_sub(BYTES_FROM).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}

/// What makes two requests able to share a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) address: HostPort,
    /// The name that the server proved, and how; `None` without TLS.
    pub(super) secured: Option<(Arc<TlsChoice>, Host)>,
    pub(super) version: Version,
    pub(super) start: Start,
    /// Who passes it on.
    pub(super) proxy: Option<Arc<Proxy>>,
}

/// An open connection.
pub(crate) struct Connection {
    pub(super) key: Key,
    pub(super) speaker: Speaker,
    pub(super) marks: Arc<Marks>,
    pub(super) peer: SocketAddr,
    /// What the handshake showed; `None` without TLS.
    pub(super) tls: Option<Arc<TlsFacts>>,
}

impl Session {
    /// The same cookies, and no connection; `None` if there are none.
    pub(super) fn cookies(&self) -> Option<Self> {
        let jar = self.jar.clone()?;
        Some(Self { open: Vec::new(), jar: Some(jar), came: self.came.clone() })
    }

    /// Keeps `connection` for later requests; the oldest goes if there are too many.
    pub(super) fn keep(&mut self, connection: Connection) {
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(connection);
    }

    /// An open connection for `key`; it may turn out to be closed.
    pub(super) fn take(&mut self, key: &Key) -> Option<Connection> {
        let index = self.open.iter().position(|connection| connection.key == *key)?;
        Some(self.open.remove(index))
    }

    /// Notes the cookies that an answer from `url` sets.
    pub(super) fn note_cookies(&mut self, url: &Url, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            // A cookie that may not be set (another site's, malformed) is left out, as browsers do.
            let Some(cookie) = allowed(as_text(cookie.as_bytes()), url) else { continue };
            let jar = self.jar.get_or_insert_with(CookieStore::default);
            if jar.iter_any().count() < COOKIES_MAX {
                let key = key(&cookie);
                match jar.insert(cookie, url) {
                    Ok(StoreAction::Inserted) => self.came.push(key),
                    Ok(StoreAction::ExpiredExisting) => self.came.retain(|known| *known != key),
                    // Its value is new, and its place the old one (RFC 6265, section 5.3).
                    Ok(StoreAction::UpdatedExisting) | Err(_) => {}
                }
            }
        }
    }

    /// Adds the cookies for `url` to a request's headers, after those that the author gave.
    pub(super) fn add_cookies(&self, url: &Url, headers: &mut HeaderMap) {
        let Some(jar) = &self.jar else { return };
        let mut line = headers.get(COOKIE).map(|given| as_text(given.as_bytes())).unwrap_or_default();
        let mut cookies = jar.matches(url);
        // Longer paths first, then those that came earlier (RFC 6265, section 5.4).
        cookies.sort_by_cached_key(|cookie| {
            let key = key(cookie);
            (Reverse(key.1.len()), self.came.iter().position(|known| *known == key))
        });
        for (name, value) in cookies.into_iter().map(|cookie| cookie.name_value()) {
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(name);
            line.push('=');
            line.push_str(value);
        }
        if !line.is_empty()
            && let Ok(value) = HeaderValue::try_from(as_bytes(&line))
        {
            headers.insert(COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_that_no_browser_would_keep_do_not_come_back() {
        for (set, from, to, expected) in [
            ("__Secure-a=1; Path=/; Secure", "https://shop.test/", "https://shop.test/", true),
            ("__Secure-a=1; Path=/", "https://shop.test/", "https://shop.test/", false),
            ("__Host-a=1; Path=/; Secure", "https://shop.test/", "https://shop.test/x", true),
            ("__host-a=1; Path=/; Secure", "https://shop.test/", "https://shop.test/x", true),
            ("__Host-a=1; Path=/", "https://shop.test/", "https://shop.test/", false),
            ("__Host-a=1; Path=/in; Secure", "https://shop.test/in", "https://shop.test/in", false),
            (
                "__Host-a=1; Path=/; Secure; Domain=shop.test",
                "https://shop.test/",
                "https://shop.test/",
                false,
            ),
            ("a=1; Domain=test", "https://shop.test/", "https://shop.test/", false),
            ("a=1; Domain=shop.test", "https://shop.test/", "https://www.shop.test/", true),
            ("a=1; Domain=intranet", "https://intranet/", "https://intranet/", true),
            ("a=1; Domain=intranet", "https://intranet/", "https://www.intranet/", false),
        ] {
            let (mut session, mut headers) = (Session::default(), HeaderMap::new());
            headers.insert(SET_COOKIE, HeaderValue::from_static(set));
            session.note_cookies(&Url::parse(from).unwrap(), &headers);
            let mut sent = HeaderMap::new();
            session.add_cookies(&Url::parse(to).unwrap(), &mut sent);
            assert_eq!(sent.contains_key(COOKIE), expected, "{set} from {from} to {to}");
        }
    }

    #[test]
    fn cookies_go_back_byte_by_byte() {
        let url = Url::parse("https://shop.test/").unwrap();
        // The last byte would be a blank as a letter of its own.
        for value in
            ["plain", "größe", "voil\u{e0}"].map(str::as_bytes).into_iter().chain([&b"gr\xF6\xA0"[..]])
        {
            let (mut session, mut headers) = (Session::default(), HeaderMap::new());
            let line = [b"a=", value, b"; Path=/; Secure"].concat();
            headers.insert(SET_COOKIE, HeaderValue::from_bytes(&line).unwrap());
            session.note_cookies(&url, &headers);
            let given = HeaderValue::from_bytes("own=ü".as_bytes()).unwrap();
            let mut headers = HeaderMap::from_iter([(COOKIE, given)]);
            session.add_cookies(&url, &mut headers);
            assert_eq!(headers[COOKIE].as_bytes(), ["own=ü; a=".as_bytes(), value].concat());
        }
    }
}
