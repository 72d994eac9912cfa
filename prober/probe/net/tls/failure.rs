//! A handshake that failed, in our words.

use std::io;

use model::outcome::{Failure, FailureClass, cut};
use model::time::Timestamp;
use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::UnixTime;

use super::{Flaw, Handshake, beyond, words};
use crate::net::banner::{Banner, Expected};
use crate::net::certificate::{self, CertificateFacts};
use crate::net::fault;

/// The most certificates among which the one to blame is looked for.
const CHAIN_MAX: usize = 10;
/// The longest name of a certificate in a sentence, in bytes.
const SUBJECT_BYTES_MAX: usize = 128;

/// The failure of a handshake in which the server showed this, and in which these bytes came first.
pub(super) fn of_handshake(error: &io::Error, shown: &Handshake, came: &Banner) -> Failure {
    if let Some(failure) = shown.defect() {
        return failure;
    }
    if let Some(local) = fault::local(error) {
        return local;
    }
    let message = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner @ rustls::Error::InvalidMessage(_)) => {
            format!("{}{}", words::of_rustls(inner), came.told(Expected::Tls))
        }
        // TLS 1.2 has no alert of its own for a client that shows no certificate.
        Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)) if shown.client_unknown => {
            "the server ended the TLS handshake with the alert handshake_failure: it wants a certificate of the client"
                .to_owned()
        }
        Some(inner) => of_rustls(inner),
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

/// Why a handshake ended with `error`, which is none of certificates, as a whole sentence.
fn of_rustls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => {
            format!("the server ended the TLS handshake with the alert {}", words::of_alert(*alert))
        }
        other => format!("the TLS handshake failed: {}", words::of_rustls(other)),
    }
}

impl Handshake {
    /// The failure that the chain stands for, if it does not hold.
    pub(crate) fn defect(&self) -> Option<Failure> {
        let (error_type, message) = match self.flaw.as_ref()? {
            Flaw::Refused(rustls::Error::InvalidCertificate(defect)) => self.of_certificate(defect),
            Flaw::Refused(rustls::Error::InvalidCertRevocationList(why)) => {
                let why = words::of_crl(why);
                return Some(fault::config(format!(
                    "the list of revoked certificates cannot be used: {why}"
                )));
            }
            Flaw::Refused(other) => {
                ("tls.untrusted", format!("the certificate cannot be trusted: {}", words::of_rustls(other)))
            }
            Flaw::Beyond(about) => return Some(beyond::failure(about)),
            Flaw::Weak(about) => ("tls.weak", format!("the certificate could be forged: {about}")),
        };
        Some(Failure::new(FailureClass::Tls, error_type, message))
    }

    /// The `error.type` and the message of this defect.
    fn of_certificate(&self, defect: &CertificateError) -> (&'static str, String) {
        match defect {
            CertificateError::ExpiredContext { not_after, .. } => {
                let whose = self.whose(|facts| is_at(facts.not_after, *not_after));
                ("tls.expired", format!("{whose} expired at {}", words::instant(*not_after)))
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                let whose = self.whose(|facts| is_at(facts.not_before, *not_before));
                ("tls.not_yet_valid", format!("{whose} is not valid before {}", words::instant(*not_before)))
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
                ("tls.name_mismatch", words::of_names(&names, expected))
            }
            CertificateError::Revoked => ("tls.revoked", "the certificate has been revoked".to_owned()),
            CertificateError::UnknownIssuer => {
                ("tls.untrusted", "the certificate does not lead to a trusted authority".to_owned())
            }
            other => {
                let message = format!("the certificate cannot be trusted: {}", words::of_certificate(other));
                (error_type(other), message)
            }
        }
    }

    /// The certificate of the chain that `is_it` tells, as a sentence begins: the server's own, or one between.
    fn whose(&self, is_it: impl Fn(&CertificateFacts) -> bool) -> String {
        let read = self.chain.iter().take(CHAIN_MAX).map(|der| certificate::facts(der));
        let found = read.enumerate().find_map(|(place, facts)| Some((place, facts.filter(&is_it)?)));
        let Some((place @ 1.., facts)) = found else { return "the certificate".to_owned() };
        let kind = if facts.is_self_issued() { "root" } else { "intermediate" };
        let subject = cut(facts.subject, SUBJECT_BYTES_MAX);
        format!("the {kind} certificate {subject} ({} of {} served)", place + 1, self.chain.len())
    }
}

/// Whether both are the same second.
fn is_at(known: Timestamp, at: UnixTime) -> bool {
    i64::try_from(at.as_secs()).is_ok_and(|seconds| known == Timestamp::from_seconds(seconds))
}

const fn error_type(defect: &CertificateError) -> &'static str {
    match defect {
        CertificateError::Expired => "tls.expired",
        CertificateError::NotValidYet => "tls.not_yet_valid",
        CertificateError::NotValidForName => "tls.name_mismatch",
        _ => "tls.untrusted",
    }
}

/// `DnsName("shop.example")` and `IpAddress(127.0.0.1)` as webpki shows them, without the wrapping.
fn plain(shown: &str) -> &str {
    let inner = || shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    shown.split('"').nth(1).or_else(inner).unwrap_or(shown)
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
            assert_eq!(Handshake::default().of_certificate(&defect).1, wanted);
        }
        let expected = ServerName::try_from("127.0.0.1").unwrap();
        let presented = vec!["DnsName(\"127.0.0.1\")".to_owned()];
        let defect = CertificateError::NotValidForNameContext { expected, presented };
        let wanted = "the certificate is not for the address 127.0.0.1: it has that as a name (DNS), not as an address (IP)";
        assert_eq!(Handshake::default().of_certificate(&defect).1, wanted);
    }
}
