//! The handshake as assertions and people see it.

use std::borrow::Cow;

use model::attribute::Attributes;
use model::outcome::cut;
use model::step::SHOWN_MAX;
use model::time::Timestamp;
use rustls::ProtocolVersion;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

use super::chain::{Facts, Judged};
use super::defect::Defect;
use super::hello::Version;
use super::subjects::{ACCEPTS, CRL};
use crate::net::certificate::CertificateFacts;
use crate::net::tls::Handshake;

/// What a handshake showed.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) handshake: Handshake,
    pub(super) facts: Facts,
    pub(super) judged: Judged,
    /// The moment that dates are measured against.
    pub(super) now: Timestamp,
    /// The versions that the server accepts, or why that cannot be told; `None` if nobody asked.
    pub(super) accepts: Option<Result<Vec<&'static str>, String>>,
}

impl Shown {
    /// The version that was agreed on.
    pub(super) fn version(&self) -> Option<Version> {
        version(&self.handshake)
    }

    /// Notes what people want to know, in OpenTelemetry's words where it has them.
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
            attributes.set("tls.server.subject", leaf.subject.clone());
            attributes.set("tls.server.issuer", leaf.issuer.clone());
            attributes.set("tls.server.hash.sha256", leaf.sha256.clone());
            attributes.set("tls.server.not_before", leaf.not_before.jiff().to_string());
            attributes.set("tls.server.not_after", leaf.not_after.jiff().to_string());
            attributes.set("prober.tls.scts", i64::try_from(leaf.scts).unwrap_or(i64::MAX));
        }
        let length = i64::try_from(self.handshake.chain.len()).unwrap_or(i64::MAX);
        attributes.set("prober.tls.chain.length", length);
        self.describe_chain(attributes);
        if let Some(Ok(versions)) = &self.accepts {
            let versions: Vec<String> = versions.iter().map(|&word| word.to_owned()).collect();
            attributes.set("prober.tls.accepts", versions);
        }
    }

    fn describe_chain(&self, attributes: &mut Attributes) {
        let judged = &self.judged;
        if let Some(end) = self.facts.iter().flatten().map(|facts| facts.not_after).min() {
            attributes.set("prober.tls.chain.not_after", end.jiff().to_string());
        }
        if let Some(end) = judged.path_end {
            attributes.set("prober.tls.path.not_after", end.jiff().to_string());
        }
        if !judged.defects.is_empty() {
            let words: Vec<String> =
                judged.defects.iter().map(|found| found.defect.word().to_owned()).collect();
            attributes.set("prober.tls.defects", words);
            let about = |found: &super::chain::Found| {
                cut(format!("{}: {}", found.defect.word(), found.about), SHOWN_MAX)
            };
            let about: Vec<String> = judged.defects.iter().map(about).collect();
            attributes.set("prober.tls.defects.detail", about);
        }
        if judged.stapled.word != "none" {
            attributes.set("prober.tls.ocsp", judged.stapled.word);
            if let Some(next) = judged.stapled.next_update {
                attributes.set("prober.tls.ocsp.next_update", next.jiff().to_string());
            }
            if !judged.stapled.about.is_empty() {
                attributes.set("prober.tls.ocsp.detail", cut(judged.stapled.about.clone(), SHOWN_MAX));
            }
        }
    }

    fn protocol(&self) -> Option<&'static str> {
        self.version().map(Version::word)
    }

    /// The suite's name as IANA has it.
    fn cipher(&self) -> Option<String> {
        self.handshake.cipher?.as_str().map(|name| name.replacen("TLS13_", "TLS_", 1))
    }

    fn alpn(&self) -> Option<Cow<'_, str>> {
        self.handshake.alpn.as_deref().map(String::from_utf8_lossy)
    }

    fn left(&self, end: Option<Timestamp>) -> Reading<'_> {
        end.map_or(Reading::Absent, |end| Reading::One(Value::Duration(end.since(self.now))))
    }

    /// The value of a subject of the handshake and of the chain as a whole; `None` for one of the certificate.
    fn of_whole(&self, subject: &str) -> Option<Reading<'_>> {
        let judged = &self.judged;
        Some(match subject {
            "chain" => text(judged.word),
            "hostname" => text(if judged.name_matches { "match" } else { "mismatch" }),
            "defects" => list(judged.defects.iter().map(|found| found.defect.word())),
            "protocol" => self.protocol().map_or(Reading::Absent, text),
            ACCEPTS => match &self.accepts {
                Some(Ok(versions)) => list(versions.iter().copied()),
                Some(Err(why)) => Reading::Unreadable(why.clone()),
                None => Reading::Absent,
            },
            "cipher" => {
                self.cipher().map_or(Reading::Absent, |name| Reading::One(Value::Text(Cow::Owned(name))))
            }
            "alpn" => self.alpn().map_or(Reading::Absent, |alpn| Reading::One(Value::Text(alpn))),
            "chain_length" => count(self.handshake.chain.len()),
            "chain_expires_in" => self.left(self.facts.iter().flatten().map(|facts| facts.not_after).min()),
            "path_expires_in" => self.left(judged.path_end),
            "ocsp" => text(judged.stapled.word),
            "ocsp_age" => judged
                .stapled
                .this_update
                .map_or(Reading::Absent, |at| Reading::One(Value::Duration(self.now.since(at)))),
            "ocsp_expires_in" => self.left(judged.stapled.next_update),
            CRL => text(judged.crl),
            _ => return None,
        })
    }
}

