//! What a server shows in its handshake, written down; then webpki decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "doq")]
use model::outcome::Failure;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::weak::flaw_of;
use super::{Flaw, Handshake, Verify};
use super::{again, own, usage};
use crate::net::certificate;
use crate::net::maze;
use crate::net::roots::Trusted;
use crate::net::verified::{Served, VerifiedChains};

/// What a server shows in a handshake that somebody else does.
#[cfg(any(feature = "doq", feature = "http3"))]
#[derive(Debug)]
pub(crate) struct Watch(pub(super) Arc<Recorder>);

#[cfg(any(feature = "doq", feature = "http3"))]
impl Watch {
    /// The failure of a chain that does not hold, if one was shown.
    #[cfg(feature = "doq")]
    pub(crate) fn defect(&self) -> Option<Failure> {
        self.0.lock().defect()
    }

    /// Whether a certificate came to be judged.
    #[cfg(feature = "doq")]
    pub(crate) fn met(&self) -> bool {
        self.0.lock().met
    }

    /// What was shown so far; the next look begins with nothing.
    #[cfg(feature = "http3")]
    pub(crate) fn shown(&self) -> Handshake {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Writes down what the server showed, then decides as webpki does.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) inner: Arc<WebPkiServerVerifier>,
    pub(super) verified: Arc<VerifiedChains>,
    pub(super) trusted: Arc<Trusted>,
    pub(super) verify: Verify,
    /// Whether signatures are offered that nobody here can check, and no handshake goes on that needs one.
    pub(super) is_second_look: bool,
    pub(super) seen: Mutex<Handshake>,
}

impl Recorder {
    pub(super) fn lock(&self) -> MutexGuard<'_, Handshake> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ring refuses to check signatures of short keys: that the key is short is what is written down. Where defects
    /// are only recorded, the handshake goes on.
    fn or_weak(
        &self,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
        leaf: &CertificateDer<'_>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let Err(error) = verified else { return verified };
        let Some(about) = certificate::facts(leaf).and_then(|facts| facts.about_weak_key()) else {
            return Err(error);
        };
        let mut seen = self.lock();
        seen.flaw.get_or_insert(Flaw::Weak(about));
        match self.verify {
            Verify::Enforce => {
                // The session and the rest of its chain go with the failure.
                seen.chain = vec![leaf.clone().into_owned()];
                Err(error)
            }
            Verify::Record => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

/// Answers a server that asks who the client is, and writes down that it did, and whether there is something to show.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) inner: Arc<dyn ResolvesClientCert>,
    pub(super) recorder: Arc<Recorder>,
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = self.inner.resolve(authorities, schemes);
        let mut seen = self.recorder.lock();
        seen.client_unknown |= found.is_none();
        seen.client_unasked = false;
        found
    }

    fn only_raw_public_keys(&self) -> bool {
        self.inner.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        staple: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let served = Served { leaf, intermediates, name, staple };
        let verified = self.verified.check(&served, now, || {
            let passable = maze::passable(leaf, intermediates);
            let verify = |others: &[_]| {
                let verified = self.inner.verify_server_cert(leaf, others, name, staple, now);
                verified.or_else(|error| own::check(error, &served, &self.trusted, now))
            };
            verify(&passable).and_then(|verified| usage::check(leaf, &passable, verify).map(|()| verified))
        });
        let mut seen = self.lock();
        (seen.met, seen.staple) = (true, staple.to_vec());
        if verified.is_ok() && !self.is_second_look {
            // The session has the chain; copying it here would be for nothing.
            return verified;
        }
        seen.chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        if let Err(error) = verified {
            seen.flaw = Some(flaw_of(error.clone(), &served, &self.trusted, now));
            if self.verify == Verify::Enforce {
                return Err(error);
            }
        }
        if self.is_second_look && again::key_beyond(leaf).is_some() {
            return Err(rustls::Error::General("what the server signs cannot be checked".to_owned()));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.or_weak(self.inner.verify_tls12_signature(message, certificate, signed), certificate)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.or_weak(self.inner.verify_tls13_signature(message, certificate, signed), certificate)
    }

    /// A second look offers the rest last: a server that has another key as well takes the first that it can.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.inner.supported_verify_schemes();
        schemes.extend(again::BEYOND.iter().filter(|_| self.is_second_look));
        schemes
    }
}
