//! Which certificate authorities are trusted: the system's, or those in a file.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use model::outcome::Failure;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::net::fault;

/// The largest file of authorities.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Roots {
    /// The system's authorities.
    #[default]
    System,
    /// The authorities in this PEM file, and nobody else.
    File(Arc<str>),
}

/// The system's authorities and `extra`; Mozilla's if the system has none.
pub(crate) fn system(extra: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a system certificate could not be read");
    }
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        tracing::warn!("the system has no certificate authorities: those built in are used");
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store.add_parsable_certificates(extra.iter().cloned());
    store
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
pub(crate) fn of_file(path: &str) -> Result<RootCertStore, Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| fault::config(format!("the CA file {path} cannot be used: {why}"));
    // A directory, a device or a pipe would block or never end.
    let facts = std::fs::metadata(path).map_err(|error| wrong(&error))?;
    if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
        return Err(wrong(&"it is not a regular file of at most 4 MiB"));
    }
    let bytes = std::fs::read(Path::new(path)).map_err(|error| wrong(&error))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        store.add(certificate).map_err(|error| wrong(&error))?;
    }
    if store.is_empty() { Err(wrong(&"it has no certificate in it")) } else { Ok(store) }
}
