//! A second look at a server that refuses the handshake, and may only have what nobody here can do.
//!
//! The library offers no signature that it cannot check and no exchange of keys that it cannot make. Who can do none of
//! those offered says so with the alert `handshake_failure`, the same that a server has for everything else, or hangs up
//! without a word. So it is asked once more, on a connection of its own to the same address and by the
//! same way, and offered the rest as well. A chain that it shows then is judged as any other, and nothing goes on after
//! a choice that is beyond us. Whatever else comes of it, the first refusal stands.
//!
//! Deliberately absent: TLS 1.0 and 1.1, and ciphers that OpenSSL does not take by itself either. Who speaks nothing
//! better is refused, and said to be.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use model::outcome::{Failure, FailureClass};
use rustls::client::Resumption;
use rustls::crypto::{ActiveKeyExchange, CryptoProvider, SupportedKxGroup};
use rustls::{AlertDescription, ClientConfig, Error, NamedGroup, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::recorder::Recorder;
use super::{Handshake, TlsSetup, Verify, beyond, suites};
use crate::net::address::HostPort;
use crate::net::banner::Banner;
use crate::net::dial;
use crate::net::phases::Phases;
use crate::net::proxy::Proxy;
use crate::net::starttls::{self, Protocol};

/// The signatures that this program cannot check: by P-521, Ed448, and RSA keys for nothing but PSS (RFC 8446,
/// section 4.2.3).
pub(super) const BEYOND: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED448,
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
];
/// The exchanges of keys that this program cannot make (RFC 8446, section 4.2.7; RFC 7919).
static GROUPS: [NamedOnly; 5] = [
    NamedOnly(NamedGroup::secp521r1, "P-521"),
    NamedOnly(NamedGroup::X448, "X448"),
    NamedOnly(NamedGroup::FFDHE2048, suites::DHE),
    NamedOnly(NamedGroup::FFDHE3072, suites::DHE),
    NamedOnly(NamedGroup::FFDHE4096, suites::DHE),
];
/// The longest line that a server says before TLS, in bytes.
const LINE_MAX: usize = 64 << 10;

/// What comes before TLS on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Before<'a> {
    /// Nothing.
    Nothing,
    /// A line of the server's.
    Line,
    /// What its protocol says.
    StartTls(Protocol),
    /// A way through a proxy, to this target.
    Tunnel(&'a Proxy, Box<HostPort>),
}

/// Both ends of a connection.
#[derive(Copy, Clone)]
pub(super) struct Ends {
    peer: SocketAddr,
    local: SocketAddr,
}

impl Ends {
    /// Those of `stream`, as long as the system knows them.
    pub(super) fn of(stream: &TcpStream) -> Option<Self> {
        Some(Self { peer: stream.peer_addr().ok()?, local: stream.local_addr().ok()? })
    }
}

/// Whether the key of a server that showed this, and sent these bytes first, may be why its handshake ended with `error`;
/// some have spoken before it.
pub(super) fn may_be_the_key(
    error: &io::Error,
    shown: &Handshake,
    (has_spoken, came): (bool, &Banner),
) -> bool {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        // Dovecot and Python's asyncio lose the alert on the way out. A reset without a word before it says that nobody
        // has read the hello: a server that is too busy for one connection is not asked for two.
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => came.is_empty(),
            io::ErrorKind::ConnectionReset => has_spoken && came.is_empty(),
            _ => false,
        },
        // Who showed a certificate had a signature to go with it.
        Some(Error::AlertReceived(AlertDescription::HandshakeFailure)) => !shown.met && !shown.client_unknown,
        // Some sign as they can, whatever they are offered.
        Some(Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)) => true,
        _ => false,
    }
}

impl TlsSetup {
    /// Asks the server at `ends` once more; what it showed and the failure that it is, if its key is beyond us.
    ///
    /// The caller holds the deadline.
    pub(super) async fn look_again(
        &self,
        ends: Ends,
        name: &ServerName<'static>,
        before: &Before<'_>,
    ) -> Option<(Failure, Handshake)> {
        let mut stream = dial::again(ends.peer, ends.local.ip()).await.ok()?;
        before.go(&mut stream, name).await?;
        let (config, recorder) = self.offering_beyond().ok()?;
        let ended = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await.err();
        let error = ended.as_ref().and_then(|error| error.get_ref()?.downcast_ref());
        self.told(&recorder, error)
    }

