//! What a server shows in its handshake, written down; then webpki decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(any(feature = "doq", feature = "http3"))]
use model::outcome::Failure;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

#[cfg(any(feature = "doq", feature = "http3"))]
use super::of_certificate;
use super::{Handshake, Verify};
use crate::net::certificate;
use crate::net::maze;
use crate::net::verified::{Served, VerifiedChains};

/// What a server shows in a handshake that somebody else does.
#[cfg(any(feature = "doq", feature = "http3"))]
#[derive(Debug)]
pub(crate) struct Watch(pub(super) Arc<Recorder>);

#[cfg(any(feature = "doq", feature = "http3"))]
impl Watch {
    /// The failure of a chain that does not hold for `name`, if one was shown.
    pub(crate) fn defect(&self, name: &ServerName<'_>) -> Option<Failure> {
        self.0.lock().error.as_ref().map(|defect| of_certificate(defect, name))
    }

    /// What was shown so far.
    #[cfg(feature = "http3")]
    pub(crate) fn shown(&self) -> Handshake {
        let mut seen = self.0.lock();
        let error = seen.error.clone();
        let shown = std::mem::take(&mut *seen);
        seen.error = error;
        shown
    }
}

/// Writes down what the server showed, then decides as webpki does.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) inner: Arc<WebPkiServerVerifier>,
    pub(super) verified: Arc<VerifiedChains>,
    pub(super) verify: Verify,
    pub(super) seen: Mutex<Handshake>,
}

impl Recorder {
    pub(super) fn lock(&self) -> MutexGuard<'_, Handshake> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ring refuses to check signatures of short keys. Where defects are recorded, such a key is one of them, and
    /// the handshake goes on.
    fn or_weak(
        &self,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
        leaf: &CertificateDer<'_>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if verified.is_err() && self.verify == Verify::Record && certificate::has_weak_key(leaf) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verified
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
            self.inner.verify_server_cert(leaf, &passable, name, staple, now)
        });
        let mut seen = self.lock();
        seen.staple = staple.to_vec();
        let Err(error) = verified else { return verified };
        // On success the session has the chain; copying it here would be for nothing.
        seen.chain = std::iter::once(leaf).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        seen.error = Some(match &error {
            rustls::Error::InvalidCertificate(error) => error.clone(),
            _ => CertificateError::BadEncoding,
        });
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
