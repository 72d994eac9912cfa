//! A URL, checked and taken apart.

use std::sync::Arc;

use http::header::HeaderValue;
use http::uri::PathAndQuery;
use url::{Position, Url};

use crate::net::address::{Host, HostPort};

/// The longest URL.
const URL_BYTES_MAX: usize = 8192;

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The parsed URL, to resolve redirects and match cookies.
    pub(crate) url: Url,
    /// Whether it is https.
    pub(crate) secure: bool,
    /// Where to connect.
    pub(crate) address: HostPort,
    /// Path and query, as HTTP/1.1 sends them.
    pub(crate) path: PathAndQuery,
    /// The URL for people: values of the query left out.
    pub(crate) shown: Arc<str>,
}

/// Why a text is no URL that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// Nothing at all.
    #[error("the URL is empty")]
    Empty,
    /// No `://`.
    #[error("this URL has no scheme")]
    NoScheme,
    /// Another scheme than http and https.
    #[error("the scheme `{0}` cannot be asked over HTTP")]
    Scheme(String),
    /// Blanks or control characters.
    #[error("this URL has a {0} in it")]
    Blank(&'static str),
    /// Blanks before or behind it.
    #[error("this URL has blanks around it")]
    Around,
    /// `user:password@`.
    #[error("this URL has a user name or password in it")]
    UserInfo,
    /// A port that is none.
    #[error("this URL has a port that is not a number from 1 to 65535")]
    Port,
    /// An IPv6 address with the name of an interface.
    #[error("this URL has an interface in its address, `%{0}`")]
    Interface(String),
    /// No host, or one that cannot be.
    #[error("this URL has no host that can be looked up")]
    Host,
    /// Longer than the limit.
    #[error("this URL is longer than {URL_BYTES_MAX} bytes")]
    Long,
    /// Whatever else the parser says.
    #[error("this is not a URL: {0}")]
    Other(String),
}

impl UrlError {
    /// What to type instead.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoScheme => "write the whole URL, like https://shop.example/",
            Self::Scheme(_) => "use http:// or https://, or another kind of step: tcp, tls, dns",
            Self::Around => "leave them out",
            Self::Blank(_) => "write a blank as %20, or put the value under `query`",
            Self::UserInfo => {
                "leave them out, and sign in with auth: { basic: { user: …, password: \"${secrets.password}\" } }"
            }
            Self::Interface(_) => {
                "leave out what stands behind the `%`: the machine's routes choose the interface"
            }
            Self::Port => "like https://shop.example:8443/",
            Self::Host => "like https://shop.example/",
            Self::Long => "put large values into the body",
            Self::Other(_) => "write it like https://shop.example/path",
        }
    }
}

impl Target {
    /// The target that `text` names.
    ///
    /// # Errors
    /// The text is not an http or https URL that a request can be sent to.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        check_text(text)?;
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::InvalidPort => UrlError::Port,
            url::ParseError::InvalidIpv6Address => {
                interface(text).map_or(UrlError::Host, |name| UrlError::Interface(name.to_owned()))
            }
            url::ParseError::EmptyHost
            | url::ParseError::IdnaError
            | url::ParseError::InvalidIpv4Address
            | url::ParseError::InvalidDomainCharacter => UrlError::Host,
            other => UrlError::Other(other.to_string()),
        })?;
        Self::of(url)
    }

    /// The target of a URL that is parsed already.
    ///
    /// # Errors
    /// The URL is not one that a request can be sent to.
    pub(crate) fn of(mut url: Url) -> Result<Self, UrlError> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        url.set_fragment(None);
        let host = match url.host() {
            Some(url::Host::Ipv4(ip)) => Host::Ip(ip.into()),
            Some(url::Host::Ipv6(ip)) => Host::Ip(ip.into()),
            Some(url::Host::Domain(name)) => Host::parse(name).map_err(|_| UrlError::Host)?,
            None => return Err(UrlError::Host),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(UrlError::Port)?;
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let path = path.parse().map_err(|error: http::uri::InvalidUri| UrlError::Other(error.to_string()))?;
        HeaderValue::from_str(authority(&url)).map_err(|_| UrlError::Host)?;
        let shown = shown(&url).into();
        Ok(Self { secure, address: HostPort { host, port }, path, shown, url })
    }

    /// The `Host` header: the port only if it is not the scheme's.
    pub(crate) fn authority(&self) -> HeaderValue {
        HeaderValue::from_str(authority(&self.url)).expect("it was looked at when the target was made")
    }

    /// Whether both have the same scheme, host and port.
    pub(super) fn same_origin(&self, other: &Self) -> bool {
        self.secure == other.secure && self.address == other.address
    }

    /// The scheme's name.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

