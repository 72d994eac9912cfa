//! What TLS and certificate libraries say, in plain words.
//!
//! Their own texts are names of variants, such as `Other(OtherError(UnsupportedCriticalExtension))`. What has words
//! here is what servers are seen to do; names of anything else are taken apart into the words they are made of.

use std::fmt::Debug;
use std::io;

use model::time::Timestamp;
use rustls::{
    AlertDescription, CertRevocationListError, CertificateError, Error, ExtendedKeyPurpose, InvalidMessage,
    OtherError, PeerIncompatible, PeerMisbehaved,
};
use rustls_pki_types::{ServerName, UnixTime, pem};

use super::usage::Misused;
use crate::net::certificate;

/// The most purposes of a certificate that a sentence has.
const PURPOSES_SHOWN: usize = 5;

/// The most names of a certificate that a sentence has.
const NAMES_SHOWN: usize = 5;

/// Purposes of certificates by their numbers (RFC 5280, section 4.2.1.12).
const PURPOSES: [(&str, &str); 5] = [
    ("2.5.29.37.0", "anything"),
    ("1.3.6.1.5.5.7.3.3", "signing code"),
    ("1.3.6.1.5.5.7.3.4", "protecting mail"),
    ("1.3.6.1.5.5.7.3.8", "time stamps"),
    ("1.3.6.1.5.5.7.3.9", "OCSP answers"),
];

/// What a server means by an alert (RFC 8446, section 6), where its name does not say it.
const ALERTS: [(AlertDescription, &str); 12] = [
    (AlertDescription::HandshakeFailure, "it accepts nothing of what it was offered"),
    (AlertDescription::ProtocolVersion, "it speaks no version of TLS that it was offered"),
    (AlertDescription::InsufficientSecurity, "what it was offered is too weak for it"),
    (AlertDescription::UnrecognisedName, "it knows no server of this name"),
    (AlertDescription::NoApplicationProtocol, "it speaks no application protocol that it was offered"),
    (AlertDescription::CertificateRequired, "it wants a certificate of the client"),
    (AlertDescription::BadCertificate, "it takes no or another certificate of the client"),
    (AlertDescription::UnknownCA, "it does not trust who issued the client's certificate"),
    (AlertDescription::CertificateExpired, "the client's certificate has ended"),
    (AlertDescription::CertificateRevoked, "the client's certificate was revoked"),
    (AlertDescription::AccessDenied, "it does not let this client in"),
    (AlertDescription::InternalError, "something went wrong in it"),
];

/// An alert by its name in the standard, and what it means.
pub(crate) fn of_alert(alert: AlertDescription) -> String {
    let name = match alert {
        AlertDescription::UnrecognisedName => "unrecognized_name".to_owned(),
        AlertDescription::Unknown(number) => format!("number {number}"),
        known => spaced(&format!("{known:?}")).replace(' ', "_"),
    };
    let meaning = ALERTS.iter().find(|(known, _)| *known == alert);
    meaning.map_or_else(|| name.clone(), |(_, meaning)| format!("{name}: {meaning}"))
}

/// The same for an alert that is known only by rustls's name of it.
pub(crate) fn of_alert_named(name: &str) -> String {
    let all = (0..=u8::MAX).map(AlertDescription::from);
    let alert = all.into_iter().find(|alert| format!("{alert:?}") == name);
    alert.map_or_else(|| plainly(name), of_alert)
}

/// The same for an alert that QUIC brings, added to 0x100 (RFC 9001, section 4.8).
#[cfg(any(feature = "doq", feature = "http3"))]
pub(crate) fn of_alert_number(code: u64) -> String {
    of_alert(AlertDescription::from(code.to_le_bytes()[0]))
}

/// Why a connection broke, TLS in it or not.
pub(crate) fn of_io(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(inner) => of_rustls(inner),
        None => plainly(&error.to_string()),
    }
}

/// Why a PEM file cannot be read; the library shows bytes as numbers.
pub(crate) fn of_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section of it has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section of it does not begin as it must".to_owned(),
        other => plainly(&other.to_string()),
    }
}

