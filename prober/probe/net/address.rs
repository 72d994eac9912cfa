//! A host and a port, as a scenario file names them.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use model::address_text::ip_text;
use scenario::kind::Endpoint;

/// A host, by name or by address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A DNS name in ASCII.
    Name(Arc<str>),
    /// An address; no lookup is needed.
    Ip(IpAddr),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostPort {
    /// The host.
    pub(crate) host: Host,
    /// The port.
    pub(crate) port: u16,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Nothing before the port.
    #[error("`{0}` has no host")]
    NoHost(String),
    /// No port where one is needed.
    #[error("`{0}` has no port")]
    NoPort(String),
    /// Not a number from 1 to 65535.
    #[error("`{0}` is not a port from 1 to 65535")]
    BadPort(String),
    /// A scheme in front, or a path behind.
    #[error("`{0}` is a URL, not a host and a port")]
    Url(String),
    /// Characters that no host name has.
    #[error("`{0}` is not a host name or an IP address")]
    BadHost(String),
}

/// The longest host name of RFC 1035, in bytes.
const NAME_BYTES_MAX: usize = 253;

impl Host {
    /// The host in `text`: an IPv4 or IPv6 address (brackets allowed) or an ASCII name.
    ///
    /// # Errors
    /// The text is empty or has characters that no host name has.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(text).parse() {
            return Ok(Self::Ip(ip));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if name.is_empty() {
            Err(AddressError::NoHost(text.to_owned()))
        } else if name.len() > NAME_BYTES_MAX || !name.split('.').all(fits) {
            Err(AddressError::BadHost(text.to_owned()))
        } else {
            Ok(Self::Name(text.to_ascii_lowercase().into()))
        }
    }
}

impl HostPort {
    /// The same for the compiler, which asks whether it may be connected to.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { host: self.host.to_string(), port: self.port }
    }

    /// The address in `text`: `host:port`, or `host` alone if there is a `port_default`.
    ///
    /// # Errors
    /// The text has no host, no port where one is needed, or either is malformed.
    pub(crate) fn parse(text: &str, port_default: Option<u16>) -> Result<Self, AddressError> {
        if text.contains("://") {
            return Err(AddressError::Url(text.to_owned()));
        }
        let colon = match text.rfind(':') {
            Some(at)
                if text[at..].contains(']') || text[..at].contains(':') && !text[..at].ends_with(']') =>
            {
                None
            }
            other => other,
        };
        let (host, port) = match colon {
            Some(at) => {
                let port = &text[at + 1..];
                let number =
                    port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
                let number = number.filter(|number| *number != 0);
                (&text[..at], number.ok_or_else(|| AddressError::BadPort(port.to_owned()))?)
            }
            None => (text, port_default.ok_or_else(|| AddressError::NoPort(text.to_owned()))?),
        };
        Ok(Self { host: Host::parse(host)?, port })
    }
}

impl Host {
    /// What `Display` writes, which is at hand for a name.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Name(name) => (&**name).into(),
            Self::Ip(ip) => String::from(ip_text(*ip)).into(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => out.write_str(name),
            Self::Ip(ip) => write!(out, "{ip}"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(out, "[{ip}]:{}", self.port),
            _ => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("shop.example:443", Ok("shop.example:443")),
            ("SHOP.example:1", Ok("shop.example:1")),
            ("127.0.0.1:80", Ok("127.0.0.1:80")),
            ("[::1]:80", Ok("[::1]:80")),
            ("[::1]", Err("`[::1]` has no port")),
            ("::1", Err("`::1` has no port")),
            ("shop.example", Err("`shop.example` has no port")),
            ("shop.example:", Err("`` is not a port from 1 to 65535")),
            ("shop.example:0", Err("`0` is not a port from 1 to 65535")),
            ("shop.example:65536", Err("`65536` is not a port from 1 to 65535")),
            ("shop.example:+80", Err("`+80` is not a port from 1 to 65535")),
            (":80", Err("`` has no host")),
            ("https://shop.example", Err("`https://shop.example` is a URL, not a host and a port")),
            ("a b:80", Err("`a b` is not a host name or an IP address")),
            ("a..b:80", Err("`a..b` is not a host name or an IP address")),
        ] {
            let parsed = HostPort::parse(text, None);
            let parsed = parsed.map(|address| address.to_string()).map_err(|error| error.to_string());
            assert_eq!(parsed, shown.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
        assert_eq!(HostPort::parse("::1", Some(53)).unwrap().to_string(), "[::1]:53");
        assert_eq!(HostPort::parse("9.9.9.9", Some(53)).unwrap().to_string(), "9.9.9.9:53");
    }
}
