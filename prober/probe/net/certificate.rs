//! Facts read from a certificate, once for each certificate seen.
//!
//! Ten thousand runs against one server look at the same certificate; it is parsed and hashed once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use model::time::Timestamp;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// The most certificates whose facts are kept; when there are more, all are forgotten and read anew.
const KEPT_MAX: usize = 1024;
/// The longest name kept, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    /// Whom it was issued to.
    pub(crate) subject: String,
    /// Who issued it.
    pub(crate) issuer: String,
    /// From when it is valid.
    pub(crate) not_before: Timestamp,
    /// Until when it is valid.
    pub(crate) not_after: Timestamp,
    /// The names and addresses it is for.
    pub(crate) names: Vec<String>,
    /// The serial number in hexadecimal.
    pub(crate) serial: String,
    /// SHA-256 of the whole certificate in upper-case hexadecimal.
    pub(crate) sha256: String,
}

/// The facts of the certificates seen lately.
#[derive(Debug, Default)]
pub(crate) struct CertificateCache(Mutex<HashMap<Box<[u8]>, Parsed>>);

/// `None` for a certificate that cannot be parsed.
type Parsed = Option<Arc<CertificateFacts>>;

impl CertificateCache {
    /// The facts of the certificate `der`; `None` if it cannot be parsed.
    pub(crate) fn facts(&self, der: &[u8]) -> Option<Arc<CertificateFacts>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = known.get(der) {
            return facts.clone();
        }
        let facts = parse(der).map(Arc::new);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(der.into(), facts.clone());
        facts
    }
}

/// SHA-256 of `bytes` in upper-case hexadecimal, as OpenTelemetry writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("the suite is of TLS 1.3");
    let digest = suite.common.hash_provider.hash(bytes);
    hex(digest.as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02X}").expect("a String takes every text");
        out
    })
}

fn parse(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let cut = |text: String| model::outcome::cut(text, NAME_BYTES_MAX);
    let names = certificate.subject_alternative_name().ok().flatten();
    let names =
        names.map(|extension| extension.value.general_names.iter().filter_map(name).take(100).collect());
    let validity = certificate.validity();
    Some(CertificateFacts {
        subject: cut(certificate.subject().to_string()),
        issuer: cut(certificate.issuer().to_string()),
        not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
        not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        names: names.unwrap_or_default(),
        serial: hex(certificate.raw_serial()),
        sha256: sha256(der),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(model::outcome::cut((*name).to_owned(), NAME_BYTES_MAX)),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        _ => None,
    }
}