/// Why a handshake failed, or a connection after it.
pub(crate) fn of_rustls(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("the server ended it with the alert {}", of_alert(*alert)),
        Error::InvalidMessage(why) if is_no_tls(*why) => {
            "the server does not speak TLS on this port".to_owned()
        }
        Error::InvalidMessage(why) => format!("the server sent what TLS cannot read: {}", named(why)),
        Error::PeerIncompatible(why) => of_incompatible(why),
        Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => {
            "the server signed the handshake by an algorithm that it was not offered".to_owned()
        }
        Error::PeerMisbehaved(PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported) => {
            "the server, or somebody between, went down to TLS 1.2 although TLS 1.3 was offered".to_owned()
        }
        Error::PeerMisbehaved(why) => format!("the server broke the rules of TLS: {}", named(why)),
        Error::InappropriateMessage { got_type, .. } => {
            format!("the server sent a message of the type {} out of turn", named(got_type))
        }
        Error::InappropriateHandshakeMessage { got_type, .. } => {
            format!("the server sent a message of the type {} out of turn", named(got_type))
        }
        Error::InvalidCertificate(why) => of_certificate(why),
        Error::InvalidCertRevocationList(why) => of_crl(why),
        Error::NoCertificatesPresented => "the server showed no certificate".to_owned(),
        Error::NoApplicationProtocol => {
            "the server speaks no application protocol that it was offered".to_owned()
        }
        Error::PeerSentOversizedRecord => "the server sent more at once than TLS allows".to_owned(),
        Error::DecryptError => "what the server sent cannot be decrypted".to_owned(),
        Error::InconsistentKeys(why) => format!("the key does not fit the certificate: {}", named(why)),
        Error::InvalidEncryptedClientHello(why) => format!("the hello cannot be encrypted: {}", named(why)),
        other => plainly(&other.to_string()),
    }
}

/// Whether no TLS at all leads to this, and not TLS with a mistake in it.
const fn is_no_tls(why: InvalidMessage) -> bool {
    use InvalidMessage::{
        InvalidContentType, InvalidEmptyPayload, MessageTooLarge, MessageTooShort, UnknownProtocolVersion,
    };
    matches!(
        why,
        InvalidContentType | InvalidEmptyPayload | MessageTooLarge | MessageTooShort | UnknownProtocolVersion
    )
}

fn of_incompatible(why: &PeerIncompatible) -> String {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13 => {
            "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned()
        }
        PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            "the server chose a version of TLS that it was not offered".to_owned()
        }
        PeerIncompatible::ExtendedMasterSecretExtensionRequired => {
            "the server speaks TLS 1.2 without the extended master secret".to_owned()
        }
        PeerIncompatible::ServerRejectedEncryptedClientHello(_) => {
            "the server refused an encrypted hello".to_owned()
        }
        other => format!("the server's TLS and ours do not go together: {}", named(other)),
    }
}

/// What is wrong with a certificate or its chain.
pub(crate) fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        CertificateError::Expired => "it has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired at {}", instant(*not_after))
        }
        CertificateError::NotValidYet => "it is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid before {}", instant(*not_before))
        }
        CertificateError::Revoked => "it has been revoked".to_owned(),
        CertificateError::UnhandledCriticalExtension => CRITICAL.to_owned(),
        CertificateError::UnknownIssuer => "it does not lead to a trusted authority".to_owned(),
        CertificateError::UnknownRevocationStatus => UNCOVERED.to_owned(),
        CertificateError::ExpiredRevocationList => LIST_EXPIRED.to_owned(),
        CertificateError::ExpiredRevocationListContext { next_update, .. } => {
            format!("the list of revoked certificates was to be renewed by {}", instant(*next_update))
        }
        CertificateError::BadSignature => FORGED.to_owned(),
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            unchecked(signature_algorithm_id)
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => mismatched(signature_algorithm_id, public_key_algorithm_id),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::InvalidPurpose => "it is not for servers".to_owned(),
        CertificateError::InvalidPurposeContext { presented, .. } => {
            let shown: Vec<_> = presented.iter().take(PURPOSES_SHOWN).map(purpose).collect();
            let shown = if shown.is_empty() { "no purpose at all".to_owned() } else { shown.join(", ") };
            format!("it is for {shown}, not for servers")
        }
        CertificateError::InvalidOcspResponse => "the stapled OCSP answer does not hold".to_owned(),
        CertificateError::ApplicationVerificationFailure => "it was refused".to_owned(),
        CertificateError::Other(OtherError(inner)) if inner.is::<Misused>() => inner.to_string(),
        CertificateError::Other(OtherError(inner)) => match inner.downcast_ref() {
            Some(error) => of_webpki(error),
            None => plainly(&inner.to_string()),
        },
        // What is deprecated, and what comes with new versions.
        other => named(other),
    }
}

