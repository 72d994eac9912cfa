//! A test PKI: root → intermediate → leaf, and every flaw a served chain can have.
//!
//! Keys are ECDSA P-256, so making a PKI costs about a millisecond. Nothing here is trusted by anyone who was
//! not told to: [`Pki::root_file`] is the one file to trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use model::time::{Clock, SystemClock, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::server::{ClientCertVerifierBuilder, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

mod odd;
mod weak;

pub use odd::{Extra, Staple};
pub use weak::{WEAK, Weak, weak};

const DAY: Duration = Duration::from_hours(24);

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A root, an intermediate signed by it, and a second root that nobody is told to trust.
pub struct Pki {
    folder: TempDir,
    root: Authority,
    intermediate: Authority,
    stranger: Authority,
    serial: AtomicU32,
}

/// What is wrong with a served chain.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Nothing.
    None,
    /// The leaf ended yesterday.
    Expired,
    /// The leaf begins tomorrow.
    NotYetValid,
    /// The leaf is for `wrong.name.test` instead.
    WrongName,
    /// The leaf signed itself.
    SelfSigned,
    /// The leaf is served without the intermediate that signed it.
    MissingIntermediate,
    /// The leaf is signed by a root that is not in [`Pki::root_file`].
    UntrustedRoot,
}

impl Flaw {
    /// Every flaw, [`Flaw::None`] first.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::SelfSigned,
        Self::MissingIntermediate,
        Self::UntrustedRoot,
    ];
}

/// A served chain with its key, in memory and as PEM files in the PKI's folder.
#[derive(Debug)]
pub struct Identity {
    /// The chain as served, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The chain as a PEM file.
    pub cert_file: PathBuf,
    /// The key as a PEM file that only its owner may read.
    pub key_file: PathBuf,
    /// The leaf's serial number.
    pub serial: u64,
    /// When the leaf begins.
    pub not_before: Timestamp,
    /// When the leaf ends.
    pub not_after: Timestamp,
    key: PrivateKeyDer<'static>,
}

/// How a TLS server speaks.
#[derive(Clone, Debug)]
pub struct Speech {
    /// The application protocols offered, best first.
    pub alpn: Vec<&'static str>,
    /// The versions offered.
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl Default for Speech {
    fn default() -> Self {
        Self { alpn: vec!["h2", "http/1.1"], versions: rustls::ALL_VERSIONS.to_vec() }
    }
}

impl Speech {
    /// TLS 1.2 and 1.3 with HTTP/1.1 only.
    pub fn h1() -> Self {
        Self { alpn: vec!["http/1.1"], ..Self::default() }
    }

    /// TLS 1.2 and 1.3 with HTTP/2 only.
    pub fn h2() -> Self {
        Self { alpn: vec!["h2"], ..Self::default() }
    }

    /// TLS 1.2 only.
    pub fn tls12() -> Self {
        Self { versions: vec![&rustls::version::TLS12], ..Self::default() }
    }

    /// TLS 1.3 only.
    pub fn tls13() -> Self {
        Self { versions: vec![&rustls::version::TLS13], ..Self::default() }
    }
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

impl Pki {
    /// Makes fresh keys and certificates in a folder that goes with this value.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
        let root =
            Authority::self_signed(authority("prober test root"), key()).expect("the root is well-formed");
        let intermediate = Authority::signed_by(authority("prober test intermediate"), key(), &root)
            .expect("the intermediate is well-formed");
        let stranger = Authority::self_signed(authority("prober test stranger"), key())
            .expect("the root is well-formed");
        write(&folder.path().join("root.pem"), &root.pem());
        write(&folder.path().join("stranger.pem"), &stranger.pem());
        Self { folder, root, intermediate, stranger, serial: AtomicU32::new(0) }
    }

    /// The same with a root and an intermediate that are valid from and to so many days from now.
    pub fn dated(root: (i64, i64), intermediate: (i64, i64)) -> Self {
        let pki = Self::new();
        let root = Authority::self_signed(dated(authority("prober test root"), root), key());
        let root = root.expect("the root is well-formed");
        let between = dated(authority("prober test intermediate"), intermediate);
        let between = Authority::signed_by(between, key(), &root).expect("the intermediate is well-formed");
        write(&pki.folder.path().join("root.pem"), &root.pem());
        Self { root, intermediate: between, ..pki }
    }

    /// The PEM file of the root to trust.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The PEM file of the root that signed chains with [`Flaw::UntrustedRoot`].
    pub fn stranger_file(&self) -> PathBuf {
        self.folder.path().join("stranger.pem")
    }

    /// The root to trust.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    /// The intermediate that signs the leaves.
    pub fn intermediate(&self) -> CertificateDer<'static> {
        self.intermediate.der().clone()
    }

    /// A chain for `names` (DNS names or IP addresses) with one `flaw`; the leaf is good for 90 days.
    pub fn identity(&self, names: &[&str], flaw: Flaw) -> Identity {
        let now = SystemClock.now();
        let (from, to) = match flaw {
            Flaw::Expired => (now.minus(DAY * 91), now.minus(DAY)),
            Flaw::NotYetValid => (now.plus(DAY), now.plus(DAY * 91)),
            _ => (now.minus(DAY), now.plus(DAY * 90)),
        };
        let names = if flaw == Flaw::WrongName { &["wrong.name.test"][..] } else { names };
        self.issue(names, (from, to), flaw)
    }

