//! Keys that are used for what their certificates do not allow (RFC 5280, section 6.1.4 (n)).
//!
//! webpki does not look at `keyUsage`. Only chains that hold in every other way come here, and each only once.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerified;
use rustls::{CertificateError, Error, OtherError};
use rustls_pki_types::CertificateDer;

use crate::net::certificate;

/// Which certificate is used for what it does not allow, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misused(String);

/// Whether the leaf may be a server's, and whether the chain holds without the `others` that may not sign.
///
/// # Errors
/// It does not: which certificate is to blame.
pub(super) fn check<'a>(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'a>],
    verify: impl FnOnce(&[CertificateDer<'a>]) -> Result<ServerCertVerified, Error>,
) -> Result<(), Error> {
    if let Some(about) = certificate::facts(leaf).and_then(|facts| facts.about_no_server()) {
        return Err(misused(about));
    }
    let (mut signing, mut blamed) = (Vec::with_capacity(others.len()), None);
    for other in others.iter().filter(|other| *other != leaf) {
        match certificate::facts(other).and_then(|facts| facts.about_no_issuer()) {
            Some(about) => blamed = blamed.or(Some(about)),
            None => signing.push(other.clone()),
        }
    }
    // What may not sign may stand beside a path that does without it.
    match blamed {
        Some(about) => verify(&signing).map(drop).map_err(|_| misused(about)),
        None => Ok(()),
    }
}

fn misused(about: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Misused(about)))))
}