    /// The same over QUIC, where the first look showed what `met` says: whether a certificate came. Only keys are found.
    #[cfg(any(feature = "doq", feature = "http3"))]
    pub(crate) async fn look_again_over_quic(
        &self,
        peer: SocketAddr,
        name: &ServerName<'static>,
        (ended, met): (&quinn::ConnectionError, bool),
    ) -> Option<(Failure, Handshake)> {
        const REFUSED: u64 = 0x100 + 40;
        let quinn::ConnectionError::ConnectionClosed(close) = ended else { return None };
        if met || u64::from(close.error_code) != REFUSED {
            return None;
        }
        let (config, recorder) = self.offering_beyond().ok()?;
        let config = quinn::crypto::rustls::QuicClientConfig::try_from(config).ok()?;
        let (config, mut kept) = (quinn::ClientConfig::new(Arc::new(config)), None);
        let _ended = crate::net::quic::connect(peer, config, &name.to_str(), &mut kept).await;
        self.told(&recorder, None)
    }

    /// What offers also that which nobody here can do, after everything else, and who writes down what is shown.
    fn offering_beyond(&self) -> Result<(ClientConfig, Arc<Recorder>), Error> {
        let recorder = Arc::new(Recorder { is_second_look: true, ..self.recorder() });
        let mut provider = CryptoProvider::clone(self.config.crypto_provider());
        // In TLS 1.2 the offered curves are those of certificates as well (RFC 8422, section 5.1.1).
        provider.kx_groups.extend(GROUPS.iter().map(|group| group as &'static dyn SupportedKxGroup));
        provider.cipher_suites.extend(suites::all());
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions.of_rustls())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as _);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols.clone_from(&self.config.alpn_protocols);
        config.resumption = Resumption::disabled();
        Ok((config, recorder))
    }

    /// What the chain in `recorder` and the `error` after it mean, if the key or the exchange of keys is beyond us.
    ///
    /// A chain that does not hold is worse than that.
    fn told(&self, recorder: &Recorder, error: Option<&Error>) -> Option<(Failure, Handshake)> {
        let shown = std::mem::take(&mut *recorder.lock());
        let defect = shown.defect();
        if self.verify == Verify::Enforce
            && let Some(defect) = defect
        {
            return Some((defect, shown));
        }
        let key = shown.chain.first().and_then(|leaf| key_beyond(leaf));
        let what = match (key, error) {
            (Some(key), _) => format!("check signatures by the only key that the server has: {key}"),
            (None, Some(Error::General(group))) if GROUPS.iter().any(|known| known.1 == group) => {
                format!("exchange keys in the only way that the server knows: {group}")
            }
            (None, error) => suites::beyond(error?)?.to_owned(),
        };
        let besides = defect.map(|defect| format!("; besides, {}", defect.message)).unwrap_or_default();
        let message = format!("this version of prober cannot {what}{besides}");
        let failure = Failure::new(FailureClass::Local, beyond::UNSUPPORTED, message);
        Some((failure, shown))
    }
}

impl Before<'_> {
    /// Whether the server has spoken before TLS.
    pub(super) const fn has_spoken(&self) -> bool {
        matches!(self, Self::Line | Self::StartTls(_))
    }

    /// Goes the way on a fresh connection; `None` if it leads nowhere this time.
    async fn go(&self, stream: &mut TcpStream, name: &ServerName<'_>) -> Option<()> {
        match self {
            Self::Nothing => Some(()),
            Self::Line => {
                for _ in 0..LINE_MAX {
                    // Byte by byte: what comes after the line is no part of it.
                    if stream.read_u8().await.ok()? == b'\n' {
                        return Some(());
                    }
                }
                None
            }
            Self::StartTls(protocol) => starttls::upgrade(*protocol, stream, name).await.ok(),
            Self::Tunnel(proxy, target) => {
                // All of it is in the phase of the handshake that failed.
                let mut aside = Phases::start(std::time::Instant::now());
                proxy.open(stream, target, &mut aside).await.ok()
            }
        }
    }
}

/// The kind of the certificate's key, for people, if nobody here can check what it signs.
pub(super) fn key_beyond(leaf: &CertificateDer<'_>) -> Option<&'static str> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let algorithm = &leaf.public_key().algorithm;
    let curve = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    match (algorithm.algorithm.to_id_string().as_str(), curve.map(|oid| oid.to_id_string()).as_deref()) {
        ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => Some("one of P-521"),
        ("1.3.101.113", _) => Some("one of Ed448"),
        ("1.2.840.113549.1.1.10", _) => Some("one of RSA for PSS only"),
        _ => None,
    }
}

/// An exchange of keys that is offered and cannot be made; trying to says which one it is.
struct NamedOnly(NamedGroup, &'static str);

impl fmt::Debug for NamedOnly {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.1)
    }
}

impl SupportedKxGroup for NamedOnly {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Err(Error::General(self.1.to_owned()))
    }

    fn name(&self) -> NamedGroup {
        self.0
    }
}
