//! Through a proxy: an HTTP tunnel (CONNECT) or SOCKS5.
//!
//! Deliberately absent: proxies that are spoken to over TLS, SOCKS4, and the environment's variables.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::outcome::{Failure, FailureClass, cut};
use model::step::Phase;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use url::Url;

use crate::net::address::{Host, HostPort};
use crate::net::fault;
use crate::net::phases::Phases;

/// The longest answer to a CONNECT, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Who passes connections on. Has a password inside: never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) way: ProxyWay,
    pub(crate) address: HostPort,
    login: Option<(String, String)>,
}

/// How a proxy is spoken to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxyWay {
    /// HTTP: requests to plain servers go through as they are, everything else through a tunnel.
    Http,
    /// SOCKS5 (RFC 1928); the name is looked up here.
    Socks5,
    /// SOCKS5; the name is looked up by the proxy.
    Socks5h,
}

/// Why a text names no proxy. Says nothing of what stands in it: it may hold a password.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyError {
    /// Not a URL of the kind.
    #[error("a proxy is a URL like http://proxy.example:3128, socks5://… or socks5h://…")]
    Shape,
    /// No port.
    #[error("the proxy's URL has no port")]
    Port,
    /// More than a proxy needs.
    #[error("the proxy's URL has a path or a query")]
    Path,
    /// SOCKS5 counts lengths in one byte (RFC 1929).
    #[error("the proxy's user name or password is empty or longer than 255 bytes")]
    Login,
}

impl Proxy {
    /// The proxy that `text` names.
    ///
    /// # Errors
    /// It names none.
    pub(crate) fn parse(text: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(text).map_err(|_| ProxyError::Shape)?;
        let way = match url.scheme() {
            "http" => ProxyWay::Http,
            "socks5" => ProxyWay::Socks5,
            "socks5h" => ProxyWay::Socks5h,
            _ => return Err(ProxyError::Shape),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(ProxyError::Shape)?;
        let host = Host::parse(host).map_err(|_| ProxyError::Shape)?;
        let port = match (way, url.port()) {
            (_, Some(port)) if port != 0 => port,
            // The parser leaves out a port that is the scheme's.
            (ProxyWay::Http, None) if text.trim_end_matches('/').ends_with(":80") => 80,
            _ => return Err(ProxyError::Port),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Path);
        }
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let login = (!url.username().is_empty() || url.password().is_some())
            .then(|| (decode(url.username()), decode(url.password().unwrap_or_default())));
        let fits = |text: &str| (1..=255).contains(&text.len());
        if way != ProxyWay::Http
            && login.as_ref().is_some_and(|(user, password)| !fits(user) || !fits(password))
        {
            return Err(ProxyError::Login);
        }
        Ok(Self { way, address: HostPort { host, port }, login })
    }

