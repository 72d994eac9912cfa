//! Which certificate authorities are trusted: the system's, Mozilla's as built in, or those in a file.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use model::outcome::Failure;
use model::time::Timestamp;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::net::fault;
use crate::net::tls::words;

/// The largest file of authorities or of revoked certificates.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Roots {
    /// The system's authorities.
    #[default]
    System,
    /// Mozilla's authorities as they were when this program was built: the same on every machine.
    Bundled,
    /// The authorities in this PEM file, and nobody else.
    File(Arc<str>),
}

/// The words of the key `trust`.
pub(crate) const TRUST: &[&str] = &["system", "bundled"];

/// Authorities that are trusted, and until when their own certificates are valid.
///
/// Who verifies does not look at that date, and yet nobody wants to be surprised by it.
pub(crate) struct Trusted {
    /// The authorities as verification needs them.
    pub(crate) store: Arc<RootCertStore>,
    /// By name and key; those built in come without dates.
    ends: HashMap<Box<[u8]>, Timestamp>,
    /// Their certificates, where they came as such.
    certificates: HashSet<Box<[u8]>>,
}

impl Trusted {
    /// `store`, with the dates of those of its authorities that `certificates` has.
    pub(crate) fn new(store: RootCertStore, certificates: &[CertificateDer<'_>]) -> Self {
        let dated = certificates.iter().filter_map(|der| {
            let anchor = webpki::anchor_from_trusted_cert(der).ok()?;
            let (_, parsed) = X509Certificate::from_der(der).ok()?;
            Some((key(&anchor), Timestamp::from_seconds(parsed.validity().not_after.timestamp())))
        });
        let whole = certificates.iter().map(|der| der.as_ref().into());
        Self { ends: dated.collect(), certificates: whole.collect(), store: Arc::new(store) }
    }

    /// Whether this very certificate is trusted.
    pub(crate) fn has(&self, der: &[u8]) -> bool {
        self.certificates.contains(der)
    }

    /// Until when the certificate of `anchor` is valid, if that is known.
    pub(crate) fn end_of(&self, anchor: &TrustAnchor<'_>) -> Option<Timestamp> {
        self.ends.get(&key(anchor)).copied()
    }
}

impl fmt::Debug for Trusted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Trusted({})", self.store.len())
    }
}

fn key(anchor: &TrustAnchor<'_>) -> Box<[u8]> {
    [anchor.subject.as_ref(), anchor.subject_public_key_info.as_ref()].concat().into()
}

/// The system's authorities and `extra`; Mozilla's if the system has none.
pub(crate) fn system(extra: &[CertificateDer<'static>]) -> Trusted {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system certificate could not be read");
    }
    let mut certificates = found.certs;
    store.add_parsable_certificates(certificates.iter().cloned());
    if store.is_empty() {
        tracing::warn!("the system has no certificate authorities: those built in are used");
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store.add_parsable_certificates(extra.iter().cloned());
    certificates.extend_from_slice(extra);
    Trusted::new(store, &certificates)
}

/// Mozilla's authorities.
pub(crate) fn bundled() -> Trusted {
    let mut store = RootCertStore::empty();
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    Trusted::new(store, &[])
}

/// Whether the system has any authority of its own.
pub(crate) fn has_system() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

/// When `path` was last changed, and its size: what tells that it must be read again.
pub(crate) fn stamp(path: &str) -> Option<(SystemTime, u64)> {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

/// The authorities in the PEM file at `path`.
///
/// # Errors
/// Class `local`, `local.config`: no such file, too large, or no certificate in it.
pub(crate) fn of_file(path: &str) -> Result<Trusted, Failure> {
    let wrong = |why: &dyn fmt::Display| fault::config(format!("the CA file {path} cannot be used: {why}"));
    let bytes = read(path).map_err(|why| wrong(&why))?;
    let (mut store, mut certificates) = (RootCertStore::empty(), Vec::new());
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(&words::of_pem(&error)))?;
        store.add(certificate.clone()).map_err(|error| wrong(&words::of_rustls(&error)))?;
        certificates.push(certificate);
    }
    if store.is_empty() {
        return Err(wrong(&"it has no certificate in it"));
    }
    Ok(Trusted::new(store, &certificates))
}

/// A file that is no larger than files of certificates are; otherwise why it cannot be read.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, String> {
    // A directory, a device or a pipe would block or never end.
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
        return Err("it is not a regular file of at most 4 MiB".to_owned());
    }
    std::fs::read(Path::new(path)).map_err(|error| error.to_string())
}
