//! The stapled OCSP answer (RFC 6960): what it says of the certificate, and whether the authority said it.
//!
//! An answer counts only if it is signed by the certificate's issuer, or by someone whom the issuer named for it.
//! Where the issuer is not known the answer is `unchecked`, never `good`. Deliberately absent: asking the
//! authority's responder. A server that staples nothing has said nothing.

use model::time::Timestamp;
use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use x509_parser::asn1_rs::{Any, BitString, Class, Tag};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};
use x509_parser::verify::verify_signature;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// The words of the subject `ocsp`.
pub(super) const WORDS: &[&str] = &["none", "good", "revoked", "unknown", "expired", "unchecked", "invalid"];

/// The longest answer that is looked at, in bytes; usual ones have 500 to 2,500.
const BYTES_MAX: usize = 64 * 1024;
/// The most certificates that an answer may bring with it.
const RESPONDERS_MAX: usize = 4;
/// `id-pkix-ocsp-basic` (RFC 6960, section 4.2.1).
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
/// The hashes by which an answer names the issuer.
const SHA1_OID: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA256_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// What was stapled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stapled {
    /// A word of [`WORDS`].
    pub(super) word: &'static str,
    /// Why the answer is not taken, or when the certificate was revoked; empty if there is nothing to say.
    pub(super) about: String,
    /// When the authority knew this to be right.
    pub(super) this_update: Option<Timestamp>,
    /// When there will be newer information.
    pub(super) next_update: Option<Timestamp>,
}

impl Stapled {
    fn without_dates(word: &'static str, about: impl Into<String>) -> Self {
        Self { word, about: about.into(), this_update: None, next_update: None }
    }
}

/// What the answer `staple` says of the certificate `leaf`, whose issuer's key is `issuer` if it is known.
pub(super) fn read(
    staple: &[u8],
    leaf: &X509Certificate<'_>,
    issuer: Option<&SubjectPublicKeyInfo<'_>>,
    now: Timestamp,
) -> Stapled {
    if staple.is_empty() {
        return Stapled::without_dates("none", "");
    }
    if staple.len() > BYTES_MAX {
        return Stapled::without_dates("invalid", "the answer is longer than 64 KiB");
    }
    let answer = match Answer::read(staple) {
        Ok(answer) => answer,
        Err(why) => return Stapled::without_dates("invalid", why),
    };
    let Some(single) = answer.singles.iter().find(|single| single.is_about(leaf, issuer)) else {
        return Stapled::without_dates("invalid", "the answer is about another certificate");
    };
    let (word, about) = match issuer.map(|issuer| answer.is_signed_by(issuer, now)) {
        Some(true) => single.judge(now),
        Some(false) => ("invalid", "the answer is not signed by the certificate's issuer".to_owned()),
        None => ("unchecked", "the issuer is not known, so nobody can tell who signed the answer".to_owned()),
    };
    Stapled { word, about, this_update: Some(single.this_update), next_update: single.next_update }
}

/// A basic answer, taken apart.
struct Answer<'a> {
    /// What is signed.
    signed: &'a [u8],
    algorithm: AlgorithmIdentifier<'a>,
    signature: BitString<'a>,
    singles: Vec<Single<'a>>,
    responders: Vec<X509Certificate<'a>>,
}

/// The answer for one certificate.
struct Single<'a> {
    hash: &'a [u8],
    issuer_name: &'a [u8],
    issuer_key: &'a [u8],
    serial: &'a [u8],
    status: Status,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
}

#[derive(Copy, Clone)]
enum Status {
    Good,
    Revoked(Timestamp),
    Unknown,
}

/// Encoded values, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value, whole and as its contents, if it has this class and tag.
    fn next(&mut self, class: Class, tag: Tag) -> Option<(&'a [u8], &'a [u8])> {
        let (rest, any) = Any::from_der(self.0).ok()?;
        if any.class() != class || any.tag() != tag {
            return None;
        }
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some((whole, any.data))
    }

    fn inside(&mut self, tag: Tag) -> Option<Der<'a>> {
        self.next(Class::Universal, tag).map(|(_, contents)| Der(contents))
    }

    /// The contents of `[number]`.
    fn field(&mut self, number: u32) -> Option<Der<'a>> {
        self.next(Class::ContextSpecific, Tag(number)).map(|(_, contents)| Der(contents))
    }

    fn time(&mut self) -> Option<Timestamp> {
        let (rest, time) = ASN1Time::from_der(self.0).ok()?;
        self.0 = rest;
        Some(Timestamp::from_seconds(time.timestamp()))
    }
}

