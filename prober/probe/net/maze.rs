//! Chains in which a search for an authority would not end soon: many certificates that may all have issued each other.
//!
//! webpki follows every path that the names allow. Its budget of 200,000 steps is one against not ending at all: each of
//! them looks through all that was served, so that a hostile server's 64 KiB of certificates cost seconds of a thread
//! that others wait for. Here the steps are counted first, by the names alone. A chain with more than any real one is
//! looked at as it was served, each certificate issued by the next one of that name, and not in every other order.

use std::borrow::Cow;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The most steps that a search may take; a real chain has as many as certificates.
const STEPS_MAX: usize = 64;
/// So many certificates have no more steps than that, whatever their names are.
const FEW: usize = 4;
/// The longest path below an authority (webpki's own limit).
const DEPTH_MAX: usize = 6;

/// The part of `others`, which were served with `leaf`, among which a path is to be looked for.
pub(crate) fn passable<'a>(leaf: &[u8], others: &'a [CertificateDer<'a>]) -> Cow<'a, [CertificateDer<'a>]> {
    if others.len() <= FEW {
        return Cow::Borrowed(others);
    }
    let Some(leaf) = Names::of(leaf) else { return Cow::Borrowed(others) };
    let names: Vec<_> = others.iter().map(|der| Names::of(der)).collect();
    let search = Search { issuers: issuers(&leaf, &names), names: &names };
    if search.ends_soon() {
        return Cow::Borrowed(others);
    }
    let as_served = search.as_served().into_iter();
    Cow::Owned(as_served.map(|place| CertificateDer::from(others[place].as_ref())).collect())
}

/// What a search goes by.
#[derive(Debug, PartialEq, Eq)]
struct Names<'a> {
    subject: &'a [u8],
    issuer: &'a [u8],
    key: &'a [u8],
}

impl<'a> Names<'a> {
    /// `None` if it cannot be read; no path leads through it then.
    fn of(der: &'a [u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate;
        let (subject, issuer) = (certificate.subject.as_raw(), certificate.issuer.as_raw());
        Some(Self { subject, issuer, key: certificate.subject_pki.raw })
    }
}

/// The places of those that may have issued each certificate, the leaf's last.
fn issuers(leaf: &Names<'_>, names: &[Option<Names<'_>>]) -> Vec<Vec<usize>> {
    let of = |issuer: &[u8]| {
        let places = names.iter().enumerate();
        let named = places.filter(|(_, other)| other.as_ref().is_some_and(|other| other.subject == issuer));
        named.map(|(place, _)| place).collect()
    };
    let others = names.iter().map(|one| one.as_ref().map_or_else(Vec::new, |one| of(one.issuer)));
    others.chain([of(leaf.issuer)]).collect()
}

struct Search<'a> {
    issuers: Vec<Vec<usize>>,
    names: &'a [Option<Names<'a>>],
}

impl Search<'_> {
    fn ends_soon(&self) -> bool {
        let mut left = STEPS_MAX;
        self.steps(self.names.len(), &mut Vec::with_capacity(DEPTH_MAX), &mut left)
    }

    /// Takes every step from `here` on, as webpki would; `false` once there are too many.
    fn steps(&self, here: usize, path: &mut Vec<usize>, left: &mut usize) -> bool {
        if path.len() == DEPTH_MAX {
            return true;
        }
        for &next in &self.issuers[here] {
            // The same authority is not gone through twice, under whichever certificate.
            let same = |before: &usize| match (&self.names[*before], &self.names[next]) {
                (Some(before), Some(next)) => before.subject == next.subject && before.key == next.key,
                _ => false,
            };
            if path.iter().any(same) {
                continue;
            }
            let Some(fewer) = left.checked_sub(1) else { return false };
            *left = fewer;
            path.push(next);
            let ends = self.steps(next, path, left);
            path.pop();
            if !ends {
                return false;
            }
        }
        true
    }

    /// The one path on which each certificate is followed by the first of its issuer's name that is still unused.
    fn as_served(&self) -> Vec<usize> {
        let (mut path, mut here) = (Vec::with_capacity(DEPTH_MAX), self.names.len());
        while path.len() < DEPTH_MAX {
            let Some(next) = self.issuers[here].iter().find(|next| !path.contains(*next)) else { break };
            path.push(*next);
            here = *next;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use testkit::pki::{Flaw, Pki};

    use super::*;

    fn kept(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Vec<usize> {
        let passable = passable(leaf, others);
        let place = |der: &CertificateDer<'_>| others.iter().position(|other| other == der).unwrap();
        passable.iter().map(place).collect()
    }

    #[test]
    fn chains_of_this_world_stay_as_they_are() {
        let pki = Pki::new();
        let leaf = &pki.identity(&["shop.test"], Flaw::None).chain[0];
        let between = pki.intermediate();
        // The whole bundle of a machine, of which only one has the name that is wanted.
        let strangers = std::iter::repeat_with(|| Pki::new().stranger()).take(60);
        let bundle: Vec<_> = strangers.chain([between.clone(), pki.root()]).collect();
        assert_eq!(kept(leaf, &bundle).len(), bundle.len());
        // An authority that was renewed again and again, with the same key and with others.
        let renewed = [vec![between; 2], vec![pki.root(), Pki::new().root(), Pki::new().root()]].concat();
        assert_eq!(kept(leaf, &renewed).len(), 5);
        for few in [vec![], vec![pki.root()], vec![b"garbage".to_vec().into(); 3]] {
            assert_eq!(kept(leaf, &few).len(), few.len());
        }
        assert_eq!(kept(&b"garbage".to_vec().into(), &bundle).len(), bundle.len());
    }

    #[test]
    fn a_maze_is_one_path() {
        let pki = Pki::new();
        let leaf = &pki.identity(&["shop.test"], Flaw::None).chain[0];
        for maze in [pki.maze(90), [pki.maze(8), vec![b"garbage".to_vec().into(); 9]].concat()] {
            let began = Instant::now();
            let kept = kept(leaf, &maze);
            assert_eq!(kept.len(), DEPTH_MAX, "{kept:?}");
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
        // One that leads out of it first is taken.
        let out = [vec![pki.intermediate()], pki.maze(90)].concat();
        assert_eq!(kept(leaf, &out)[0], 0);
    }
}
