//! A receiver over HTTP: where it is, who we are to it, and what its statuses mean to everyone alike.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use model::time::{Clock, Timestamp};
use post::{Answer, Client, ClientError, PostError, Request};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use url::Url;

use crate::settings::{Key, KeyKind, Settings};
use crate::{BuildError, Delivery, Surroundings};

/// Who we are: a token.
pub(crate) const BEARER: Key =
    Key::optional("bearer", KeyKind::Secret, "a token, sent as `Authorization: Bearer …`");
/// Who we are: a user.
pub(crate) const USER: Key =
    Key::optional("user", KeyKind::Text, "who signs in, with `password`; sent as `Authorization: Basic …`");
/// Who we are to a receiver that does not speak HTTP: a user.
pub(crate) const LOGIN: Key = Key::optional("user", KeyKind::Text, "who signs in, with `password`");
/// The user's password.
pub(crate) const PASSWORD: Key = Key::optional("password", KeyKind::Secret, "the password of `user`");
/// More headers.
pub(crate) const HEADERS: Key = Key::optional(
    "headers",
    KeyKind::Map,
    "headers that go with every request, such as the name of a tenant",
);
/// Whom to trust beside the system's authorities.
pub(crate) const CA: Key = Key::optional(
    "ca",
    KeyKind::Path,
    "a PEM file of certificate authorities that are trusted beside the system's",
);
/// How long one request may take.
pub(crate) const TIMEOUT: Key =
    Key::or("timeout", KeyKind::Duration, "10s", "how long one request may take, its answer included");

/// The longest wait for one request that can be set: the pump gives up a delivery after 30 s.
const TIMEOUT_MAX: Duration = Duration::from_secs(25);

/// Where requests go, and what every one of them has.
pub(crate) struct Receiver {
    client: Client,
    headers: HeaderMap,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Receiver {
    /// The receiver that `settings` describe.
    pub(crate) fn new(
        exporter: &'static str,
        settings: &Settings,
        around: &Surroundings,
    ) -> Result<Self, BuildError> {
        Self::with(exporter, settings, around, Client::new)
    }

    /// The same for one that speaks HTTP/2 only.
    pub(crate) fn http2(
        exporter: &'static str,
        settings: &Settings,
        around: &Surroundings,
    ) -> Result<Self, BuildError> {
        Self::with(exporter, settings, around, Client::http2)
    }

    fn with(
        exporter: &'static str,
        settings: &Settings,
        around: &Surroundings,
        make: fn(&str, &[CertificateDer<'static>]) -> Result<Client, ClientError>,
    ) -> Result<Self, BuildError> {
        let unusable = |why: String| BuildError::Unusable { exporter, why };
        let more = match settings.text("ca") {
            Some(path) => authorities(path).map_err(unusable)?,
            None => Vec::new(),
        };
        let client = make(&format!("prober/{}", around.version), &more);
        let client = client.map_err(|error| unusable(error.to_string()))?;
        let headers = headers(settings).map_err(unusable)?;
        let timeout = settings.duration("timeout").min(TIMEOUT_MAX);
        Ok(Self { client, headers, timeout, clock: Arc::clone(&around.clock) })
    }

    /// Posts `body` once.
    pub(crate) async fn post(&self, url: &Url, more: HeaderMap, body: Bytes) -> Result<Answer, PostError> {
        let mut headers = self.headers.clone();
        headers.extend(more);
        self.client.send(url, Request { method: Method::POST, headers, body, timeout: self.timeout }).await
    }

    /// How long the receiver asks to be left alone.
    pub(crate) fn retry_after(&self, answer: &Answer) -> Option<Duration> {
        answer.retry_after(system_time(self.clock.now()))
    }

    /// It may work later.
    pub(crate) fn later(&self, answer: &Answer) -> Delivery {
        Delivery::Retry { after: self.retry_after(answer), why: said(answer) }
    }
}

/// What a receiver said, as people may see it.
pub(crate) fn said(answer: &Answer) -> String {
    let reason = answer.reason();
    if reason.is_empty() {
        format!("answered {}", answer.status)
    } else {
        format!("answered {}: {reason}", answer.status)
    }
}

/// Nobody answered.
pub(crate) fn silent(error: &PostError) -> Delivery {
    Delivery::Retry { after: None, why: error.to_string() }
}

/// The time as the HTTP libraries have it.
pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + at.since(Timestamp::from_nanos(0))
}

/// The certificate authorities in a PEM file.
pub(crate) fn authorities(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |why: String| format!("the certificate authorities in {path} cannot be used: {why}");
    let pem = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| cannot(error.to_string()))?;
    if found.is_empty() { Err(cannot("it has none".to_owned())) } else { Ok(found) }
}

/// The headers of every request; those with secrets are marked so that no library shows them.
fn headers(settings: &Settings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in settings.pairs("headers") {
        let wrong = |what: &str| format!("`headers`: {what} of `{name}` cannot be sent");
        let key = HeaderName::try_from(name).map_err(|_| wrong("the name"))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| wrong("the value"))?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    let authorization = match (settings.text("bearer"), settings.text("user"), settings.text("password")) {
        (None, None, None) => return Ok(headers),
        (Some(token), None, None) => format!("Bearer {token}"),
        (None, Some(user), Some(password)) => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        }
        _ => return Err("`user` and `password` belong together, and `bearer` stands alone".to_owned()),
    };
    let value = HeaderValue::try_from(authorization);
    let mut value = value.map_err(|_| "`bearer` has letters that cannot stand in a header".to_owned())?;
    value.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, value);
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::HTTP;

    const KEYS: &[Key] = &[Key::optional("url", HTTP, "where"), BEARER, USER, PASSWORD, HEADERS, CA, TIMEOUT];

    fn made(given: &[(&'static str, &'static str)]) -> Result<HeaderMap, String> {
        let settings = Settings::compile(KEYS, given.iter().copied()).unwrap();
        headers(&settings.with_secrets(|name| Some(if name == "bad" { "a\nb" } else { "hush" }))?)
    }

    #[test]
    fn who_we_are() {
        let bearer = made(&[("bearer", "${secrets.x}"), ("headers", "X-Scope-OrgID: team")]).unwrap();
        assert_eq!(
            (&bearer["authorization"], &bearer["x-scope-orgid"]),
            (&"Bearer hush".parse().unwrap(), &"team".parse().unwrap())
        );
        let basic = made(&[("user", "prober"), ("password", "${secrets.x}")]).unwrap();
        assert_eq!(basic["authorization"], "Basic cHJvYmVyOmh1c2g=");
        assert!(basic["authorization"].is_sensitive() && !format!("{basic:?}").contains("cHJv"));
        for wrong in [
            &[("user", "prober")][..],
            &[("user", "prober"), ("password", "${secrets.x}"), ("bearer", "${secrets.x}")],
            &[("bearer", "${secrets.bad}")],
            &[("headers", "a b: c")],
            &[("headers", "a: ${secrets.bad}")],
        ] {
            let error = made(wrong).unwrap_err();
            assert!(!error.contains("hush") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn authorities_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA"] {
            std::fs::write(&path, text).unwrap();
            assert!(authorities(path.to_str().unwrap()).unwrap_err().contains("ca.pem"));
        }
        assert!(authorities("/nowhere").is_err());
        let pki = testkit::pki::Pki::new();
        assert_eq!(authorities(pki.root_file().to_str().unwrap()).unwrap().len(), 1);
    }
}
