//! No text has a variant's name in it.

use std::sync::Arc;

use rustls::{EncryptedClientHelloError, HandshakeType, InconsistentKeys};
use rustls_pki_types::ServerName;

use super::*;

/// Asserts that `text` is made of words.
fn check(what: &dyn Debug, text: &str) {
    assert!(!text.is_empty(), "{what:?}");
    for sign in ["(\"", "Other(", "{", "}", "::", "Some", "[", "algorithm_id", "Context"] {
        assert!(!text.contains(sign), "{what:?}: {text}");
    }
    let is_name = |word: &str| {
        let letters = word.as_bytes();
        letters.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
    };
    // Algorithms are called what everybody calls them.
    let words = text.split(' ').filter(|word| !word.contains("With"));
    assert!(!words.clone().any(is_name), "{what:?}: {text}");
}

/// `sha1WithRSAEncryption`, and the key of elliptic curves, as their numbers are encoded.
const SHA1: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00];
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

#[expect(deprecated, reason = "what is deprecated may still come")]
fn certificate_errors() -> Vec<CertificateError> {
    use CertificateError as E;
    let name = || ServerName::try_from("shop.test").unwrap();
    let purposes = [vec![1, 3, 6, 1, 5, 5, 7, 3, 3], vec![1, 2, 3]];
    let purposes =
        purposes.into_iter().map(ExtendedKeyPurpose::Other).chain([ExtendedKeyPurpose::ClientAuth]);
    vec![
        E::BadEncoding,
        E::Expired,
        E::ExpiredContext { time: at(9), not_after: at(5) },
        E::NotValidYet,
        E::NotValidYetContext { time: at(5), not_before: at(9) },
        E::Revoked,
        E::UnhandledCriticalExtension,
        E::UnknownIssuer,
        E::UnknownRevocationStatus,
        E::ExpiredRevocationList,
        E::ExpiredRevocationListContext { time: at(9), next_update: at(5) },
        E::BadSignature,
        E::UnsupportedSignatureAlgorithm,
        E::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: SHA1.to_vec(),
            supported_algorithms: vec![rustls_pki_types::alg_id::RSA_PKCS1_SHA256],
        },
        E::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: SHA1.to_vec(),
            public_key_algorithm_id: EC.to_vec(),
        },
        E::NotValidForName,
        E::NotValidForNameContext { expected: name(), presented: vec!["DnsName(\"x.test\")".to_owned()] },
        E::InvalidPurpose,
        E::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: purposes.collect() },
        E::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: Vec::new() },
        E::InvalidOcspResponse,
        E::ApplicationVerificationFailure,
        E::Other(OtherError(Arc::new(webpki::Error::UnsupportedCriticalExtension))),
        E::Other(OtherError(Arc::new(std::fmt::Error))),
    ]
}

fn contexts()
-> (webpki::UnsupportedSignatureAlgorithmContext, webpki::UnsupportedSignatureAlgorithmForPublicKeyContext) {
    (
        webpki::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: SHA1.to_vec(),
            supported_algorithms: Vec::new(),
        },
        webpki::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: SHA1.to_vec(),
            public_key_algorithm_id: EC.to_vec(),
        },
    )
}

