//! Facts read from a certificate, once for each certificate seen.
//!
//! Ten thousand runs against one server look at the same certificate; it is parsed and hashed once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use model::time::Timestamp;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use x509_parser::extensions::{KeyUsage, ParsedExtension};
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

/// The most certificates whose facts are kept; when there are more, all are forgotten and read anew.
const KEPT_MAX: usize = 1024;
/// The longest name kept, in bytes.
const NAME_BYTES_MAX: usize = 512;
/// The smallest RSA key that is strong enough, in bits (CA/Browser Forum Baseline Requirements, section 6.1.5).
const RSA_BITS_MIN: usize = 2048;
/// The smallest elliptic-curve key that is strong enough, in bits (the same section).
const EC_BITS_MIN: usize = 256;
/// What signs with a hash that can be forged, MD2, MD5 or SHA-1, by the algorithm's object identifier.
const WEAK_SIGNATURES: [&str; 7] = [
    "1.2.840.113549.1.1.2",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.3.14.3.2.29",
    "1.2.840.10045.4.1",
    "1.2.840.10040.4.3",
    "1.3.14.3.2.27",
];
/// The extension by which a certificate asks for a stapled OCSP answer (RFC 7633), and the feature's number in it.
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
const STATUS_REQUEST: u8 = 5;

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
    /// The subject as it is encoded: what other certificates name as their issuer.
    pub(crate) subject_der: Box<[u8]>,
    /// The issuer as it is encoded.
    pub(crate) issuer_der: Box<[u8]>,
    /// The key: `RSA 2048`, `EC 256`, `Ed25519`; `None` if it cannot be read.
    pub(crate) key: Option<String>,
    /// Whether the key is shorter than what is strong today: RSA below 2048 bits, curves below 256.
    pub(crate) weak_key: bool,
    /// The short name of the algorithm of its signature, such as `ecdsa-with-SHA256`.
    pub(crate) signature: String,
    /// Whether it is signed with MD2, MD5 or SHA-1.
    pub(crate) weak_signature: bool,
    /// How many signed certificate timestamps are embedded (RFC 6962).
    pub(crate) scts: usize,
    /// Whether it asks for a stapled OCSP answer in every handshake (RFC 7633).
    pub(crate) must_staple: bool,
    /// What its key may be used for (RFC 5280, section 4.2.1.3); `None` if it does not say.
    key_usage: Option<KeyUsage>,
}

impl CertificateFacts {
    /// Whether it names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// Why it may not sign certificates although it is an authority's, for people; `None` if it may.
    pub(crate) fn about_no_issuer(&self) -> Option<String> {
        let lacks = self.key_usage.as_ref().is_some_and(|usage| !usage.key_cert_sign());
        lacks.then(|| format!("{} may not sign certificates: its keyUsage lacks keyCertSign", self.subject))
    }

    /// Why its key is not for servers, for people; `None` if it is. The bits are those that OpenSSL demands.
    pub(crate) fn about_no_server(&self) -> Option<String> {
        let serves =
            |usage: &KeyUsage| usage.digital_signature() || usage.key_encipherment() || usage.key_agreement();
        let lacks = self.key_usage.as_ref().is_some_and(|usage| !serves(usage));
        lacks.then(|| format!("{} is not for servers: its keyUsage lacks digitalSignature", self.subject))
    }

    /// What is weak about its key, for people; `None` if nothing is.
    pub(crate) fn about_weak_key(&self) -> Option<String> {
        let key = self.key.as_deref().unwrap_or("a key that cannot be read");
        self.weak_key.then(|| format!("the key of {} is {key}", self.subject))
    }

