//! Chains that are refused for nothing but their weakness: short keys, and signatures that can be forged.
//!
//! rustls says of them that a signature is bad or of an unknown algorithm. Whoever reads that looks for a forger or a
//! bug, so the chain is verified once more with the algorithms of old: if it holds then, it is weak and nothing else.
//! Only chains that were refused come here.

use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::{Flaw, beyond};
use crate::net::algorithms;
use crate::net::certificate::{self, CertificateFacts};
use crate::net::maze;
use crate::net::roots::Trusted;
use crate::net::verified::Served;

/// What is wrong with `served`, which was refused at `now` with `error` by those who trust `trusted`.
pub(super) fn flaw_of(error: Error, served: &Served<'_>, trusted: &Trusted, now: UnixTime) -> Flaw {
    let weak = is_of_strength(&error).then(|| weakness(served, trusted, now)).flatten().map(Flaw::Weak);
    let beyond = || {
        let chain: Vec<_> = std::iter::once(served.leaf).chain(served.intermediates).cloned().collect();
        beyond::of_handshake(&error, &chain, trusted).map(Flaw::Beyond)
    };
    let Some(flaw) = weak.or_else(beyond) else { return Flaw::Refused(error) };
    // A name that does not fit weighs more, as it does in a `tls` step.
    let named =
        ParsedCertificate::try_from(served.leaf).and_then(|leaf| verify_server_name(&leaf, served.name));
    named.map_or_else(Flaw::Refused, |()| flaw)
}

/// Whether a signature or a key that is too weak leads to this error.
fn is_of_strength(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::BadSignature
                | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
        )
    )
}

/// What is weak in a chain that holds in every other way, for people.
fn weakness(served: &Served<'_>, trusted: &Trusted, now: UnixTime) -> Option<String> {
    let others = maze::passable(served.leaf, served.intermediates);
    let leaf = EndEntityCert::try_from(served.leaf).ok()?;
    let usage = KeyUsage::server_auth();
    let found =
        leaf.verify_for_usage(&algorithms::ALL, &trusted.store.roots, &others, now, usage, None, None);
    let on_path: Vec<CertificateDer<'_>> = match &found {
        Ok(path) => path.intermediate_certificates().map(webpki::Cert::der).collect(),
        // MD5 and curves of 224 bits nobody checks: that one of them was used is all that can be told.
        Err(
            webpki::Error::UnsupportedSignatureAlgorithmContext(_)
            | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_),
        ) => others.to_vec(),
        Err(_) => return None,
    };
    let facts = std::iter::once(served.leaf).chain(&on_path).filter_map(|der| certificate::facts(der));
    let about: Vec<_> = facts.flat_map(|facts| weaknesses(&facts)).collect();
    (!about.is_empty()).then(|| about.join("; "))
}

/// What is weak about one certificate.
fn weaknesses(facts: &CertificateFacts) -> impl Iterator<Item = String> + use<> {
    // An authority's signature of itself proves nothing either way.
    let signature = (!facts.is_self_issued()).then(|| facts.about_weak_signature()).flatten();
    signature.into_iter().chain(facts.about_weak_key())
}
