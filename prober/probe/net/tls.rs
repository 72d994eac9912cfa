//! The TLS handshake, and what the server showed in it even when it failed.
//!
//! Everything that can be made once is made once per [`TlsChoice`]; only the recorder is of one connection,
//! which also keeps rustls from ever resuming a session: a fresh connection is measured as one.
//!
//! | module | holds |
//! | --- | --- |
//! | [`recorder`] | what writes down what a server shows, and decides |
//! | [`failure`] | a handshake that failed, in our words |
//! | [`beyond`] | chains that may be good and that nobody here can judge |
//! | [`came`] | what comes below TLS: its first bytes, and a wish for another handshake |
//! | [`again`] | a second look at who refuses, for a key that nobody here can check |
//! | [`words`] | what the libraries say, in plain words |
//! | [`own`] | servers whose own certificate is trusted, though it is an authority's |
//! | [`usage`] | keys that are used for what their certificates do not allow |
//! | [`weak`] | chains that are refused for nothing but their weakness |

mod again;
pub(crate) mod beyond;
mod came;
mod failure;
pub(crate) mod own;
mod recorder;
mod suites;
#[cfg(test)]
mod tests;
mod usage;
mod weak;
pub(crate) mod words;

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use again::Before;
#[cfg(any(feature = "doq", feature = "http3"))]
pub(crate) use recorder::Watch;

use crate::net::address::Host;
use crate::net::crl::{self, Crls};
use crate::net::fault;
use crate::net::followed::Followed;
use crate::net::identity::Identity;
use crate::net::phases::Phases;
use crate::net::roots::{self, Roots, Trusted};
use crate::net::verified::VerifiedChains;
use again::{Ends, may_be_the_key};
use came::Came;
use failure::of_handshake;
use recorder::{Recorder, Shown};

/// The stream below TLS, of which is kept what tells why TLS fails and the library does not say: the first bytes that came,
/// which may be no TLS, and whether the server asks for another handshake.
pub(crate) type Overheard<S> = Followed<S, Came>;

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
    versions: Versions,
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
    pub(crate) flaw: Option<Flaw>,
    /// The protocol version, if the handshake got that far.
    pub(crate) protocol: Option<ProtocolVersion>,
    /// The cipher suite, if the handshake got that far.
    pub(crate) cipher: Option<CipherSuite>,
    /// The application protocol that the server chose.
    pub(crate) alpn: Option<Vec<u8>>,
    /// The stapled OCSP answer; empty if there was none.
    pub(crate) staple: Vec<u8>,
    /// Whether a certificate came to be judged at all.
    pub(crate) met: bool,
    /// Whether it asked for a certificate of the client, who had none to show.
    pub(crate) client_unknown: bool,
    /// Whether a certificate of the client was there to be shown, and it did not ask for one.
    pub(crate) client_unasked: bool,
}

/// Why a chain does not hold.
#[derive(Clone, Debug)]
pub(crate) enum Flaw {
    /// As the verification found it.
    Refused(rustls::Error),
    /// Keys or signatures are too weak; which ones, for people.
    Weak(String),
    /// Nothing that is known: it cannot be judged here; why, for people.
    Beyond(String),
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
                let certified = SingleCertAndKey::from(identity.read(provider)?);
                config.with_client_cert_resolver(Arc::new(certified))
            }
        };
        config.alpn_protocols.clone_from(&choice.alpn);
        config.resumption = Resumption::disabled();
        let (verify, versions) = (choice.verify, choice.versions);
        Ok(Self { config, verify, versions, verifier, roots, crls, verified: Arc::default() })
    }

    /// Does the handshake on `stream` for `name`, with what the server showed in either case.
    ///
    /// A server that refuses is asked a second time by the way that `before` says, if its key may be why (see
    /// [`again`]). Takes the phase `tls`, which is left open, and in which the second time is as well. The caller holds
    /// the deadline; dropping the future closes the stream.
    ///
    /// # Errors
    /// Class `tls`, and `local` for what this machine lacks.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        name: &ServerName<'static>,
        before: Before<'_>,
        phases: &mut Phases,
    ) -> (Result<TlsStream<Overheard<TcpStream>>, Failure>, Handshake) {
        phases.enter(Phase::Tls);
        let ends = Ends::of(&stream);
        let recorder = Arc::new(self.recorder());
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>);
        let inner = Arc::clone(&config.client_auth_cert_resolver);
        recorder.lock().client_unasked = inner.has_certs();
        config.client_auth_cert_resolver = Arc::new(Shown { inner, recorder: Arc::clone(&recorder) });
        let stream = Followed::new(stream, Came::new());
        let connecting = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream);
        let connected = connecting.into_fallible().await;
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
            Err((error, stream)) => {
                let failure = of_handshake(&error, &shown, stream.follower().banner());
                let said = (before.has_spoken(), stream.follower().banner());
                let Some(ends) = ends.filter(|_| may_be_the_key(&error, &shown, said)) else {
                    return (Err(failure), shown);
                };
                drop(stream);
                // Whether or not there is time left to find out why, refused is what it was.
                phases.settle(Some(&failure));
                // Boxed: hardly any handshake comes to this.
                match Box::pin(self.look_again(ends, name, &before)).await {
                    Some((known, shown)) => (Err(known), shown),
                    None => (Err(failure), shown),
                }
            }
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
            trusted: Arc::clone(&self.roots),
            verify: self.verify,
            is_second_look: false,
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