#[expect(deprecated, reason = "what is deprecated may still come")]
fn webpki_errors() -> Vec<webpki::Error> {
    use webpki::Error as E;
    let (algorithm, pair) = contexts();
    let name = ServerName::try_from("shop.test").unwrap();
    vec![
        E::BadDer,
        E::BadDerTime,
        E::CaUsedAsEndEntity,
        E::CertDistrusted,
        E::CertExpired { time: at(9), not_after: at(5) },
        E::CertNotValidForName(webpki::InvalidNameContext { expected: name, presented: Vec::new() }),
        E::CertNotValidYet { time: at(5), not_before: at(9) },
        E::CertRevoked,
        E::CrlExpired { time: at(9), next_update: at(5) },
        E::EmptyEkuExtension,
        E::EndEntityUsedAsCa,
        E::ExtensionValueInvalid,
        E::InvalidCertValidity,
        E::InvalidCrlNumber,
        E::InvalidNetworkMaskConstraint,
        E::InvalidSerialNumber,
        E::InvalidCrlSignatureForPublicKey,
        E::InvalidSignatureForPublicKey,
        E::IssuerNotCrlSigner,
        E::MalformedDnsIdentifier,
        E::MalformedExtensions,
        E::MalformedNameConstraint,
        E::MaximumNameConstraintComparisonsExceeded,
        E::MaximumPathBuildCallsExceeded,
        E::MaximumPathDepthExceeded,
        E::MaximumSignatureChecksExceeded,
        E::NameConstraintViolation,
        E::PathLenConstraintViolated,
        E::RequiredEkuNotFound,
        E::SignatureAlgorithmMismatch,
        E::TrailingData(webpki::DerTypeId::Certificate),
        E::UnknownIssuer,
        E::UnknownRevocationStatus,
        E::UnsupportedCertVersion,
        E::UnsupportedCriticalExtension,
        E::UnsupportedCrlIssuingDistributionPoint,
        E::UnsupportedCrlVersion,
        E::UnsupportedDeltaCrl,
        E::UnsupportedIndirectCrl,
        E::UnsupportedNameType,
        E::UnsupportedRevocationReason,
        E::UnsupportedRevocationReasonsPartitioning,
        E::UnsupportedCrlSignatureAlgorithm,
        E::UnsupportedCrlSignatureAlgorithmContext(algorithm.clone()),
        E::UnsupportedSignatureAlgorithm,
        E::UnsupportedSignatureAlgorithmContext(algorithm),
        E::UnsupportedCrlSignatureAlgorithmForPublicKey,
        E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(pair.clone()),
        E::UnsupportedSignatureAlgorithmForPublicKey,
        E::UnsupportedSignatureAlgorithmForPublicKeyContext(pair),
    ]
}

#[expect(deprecated, reason = "what is deprecated may still come")]
fn crl_errors() -> Vec<CertRevocationListError> {
    use CertRevocationListError as E;
    vec![
        E::BadSignature,
        E::UnsupportedSignatureAlgorithm,
        E::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: SHA1.to_vec(),
            supported_algorithms: Vec::new(),
        },
        E::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: SHA1.to_vec(),
            public_key_algorithm_id: EC.to_vec(),
        },
        E::InvalidCrlNumber,
        E::InvalidRevokedCertSerialNumber,
        E::IssuerInvalidForCrl,
        E::Other(OtherError(Arc::new(webpki::Error::BadDer))),
        E::ParseError,
        E::UnsupportedCrlVersion,
        E::UnsupportedCriticalExtension,
        E::UnsupportedDeltaCrl,
        E::UnsupportedIndirectCrl,
        E::UnsupportedRevocationReason,
    ]
}