    /// What is weak about its signature, for people; `None` if nothing is.
    pub(crate) fn about_weak_signature(&self) -> Option<String> {
        self.weak_signature.then(|| format!("{} is signed with {}", self.subject, self.signature))
    }
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
        let facts = facts(der).map(Arc::new);
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

/// The facts of the certificate `der`, read anew; `None` if it cannot be parsed.
pub(crate) fn facts(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let cut = |text: String| model::outcome::cut(text, NAME_BYTES_MAX);
    let names = certificate.subject_alternative_name().ok().flatten();
    let names =
        names.map(|extension| extension.value.general_names.iter().filter_map(name).take(100).collect());
    let validity = certificate.validity();
    let key = certificate.public_key().parsed().ok();
    let algorithm = &certificate.signature_algorithm.algorithm;
    Some(CertificateFacts {
        subject: cut(certificate.subject().to_string()),
        issuer: cut(certificate.issuer().to_string()),
        not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
        not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        names: names.unwrap_or_default(),
        serial: hex(certificate.raw_serial()),
        sha256: sha256(der),
        subject_der: certificate.subject().as_raw().into(),
        issuer_der: certificate.issuer().as_raw().into(),
        weak_key: key.as_ref().is_some_and(is_weak),
        key: key.as_ref().map(|key| key_name(&certificate, key)),
        signature: short_name(algorithm),
        weak_signature: WEAK_SIGNATURES.contains(&algorithm.to_id_string().as_str()),
        scts: scts(&certificate),
        must_staple: must_staple(&certificate),
        key_usage: certificate.key_usage().ok().flatten().map(|extension| *extension.value),
    })
}

fn is_weak(key: &PublicKey<'_>) -> bool {
    match key {
        PublicKey::RSA(rsa) => rsa.key_size() < RSA_BITS_MIN,
        PublicKey::EC(point) => point.key_size() < EC_BITS_MIN,
        PublicKey::DSA(_) => true,
        _ => false,
    }
}

/// `RSA 2048`, `EC 256`, or the name of a key algorithm that has one size only.
fn key_name(certificate: &X509Certificate<'_>, key: &PublicKey<'_>) -> String {
    let algorithm = &certificate.public_key().algorithm.algorithm;
    match key {
        PublicKey::RSA(rsa) => format!("RSA {}", rsa.key_size()),
        // A curve of 521 bits has coordinates of 66 bytes.
        PublicKey::EC(point) if point.key_size() == 528 => "EC 521".to_owned(),
        PublicKey::EC(point) => format!("EC {}", point.key_size()),
        _ => match algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            "1.3.101.113" => "Ed448".to_owned(),
            _ => short_name(algorithm),
        },
    }
}

/// The algorithm's short name; its numbers if it has none.
fn short_name(algorithm: &Oid<'_>) -> String {
    oid2sn(algorithm, oid_registry()).map_or_else(|_| algorithm.to_id_string(), str::to_owned)
}

/// The short name of the algorithm that the inside of an encoded `AlgorithmIdentifier` begins with.
pub(crate) fn algorithm(encoded: &[u8]) -> String {
    Oid::from_der(encoded).map_or_else(|_| "an unknown algorithm".to_owned(), |(_, oid)| short_name(&oid))
}

fn scts(certificate: &X509Certificate<'_>) -> usize {
    let count = |extension: &ParsedExtension<'_>| match extension {
        ParsedExtension::SCT(list) => list.len(),
        _ => 0,
    };
    certificate.iter_extensions().map(|extension| count(extension.parsed_extension())).sum()
}

/// The extension is a sequence of small numbers; the one for `status_request` is 5.
fn must_staple(certificate: &X509Certificate<'_>) -> bool {
    let asks = |features: &[u8]| features.windows(3).any(|number| number == [0x02, 0x01, STATUS_REQUEST]);
    certificate
        .iter_extensions()
        .any(|extension| extension.oid.to_id_string() == TLS_FEATURE && asks(extension.value))
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

/// `contents` as an encoded sequence.
pub(crate) fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut encoded = vec![0x30];
    match length {
        0..=0x7f => encoded.push(length.to_le_bytes()[0]),
        0x80..=0xff => encoded.extend([0x81, length.to_le_bytes()[0]]),
        _ => encoded.extend([0x82, length.to_le_bytes()[1], length.to_le_bytes()[0]]),
    }
    encoded.extend_from_slice(contents);
    encoded
}
