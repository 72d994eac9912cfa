//! What is wrong with a served chain, each defect looked at by itself.
//!
//! Trust, dates, name, strength, order and revocation are separate questions: [`path`](super::path) answers the
//! first, and none of the others hides behind it. Nothing here reads a clock.

use std::sync::Arc;

use model::outcome::Failure;
use model::time::Timestamp;
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::defect::{Defect, TRUSTED};
use super::ocsp::{self, Stapled};
use super::path::{Path, Question, Trust, walk};
use crate::net::certificate::{CertificateFacts, sequence};
use crate::net::crl::Crls;
use crate::net::fault;
use crate::net::roots::Trusted;
use crate::net::tls::beyond;
use crate::net::tls::words::{of_names, of_webpki};

/// The words of the subject `crl`.
pub(super) const CRL_WORDS: &[&str] = &["good", "revoked", "unknown"];

/// The facts of a served chain, leaf first; `None` for a certificate that cannot be read.
pub(super) type Facts = Vec<Option<Arc<CertificateFacts>>>;

/// A served chain, and what it is held against.
#[derive(Copy, Clone)]
pub(super) struct Served<'a> {
    pub(super) chain: &'a [CertificateDer<'a>],
    pub(super) facts: &'a Facts,
    /// The stapled OCSP answer; empty if there was none.
    pub(super) staple: &'a [u8],
    pub(super) trusted: &'a Trusted,
    pub(super) crls: Option<&'a Crls>,
    /// The name that the server is to have.
    pub(super) name: &'a ServerName<'a>,
    pub(super) now: Timestamp,
}

/// One defect, with a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) defect: Defect,
    pub(super) about: String,
}

/// What a chain was found to be.
#[derive(Debug)]
pub(super) struct Judged {
    /// The word of the subject `chain`: that of the worst defect which would stop a client.
    pub(super) word: &'static str,
    /// Whether the certificate is for the name.
    pub(super) name_matches: bool,
    /// Everything that is wrong, the worst first.
    pub(super) defects: Vec<Found>,
    /// Until when the path to the authority is valid, its own certificate included where that is known.
    pub(super) path_end: Option<Timestamp>,
    /// What was stapled.
    pub(super) stapled: Stapled,
    /// A word of [`CRL_WORDS`].
    pub(super) crl: &'static str,
}

/// Looks at everything.
///
/// # Errors
/// Class `local`: the list of revoked certificates does not serve, or this program lacks an algorithm.
pub(super) fn judge(served: &Served<'_>) -> Result<Judged, Failure> {
    let (Some(der), Some(Some(leaf))) = (served.chain.first(), served.facts.first()) else {
        return Ok(malformed("the server's certificate cannot be read"));
    };
    let (Ok(parsed), Ok((_, whole))) = (ParsedCertificate::try_from(der), X509Certificate::from_der(der))
    else {
        return Ok(malformed("the server's certificate cannot be used"));
    };
    let mut defects = Vec::new();
    let mut found = |defect, about| defects.push(Found { defect, about });
    let is_valid_today = (leaf.not_before..=leaf.not_after).contains(&served.now);
    let path = match served.path(&mut found) {
        // What has ended has, whether or not the rest can be judged.
        Err(_) if !is_valid_today => None,
        path => path?,
    };
    let crl = served.crl(path.as_ref(), leaf, &mut found)?;
    let places = path.as_ref().map_or_else(|| walk(served.facts), |path| path.used.clone());
    let stapled = served.stapled(path.as_ref(), &places, &whole);
    if stapled.word == "revoked" {
        found(Defect::Revoked, format!("the stapled OCSP answer says so: {}", stapled.about));
    }
    if leaf.must_staple && stapled.word == "none" {
        found(Defect::StapleMissing, format!("{} asks for one", leaf.subject));
    }
    served.dates(&places, path.as_ref(), &mut found);
    served.strength(&places, &mut found);
    let name_matches = verify_server_name(&parsed, served.name).is_ok();
    if !name_matches {
        found(Defect::NameMismatch, other_names(leaf, served.name));
    }
    if let Some(about) = served.disorder() {
        found(Defect::WrongOrder, about);
    }
    defects.sort_by_key(|found| found.defect);
    let word = defects.iter().find_map(|found| found.defect.chain_word()).unwrap_or(TRUSTED);
    let path_end = path.map(|path| served.end(&path));
    Ok(Judged { word, name_matches, defects, path_end, stapled, crl })
}

fn malformed(about: &str) -> Judged {
    let found = Found { defect: Defect::Malformed, about: about.to_owned() };
    let stapled = Stapled { word: "unchecked", about: String::new(), this_update: None, next_update: None };
    let word = found.defect.word();
    Judged { word, name_matches: false, defects: vec![found], path_end: None, stapled, crl: "unknown" }
}

