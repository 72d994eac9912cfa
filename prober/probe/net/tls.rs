//! The TLS handshake, and what the server showed in it even when it failed.
//!
//! Everything that can be made once is made once per [`TlsChoice`]; only the recorder is of one connection,
//! which also keeps rustls from ever resuming a session: a fresh connection is measured as one.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use model::time::Timestamp;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::net::address::Host;
use crate::net::certificate;
use crate::net::crl::{self, Crls};
use crate::net::fault;
use crate::net::identity::Identity;
use crate::net::maze;
use crate::net::phases::Phases;
use crate::net::roots::{self, Roots, Trusted};
use crate::net::verified::{Served, VerifiedChains};

/// How a connection is secured; connections with the same choice share everything that is not theirs alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TlsChoice {
    /// Whom to trust.
    pub(crate) roots: Roots,
    /// The application protocols offered, most wanted first; empty for no offer.
    pub(crate) alpn: Vec<Vec<u8>>,
    /// What a certificate that does not hold means.
    pub(crate) verify: Verify,
    /// What is shown to a server that asks who the client is.
    pub(crate) identity: Option<Arc<Identity>>,
    /// A file with lists of revoked certificates.
    pub(crate) crl: Option<Arc<str>>,
    /// The versions that are offered.
    pub(crate) versions: Versions,
}

/// The versions of TLS that are offered.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Versions {
    /// TLS 1.2 and 1.3.
    #[default]
    All,
    /// TLS 1.2 only.
    Only12,
    /// TLS 1.3 only.
    Only13,
}

static ONLY_12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

impl Versions {
    fn of_rustls(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::All => rustls::ALL_VERSIONS,
            Self::Only12 => &ONLY_12,
            Self::Only13 => &ONLY_13,
        }
    }
}

/// When a choice's files were last changed, and their sizes: authorities, certificate, key, revoked certificates.
pub(crate) type Stamps = [Option<(SystemTime, u64)>; 4];

impl TlsChoice {
    /// Whether everything that it needs is there for good.
    pub(crate) fn has_no_files(&self) -> bool {
        !matches!(self.roots, Roots::File(_))
            && self.crl.is_none()
            && self.identity.as_ref().is_none_or(|identity| !identity.has_files())
    }

    /// When its files were last changed, and their sizes.
    pub(crate) fn stamps(&self) -> Stamps {
        let roots = match &self.roots {
            Roots::System | Roots::Bundled => None,
            Roots::File(path) => roots::stamp(path),
        };
        let [cert, key] = self.identity.as_ref().map_or([None; 2], |identity| identity.stamps());
        [roots, cert, key, self.crl.as_ref().and_then(|path| roots::stamp(path))]
    }
}

/// What a certificate that does not hold means.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Verify {
    /// The handshake fails.
    #[default]
    Enforce,
    /// The handshake goes on, and the error is recorded.
    Record,
}

/// What is made once for a [`TlsChoice`].
#[derive(Debug)]
pub(crate) struct TlsSetup {
    config: ClientConfig,
    verify: Verify,
    verifier: Arc<WebPkiServerVerifier>,
    /// The authorities that are trusted.
    pub(crate) roots: Arc<Trusted>,
    /// The certificates that are known to be revoked, if there is a file of them.
    pub(crate) crls: Option<Crls>,
    /// Chains that lead to them; a new set of authorities comes with a new setup, which knows none.
    verified: Arc<VerifiedChains>,
}

/// What the server showed in a handshake.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    /// The certificates as served, the server's own first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Why the chain does not hold, if it does not.
    pub(crate) error: Option<CertificateError>,
    /// The protocol version, if the handshake got that far.
    pub(crate) protocol: Option<ProtocolVersion>,
    /// The cipher suite, if the handshake got that far.
    pub(crate) cipher: Option<CipherSuite>,
    /// The application protocol that the server chose.
    pub(crate) alpn: Option<Vec<u8>>,
    /// The stapled OCSP answer; empty if there was none.
    pub(crate) staple: Vec<u8>,
}

