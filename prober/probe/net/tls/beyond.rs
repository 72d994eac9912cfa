//! Chains that may be good and that this program cannot judge: what that takes, nobody here has.
//!
//! It is no word against the server, so the failure is our own. A server that nobody trusts must not hide behind that:
//! only a chain that names a trusted authority is beyond us.

use model::outcome::{Failure, FailureClass};
use rustls::{CertificateError, Error, OtherError};
use rustls_pki_types::CertificateDer;
use webpki::Error as Found;
use x509_parser::asn1_rs::Any;
use x509_parser::extensions::NameConstraints;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::net::certificate::{self, sequence};
use crate::net::roots::Trusted;

/// The `error.type` of what this version of the program cannot do.
pub(super) const UNSUPPORTED: &str = "local.unsupported";

/// The failure of a chain that cannot be judged because of what `about` says.
pub(crate) fn failure(about: &str) -> Failure {
    let message = format!("this version of prober cannot judge the certificate: {about}");
    Failure::new(FailureClass::Local, UNSUPPORTED, message)
}

/// The failure of a server that asks for another handshake before it answers, and goes no further without.
pub(crate) fn anew() -> Failure {
    let message = "this version of prober cannot repeat a TLS handshake: the server asks for that before it answers (a \
                   renegotiation of TLS 1.2), as some do that want a certificate of the client for some paths only";
    Failure::new(FailureClass::Local, UNSUPPORTED, message)
}

/// What of `chain`, which was refused with `error`, is beyond this program, for people.
pub(super) fn of_handshake(error: &Error, chain: &[CertificateDer<'_>], trusted: &Trusted) -> Option<String> {
    match error {
        Error::InvalidCertificate(
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => Some(signatures(chain)),
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            beyond(inner.downcast_ref()?, chain, trusted)
        }
        _ => None,
    }
}

/// The same for what webpki found.
pub(crate) fn beyond(error: &Found, chain: &[CertificateDer<'_>], trusted: &Trusted) -> Option<String> {
    let about = match error {
        Found::MaximumNameConstraintComparisonsExceeded
        | Found::MaximumPathBuildCallsExceeded
        | Found::MaximumSignatureChecksExceeded => {
            "its chain has more ways to an authority than are looked at here"
        }
        Found::MaximumPathDepthExceeded => "its chain is longer than is looked at here",
        // webpki compares no names of this form, and refuses them all.
        Found::NameConstraintViolation if only_directories(chain, trusted) => {
            "an authority of its chain may issue for some organisations only (directoryName), which are not compared here"
        }
        _ => return None,
    };
    names_authority(chain, trusted).then(|| about.to_owned())
}

/// By what a chain is signed that cannot be checked.
pub(crate) fn signatures(chain: &[CertificateDer<'_>]) -> String {
    let facts = chain.iter().filter_map(|der| certificate::facts(der));
    let how: Vec<_> = facts.map(|facts| facts.signature).collect();
    format!("its chain is signed with {}", how.join(", "))
}

/// Whether somebody in the chain names a trusted authority as its issuer.
fn names_authority(chain: &[CertificateDer<'_>], trusted: &Trusted) -> bool {
    chain.iter().any(|der| {
        let read = X509Certificate::from_der(der);
        read.is_ok_and(|(_, certificate)| {
            let issuer = contents(certificate.issuer().as_raw());
            trusted.store.roots.iter().any(|anchor| Some(anchor.subject.as_ref()) == issuer)
        })
    })
}

/// What is in an encoded name, as anchors have it.
fn contents(name: &[u8]) -> Option<&[u8]> {
    Any::from_der(name).ok().map(|(_, any)| any.data)
}

/// Whether issuers limit the names of organisations, and the server's own names are not what breaks a limit.
fn only_directories(chain: &[CertificateDer<'_>], trusted: &Trusted) -> bool {
    let Some((leaf, issuers)) = chain.split_first() else { return false };
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
    let read: Vec<_> = issuers.iter().filter_map(|der| X509Certificate::from_der(der).ok()).collect();
    let anchors: Vec<_> = trusted
        .store
        .roots
        .iter()
        .filter(|anchor| {
            let names = |it: &X509Certificate<'_>| contents(it.issuer().as_raw()) == Some(&anchor.subject);
            names(&leaf) || read.iter().any(|(_, issuer)| names(issuer))
        })
        .filter_map(|anchor| anchor.name_constraints.as_ref().map(|inner| sequence(inner)))
        .collect();
    let of_anchors = anchors.iter().filter_map(|der| NameConstraints::from_der(der).ok().map(|(_, it)| it));
    let of_issuers = read.iter().filter_map(|(_, issuer)| issuer.name_constraints().ok().flatten());
    let all: Vec<_> = of_anchors.chain(of_issuers.map(|extension| extension.value.clone())).collect();
    let has_directory = |limits: &NameConstraints<'_>| {
        let bases = limits.permitted_subtrees.iter().chain(&limits.excluded_subtrees).flatten();
        bases.into_iter().any(|subtree| matches!(subtree.base, GeneralName::DirectoryName(_)))
    };
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    all.iter().any(has_directory) && !all.iter().any(|limits| breaks(names, limits))
}

/// Whether one of the names may break the limits; of addresses and others nothing is known here.
fn breaks(names: &[GeneralName<'_>], limits: &NameConstraints<'_>) -> bool {
    let bases = |subtrees: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| -> Vec<String> {
        let all = subtrees.iter().flatten();
        all.filter_map(|subtree| match subtree.base {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
    };
    let (permitted, excluded) = (bases(&limits.permitted_subtrees), bases(&limits.excluded_subtrees));
    let all = limits.permitted_subtrees.iter().chain(&limits.excluded_subtrees).flatten();
    let limits_others = all
        .into_iter()
        .any(|subtree| !matches!(subtree.base, GeneralName::DNSName(_) | GeneralName::DirectoryName(_)));
    names.iter().any(|name| match name {
        GeneralName::DNSName(name) => {
            let name = name.to_ascii_lowercase();
            let within = |base: &String| {
                let base = base.trim_start_matches('.');
                base.is_empty() || name == base || name.ends_with(&format!(".{base}"))
            };
            excluded.iter().any(within) || !permitted.is_empty() && !permitted.iter().any(within)
        }
        _ => limits_others,
    })
}
