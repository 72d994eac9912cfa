//! One request to a receiver of alerts or events: a deadline, no redirects, a bounded answer.
//!
//! Nobody measures these requests; probes never use this. Deliberately absent: repeating a request, queues, and what
//! the answer means to the protocol on top.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use url::Url;

pub mod standard_webhooks;

/// The longest that a whole request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read: enough for a reason in words.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest wait that a receiver may ask for; more than this is taken for this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// Sends requests to receivers; cheap to clone, connections are shared.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The headers; the user agent comes from the client.
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
    Tls(String),
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
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut inner = reqwest::Client::builder();
        if http2 {
            tls.alpn_protocols = vec![b"h2".to_vec()];
            inner = inner.http2_prior_knowledge();
        }
        let inner = inner
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(user_agent)
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .pool_max_idle_per_host(2)
            .build()
            .map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Self { inner })
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
        let Request { method, headers, body, timeout } = request;
        let request = self.inner.request(method, url.clone()).headers(headers).body(body).timeout(timeout);
        let failed = |error: reqwest::Error| failure(url, timeout, error);
        let (head, mut rest) = http::Response::from(request.send().await.map_err(failed)?).into_parts();
        let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
        while body.len() < ANSWER_BYTES_MAX {
            let Some(frame) = rest.frame().await.transpose().map_err(failed)? else { break };
            match frame.into_data() {
                Ok(piece) => {
                    let room = (ANSWER_BYTES_MAX - body.len()).min(piece.len());
                    body.extend_from_slice(&piece[..room]);
                }
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: body.into(), trailers })
    }
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

fn failure(url: &Url, timeout: Duration, error: reqwest::Error) -> PostError {
    let place = place(url);
    if error.is_timeout() {
        return PostError::Timeout { place, timeout };
    }
    // The last source is the one that knows; the outer ones repeat the URL.
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        why = inner.to_string();
        source = inner.source();
    }
    PostError::Connection { place, why }
}

#[cfg(test)]
mod tests;