    /// A flawless chain for `names` whose leaf ends `left` from now.
    pub fn identity_ending_in(&self, names: &[&str], left: Duration) -> Identity {
        let now = SystemClock.now();
        self.issue(names, (now.minus(DAY * 90), now.plus(left)), Flaw::None)
    }

    /// Trusts the root, offers the protocols of `speech`, and checks what it is served.
    pub fn client_config(&self, speech: &Speech) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root()).expect("the root is well-formed");
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&speech.versions)
            .expect("ring speaks these versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn(speech);
        Arc::new(config)
    }

    fn issue(&self, names: &[&str], (from, to): (Timestamp, Timestamp), flaw: Flaw) -> Identity {
        let params = leaf(names, from, to);
        let signer = match flaw {
            Flaw::SelfSigned => None,
            Flaw::UntrustedRoot => Some(&self.stranger),
            _ => Some(&self.intermediate),
        };
        let alone = matches!(flaw, Flaw::SelfSigned | Flaw::MissingIntermediate | Flaw::UntrustedRoot);
        let between = if alone { Vec::new() } else { vec![self.intermediate()] };
        self.sign(params, signer, between, (from, to))
    }

    /// Signs a leaf (by itself without a signer), to be served before `others`.
    fn sign(
        &self,
        mut params: CertificateParams,
        signer: Option<&Authority>,
        others: Vec<CertificateDer<'static>>,
        (from, to): (Timestamp, Timestamp),
    ) -> Identity {
        let key = key();
        let number = self.serial.fetch_add(1, Ordering::Relaxed);
        // A large number, as real ones are.
        let serial = 0x7000_0000_0000_0000 + u64::from(number);
        params.serial_number = Some(serial.into());
        let leaf = match signer {
            None => params.self_signed(&key),
            Some(signer) => params.signed_by(&key, signer),
        };
        let leaf = leaf.expect("the names are well-formed");
        let chain = [vec![leaf.der().clone()], others].concat();
        let cert_file = self.folder.path().join(format!("leaf-{number}.pem"));
        let key_file = self.folder.path().join(format!("leaf-{number}.key"));
        write(&cert_file, &odd::pem("CERTIFICATE", &chain));
        write_private(&key_file, &key.serialize_pem());
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Identity { chain, cert_file, key_file, serial, not_before: from, not_after: to, key }
    }
}

impl Identity {
    /// Serves this chain as `speech` says.
    pub fn server_config(&self, speech: &Speech) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&speech.versions)
            .expect("ring speaks these versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .expect("the key fits the leaf");
        config.alpn_protocols = alpn(speech);
        Arc::new(config)
    }

    /// The same, with `staple` as its OCSP answer.
    pub fn server_config_stapling(&self, speech: &Speech, staple: Vec<u8>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&speech.versions)
            .expect("ring speaks these versions")
            .with_no_client_auth()
            .with_single_cert_with_ocsp(self.chain.clone(), self.key.clone_key(), staple)
            .expect("the key fits the leaf");
        config.alpn_protocols = alpn(speech);
        Arc::new(config)
    }

    /// The same, and only for clients with a certificate that leads to the root of `clients`.
    pub fn server_config_asking(&self, speech: &Speech, clients: &Pki) -> Arc<ServerConfig> {
        self.server_config_of(speech, client_verifier(clients))
    }

    /// The same, and clients are asked for such a certificate, and let in without one.
    pub fn server_config_hoping(&self, speech: &Speech, clients: &Pki) -> Arc<ServerConfig> {
        self.server_config_of(speech, client_verifier(clients).allow_unauthenticated())
    }

    fn server_config_of(&self, speech: &Speech, clients: ClientCertVerifierBuilder) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&speech.versions)
            .expect("ring speaks these versions")
            .with_client_cert_verifier(clients.build().expect("there is a root to lead to"))
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .expect("the key fits the leaf");
        config.alpn_protocols = alpn(speech);
        Arc::new(config)
    }
}

fn client_verifier(clients: &Pki) -> ClientCertVerifierBuilder {
    let mut roots = RootCertStore::empty();
    roots.add(clients.root()).expect("the root is well-formed");
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn alpn(speech: &Speech) -> Vec<Vec<u8>> {
    speech.alpn.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn key() -> KeyPair {
    KeyPair::generate().expect("ring makes P-256 keys")
}

fn authority(name: &str) -> CertificateParams {
    let now = SystemClock.now();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(now.minus(DAY * 365));
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(now.plus(DAY * 3650));
    params
}

/// Valid from and to so many days from now.
fn dated(mut params: CertificateParams, (from, to): (i64, i64)) -> CertificateParams {
    let at = |days: i64| {
        let distance = DAY * u32::try_from(days.unsigned_abs()).expect("a test looks at years, not ages");
        let now = SystemClock.now();
        since_epoch(if days < 0 { now.minus(distance) } else { now.plus(distance) })
    };
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + at(from);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + at(to);
    params
}

fn leaf(names: &[&str], from: Timestamp, to: Timestamp) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let first = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names).expect("the names are ASCII");
    params.distinguished_name.push(DnType::CommonName, first);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(from);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(to);
    params
}

/// Whole seconds from the Unix epoch to `at`.
fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_secs(at.since(Timestamp::default()).as_secs())
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the temporary folder takes a file");
}

fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the temporary folder takes a file");
}

#[cfg(test)]
mod tests;