    /// The value of `Proxy-Authorization`, if the proxy wants to know who asks.
    pub(crate) fn authorization(&self) -> Option<String> {
        let (user, password) = self.login.as_ref()?;
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// The password, to be hidden.
    pub(crate) fn password(&self) -> Option<&str> {
        self.login.as_ref().map(|(_, password)| password.as_str())
    }

    /// Asks the proxy on `stream` to pass everything on to `target`.
    ///
    /// Takes the phases `send` and `wait`, which is left open. The caller holds the deadline.
    ///
    /// # Errors
    /// Class `connect`, `connect.proxy`: the proxy refuses, or does not speak as it should.
    pub(crate) async fn open<S>(
        &self,
        stream: &mut S,
        target: &HostPort,
        phases: &mut Phases,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.way {
            ProxyWay::Http => self.open_http(stream, target, phases).await,
            ProxyWay::Socks5 | ProxyWay::Socks5h => self.open_socks(stream, target, phases).await,
        }
    }

    async fn open_http<S>(
        &self,
        stream: &mut S,
        target: &HostPort,
        phases: &mut Phases,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        phases.enter(Phase::Send);
        let login = self.authorization().map(|value| format!("Proxy-Authorization: {value}\r\n"));
        let login = login.unwrap_or_default();
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| self.broke(&error))?;
        phases.enter(Phase::Wait);
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD_BYTES_MAX {
                return Err(self.refused("its answer is longer than 16 KiB"));
            }
            // Byte by byte: what comes after the head belongs to the tunnel.
            head.push(stream.read_u8().await.map_err(|error| self.broke(&error))?);
        }
        let text = String::from_utf8_lossy(&head);
        let line = text.lines().next().unwrap_or_default();
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        match status {
            Some(status) if status.len() == 3 && status.starts_with('2') => Ok(()),
            Some(status) if status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(self.refused(&format!("it answered {status} to CONNECT {target}")))
            }
            _ => Err(self.refused("its answer is not HTTP/1.1")),
        }
    }

    async fn open_socks<S>(
        &self,
        stream: &mut S,
        target: &HostPort,
        phases: &mut Phases,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let methods: &[u8] = if self.login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        phases.enter(Phase::Send);
        stream.write_all(methods).await.map_err(|error| self.broke(&error))?;
        phases.enter(Phase::Wait);
        let [version, method] = self.read(stream).await?;
        match (version, method, &self.login) {
            (5, 0, _) => {}
            (5, 2, Some((user, password))) => self.log_in(stream, user, password).await?,
            (5, ..) => return Err(self.refused("it wants another way to sign in")),
            _ => return Err(self.refused("it does not speak SOCKS5")),
        }
        stream.write_all(&socks_request(target)).await.map_err(|error| self.broke(&error))?;
        let [version, reply, _, kind] = self.read(stream).await?;
        if version != 5 {
            return Err(self.refused("it does not speak SOCKS5"));
        }
        if reply != 0 {
            return Err(self.refused(&format!("{target}: {}", socks_reply(reply))));
        }
        let length = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(self.read::<1, S>(stream).await?[0]),
            _ => return Err(self.refused("it does not speak SOCKS5")),
        };
        let mut bound = vec![0; length + 2];
        stream.read_exact(&mut bound).await.map_err(|error| self.broke(&error))?;
        Ok(())
    }

    /// User name and password (RFC 1929).
    async fn log_in<S>(&self, stream: &mut S, user: &str, password: &str) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let length = |text: &str| u8::try_from(text.len()).expect("a login was measured when it was read");
        let mut login = vec![1, length(user)];
        login.extend_from_slice(user.as_bytes());
        login.push(length(password));
        login.extend_from_slice(password.as_bytes());
        stream.write_all(&login).await.map_err(|error| self.broke(&error))?;
        let [_, status] = self.read(stream).await?;
        if status == 0 { Ok(()) } else { Err(self.refused("it does not take the user name and password")) }
    }

    async fn read<const N: usize, S: AsyncRead + Unpin>(&self, stream: &mut S) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        stream.read_exact(&mut bytes).await.map_err(|error| self.broke(&error))?;
        Ok(bytes)
    }

    /// The failure of a proxy that does not pass on, and says why.
    pub(crate) fn refused(&self, why: &str) -> Failure {
        let message = format!("the proxy {} does not pass on: {}", self.address, cut(why.to_owned(), 300));
        Failure::new(FailureClass::Connect, "connect.proxy", message)
    }

    fn broke(&self, error: &std::io::Error) -> Failure {
        fault::local(error).unwrap_or_else(|| self.refused(&format!("the connection to it broke ({error})")))
    }
}

/// Scheme, host and port only.
impl fmt::Display for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.way {
            ProxyWay::Http => "http",
            ProxyWay::Socks5 => "socks5",
            ProxyWay::Socks5h => "socks5h",
        };
        write!(out, "{scheme}://{}", self.address)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Proxy({self})")
    }
}

fn socks_request(target: &HostPort) -> Vec<u8> {
    let mut request = vec![5, 1, 0];
    match &target.host {
        Host::Ip(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Host::Ip(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Host::Name(name) => {
            request.push(3);
            request.push(u8::try_from(name.len()).expect("a host name has at most 253 bytes"));
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    request
}

/// RFC 1928, section 6.
const fn socks_reply(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the connection was refused",
        6 => "the connection took too long",
        7 | 8 => "it cannot do that",
        _ => "it failed for an unknown reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_urls_and_keep_their_password() {
        let proxy = Proxy::parse("http://me:p%40ss@proxy.example:3128").unwrap();
        assert_eq!(proxy.to_string(), "http://proxy.example:3128");
        assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example:3128)");
        assert_eq!(proxy.authorization().unwrap(), format!("Basic {}", STANDARD.encode("me:p@ss")));
        assert_eq!(Proxy::parse("socks5://127.0.0.1:1080").unwrap().way, ProxyWay::Socks5);
        assert_eq!(Proxy::parse("socks5h://[::1]:1080/").unwrap().address.to_string(), "[::1]:1080");
        assert_eq!(Proxy::parse("http://proxy.example:80").unwrap().address.port, 80);
        for (text, error) in [
            ("proxy.example:3128", ProxyError::Shape),
            ("https://proxy.example:3128", ProxyError::Shape),
            ("socks4://proxy.example:1080", ProxyError::Shape),
            ("http://proxy.example", ProxyError::Port),
            ("http://proxy.example:3128/path", ProxyError::Path),
            ("socks5://:secret@127.0.0.1:1080", ProxyError::Login),
        ] {
            assert_eq!(Proxy::parse(text), Err(error), "{text}");
        }
    }
}