impl Served<'_> {
    const fn question(&self) -> Question<'_> {
        Question { chain: self.chain, facts: self.facts, trusted: self.trusted }
    }

    fn path(&self, found: &mut impl FnMut(Defect, String)) -> Result<Option<Path>, Failure> {
        match self.question().trust(self.now) {
            Trust::Path(path) => return Ok(Some(path)),
            Trust::None(defect, about) => found(defect, about),
            Trust::Unchecked | Trust::NeverValid => {}
            Trust::Unsupported(about) => return Err(beyond::failure(&about)),
        }
        Ok(None)
    }

    /// What the lists of revoked certificates say; the server's certificate must be covered by one that is valid.
    fn crl(
        &self,
        path: Option<&Path>,
        leaf: &CertificateFacts,
        found: &mut impl FnMut(Defect, String),
    ) -> Result<&'static str, Failure> {
        let (Some(crls), Some(path)) = (self.crls, path) else { return Ok("unknown") };
        let Some(list) = crls.of_issuer(&leaf.issuer_der) else {
            let message = format!("the CRL file has no list of {}, who issued the certificate", leaf.issuer);
            return Err(fault::config(message));
        };
        if let Some(next) = list.next_update.filter(|next| *next < self.now) {
            let message = format!(
                "the CRL of {} was to be renewed by {}: fetch it anew",
                leaf.issuer,
                day_and_time(next)
            );
            return Err(fault::config(message));
        }
        match self.question().path(path.at, Some(crls)) {
            Ok(_) => Ok("good"),
            Err(webpki::Error::CertRevoked) => {
                found(Defect::Revoked, "the list of revoked certificates has it".to_owned());
                Ok("revoked")
            }
            Err(error) => {
                let why = of_webpki(&error);
                Err(fault::config(format!("the CRL of {} cannot be used: {why}", leaf.issuer)))
            }
        }
    }

    fn stapled(&self, path: Option<&Path>, places: &[usize], leaf: &X509Certificate<'_>) -> Stapled {
        let of = |key: Option<&SubjectPublicKeyInfo<'_>>| ocsp::read(self.staple, leaf, key, self.now);
        if let Some(issuer) = places.get(1)
            && let Ok((_, issuer)) = X509Certificate::from_der(&self.chain[*issuer])
        {
            return of(Some(issuer.public_key()));
        }
        let Some(path) = path else { return of(None) };
        let encoded = sequence(&path.anchor.subject_public_key_info);
        of(SubjectPublicKeyInfo::from_der(&encoded).ok().map(|(_, key)| key).as_ref())
    }

    fn dates(&self, places: &[usize], path: Option<&Path>, found: &mut impl FnMut(Defect, String)) {
        for (step, facts) in places.iter().filter_map(|place| self.facts[*place].as_ref()).enumerate() {
            let (over, early) = match step {
                0 => (Defect::Expired, Defect::NotYetValid),
                // The last one of a walk may be the authority's own, which was served for nothing.
                _ if facts.is_self_issued() => (Defect::RootExpired, Defect::IntermediateNotYetValid),
                _ => (Defect::IntermediateExpired, Defect::IntermediateNotYetValid),
            };
            if self.now > facts.not_after {
                found(over, format!("{} ended {}", facts.subject, day_and_time(facts.not_after)));
            } else if self.now < facts.not_before {
                found(early, format!("{} begins {}", facts.subject, day_and_time(facts.not_before)));
            }
        }
        let root = path.and_then(|path| self.trusted.end_of(&path.anchor));
        if let Some(end) = root.filter(|end| self.now > *end) {
            found(
                Defect::RootExpired,
                format!("the authority's own certificate ended {}", day_and_time(end)),
            );
        }
    }

    /// Keys and signatures of the path; an authority's signature of itself proves nothing either way.
    fn strength(&self, places: &[usize], found: &mut impl FnMut(Defect, String)) {
        let facts = places.iter().filter_map(|place| self.facts[*place].as_ref());
        let mut weak = |defect, which: &dyn Fn(&CertificateFacts) -> Option<String>| {
            let all: Vec<_> = facts.clone().filter_map(|facts| which(facts)).collect();
            if !all.is_empty() {
                found(defect, all.join("; "));
            }
        };
        weak(Defect::WeakSignature, &|facts| {
            let counts = places.len() == 1 || !facts.is_self_issued();
            counts.then(|| facts.about_weak_signature()).flatten()
        });
        weak(Defect::WeakKey, &CertificateFacts::about_weak_key);
    }

    /// The first certificate that comes after others although it issued the one before them.
    fn disorder(&self) -> Option<String> {
        walk(self.facts).windows(2).find(|pair| pair[1] != pair[0] + 1).and_then(|pair| {
            let (issued, issuer) = (self.facts[pair[0]].as_ref()?, self.facts[pair[1]].as_ref()?);
            Some(format!("{} does not follow {}, which it issued", issuer.subject, issued.subject))
        })
    }

    fn end(&self, path: &Path) -> Timestamp {
        let ends =
            path.used.iter().filter_map(|place| self.facts[*place].as_ref()).map(|facts| facts.not_after);
        let root = self.trusted.end_of(&path.anchor);
        ends.chain(root).min().unwrap_or(self.now)
    }
}

fn other_names(leaf: &CertificateFacts, name: &ServerName<'_>) -> String {
    let names: Vec<_> = leaf.names.iter().map(String::as_str).collect();
    of_names(&names, name)
}

/// `2026-11-26 08:00 UTC`
pub(super) fn day_and_time(at: Timestamp) -> String {
    at.jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