impl TlsSetup {
    /// The setup of connections that trust `roots`.
    ///
    /// # Errors
    /// Class `local`: there is nobody to trust.
    pub(crate) fn new(
        provider: &Arc<CryptoProvider>,
        roots: Arc<Trusted>,
        choice: &TlsChoice,
    ) -> Result<Self, Failure> {
        let crls = choice.crl.as_ref().map(|path| crl::of_file(path)).transpose()?;
        let store = Arc::clone(&roots.store);
        let verifier = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider));
        let verifier = match &crls {
            None => verifier,
            Some(crls) => verifier.with_crls(crls.encoded().cloned()).allow_unknown_revocation_status(),
        };
        let verifier =
            verifier.build().map_err(|error| fault::config(format!("TLS cannot be set up: {error}")))?;
        let config = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(choice.versions.of_rustls())
            .map_err(|error| fault::config(format!("TLS cannot be set up: {error}")))?;
        let verifying = Arc::clone(&verifier);
        let config = config.dangerous().with_custom_certificate_verifier(verifying);
        let mut config = match &choice.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read()?;
                config.with_client_auth_cert(chain, key).map_err(|_| {
                    fault::config(
                        "the client's certificate and key do not belong together, or cannot be used",
                    )
                })?
            }
        };
        config.alpn_protocols.clone_from(&choice.alpn);
        config.resumption = Resumption::disabled();
        Ok(Self { config, verify: choice.verify, verifier, roots, crls, verified: Arc::default() })
    }

    /// Does the handshake on `stream` for `name`, with what the server showed in either case.
    ///
    /// Takes the phase `tls`, which is left open. The caller holds the deadline; dropping the future closes
    /// the stream.
    ///
    /// # Errors
    /// Class `tls`, and `local` for what this machine lacks.
    pub(crate) async fn connect<S>(
        &self,
        stream: S,
        name: &ServerName<'static>,
        phases: &mut Phases,
    ) -> (Result<TlsStream<S>, Failure>, Handshake)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        phases.enter(Phase::Tls);
        let recorder = Arc::new(self.recorder());
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>);
        let connected = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await;
        let mut shown = std::mem::take(&mut *recorder.lock());
        match connected {
            Ok(stream) => {
                let session = stream.get_ref().1;
                shown.chain = session.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
                shown.protocol = session.protocol_version();
                shown.cipher = session.negotiated_cipher_suite().map(|suite| suite.suite());
                shown.alpn = session.alpn_protocol().map(<[u8]>::to_vec);
                (Ok(stream), shown)
            }
            Err(error) => (Err(of_handshake(&error, &shown, name)), shown),
        }
    }

    /// What QUIC does its handshake with, and what shows how it went.
    #[cfg(any(feature = "doq", feature = "http3"))]
    pub(crate) fn for_quic(&self) -> (ClientConfig, Watch) {
        let recorder = Arc::new(self.recorder());
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>);
        (config, Watch(recorder))
    }

    fn recorder(&self) -> Recorder {
        Recorder {
            inner: Arc::clone(&self.verifier),
            verified: Arc::clone(&self.verified),
            verify: self.verify,
            seen: Mutex::default(),
        }
    }
}

/// The name that a server at `host` must prove.
pub(crate) fn server_name(host: &Host) -> Result<ServerName<'static>, Failure> {
    match host {
        Host::Ip(ip) => Ok(ServerName::IpAddress((*ip).into())),
        Host::Name(name) => ServerName::try_from(name.to_string()).map_err(|_| {
            Failure::new(FailureClass::Tls, "tls.handshake", format!("`{name}` cannot be a TLS server name"))
        }),
    }
}

/// What a server shows in a handshake that somebody else does.
#[cfg(any(feature = "doq", feature = "http3"))]
#[derive(Debug)]
pub(crate) struct Watch(Arc<Recorder>);

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
struct Recorder {
    inner: Arc<WebPkiServerVerifier>,
    verified: Arc<VerifiedChains>,
    verify: Verify,
    seen: Mutex<Handshake>,
}

impl Recorder {
    fn lock(&self) -> std::sync::MutexGuard<'_, Handshake> {
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

fn of_handshake(error: &io::Error, shown: &Handshake, name: &ServerName<'_>) -> Failure {
    if let Some(defect) = &shown.error {
        return of_certificate(defect, name);
    }
    if let Some(local) = fault::local(error) {
        return local;
    }
    let message = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the server ended the TLS handshake with the alert {alert:?}")
        }
        Some(rustls::Error::InvalidMessage(_)) => "the server does not speak TLS on this port".to_owned(),
        Some(inner) => format!("the TLS handshake failed: {inner}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection in the TLS handshake".to_owned()
        }
        None if error.kind() == io::ErrorKind::ConnectionReset => {
            "the server reset the connection in the TLS handshake".to_owned()
        }
        None => format!("the TLS handshake failed: {error}"),
    };
    Failure::new(FailureClass::Tls, "tls.handshake", message)
}

