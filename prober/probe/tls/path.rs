//! Whom to trust, as a question of its own: is there a path to an authority, dates aside?
//!
//! Verification stops at the first thing that is wrong, and a date is the first it looks at. So where today's
//! look fails over a date, it is made again at moments when the certificates were valid.

use std::time::Duration;

use model::time::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationOptionsBuilder, UnknownStatusPolicy,
    VerifiedPath,
};
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::chain::Facts;
use super::defect::Defect;
use crate::net::algorithms;
use crate::net::certificate::CertificateFacts;
use crate::net::crl::Crls;
use crate::net::maze;
use crate::net::roots::Trusted;
use crate::net::tls::words::of_webpki;
use crate::net::tls::{beyond, own};

/// The most moments that are looked at; a chain of four certificates has as many. Each look costs signatures, and a
/// hostile server may serve ten certificates that all seem to have issued each other.
const MOMENTS_MAX: usize = 8;

/// A path from the server's certificate to an authority.
#[derive(Debug)]
pub(super) struct Path {
    /// The served certificates on it by their places in the chain, the server's own first.
    pub(super) used: Vec<usize>,
    /// Where it ends.
    pub(super) anchor: TrustAnchor<'static>,
    /// A moment when all of it is valid: now, if there is one.
    pub(super) at: Timestamp,
}

/// What the question comes to.
#[derive(Debug)]
pub(super) enum Trust {
    /// There is a path.
    Path(Path),
    /// There is none, and what that is called, in a word and for people.
    None(Defect, String),
    /// It is signed by algorithms that nobody should trust and that nobody here checks.
    Unchecked,
    /// The dates leave no moment at which it could be told.
    NeverValid,
    /// It may be sound, and this program cannot tell; why, for people.
    Unsupported(String),
}

/// A served chain and the authorities that are trusted.
#[derive(Copy, Clone)]
pub(super) struct Question<'a> {
    pub(super) chain: &'a [CertificateDer<'a>],
    pub(super) facts: &'a Facts,
    pub(super) trusted: &'a Trusted,
}

