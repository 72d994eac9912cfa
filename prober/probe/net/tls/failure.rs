//! A handshake that failed, in our words.

use std::io;

use model::outcome::{Failure, FailureClass};
use model::time::Timestamp;
use rustls::CertificateError;
use rustls_pki_types::UnixTime;

use super::{Flaw, Handshake};
use crate::net::fault;

/// The failure of a handshake in which the server showed this.
pub(super) fn of_handshake(error: &io::Error, shown: &Handshake) -> Failure {
    if let Some(failure) = shown.defect() {
        return failure;
    }
    if let Some(local) = fault::local(error) {
        return local;
    }
    let message = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the server ended the TLS handshake with the alert {alert:?}")
        }
        Some(rustls::Error::InvalidMessage(_)) => "the server does not speak TLS on this port".to_owned(),
        Some(inner) => format!("the TLS handshake failed: {inner}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection in the TLS handshake".to_owned()
        }
        None if error.kind() == io::ErrorKind::ConnectionReset => {
            "the server reset the connection in the TLS handshake".to_owned()
        }
        None => format!("the TLS handshake failed: {error}"),
    };
    Failure::new(FailureClass::Tls, "tls.handshake", message)
}

impl Handshake {
    /// The failure that the chain stands for, if it does not hold.
    pub(crate) fn defect(&self) -> Option<Failure> {
        let (error_type, message) = match self.flaw.as_ref()? {
            Flaw::Refused(rustls::Error::InvalidCertificate(defect)) => of_certificate(defect),
            Flaw::Refused(other) => ("tls.untrusted", format!("the certificate cannot be trusted: {other}")),
            Flaw::Weak(about) => ("tls.weak", format!("the certificate could be forged: {about}")),
        };
        Some(Failure::new(FailureClass::Tls, error_type, message))
    }
}

/// The `error.type` and the message of this defect.
fn of_certificate(defect: &CertificateError) -> (&'static str, String) {
    match defect {
        CertificateError::ExpiredContext { not_after, .. } => {
            ("tls.expired", format!("the certificate expired at {}", instant(*not_after)))
        }
        CertificateError::Expired => ("tls.expired", "the certificate has expired".to_owned()),
        CertificateError::NotValidYetContext { not_before, .. } => {
            ("tls.not_yet_valid", format!("the certificate is not valid before {}", instant(*not_before)))
        }
        CertificateError::NotValidYet => ("tls.not_yet_valid", "the certificate is not valid yet".to_owned()),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = presented.iter().take(5).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name at all" } else { &names };
            ("tls.name_mismatch", format!("the certificate is for {names}, not for {}", expected.to_str()))
        }
        CertificateError::NotValidForName => {
            ("tls.name_mismatch", "the certificate is for another name".to_owned())
        }
        CertificateError::Revoked => ("tls.revoked", "the certificate has been revoked".to_owned()),
        CertificateError::UnknownIssuer => {
            ("tls.untrusted", "the certificate does not lead to a trusted authority".to_owned())
        }
        other => ("tls.untrusted", format!("the certificate cannot be trusted: {other}")),
    }
}

/// `DnsName("shop.example")` and `IpAddress(127.0.0.1)` as webpki shows them, without the wrapping.
fn plain(shown: &str) -> &str {
    let inner = || shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    shown.split('"').nth(1).or_else(inner).unwrap_or(shown)
}

fn instant(at: UnixTime) -> String {
    let at = Timestamp::from_seconds(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    at.jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::ServerName;

    use super::*;

    #[test]
    fn names_are_shown_as_people_write_them() {
        let shop = ServerName::try_from("shop.test").unwrap();
        for (presented, wanted) in [
            (vec![], "the certificate is for no name at all, not for shop.test"),
            (vec!["IpAddress(127.0.0.1)"], "the certificate is for 127.0.0.1, not for shop.test"),
            (vec!["DnsName(\"a.test\")", "x"], "the certificate is for a.test, x, not for shop.test"),
        ] {
            let presented = presented.into_iter().map(str::to_owned).collect();
            let defect = CertificateError::NotValidForNameContext { expected: shop.clone(), presented };
            assert_eq!(of_certificate(&defect).1, wanted);
        }
    }
}