const CRITICAL: &str = "it has a critical extension that this program does not know";
const UNCOVERED: &str = "no list of revoked certificates covers it";
const LIST_EXPIRED: &str = "the list of revoked certificates was to be renewed before now";
const FORGED: &str = "a certificate is not signed by the one that it names as its issuer";

/// What is wrong with a certificate, its chain or a list of revoked ones, as webpki found it.
pub(crate) fn of_webpki(error: &webpki::Error) -> String {
    use webpki::Error as Found;
    let words = match error {
        Found::BadDer | Found::TrailingData(_) => "it is not encoded as it must be (DER)",
        Found::BadDerTime => "a date in it is not written as it must be",
        Found::CaUsedAsEndEntity => "it is an authority's own certificate, not one of a server",
        Found::CertDistrusted => "its authority is no longer trusted for it",
        Found::CertExpired { not_after, .. } => return format!("it expired at {}", instant(*not_after)),
        Found::CertNotValidYet { not_before, .. } => {
            return format!("it is not valid before {}", instant(*not_before));
        }
        Found::CertNotValidForName(_) => "it is for another name",
        Found::CertRevoked => "it has been revoked",
        Found::CrlExpired { next_update, .. } => {
            return format!(
                "the list of revoked certificates was to be renewed by {}",
                instant(*next_update)
            );
        }
        Found::EmptyEkuExtension => "it says that it is for no purpose at all",
        Found::EndEntityUsedAsCa => "it was issued by a certificate that may not issue any",
        Found::ExtensionValueInvalid | Found::MalformedExtensions => "an extension of it is not well-formed",
        Found::InvalidCertValidity => "it ends before it begins",
        Found::InvalidSignatureForPublicKey => FORGED,
        Found::InvalidCrlSignatureForPublicKey => {
            "the list of revoked certificates is not signed by its issuer"
        }
        Found::IssuerNotCrlSigner => "the issuer may not sign lists of revoked certificates",
        Found::MaximumNameConstraintComparisonsExceeded
        | Found::MaximumPathBuildCallsExceeded
        | Found::MaximumSignatureChecksExceeded => {
            "its chain has more ways to an authority than anybody looks at"
        }
        Found::MaximumPathDepthExceeded => "its chain is longer than anybody looks at",
        Found::NameConstraintViolation => "its names are not among those that an issuer may issue for",
        Found::InvalidNetworkMaskConstraint | Found::MalformedNameConstraint => {
            "the names that an issuer may issue for are not well-formed"
        }
        Found::PathLenConstraintViolated => "its chain is longer than an issuer in it allows",
        Found::SignatureAlgorithmMismatch => "it names two algorithms for one signature",
        Found::UnknownIssuer => "it does not lead to a trusted authority",
        Found::UnknownRevocationStatus => UNCOVERED,
        Found::UnsupportedCertVersion => "it is no certificate of version 3",
        Found::UnsupportedCriticalExtension => CRITICAL,
        Found::UnsupportedDeltaCrl | Found::UnsupportedIndirectCrl | Found::UnsupportedCrlVersion => {
            "the list of revoked certificates is of a kind that this program does not know"
        }
        Found::UnsupportedSignatureAlgorithmContext(context)
        | Found::UnsupportedCrlSignatureAlgorithmContext(context) => {
            return unchecked(&context.signature_algorithm_id);
        }
        Found::UnsupportedSignatureAlgorithmForPublicKeyContext(context)
        | Found::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(context) => {
            return mismatched(&context.signature_algorithm_id, &context.public_key_algorithm_id);
        }
        Found::RequiredEkuNotFoundContext(_) => "its purposes are not those of servers",
        other => return named(other),
    };
    words.to_owned()
}

