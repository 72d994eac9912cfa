//! The handshake as assertions and people see it.

use std::borrow::Cow;

use model::attribute::Attributes;
use model::time::Timestamp;
use rustls::ProtocolVersion;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::chain::{Facts, Judged};
use crate::net::tls::Handshake;

/// What a handshake showed.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) handshake: Handshake,
    pub(super) facts: Facts,
    pub(super) judged: Judged,
    /// The moment that dates are measured against.
    pub(super) now: Timestamp,
}

impl Shown {
    /// Notes what people want to know in OpenTelemetry's words.
    pub(super) fn describe(&self, attributes: &mut Attributes) {
        if let Some(protocol) = self.protocol() {
            attributes.set("tls.protocol.version", protocol.trim_start_matches("TLS"));
        }
        if let Some(cipher) = self.cipher() {
            attributes.set("tls.cipher", cipher);
        }
        if let Some(alpn) = self.alpn() {
            attributes.set("tls.next_protocol", alpn.into_owned());
        }
        if let Some(Some(leaf)) = self.facts.first() {
            attributes.set("tls.server.subject", leaf.subject.as_str());
            attributes.set("tls.server.issuer", leaf.issuer.as_str());
            attributes.set("tls.server.hash.sha256", leaf.sha256.as_str());
            attributes.set("tls.server.not_before", leaf.not_before.jiff().to_string());
            attributes.set("tls.server.not_after", leaf.not_after.jiff().to_string());
        }
        let length = i64::try_from(self.handshake.chain.len()).unwrap_or(i64::MAX);
        attributes.set("prober.tls.chain.length", length);
        if !self.judged.defects.is_empty() {
            let defects: Vec<String> = self.judged.defects.iter().map(|&word| word.to_owned()).collect();
            attributes.set("prober.tls.defects", defects);
        }
    }

    fn protocol(&self) -> Option<&'static str> {
        match self.handshake.protocol? {
            ProtocolVersion::TLSv1_2 => Some("TLS1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLS1.3"),
            _ => None,
        }
    }

    /// The suite's name as IANA has it.
    fn cipher(&self) -> Option<String> {
        self.handshake.cipher?.as_str().map(|name| name.replacen("TLS13_", "TLS_", 1))
    }

    fn alpn(&self) -> Option<Cow<'_, str>> {
        self.handshake.alpn.as_deref().map(String::from_utf8_lossy)
    }

    /// The value of a subject of the handshake; `None` if the subject is about the certificate.
    fn of_handshake(&self, subject: &str) -> Option<Reading<'_>> {
        let text = |text: Option<Cow<'static, str>>| {
            text.map_or(Reading::Absent, |text| Reading::One(Value::Text(text)))
        };
        Some(match subject {
            "chain" => text(Some(Cow::Borrowed(self.judged.word))),
            "hostname" => {
                text(Some(Cow::Borrowed(if self.judged.name_matches { "match" } else { "mismatch" })))
            }
            "protocol" => text(self.protocol().map(Cow::Borrowed)),
            "cipher" => text(self.cipher().map(Cow::Owned)),
            "alpn" => self.alpn().map_or(Reading::Absent, |alpn| Reading::One(Value::Text(alpn))),
            "chain_length" => {
                Reading::One(Value::Int(i64::try_from(self.handshake.chain.len()).unwrap_or(i64::MAX)))
            }
            _ => return None,
        })
    }
}

impl Evidence for Shown {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        if let Some(reading) = self.of_handshake(subject) {
            return reading;
        }
        let Some(Some(leaf)) = self.facts.first() else {
            return Reading::Unreadable("the server's certificate cannot be read".to_owned());
        };
        let text = |text: &'a str| Reading::One(Value::Text(Cow::Borrowed(text)));
        let parsed = |what: fn(&X509Certificate<'_>) -> Option<String>| {
            let der = self.handshake.chain.first()?;
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            what(&certificate)
        };
        let owned = |text: Option<String>| {
            text.map_or(Reading::Absent, |text| Reading::One(Value::Text(Cow::Owned(text))))
        };
        match subject {
            "expires_in" => Reading::One(Value::Duration(leaf.not_after.since(self.now))),
            "chain_expires_in" => {
                let ends = self.facts.iter().flatten().map(|facts| facts.not_after).min();
                ends.map_or(Reading::Absent, |end| Reading::One(Value::Duration(end.since(self.now))))
            }
            "issuer" => text(&leaf.issuer),
            "subject" => text(&leaf.subject),
            "sans" => {
                let names = leaf.names.iter().map(|name| Value::Text(Cow::Borrowed(name.as_str())));
                Reading::One(Value::List(names.collect()))
            }
            "self_signed" => Reading::One(Value::Bool(leaf.subject == leaf.issuer)),
            "serial" => text(&leaf.serial),
            "key_type" => owned(parsed(key_type)),
            "signature" => owned(parsed(|certificate| Some(signature(certificate)))),
            _ => Reading::Absent,
        }
    }
}

/// `RSA 2048`, `EC 256`, or the name of a key algorithm that has one size only.
fn key_type(certificate: &X509Certificate<'_>) -> Option<String> {
    let key = certificate.public_key();
    match key.parsed().ok()? {
        PublicKey::RSA(rsa) => Some(format!("RSA {}", rsa.key_size())),
        PublicKey::EC(point) => Some(format!("EC {}", point.key_size())),
        _ => {
            let oid = &key.algorithm.algorithm;
            match oid.to_id_string().as_str() {
                "1.3.101.112" => Some("Ed25519".to_owned()),
                "1.3.101.113" => Some("Ed448".to_owned()),
                other => Some(oid2sn(oid, oid_registry()).map_or_else(|_| other.to_owned(), str::to_owned)),
            }
        }
    }
}

/// The short name of the signature's algorithm, such as `ecdsa-with-SHA256`.
fn signature(certificate: &X509Certificate<'_>) -> String {
    let oid = &certificate.signature_algorithm.algorithm;
    oid2sn(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned)
}
