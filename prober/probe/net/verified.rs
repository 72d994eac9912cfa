//! Chains that were found to hold, so that the same bytes are not verified anew in every run.
//!
//! Everything that a verification depends on is either in the key (the certificates as served, in their order, the
//! name, the stapled answer), or belongs to the [`TlsSetup`](super::tls::TlsSetup) that owns this memory (the trusted
//! authorities, the algorithms), or is compared at every look: the time. A chain that does not hold is not remembered,
//! so every failure is found by a verification of its own. Deliberately absent: the signature of the handshake, by
//! which the server proves that it has the key; that is checked every time.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use rustls::Error;
use rustls::client::danger::ServerCertVerified;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The most chains that are remembered; when there are more, all are forgotten and verified anew.
const KEPT_MAX: usize = 1024;

/// What a server shows of itself before it proves that it has the key.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Served<'a> {
    /// The server's own certificate.
    pub(crate) leaf: &'a CertificateDer<'a>,
    /// The certificates that came with it, in their order.
    pub(crate) intermediates: &'a [CertificateDer<'a>],
    /// The name that it must be for.
    pub(crate) name: &'a ServerName<'a>,
    /// The stapled OCSP answer; empty if there was none.
    pub(crate) staple: &'a [u8],
}

/// SHA-256 over all of [`Served`], each part preceded by its length.
type Key = [u8; 32];

/// The chains of one set of authorities that hold.
#[derive(Default)]
pub(crate) struct VerifiedChains(Mutex<HashMap<Key, RangeInclusive<u64>>>);

impl VerifiedChains {
    /// Whether `served` holds at `now`: remembered, or as `verify` finds.
    ///
    /// # Errors
    /// What `verify` found; it is asked again at the next look.
    pub(crate) fn check(
        &self,
        served: &Served<'_>,
        now: UnixTime,
        verify: impl FnOnce() -> Result<ServerCertVerified, Error>,
    ) -> Result<ServerCertVerified, Error> {
        let key = served.key();
        let seconds = now.as_secs();
        if self.lock().get(&key).is_some_and(|validity| validity.contains(&seconds)) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = verify()?;
        if let Some(validity) = served.validity().filter(|validity| validity.contains(&seconds)) {
            let mut known = self.lock();
            if known.len() >= KEPT_MAX {
                known.clear();
            }
            known.insert(key, validity);
        }
        Ok(verified)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, RangeInclusive<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for VerifiedChains {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifiedChains({})", self.lock().len())
    }
}

impl Served<'_> {
    fn key(&self) -> Key {
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("the suite is of TLS 1.3");
        let mut hash = suite.common.hash_provider.start();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(self.name.to_str().as_bytes());
        part(self.staple);
        part(self.leaf);
        self.intermediates.iter().for_each(|der| part(der));
        hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// The seconds since the epoch at which every certificate served is valid; `None` if one cannot be read.
    ///
    /// The path to the authority is among the certificates served, so this is never longer than the path's own.
    fn validity(&self) -> Option<RangeInclusive<u64>> {
        let mut all = 0..=u64::MAX;
        for der in std::iter::once(self.leaf).chain(self.intermediates) {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            let validity = certificate.validity();
            let from = u64::try_from(validity.not_before.timestamp().max(0)).ok()?;
            let to = u64::try_from(validity.not_after.timestamp()).ok()?;
            all = *all.start().max(&from)..=*all.end().min(&to);
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use model::time::{Clock as _, SystemClock, Timestamp};
    use testkit::pki::{Flaw, Identity, Pki};

    use super::*;

    const NAME: &str = "shop.test";

    fn at(time: Timestamp) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs((time.as_millis() / 1_000).unsigned_abs()))
    }

    fn name(text: &str) -> ServerName<'static> {
        ServerName::try_from(text.to_owned()).unwrap()
    }

    fn served<'a>(identity: &'a Identity, name: &'a ServerName<'a>) -> Served<'a> {
        Served { leaf: &identity.chain[0], intermediates: &identity.chain[1..], name, staple: &[] }
    }

    /// Looks at `served`, and gives whether a verification was needed; it finds `holds`.
    fn look(known: &VerifiedChains, served: &Served<'_>, now: UnixTime, holds: bool) -> bool {
        let asked = Cell::new(false);
        let found = known.check(served, now, || {
            asked.set(true);
            if holds {
                Ok(ServerCertVerified::assertion())
            } else {
                Err(Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
            }
        });
        assert_eq!(found.is_ok(), holds || !asked.get());
        asked.get()
    }

    #[test]
    fn the_same_bytes_are_verified_once_and_others_anew() {
        let (pki, known, now) = (Pki::new(), VerifiedChains::default(), at(SystemClock.now()));
        let (identity, other) = (pki.identity(&[NAME], Flaw::None), pki.identity(&[NAME], Flaw::None));
        let (shop, elsewhere) = (name(NAME), name("elsewhere.test"));
        let first = served(&identity, &shop);
        assert!(look(&known, &first, now, true));
        assert!(!look(&known, &first, now, true), "the same bytes again");
        let mut bent = identity.chain[0].to_vec();
        *bent.last_mut().unwrap() ^= 1;
        let bent = CertificateDer::from(bent);
        let turned: Vec<_> = identity.chain.iter().rev().cloned().collect();
        for (what, served) in [
            ("another name", Served { name: &elsewhere, ..first }),
            ("a staple", Served { staple: b"good", ..first }),
            ("no intermediate", Served { intermediates: &[], ..first }),
            ("one certificate more", Served { intermediates: &identity.chain, ..first }),
            ("another leaf", Served { leaf: &other.chain[0], ..first }),
            ("one bit of the leaf's signature", Served { leaf: &bent, ..first }),
            ("another order", Served { leaf: &turned[0], intermediates: &turned[1..], ..first }),
        ] {
            assert!(look(&known, &served, now, false), "{what}");
            assert!(look(&known, &served, now, false), "{what}: what does not hold is not remembered");
        }
        assert!(!look(&known, &first, now, true), "failures of others change nothing");
    }

    #[test]
    fn a_chain_is_remembered_only_while_all_of_it_is_valid() {
        let (pki, shop) = (Pki::new(), name(NAME));
        let identity = pki.identity(&[NAME], Flaw::None);
        let served = served(&identity, &shop);
        let second = Duration::from_secs(1);
        for (what, time, remembered) in [
            ("before it began", identity.not_before.minus(second), false),
            ("its first second", identity.not_before, true),
            ("its last second", identity.not_after, true),
            ("one second later", identity.not_after.plus(second), false),
        ] {
            let known = VerifiedChains::default();
            assert!(look(&known, &served, at(SystemClock.now()), true));
            assert_eq!(!look(&known, &served, at(time), false), remembered, "{what}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (pki, known, now) = (Pki::new(), VerifiedChains::default(), at(SystemClock.now()));
        let identity = pki.identity(&[NAME], Flaw::None);
        for number in 0..3 * KEPT_MAX {
            let name = name(&format!("shop-{number}.test"));
            look(&known, &served(&identity, &name), now, true);
            assert!(known.lock().len() <= KEPT_MAX);
        }
    }
}
