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
use super::{own, usage};
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

/// Answers a server that asks who the client is, and writes down that it has nothing to show.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) inner: Arc<dyn ResolvesClientCert>,
    pub(super) recorder: Arc<Recorder>,
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = self.inner.resolve(authorities, schemes);
        self.recorder.lock().client_unknown |= found.is_none();
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
        let Err(error) = verified else { return verified };
        // On success the session has the chain; copying it here would be for nothing.
        seen.chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        seen.flaw = Some(flaw_of(error.clone(), &served, &self.trusted, now));
        match self.verify {
            Verify::Enforce => Err(error),
            Verify::Record => Ok(ServerCertVerified::assertion()),
        }
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

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
