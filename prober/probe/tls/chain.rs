//! What is wrong with a served chain, each defect looked at by itself.
//!
//! The verifier stops at the first defect. Here dates are taken out of the question by checking again at a
//! moment when the certificate was valid, and the name is checked alone.

use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::net::certificate::CertificateFacts;

/// The words of the subject `chain`.
pub(super) const WORDS: &[&str] =
    &["trusted", "expired", "not_yet_valid", "self_signed", "missing_intermediate", "untrusted", "malformed"];

/// The facts of a served chain, leaf first; `None` for a certificate that cannot be read.
pub(super) type Facts = Vec<Option<Arc<CertificateFacts>>>;

/// What a chain was found to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// A word of [`WORDS`]. If several things are wrong, whom to trust comes before the dates.
    pub(super) word: &'static str,
    /// Whether the certificate is for the name.
    pub(super) name_matches: bool,
    /// Everything that is wrong, `name_mismatch` included.
    pub(super) defects: Vec<&'static str>,
}

/// Looks at `chain` as it stands `now` for a server that is to be `name`.
pub(super) fn judge(
    chain: &[CertificateDer<'_>],
    facts: &Facts,
    roots: &RootCertStore,
    name: &ServerName<'_>,
    now: Timestamp,
) -> Judged {
    let (Some((first, others)), Some(Some(leaf))) = (chain.split_first(), facts.first()) else {
        return malformed();
    };
    let Ok(parsed) = ParsedCertificate::try_from(first) else { return malformed() };
    let check = |at: Timestamp| trust(&parsed, others, roots, at);
    let mut defects = Vec::new();
    // At a moment when the leaf was valid, only trust can be wrong, or the date of another certificate.
    let then = now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before));
    match check(then) {
        Ok(()) => {}
        Err(Some(date)) => defects.push(date),
        Err(None) => defects.push(distrust(facts)),
    }
    if now > leaf.not_after {
        defects.push("expired");
    } else if now < leaf.not_before {
        defects.push("not_yet_valid");
    }
    defects.dedup();
    let word = defects.first().copied().unwrap_or("trusted");
    let name_matches = verify_server_name(&parsed, name).is_ok();
    if !name_matches {
        defects.push("name_mismatch");
    }
    Judged { word, name_matches, defects }
}

fn malformed() -> Judged {
    Judged { word: "malformed", name_matches: false, defects: vec!["malformed"] }
}

/// Whether the chain leads to a trusted authority; the error is the word for a date, if that is the reason.
fn trust(
    leaf: &ParsedCertificate<'_>,
    others: &[CertificateDer<'_>],
    roots: &RootCertStore,
    at: Timestamp,
) -> Result<(), Option<&'static str>> {
    let seconds = u64::try_from(at.as_millis().div_euclid(1000)).unwrap_or(0);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(leaf, roots, others, at, algorithms).map_err(
        |error| match error {
            Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => Some("expired"),
            Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => Some("not_yet_valid"),
            _ => None,
        },
    )
}

/// Why nobody that is trusted stands at the end of the chain, as far as the served certificates tell.
///
/// A leaf whose issuer was neither served nor is trusted mostly lacks its intermediate; a longer chain that
/// ends in the open belongs to an authority that is not trusted, because roots are not served.
fn distrust(facts: &Facts) -> &'static str {
    let Some(Some(leaf)) = facts.first() else { return "malformed" };
    if leaf.subject == leaf.issuer {
        return "self_signed";
    }
    let issuer_is_served = facts.iter().skip(1).flatten().any(|other| other.subject == leaf.issuer);
    if issuer_is_served { "untrusted" } else { "missing_intermediate" }
}