fn rustls_errors() -> Vec<Error> {
    use rustls::ContentType;
    let mut all = vec![
        Error::InappropriateMessage {
            expect_types: vec![ContentType::Handshake],
            got_type: ContentType::ApplicationData,
        },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::ServerHello],
            got_type: HandshakeType::CertificateStatus,
        },
        Error::InvalidEncryptedClientHello(EncryptedClientHelloError::NoCompatibleConfig),
        Error::NoCertificatesPresented,
        Error::UnsupportedNameType,
        Error::DecryptError,
        Error::EncryptError,
        Error::General("some text".to_owned()),
        Error::FailedToGetCurrentTime,
        Error::FailedToGetRandomBytes,
        Error::HandshakeNotComplete,
        Error::PeerSentOversizedRecord,
        Error::NoApplicationProtocol,
        Error::BadMaxFragmentSize,
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
        Error::Other(OtherError(Arc::new(webpki::Error::UnsupportedCriticalExtension))),
    ];
    all.extend(
        [
            InvalidMessage::InvalidContentType,
            InvalidMessage::MissingData("ServerHello"),
            InvalidMessage::DuplicateExtension(13),
            InvalidMessage::UnsupportedKeyExchangeAlgorithm(rustls::crypto::KeyExchangeAlgorithm::DHE),
        ]
        .map(Error::InvalidMessage),
    );
    all.extend(
        [
            PeerIncompatible::ServerDoesNotSupportTls12Or13,
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            PeerIncompatible::ExtendedMasterSecretExtensionRequired,
            PeerIncompatible::NoKxGroupsInCommon,
            PeerIncompatible::ServerRejectedEncryptedClientHello(None),
        ]
        .map(Error::PeerIncompatible),
    );
    all.extend(
        [
            PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported,
            PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme,
            PeerMisbehaved::SelectedUnofferedCipherSuite,
            PeerMisbehaved::ServerHelloMustOfferUncompressedEcPoints,
        ]
        .map(Error::PeerMisbehaved),
    );
    all.extend((0..=u8::MAX).map(|alert| Error::AlertReceived(alert.into())));
    all
}

#[test]
fn no_text_has_a_variants_name_in_it() {
    for error in certificate_errors() {
        check(&error, &of_certificate(&error));
        let shown = super::super::Handshake {
            flaw: Some(super::super::Flaw::Refused(Error::InvalidCertificate(error.clone()))),
            ..Default::default()
        };
        check(&error, &shown.defect().unwrap().message);
    }
    for error in webpki_errors() {
        check(&error, &of_webpki(&error));
    }
    for error in crl_errors() {
        check(&error, &of_crl(&error));
    }
    for error in rustls_errors() {
        check(&error, &of_rustls(&error));
        // As HTTP/2 and QUIC pass it on.
        check(&error, &plainly(&error.to_string()));
    }
}

#[test]
fn files_and_connections_have_words_too() {
    for error in [
        pem::Error::MissingSectionEnd { end_marker: b"-----END CERTIFICATE-----".to_vec() },
        pem::Error::IllegalSectionStart { line: b"-----BEGIN".to_vec() },
        pem::Error::Base64Decode("invalid character".to_owned()),
        pem::Error::NoItemsFound,
        pem::Error::SectionTooLarge,
    ] {
        check(&error, &of_pem(&error));
    }
    for error in rustls_errors() {
        check(&error, &of_io(&io::Error::new(io::ErrorKind::InvalidData, error.clone())));
    }
}

#[test]
fn what_people_read() {
    for (found, wanted) in [
        (of_certificate(&certificate_errors()[22]), CRITICAL),
        (
            of_certificate(&certificate_errors()[18]),
            "it is for signing code, 1.2.3, clients, not for servers",
        ),
        (
            of_certificate(&certificate_errors()[13]),
            "it is signed with sha1WithRSAEncryption, which this program does not check",
        ),
        (
            of_alert(AlertDescription::UnknownCA),
            "unknown_ca: it does not trust who issued the client's certificate",
        ),
        (of_alert(AlertDescription::UnrecognisedName), "unrecognized_name: it knows no server of this name"),
        (of_alert(AlertDescription::UnknownPSKIdentity), "unknown_psk_identity"),
        (of_alert(AlertDescription::Unknown(200)), "number 200"),
        (of_alert_named("DecodeError"), "decode_error"),
        (of_alert_named(&format!("{:?}", AlertDescription::Unknown(200))), "number 200"),
        (plainly("peer is incompatible: NoKxGroupsInCommon"), "peer is incompatible: no kx groups in common"),
        (plainly("an HTTP/2 of a Server (2)"), "an HTTP/2 of a Server (2)"),
        (plainly("it is Io(Custom { kind: Other })"), "it is io"),
    ] {
        assert_eq!(found, wanted);
    }
}
