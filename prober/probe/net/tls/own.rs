//! Servers whose certificate is itself among those that are trusted, and says that it is an authority's: what
//! `openssl req -x509` makes, and what many a service within a house has.
//!
//! webpki takes no authority for a server and says so before it looks at anything else. OpenSSL, curl and Go take one
//! that is trusted byte by byte, and so do nearly all clients. Dates, name and use are looked at here; a signature of its
//! own proves nothing, and that the server has the key is proved in the handshake as ever.

use std::time::Duration;

use rustls::client::danger::ServerCertVerified;
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, OtherError};
use rustls_pki_types::UnixTime;
use webpki::Error as Found;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::net::roots::Trusted;
use crate::net::verified::Served;

/// What webpki refused with `error`, as other clients judge it.
///
/// # Errors
/// `error`, if it is about something else or the certificate is not trusted itself; what else is wrong with it.
pub(super) fn check(
    error: Error,
    served: &Served<'_>,
    trusted: &Trusted,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    if !is_about_authority(&error) {
        return Err(error);
    }
    match against(served.leaf, trusted, now) {
        Some(Err(Found::CertExpired { time, not_after })) => {
            return Err(Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }));
        }
        Some(Err(Found::CertNotValidYet { time, not_before })) => {
            return Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }));
        }
        None | Some(Err(_)) => return Err(error),
        Some(Ok(())) => {}
    }
    verify_server_name(&ParsedCertificate::try_from(served.leaf)?, served.name)?;
    Ok(ServerCertVerified::assertion())
}

/// What is wrong at `at` with a certificate that is trusted itself, the name aside; `None` if it is not trusted.
pub(crate) fn against(der: &[u8], trusted: &Trusted, at: UnixTime) -> Option<Result<(), Found>> {
    if !trusted.has(der) {
        return None;
    }
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let moment =
        |seconds: i64| UnixTime::since_unix_epoch(Duration::from_secs(seconds.max(0).unsigned_abs()));
    let validity = certificate.validity();
    let (not_before, not_after) =
        (moment(validity.not_before.timestamp()), moment(validity.not_after.timestamp()));
    if at < not_before {
        return Some(Err(Found::CertNotValidYet { time: at, not_before }));
    }
    if at > not_after {
        return Some(Err(Found::CertExpired { time: at, not_after }));
    }
    let usage = certificate.extended_key_usage().ok()?.map(|usage| usage.value);
    let serves = usage.is_none_or(|usage| usage.server_auth || usage.any);
    Some(if serves { Ok(()) } else { Err(Found::EmptyEkuExtension) })
}

fn is_about_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else { return false };
    matches!(inner.downcast_ref(), Some(Found::CaUsedAsEndEntity))
}