impl Evidence for Shown {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        if let Some(reading) = self.of_whole(subject) {
            return reading;
        }
        match self.facts.first() {
            Some(Some(leaf)) => self.of_leaf(leaf, subject),
            _ => Reading::Unreadable("the server's certificate cannot be read".to_owned()),
        }
    }

    /// What exactly is wrong, and who says so.
    fn explain(&self, subject: &str) -> Option<String> {
        let judged = &self.judged;
        let concerns = |defect: Defect| match subject {
            "chain" => defect.chain_word() == Some(judged.word),
            "hostname" => defect == Defect::NameMismatch,
            "defects" => true,
            _ => false,
        };
        let mut about: Vec<&str> = match subject {
            "ocsp" => vec![&judged.stapled.about],
            _ => judged
                .defects
                .iter()
                .filter(|found| concerns(found.defect))
                .map(|found| &*found.about)
                .collect(),
        };
        about.retain(|about| !about.is_empty());
        (!about.is_empty()).then(|| cut(about.join("; "), SHOWN_MAX))
    }
}

impl Shown {
    fn of_leaf<'a>(&'a self, leaf: &'a CertificateFacts, subject: &str) -> Reading<'a> {
        match subject {
            "expires_in" => self.left(Some(leaf.not_after)),
            "issuer" => text(&leaf.issuer),
            "subject" => text(&leaf.subject),
            "sans" => list(leaf.names.iter().map(String::as_str)),
            "self_signed" => Reading::One(Value::Bool(leaf.is_self_issued())),
            "serial" => text(&leaf.serial),
            "key_type" => leaf.key.as_deref().map_or(Reading::Absent, text),
            "signature" => text(&leaf.signature),
            "scts" => count(leaf.scts),
            _ => Reading::Absent,
        }
    }
}

/// The version that a handshake came to.
pub(super) fn version(handshake: &Handshake) -> Option<Version> {
    match handshake.protocol? {
        ProtocolVersion::TLSv1_2 => Some(Version::Tls12),
        ProtocolVersion::TLSv1_3 => Some(Version::Tls13),
        _ => None,
    }
}

fn text(text: &str) -> Reading<'_> {
    Reading::One(Value::Text(Cow::Borrowed(text)))
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Reading<'a> {
    Reading::One(Value::List(texts.map(|text| Value::Text(Cow::Borrowed(text))).collect()))
}

fn count(number: usize) -> Reading<'static> {
    Reading::One(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}