impl<'a> Answer<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let broken = || "the answer cannot be read".to_owned();
        let mut answer = Der(bytes).inside(Tag::Sequence).ok_or_else(broken)?;
        let status = answer.inside(Tag::Enumerated).ok_or_else(broken)?;
        if status.0 != [0] {
            let names =
                ["", "malformedRequest", "internalError", "tryLater", "", "sigRequired", "unauthorized"];
            let name = status.0.first().and_then(|status| names.get(usize::from(*status)));
            return Err(format!(
                "the responder answered {}",
                name.copied().unwrap_or("with an unknown error")
            ));
        }
        Self::basic(&mut answer).ok_or_else(broken)
    }

    fn basic(answer: &mut Der<'a>) -> Option<Self> {
        let mut bytes = answer.field(0)?.inside(Tag::Sequence)?;
        if bytes.inside(Tag::Oid)?.0 != BASIC {
            return None;
        }
        let mut basic = bytes.inside(Tag::OctetString)?.inside(Tag::Sequence)?;
        let (signed, data) = basic.next(Class::Universal, Tag::Sequence)?;
        let (rest, algorithm) = AlgorithmIdentifier::from_der(basic.0).ok()?;
        let (rest, signature) = BitString::from_der(rest).ok()?;
        let mut responders = Vec::new();
        if let Some(mut list) = Der(rest).field(0).and_then(|mut list| list.inside(Tag::Sequence)) {
            while let Ok((rest, certificate)) = X509Certificate::from_der(list.0)
                && responders.len() < RESPONDERS_MAX
            {
                responders.push(certificate);
                list = Der(rest);
            }
        }
        Some(Self { signed, algorithm, signature, singles: singles(Der(data))?, responders })
    }

    /// Whether the issuer has signed this, or someone whom it named for that.
    fn is_signed_by(&self, issuer: &SubjectPublicKeyInfo<'_>, now: Timestamp) -> bool {
        let by = |key: &SubjectPublicKeyInfo<'_>| {
            verify_signature(key, &self.algorithm, &self.signature, self.signed).is_ok()
        };
        let is_named = |responder: &X509Certificate<'_>| {
            let purpose = responder.extended_key_usage().ok().flatten();
            let validity = responder.validity();
            let seconds = now.as_millis().div_euclid(1000);
            purpose.is_some_and(|usage| usage.value.ocsp_signing)
                && (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&seconds)
                && responder.verify_signature(Some(issuer)).is_ok()
        };
        by(issuer) || self.responders.iter().any(|one| is_named(one) && by(one.public_key()))
    }
}

fn singles(mut data: Der<'_>) -> Option<Vec<Single<'_>>> {
    // The version is left out in version 1, the only one.
    let _version = data.field(0);
    // Who answers, by name or by key; the signature tells that better.
    let _responder = data.field(1).or_else(|| data.field(2))?;
    data.time()?;
    let mut list = data.inside(Tag::Sequence)?;
    let mut singles = Vec::new();
    while let Some(single) = list.inside(Tag::Sequence) {
        singles.push(Single::read(single)?);
    }
    Some(singles)
}

impl<'a> Single<'a> {
    fn read(mut single: Der<'a>) -> Option<Self> {
        let mut id = single.inside(Tag::Sequence)?;
        let hash = id.inside(Tag::Sequence)?.inside(Tag::Oid)?.0;
        let (issuer_name, issuer_key) = (id.inside(Tag::OctetString)?.0, id.inside(Tag::OctetString)?.0);
        let serial = id.inside(Tag::Integer)?.0;
        let status = if single.field(0).is_some() {
            Status::Good
        } else if let Some(mut revoked) = single.field(1) {
            Status::Revoked(revoked.time()?)
        } else {
            single.field(2)?;
            Status::Unknown
        };
        let this_update = single.time()?;
        let next_update = single.field(0).and_then(|mut field| field.time());
        Some(Self { hash, issuer_name, issuer_key, serial, status, this_update, next_update })
    }

    /// Whether this is about `leaf`; the issuer's key is compared where it is known.
    fn is_about(&self, leaf: &X509Certificate<'_>, issuer: Option<&SubjectPublicKeyInfo<'_>>) -> bool {
        let algorithm: &'static Algorithm = match self.hash {
            SHA1_OID => &SHA1_FOR_LEGACY_USE_ONLY,
            SHA256_OID => &SHA256,
            _ => return false,
        };
        let is = |hash: &[u8], of: &[u8]| digest(algorithm, of).as_ref() == hash;
        self.serial == leaf.raw_serial()
            && is(self.issuer_name, leaf.issuer().as_raw())
            && issuer.is_none_or(|issuer| is(self.issuer_key, &issuer.subject_public_key.data))
    }

    fn judge(&self, now: Timestamp) -> (&'static str, String) {
        let is_over = self.next_update.is_some_and(|next| next < now);
        match self.status {
            // What was taken back stays so, however old the answer.
            Status::Revoked(at) => ("revoked", format!("since {}", super::chain::day_and_time(at))),
            _ if is_over => ("expired", "the answer is older than the authority allows".to_owned()),
            Status::Good => ("good", String::new()),
            Status::Unknown => ("unknown", "the responder does not know the certificate".to_owned()),
        }
    }
}