/// The failure that a chain with this defect stands for.
pub(crate) fn of_certificate(defect: &CertificateError, name: &ServerName<'_>) -> Failure {
    let name = name.to_str();
    let (error_type, message) = match defect {
        CertificateError::ExpiredContext { not_after, .. } => {
            ("tls.expired", format!("the certificate expired at {}", instant(*not_after)))
        }
        CertificateError::Expired => ("tls.expired", "the certificate has expired".to_owned()),
        CertificateError::NotValidYetContext { not_before, .. } => {
            ("tls.not_yet_valid", format!("the certificate is not valid before {}", instant(*not_before)))
        }
        CertificateError::NotValidYet => ("tls.not_yet_valid", "the certificate is not valid yet".to_owned()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().take(5).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
            ("tls.name_mismatch", format!("the certificate is for {names}, not for {name}"))
        }
        CertificateError::NotValidForName => {
            ("tls.name_mismatch", format!("the certificate is not for {name}"))
        }
        CertificateError::Revoked => ("tls.revoked", "the certificate has been revoked".to_owned()),
        CertificateError::UnknownIssuer => {
            ("tls.untrusted", "the certificate does not lead to a trusted authority".to_owned())
        }
        other => ("tls.untrusted", format!("the certificate cannot be trusted: {other}")),
    };
    Failure::new(FailureClass::Tls, error_type, message)
}

/// `DnsName("shop.example")` as webpki shows it, without the wrapping.
fn plain(shown: &str) -> &str {
    shown.split('"').nth(1).unwrap_or(shown)
}

fn instant(at: UnixTime) -> String {
    let at = Timestamp::from_seconds(i64::try_from(at.as_secs()).unwrap_or(i64::MAX));
    at.jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::time::{Clock as _, SystemClock};
    use rustls::RootCertStore;
    use rustls_pki_types::pem::PemObject as _;
    use testkit::pki::{Flaw, Identity, Pki};

    use super::*;

    const NAME: &str = "shop.test";

    fn setup(root: CertificateDer<'static>) -> TlsSetup {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        TlsSetup::new(&provider, Arc::new(Trusted::new(roots, &[])), &TlsChoice::default()).unwrap()
    }

    /// The `error.type` of one look at the chain, in a connection of its own.
    fn look(setup: &TlsSetup, identity: &Identity, name: &str, now: Timestamp) -> String {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = Duration::from_secs((now.as_millis() / 1_000).unsigned_abs());
        let (leaf, intermediates) = identity.chain.split_first().unwrap();
        let recorder = setup.recorder();
        let found =
            recorder.verify_server_cert(leaf, intermediates, &name, &[], UnixTime::since_unix_epoch(now));
        let seen = recorder.lock();
        assert_eq!(found.is_ok(), seen.error.is_none());
        seen.error
            .as_ref()
            .map_or_else(|| "holds".to_owned(), |error| of_certificate(error, &name).error_type.into_owned())
    }

    /// What a memory of chains must not hide: each look is made twice, after the chain has held before.
    #[test]
    fn a_chain_that_held_before_is_refused_as_soon_as_it_does_not() {
        let (pki, now) = (Pki::new(), SystemClock.now());
        let identity = pki.identity(&[NAME], Flaw::None);
        let second = Duration::from_secs(1);
        let stranger = CertificateDer::from_pem_file(pki.stranger_file()).unwrap();
        let trusting = setup(pki.root());
        for _ in 0..2 {
            assert_eq!(look(&trusting, &identity, NAME, now), "holds");
            assert_eq!(look(&trusting, &identity, NAME, identity.not_after), "holds");
            assert_eq!(look(&trusting, &identity, NAME, identity.not_after.plus(second)), "tls.expired");
            assert_eq!(
                look(&trusting, &identity, NAME, identity.not_before.minus(second)),
                "tls.not_yet_valid"
            );
            assert_eq!(look(&trusting, &identity, "elsewhere.test", now), "tls.name_mismatch");
            assert_eq!(look(&setup(stranger.clone()), &identity, NAME, now), "tls.untrusted");
        }
        for (flaw, error_type) in [
            (Flaw::Expired, "tls.expired"),
            (Flaw::NotYetValid, "tls.not_yet_valid"),
            (Flaw::WrongName, "tls.name_mismatch"),
            (Flaw::SelfSigned, "tls.untrusted"),
            (Flaw::MissingIntermediate, "tls.untrusted"),
            (Flaw::UntrustedRoot, "tls.untrusted"),
        ] {
            let flawed = pki.identity(&[NAME], flaw);
            for _ in 0..2 {
                assert_eq!(look(&trusting, &flawed, NAME, now), error_type, "{flaw:?}");
            }
        }
        assert_eq!(look(&trusting, &identity, NAME, now), "holds");
    }
}