/// `eth0` of `http://[fe80::1%25eth0]/`, as RFC 6874 wrote the interface of an address, or with a bare `%`.
fn interface(url: &str) -> Option<&str> {
    let (address, _) = url.split_once("://[")?.1.split_once(']')?;
    let (_, name) = address.split_once('%')?;
    Some(name)
}

fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

fn check_text(text: &str) -> Result<(), UrlError> {
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    if text.len() > URL_BYTES_MAX {
        return Err(UrlError::Long);
    }
    if text.chars().any(char::is_control) {
        return Err(UrlError::Blank("control character"));
    }
    if text.trim_matches(' ') != text {
        return Err(UrlError::Around);
    }
    if text.chars().any(char::is_whitespace) {
        return Err(UrlError::Blank("blank"));
    }
    // The URL parser would take `http:shop` and `\` for slashes, as browsers do; here it is a mistake.
    let Some((scheme, rest)) = text.split_once("://") else { return Err(UrlError::NoScheme) };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(UrlError::Scheme(scheme.to_owned()));
    }
    if rest.is_empty() || rest.starts_with(['/', '?', '#', '\\', ':']) { Err(UrlError::Host) } else { Ok(()) }
}

/// The URL without the values of its query.
fn shown(url: &Url) -> String {
    let Some(query) = url.query() else { return url.as_str().to_owned() };
    let mut out = url[..Position::AfterPath].to_owned();
    for (index, pair) in query.split('&').enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, _)) => {
                out.push_str(key);
                out.push_str("=REDACTED");
            }
            None => out.push_str(pair),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::parse("HTTPS://Shop.Example:8443/a%20b?q=secret&flag#top").unwrap();
        assert!(target.secure);
        assert_eq!(target.address.to_string(), "shop.example:8443");
        assert_eq!(target.authority(), "shop.example:8443");
        assert_eq!(target.path.to_string(), "/a%20b?q=secret&flag");
        assert_eq!(&*target.shown, "https://shop.example:8443/a%20b?q=REDACTED&flag");
        assert_eq!(Target::parse("http://127.0.0.1:80").unwrap().authority(), "127.0.0.1");
        assert_eq!(Target::parse("http://[::1]:81/").unwrap().authority(), "[::1]:81");
        assert_eq!(Target::parse("http://bücher.example/").unwrap().authority(), "xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_url_is_said_in_plain_words() {
        for (text, error) in [
            ("", UrlError::Empty),
            ("shop.example/", UrlError::NoScheme),
            ("http:shop.example", UrlError::NoScheme),
            ("ftp://shop.example/", UrlError::Scheme("ftp".into())),
            ("http://shop example/", UrlError::Blank("blank")),
            (" http://shop.example/", UrlError::Around),
            ("http://shop.example/ ", UrlError::Around),
            ("http://shop.example/\n", UrlError::Blank("control character")),
            ("http://user:secret@shop.example/", UrlError::UserInfo),
            ("http://[::1%25lo]:8080/", UrlError::Interface("25lo".into())),
            ("http://[fe80::1%eth0]/", UrlError::Interface("eth0".into())),
            ("http://[::g]/%25lo", UrlError::Host),
            ("http://shop.example:99999/", UrlError::Port),
            ("http://shop.example:0/", UrlError::Port),
            ("http://shop.example:http/", UrlError::Port),
            ("http:///path", UrlError::Host),
            ("http://:80/", UrlError::Host),
            ("http://[::1/", UrlError::Host),
            ("http://a..b/", UrlError::Host),
        ] {
            assert_eq!(Target::parse(text).err(), Some(error), "{text}");
        }
        assert_eq!(Target::parse(&format!("http://a/{}", "x".repeat(9000))).err(), Some(UrlError::Long));
    }
}
