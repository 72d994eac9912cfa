//! A client's certificate and key, as PEM files or as secrets.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use model::outcome::Failure;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::net::fault;
use crate::net::roots;

/// The largest file of certificates or of a key.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most certificates of a chain.
const CHAIN_MAX: usize = 10;

/// What a client shows to a server that asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// The certificate, and those that lead to its authority.
    pub(crate) cert: Pem,
    /// The key that belongs to it.
    pub(crate) key: Pem,
}

/// PEM, or where it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Pem {
    /// A file; read again when it has changed.
    File(Arc<str>),
    /// The text itself; may be a key, and is never printed.
    Text(Arc<str>),
}

impl Pem {
    /// The text itself if it looks like PEM, otherwise the path of a file.
    pub(crate) fn of(text: &str) -> Self {
        if text.trim_start().starts_with("-----BEGIN ") {
            Self::Text(text.into())
        } else {
            Self::File(text.into())
        }
    }

    fn bytes(&self, what: &str) -> Result<Vec<u8>, Failure> {
        let path = match self {
            Self::Text(text) => return Ok(text.as_bytes().to_vec()),
            Self::File(path) => path,
        };
        let wrong = |why: &dyn fmt::Display| {
            fault::config(format!("the client's {what} {path} cannot be used: {why}"))
        };
        let facts = std::fs::metadata(&**path).map_err(|error| wrong(&error))?;
        if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
            return Err(wrong(&"it is not a regular file of at most 1 MiB"));
        }
        std::fs::read(&**path).map_err(|error| wrong(&error))
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        match self {
            Self::Text(_) => None,
            Self::File(path) => roots::stamp(path),
        }
    }
}

/// The path only.
impl fmt::Debug for Pem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "File({path})"),
            Self::Text(_) => out.write_str("Text(•••)"),
        }
    }
}

impl Identity {
    /// The chain and the key.
    ///
    /// # Errors
    /// Class `local`, `local.config`: a file cannot be read, or holds no PEM of the kind.
    pub(crate) fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
        let bytes = self.cert.bytes("certificate")?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).take(CHAIN_MAX).collect();
        // What is wrong inside is not repeated: it may be the key in the wrong place.
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| fault::config("the client's certificate is no PEM certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key.bytes("key")?);
        let key = key.map_err(|_| fault::config("the client's key is no PEM key"))?;
        Ok((chain, key))
    }

    /// Whether certificate or key are files, which may change.
    pub(crate) fn has_files(&self) -> bool {
        [&self.cert, &self.key].iter().any(|pem| matches!(pem, Pem::File(_)))
    }

    /// When its files were last changed, and their sizes.
    pub(crate) fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        [self.cert.stamp(), self.key.stamp()]
    }
}
