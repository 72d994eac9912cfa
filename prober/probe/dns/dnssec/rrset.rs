//! Records of one name and type, and their signatures.

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{PublicKey as _, Verifier as _};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use model::time::Timestamp;

use super::{Proof, Reason};
use crate::dns::types::type_name;

/// The most signatures of one set that are looked at (RFC 9364 and the lessons of CVE-2023-50387).
const SIGNATURES_MAX: usize = 8;

/// The most keys of one zone with the same tag that are tried for one signature.
const KEYS_MAX: usize = 4;

/// Records of one name and type, with their signatures.
#[derive(Debug)]
pub(super) struct RrSet<'a> {
    pub(super) name: &'a Name,
    pub(super) kind: RecordType,
    pub(super) records: Vec<&'a Record>,
    signatures: Vec<&'a RRSIG>,
}

/// A set that was verified.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    /// How many labels the name has under which the set was signed; fewer than the set's own name has if a
    /// wildcard stands behind it.
    pub(super) labels: u8,
}

/// The DNSSEC part of a record's data.
pub(super) fn dnssec(record: &Record) -> Option<&DNSSECRData> {
    match &record.data {
        RData::DNSSEC(data) => Some(data),
        _ => None,
    }
}

impl<'a> RrSet<'a> {
    /// The set of `kind` at `name` in a section of a reply; `None` if it is not there.
    pub(super) fn of(section: &'a [Record], name: &Name, kind: RecordType) -> Option<Self> {
        let at_name = |record: &&Record| record.name == *name && record.dns_class == DNSClass::IN;
        let records: Vec<&Record> =
            section.iter().filter(at_name).filter(|record| record.record_type() == kind).collect();
        let name = &records.first()?.name;
        let signatures = section.iter().filter(at_name).filter_map(|record| match dnssec(record) {
            Some(DNSSECRData::RRSIG(signature)) if signature.input().type_covered == kind => Some(signature),
            _ => None,
        });
        Some(Self { name, kind, records, signatures: signatures.take(SIGNATURES_MAX).collect() })
    }

    /// Every set of a section, without the signatures.
    pub(super) fn all(section: &'a [Record]) -> Vec<Self> {
        let mut seen: Vec<(&Name, RecordType)> = Vec::new();
        for record in section.iter().filter(|record| record.record_type() != RecordType::RRSIG) {
            let key = (&record.name, record.record_type());
            if !seen.contains(&key) {
                seen.push(key);
            }
        }
        seen.into_iter().filter_map(|(name, kind)| Self::of(section, name, kind)).collect()
    }

    /// Who signed it; the first that may have.
    pub(super) fn signer(&self) -> Option<&'a Name> {
        let signers = self.signatures.iter().map(|signature| &signature.input().signer_name);
        signers.into_iter().find(|signer| signer.zone_of(self.name))
    }

    /// Whether `keys` of `zone` made one of its signatures and that one's time is `now`.
    ///
    /// # Errors
    /// None did; the reason is that of the signature that came closest.
    pub(super) fn verify(&self, keys: &[DNSKEY], zone: &Name, now: Timestamp) -> Result<Verified, Proof> {
        let mut worst: Option<(u8, Reason, String)> = None;
        for signature in self.signatures.iter().filter(|signature| signature.input().signer_name == *zone) {
            match self.verify_one(signature, keys, now) {
                Ok(verified) => return Ok(verified),
                Err(why) if worst.as_ref().is_none_or(|worst| why.0 > worst.0) => worst = Some(why),
                Err(_) => {}
            }
        }
        let (_, reason, detail) = worst.unwrap_or_else(|| {
            (0, Reason::MissingSignature, format!("{} has no signature by {zone}", self.shown()))
        });
        Err(Proof::bogus(reason, detail))
    }

    /// As [`RrSet::verify`] for one signature; an error has how close it came.
    fn verify_one(
        &self,
        signature: &RRSIG,
        keys: &[DNSKEY],
        now: Timestamp,
    ) -> Result<Verified, (u8, Reason, String)> {
        let input = signature.input();
        let (shown, tag) = (self.shown(), input.key_tag);
        if !input.algorithm.is_supported() {
            let number = u8::from(input.algorithm);
            let detail =
                format!("the signature of {shown} by key {tag} uses the unsupported algorithm {number}");
            return Err((1, Reason::UnsupportedAlgorithm, detail));
        }
        let fits = |key: &&DNSKEY| {
            key.public_key().algorithm() == input.algorithm
                && key.calculate_key_tag().is_ok_and(|calculated| calculated == tag)
        };
        let mut fitting = keys.iter().filter(fits).take(KEYS_MAX).peekable();
        if fitting.peek().is_none() {
            let zone = &input.signer_name;
            let detail = format!("{shown} is signed by key {tag}, which is not among the keys of {zone}");
            return Err((2, Reason::NoMatchingKey, detail));
        }
        // Seconds of 32 bits that wrap around (RFC 4034, section 3.1.5).
        let seconds = wrapped(now);
        if later(input.sig_inception.get(), seconds) {
            let from = instant(input.sig_inception.get(), now);
            let detail = format!("the signature of {shown} by key {tag} is not valid before {from}");
            return Err((4, Reason::SignatureNotYetValid, detail));
        }
        if later(seconds, input.sig_expiration.get()) {
            let until = instant(input.sig_expiration.get(), now);
            return Err((
                5,
                Reason::SignatureExpired,
                format!("the signature of {shown} by key {tag} expired at {until}"),
            ));
        }
        let made_it = |key: &DNSKEY| {
            let records = self.records.iter().copied();
            key.verify_rrsig(self.name, DNSClass::IN, signature, records).is_ok()
        };
        if input.num_labels <= self.name.num_labels() && fitting.any(made_it) {
            return Ok(Verified { labels: input.num_labels });
        }
        Err((
            3,
            Reason::BogusSignature,
            format!("the signature of {shown} by key {tag} does not fit the records"),
        ))
    }

    /// `shop.example. A`
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.name, type_name(self.kind))
    }
}

fn wrapped(now: Timestamp) -> u32 {
    let seconds = now.as_millis().div_euclid(1000).rem_euclid(1 << 32);
    u32::try_from(seconds).expect("the remainder of 2^32 has 32 bits")
}

/// Whether `left` is later than `right`, both wrapping around.
fn later(left: u32, right: u32) -> bool {
    let ahead = left.wrapping_sub(right);
    ahead != 0 && ahead < 1 << 31
}

/// The instant near `now` that the 32 bits mean, for people.
fn instant(seconds: u32, now: Timestamp) -> String {
    let away = i64::from(seconds.wrapping_sub(wrapped(now)).cast_signed());
    let at = Timestamp::from_seconds(now.as_millis().div_euclid(1000) + away);
    at.jiff().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_wrap_around() {
        for (left, right, is_later) in
            [(2, 1, true), (1, 2, false), (1, 1, false), (5, u32::MAX - 5, true), (u32::MAX - 5, 5, false)]
        {
            assert_eq!(later(left, right), is_later, "{left} {right}");
        }
        let now = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(instant(1_800_000_060, now), "2027-01-15 08:01:00 UTC");
        assert_eq!(instant(1_799_999_940, now), "2027-01-15 07:59:00 UTC");
    }
}