impl Question<'_> {
    /// Looks for a path, first at `now`.
    pub(super) fn trust(&self, now: Timestamp) -> Trust {
        let error = match self.path(now, None) {
            Ok(path) => return Trust::Path(path),
            Err(error) => error,
        };
        if is_of_dates(&error) {
            for at in self.moments() {
                match self.path(at, None) {
                    Ok(path) => return Trust::Path(path),
                    Err(other) if is_of_dates(&other) => {}
                    // A date weighs more than a missing issuer: where it is not the reason, it is none anywhere.
                    Err(other) => return self.explain(&other),
                }
            }
        }
        self.explain(&error)
    }

    /// The path as it stands at `at`, without what `crls` say was revoked.
    ///
    /// # Errors
    /// What is wrong first.
    pub(super) fn path(&self, at: Timestamp, crls: Option<&Crls>) -> Result<Path, Error> {
        let (leaf, others) = self.chain.split_first().ok_or(Error::BadDer)?;
        let others = maze::passable(leaf, others);
        let leaf = EndEntityCert::try_from(leaf)?;
        let lists = crls.map(Crls::parsed).unwrap_or_default();
        // A file of lists has at least one; what no list covers is looked at by the caller.
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore)
                .build()
        });
        let found = leaf.verify_for_usage(
            &algorithms::ALL,
            &self.trusted.store.roots,
            &others,
            unix(at),
            KeyUsage::server_auth(),
            revocation,
            Some(&|path| self.check_usage(path)),
        );
        if let Err(Error::CaUsedAsEndEntity) = found
            && let Some(judged) = own::against(&self.chain[0], self.trusted, unix(at))
        {
            return judged.and_then(|()| self.own_path(at));
        }
        let found = found?;
        let place = |der: &[u8]| self.place(der);
        let between = found.intermediate_certificates().filter_map(|certificate| place(&certificate.der()));
        let used = std::iter::once(0).chain(between).collect();
        Ok(Path { used, anchor: found.anchor().to_owned(), at })
    }

    /// The path of a server whose certificate is trusted itself.
    fn own_path(&self, at: Timestamp) -> Result<Path, Error> {
        if self.no_server().is_some() {
            return Err(Error::EmptyEkuExtension);
        }
        let anchor = webpki::anchor_from_trusted_cert(&self.chain[0])?.to_owned();
        Ok(Path { used: vec![0], anchor, at })
    }

    fn place(&self, der: &[u8]) -> Option<usize> {
        self.chain.iter().position(|served| served.as_ref() == der)
    }

    /// Whether `path` uses its keys only as their certificates allow, which webpki does not look at.
    fn check_usage(&self, path: &VerifiedPath<'_>) -> Result<(), Error> {
        if self.no_server().is_some() {
            return Err(Error::EmptyEkuExtension);
        }
        let may_issue = |der: &[u8]| {
            let facts = self.place(der).and_then(|place| self.facts[place].as_deref());
            facts.is_none_or(|facts| facts.about_no_issuer().is_none())
        };
        let all = path.intermediate_certificates().all(|certificate| may_issue(&certificate.der()));
        all.then_some(()).ok_or(Error::EndEntityUsedAsCa)
    }

    /// Why the server's own key is not for servers.
    fn no_server(&self) -> Option<String> {
        self.facts.first()?.as_ref()?.about_no_server()
    }

    /// Which certificate between the server's and the authority may not issue any, and why.
    fn no_issuer(&self) -> Option<String> {
        let between = walk(self.facts).into_iter().skip(1);
        between.filter_map(|place| self.facts[place].as_ref()).find_map(|facts| facts.about_no_issuer())
    }

    /// The first and last moments of the served certificates; at one of them all are valid, if ever.
    fn moments(&self) -> impl Iterator<Item = Timestamp> {
        let leaf = self.facts.first().and_then(Option::as_ref);
        let is_leaf_valid =
            move |at: &Timestamp| leaf.is_some_and(|leaf| (leaf.not_before..=leaf.not_after).contains(at));
        let moments = self.facts.iter().flatten().flat_map(|facts| [facts.not_after, facts.not_before]);
        moments.filter(is_leaf_valid).take(MOMENTS_MAX)
    }

    fn explain(&self, error: &Error) -> Trust {
        if let Some(about) = beyond::beyond(error, self.chain, self.trusted) {
            return Trust::Unsupported(about);
        }
        match error {
            error if is_of_dates(error) => Trust::NeverValid,
            Error::UnknownIssuer => self.distrust(),
            Error::InvalidSignatureForPublicKey => match self.forged() {
                Some(about) => Trust::None(Defect::BadSignature, about),
                None => self.distrust(),
            },
            Error::CaUsedAsEndEntity => self.authority_as_leaf(),
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                let about = || "its extended key usage does not allow servers".to_owned();
                Trust::None(Defect::WrongPurpose, self.no_server().unwrap_or_else(about))
            }
            Error::EndEntityUsedAsCa => {
                let about = self.no_issuer().unwrap_or_else(|| of_webpki(error));
                Trust::None(Defect::ConstraintViolated, about)
            }
            Error::PathLenConstraintViolated
            | Error::NameConstraintViolation
            | Error::MaximumPathDepthExceeded
            | Error::CertDistrusted => Trust::None(Defect::ConstraintViolated, of_webpki(error)),
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => self.unsupported(),
            _ => Trust::None(Defect::Malformed, of_webpki(error)),
        }
    }

    fn unsupported(&self) -> Trust {
        if self.facts.iter().flatten().any(|facts| facts.weak_signature || facts.weak_key) {
            return Trust::Unchecked;
        }
        Trust::Unsupported(beyond::signatures(self.chain))
    }

    /// The link of the chain whose signature is wrong.
    fn forged(&self) -> Option<String> {
        self.chain.iter().zip(self.facts).find_map(|(der, facts)| {
            let facts = facts.as_ref()?;
            let issuer = self.issuer_of(facts)?;
            let (_, signed) = X509Certificate::from_der(der).ok()?;
            let (_, by) = X509Certificate::from_der(&self.chain[issuer]).ok()?;
            let wrong = signed.verify_signature(Some(by.public_key())).is_err();
            wrong.then(|| format!("{} is not signed by {}", facts.subject, facts.issuer))
        })
    }

    /// A self-signed certificate that says it is an authority's is refused for that before anyone looks at trust.
    fn authority_as_leaf(&self) -> Trust {
        let Some(Some(leaf)) = self.facts.first() else { return self.distrust() };
        let own = webpki::anchor_from_trusted_cert(&self.chain[0]).ok();
        let known = |own: TrustAnchor<'_>| {
            let same = |anchor: &TrustAnchor<'_>| {
                anchor.subject.as_ref() == own.subject.as_ref()
                    && anchor.subject_public_key_info.as_ref() == own.subject_public_key_info.as_ref()
            };
            self.trusted.store.roots.iter().any(same)
        };
        if leaf.is_self_issued() && !own.is_some_and(known) {
            return self.distrust();
        }
        Trust::None(Defect::CaAsLeaf, format!("{} is an authority's own certificate", leaf.subject))
    }

    /// Why nobody that is trusted stands at the end of the chain, as far as the served certificates tell.
    ///
    /// A leaf whose issuer was neither served nor is trusted mostly lacks its intermediate; a longer chain that
    /// ends in the open belongs to an authority that is not trusted, because roots need not be served.
    fn distrust(&self) -> Trust {
        let walk = walk(self.facts);
        let (Some(Some(leaf)), Some(last)) = (self.facts.first(), walk.last()) else {
            return Trust::None(Defect::Malformed, "the certificate cannot be read".to_owned());
        };
        let Some(top) = &self.facts[*last] else { return Trust::Unchecked };
        if leaf.is_self_issued() {
            Trust::None(Defect::SelfSigned, format!("{} vouches for itself", leaf.subject))
        } else if top.is_self_issued() {
            Trust::None(Defect::Untrusted, format!("the authority {} is not trusted", top.subject))
        } else if self.is_trusted_name(&top.issuer_der) {
            let about = format!(
                "{} is not signed by the key of the trusted authority {}, which it names as its issuer",
                top.subject, top.issuer
            );
            Trust::None(Defect::Untrusted, about)
        } else if *last == 0 {
            let about = format!("its issuer {} was not served, and is no trusted authority", leaf.issuer);
            Trust::None(Defect::MissingIntermediate, about)
        } else {
            let about = format!("{} was issued by {}, which is not trusted", top.subject, top.issuer);
            Trust::None(Defect::Untrusted, about)
        }
    }

    /// Whether a trusted authority has this name, given as it is encoded. Its key may still be another one.
    fn is_trusted_name(&self, name: &[u8]) -> bool {
        let Ok((_, sequence)) = Any::from_der(name) else { return false };
        self.trusted.store.roots.iter().any(|anchor| anchor.subject.as_ref() == sequence.data)
    }

    fn issuer_of(&self, facts: &CertificateFacts) -> Option<usize> {
        issuer_of(self.facts, facts)
    }
}

/// The place of the served certificate that `facts` names as its issuer; itself, if it names itself.
fn issuer_of(all: &Facts, facts: &CertificateFacts) -> Option<usize> {
    let is_it = |other: &CertificateFacts| other.subject_der == facts.issuer_der;
    all.iter().position(|other| other.as_deref().is_some_and(is_it))
}

/// The places of the server's certificate and its issuers, as their names say, as far as they were served.
pub(super) fn walk(facts: &Facts) -> Vec<usize> {
    let mut places = Vec::with_capacity(facts.len());
    let mut next = (!facts.is_empty()).then_some(0);
    while let Some(place) = next.filter(|place| !places.contains(place)) {
        places.push(place);
        next = facts[place].as_ref().and_then(|here| issuer_of(facts, here));
    }
    places
}

fn is_of_dates(error: &Error) -> bool {
    matches!(error, Error::CertExpired { .. } | Error::CertNotValidYet { .. })
}

fn unix(at: Timestamp) -> UnixTime {
    let seconds = u64::try_from(at.as_millis().div_euclid(1000)).unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
