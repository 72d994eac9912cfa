//! One request to a receiver of alerts or events: a deadline, no redirects, a bounded answer.
//!
//! Nobody measures these requests; probes never use this. Deliberately absent: repeating a request, queues, and what
//! the answer means to the protocol on top.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use url::{Position, Url};

mod connection;
mod exchange;
pub mod standard_webhooks;

/// The longest that a whole request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read: enough for a reason in words.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest wait that a receiver may ask for; more than this is taken for this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// Sends requests to receivers, each on a connection of its own; cheap to clone.
///
/// Every receiver is somebody else's machine: what it says is bounded as a whole, not only by head and body, which a
/// pooled client does not offer.
#[derive(Clone, Debug)]
pub struct Client {
    agent: HeaderValue,
    tls: Arc<ClientConfig>,
    http2: bool,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The headers; host and user agent come from the client, and who asks from the URL if it says so.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long it may take in all, the answer included.
    pub timeout: Duration,
}

/// What a receiver said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The beginning of the body, at most [`ANSWER_BYTES_MAX`].
    pub body: Bytes,
    /// What came after the body, where gRPC has its status.
    pub trailers: HeaderMap,
}

/// Why there is no answer; its text names neither path nor query of the URL, which may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The receiver did not answer in time.
    #[error("{place} did not answer within {} s", timeout.as_secs())]
    Timeout {
        /// Scheme, host and port.
        place: String,
        /// The limit.
        timeout: Duration,
    },
    /// There was no connection, or it broke.
    #[error("{place}: {why}")]
    Connection {
        /// Scheme, host and port.
        place: String,
        /// What the connection said.
        why: String,
    },
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The system's certificate authorities or the TLS settings cannot be used.
    #[error("no TLS for receivers: {0}")]
    Tls(#[from] rustls::Error),
    /// The user agent is no header.
    #[error("the user agent cannot be sent: {0}")]
    Agent(#[from] header::InvalidHeaderValue),
}

impl Client {
    /// A client that trusts the system's certificate authorities, and `more`.
    ///
    /// Blocks while it reads the authorities.
    ///
    /// # Errors
    /// The TLS settings cannot be used.
    pub fn new(
        user_agent: &str,
        more: &[rustls::pki_types::CertificateDer<'static>],
    ) -> Result<Self, ClientError> {
        Self::build(user_agent, more, false)
    }

    /// The same for receivers that speak HTTP/2 only, also in the clear: gRPC.
    ///
    /// # Errors
    /// The TLS settings cannot be used.
    pub fn http2(
        user_agent: &str,
        more: &[rustls::pki_types::CertificateDer<'static>],
    ) -> Result<Self, ClientError> {
        Self::build(user_agent, more, true)
    }

    fn build(
        user_agent: &str,
        more: &[rustls::pki_types::CertificateDer<'static>],
        http2: bool,
    ) -> Result<Self, ClientError> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(more.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Ok(Self { agent: user_agent.parse()?, tls: Arc::new(tls), http2 })
    }

    /// Posts `body` once, within [`TIMEOUT`].
    ///
    /// # Errors
    /// No answer in time, or no connection. A status of failure is an answer.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Answer, PostError> {
        self.send(url, Request { method: Method::POST, headers, body, timeout: TIMEOUT }).await
    }

    /// Sends one request.
    ///
    /// # Errors
    /// No answer in time, or no connection. A status of failure is an answer.
    pub async fn send(&self, url: &Url, request: Request) -> Result<Answer, PostError> {
        let timeout = request.timeout;
        let exchanged = tokio::time::timeout(timeout, self.exchange(url, request)).await;
        let place = || place(url);
        match exchanged {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(PostError::Connection { place: place(), why: root_cause(&*error) }),
            Err(_) => Err(PostError::Timeout { place: place(), timeout }),
        }
    }

    async fn exchange(&self, url: &Url, request: Request) -> Result<Answer, Wrong> {
        let time = request.timeout;
        let request = self.message(url, request)?;
        let wire = connection::open(url, time).await?;
        let answer = match (url.scheme(), self.http2) {
            ("https", false) => {
                exchange::http1(connection::secure(url, wire, &self.tls).await?, request).await
            }
            ("https", true) => {
                exchange::http2(connection::secure(url, wire, &self.tls).await?, request).await
            }
            (_, false) => exchange::http1(wire, request).await,
            (_, true) => exchange::http2(wire, request).await,
        };
        Ok(answer?)
    }

    /// The request as it is sent.
    fn message(&self, url: &Url, request: Request) -> Result<http::Request<Full<Bytes>>, Wrong> {
        let Request { method, mut headers, body, .. } = request;
        headers.insert(header::USER_AGENT, self.agent.clone());
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some(who) = credentials(url) {
            headers.entry(header::AUTHORIZATION).or_insert(who);
        }
        // HTTP/2 says the host in the target, HTTP/1.1 in a header (RFC 9110, 7.2).
        let target = if self.http2 {
            format!("{}{}", place(url), &url[Position::BeforePath..Position::AfterQuery])
        } else {
            headers.insert(header::HOST, url[Position::BeforeHost..Position::AfterPort].parse()?);
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            url[Position::BeforePath..Position::AfterQuery].to_owned()
        };
        let mut message = http::Request::builder().method(method).uri(target).body(Full::new(body))?;
        *message.headers_mut() = headers;
        Ok(message)
    }
}

/// What was wrong with a connection or a request.
type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// User and password of a URL, as basic authentication says them (RFC 7617).
fn credentials(url: &Url) -> Option<HeaderValue> {
    let plain = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let password = url.password().map(plain);
    if url.username().is_empty() && password.is_none() {
        return None;
    }
    let pair = [plain(url.username()), password.unwrap_or_default()].join(&b':');
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Answer {
    /// How long the receiver asks to be left alone, at most [`RETRY_AFTER_MAX`] (RFC 9110, 10.2.3).
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than fit are more than the most, too.
            let seconds = text.parse().unwrap_or(u64::MAX);
            return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        }
        let at = httpdate::parse_http_date(text).ok()?;
        Some(at.duration_since(now).unwrap_or_default().min(RETRY_AFTER_MAX))
    }

    /// The body as a short line for people: control characters as spaces, at most 200 characters.
    pub fn reason(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let words = text.split(|char: char| char.is_whitespace() || char.is_control());
        let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        line.chars().take(200).collect()
    }
}

/// Scheme, host and port: what may be shown of a URL whose path can be a secret.
pub fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// What the innermost error says: the outer ones say only where it was met.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