/// What is wrong with a list of revoked certificates.
pub(crate) fn of_crl(error: &CertRevocationListError) -> String {
    match error {
        CertRevocationListError::BadSignature => "it is not signed by its issuer".to_owned(),
        CertRevocationListError::IssuerInvalidForCrl => "its issuer may not sign such lists".to_owned(),
        CertRevocationListError::ParseError => "it cannot be read".to_owned(),
        CertRevocationListError::UnsupportedCriticalExtension => CRITICAL.to_owned(),
        CertRevocationListError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            unchecked(signature_algorithm_id)
        }
        CertRevocationListError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => mismatched(signature_algorithm_id, public_key_algorithm_id),
        CertRevocationListError::Other(OtherError(inner)) => match inner.downcast_ref() {
            Some(error) => of_webpki(error),
            None => plainly(&inner.to_string()),
        },
        other => named(other),
    }
}

fn unchecked(signature: &[u8]) -> String {
    format!("it is signed with {}, which this program does not check", certificate::algorithm(signature))
}

fn mismatched(signature: &[u8], key: &[u8]) -> String {
    let (signature, key) = (certificate::algorithm(signature), certificate::algorithm(key));
    let key = match key.as_str() {
        "id-ecPublicKey" => "EC",
        "rsaEncryption" => "RSA",
        other => other,
    };
    format!("it is signed with {signature}, which this program does not check for keys of the kind {key}")
}

fn purpose(purpose: &ExtendedKeyPurpose) -> String {
    match purpose {
        ExtendedKeyPurpose::ClientAuth => "clients".to_owned(),
        ExtendedKeyPurpose::ServerAuth => "servers".to_owned(),
        ExtendedKeyPurpose::Other(numbers) => {
            let dotted: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            let dotted = dotted.join(".");
            let known = PURPOSES.iter().find(|(oid, _)| *oid == dotted);
            known.map_or(dotted, |(_, words)| (*words).to_owned())
        }
    }
}

/// That a certificate is for `names` and not for what is `wanted`, as a whole sentence.
pub(crate) fn of_names(names: &[&str], wanted: &ServerName<'_>) -> String {
    let text = wanted.to_str();
    if matches!(wanted, ServerName::IpAddress(_)) && names.contains(&&*text) {
        // No client takes a name for an address (RFC 6125, section 1.7.2).
        return format!(
            "the certificate is not for the address {text}: it has that as a name (DNS), not as an address (IP)"
        );
    }
    let names = names.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
    let names = if names.is_empty() { "no name at all" } else { &names };
    format!("the certificate is for {names}, not for {text}")
}

/// `2026-11-26 08:00 UTC`
pub(super) fn instant(at: UnixTime) -> String {
    let at = Timestamp::from_seconds(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    at.jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The words that a variant's name is made of; what it carries is left out.
fn named(variant: &impl Debug) -> String {
    let shown = format!("{variant:?}");
    let end = shown.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(shown.len());
    spaced(&shown[..end])
}

/// A library's text whose names of variants are taken apart; what one carries ends the text.
pub(crate) fn plainly(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let end = word.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (name, rest) = word.split_at(end);
        let begins = name.starts_with(|first: char| first.is_ascii_uppercase());
        let carries = begins && (rest.starts_with('(') || rest.is_empty() && words.peek() == Some(&"{"));
        let is_name = carries || begins && name.as_bytes().windows(2).any(is_hump);
        plain.push_str(if plain.is_empty() { "" } else { " " });
        plain.push_str(&if is_name { spaced(name) } else { name.to_owned() });
        if carries {
            return plain;
        }
        plain.push_str(rest);
    }
    plain
}

/// Whether a small letter is followed by a great one.
fn is_hump(pair: &[u8]) -> bool {
    pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()
}

/// `UnknownCA` as `unknown ca`, `Tls13RequiredForQuic` as `tls13 required for quic`.
fn spaced(name: &str) -> String {
    let letters = name.as_bytes();
    let mut words = String::with_capacity(name.len() + 8);
    for (at, letter) in letters.iter().enumerate() {
        let ends = at > 0 && !letters[at - 1].is_ascii_uppercase();
        let begins = letters.get(at + 1).is_some_and(u8::is_ascii_lowercase) && at > 0;
        if letter.is_ascii_uppercase() && (ends || begins) {
            words.push(' ');
        }
        words.push(char::from(letter.to_ascii_lowercase()));
    }
    words
}

#[cfg(test)]
mod tests;
