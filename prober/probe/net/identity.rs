//! A client's certificate and key, as PEM files or as secrets.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use model::outcome::Failure;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

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
    /// The chain and its key, as `provider` signs with it.
    ///
    /// rustls would compare the two as well, and take no certificate of version 1 for it, which `openssl x509 -req`
    /// makes without extensions and servers accept.
    ///
    /// # Errors
    /// Class `local`, `local.config`: a file cannot be read, or holds no PEM of the kind, or the two do not fit.
    pub(crate) fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Failure> {
        let (chain, key) = self.parse()?;
        let (_, leaf) = X509Certificate::from_der(&chain[0])
            .map_err(|_| fault::config("the client's certificate cannot be read"))?;
        let key = provider.key_provider.load_private_key(key);
        let key = key.map_err(|_| fault::config("the client's key is of no kind that can be used"))?;
        if key.public_key().is_some_and(|public| public.as_ref() != leaf.subject_pki.raw) {
            return Err(fault::config("the client's certificate and key do not belong together"));
        }
        Ok(CertifiedKey::new(chain, key))
    }

    fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use testkit::pki::{Flaw, Pki};

    use super::*;

    /// A certificate of version 1: that is what it is if it does not say its version.
    fn of_version_1(pem: &[u8]) -> String {
        let mut der = CertificateDer::from_pem_slice(pem).unwrap().to_vec();
        // The version stands behind the heads of two sequences, of four bytes each.
        let version = der.drain(8..13).collect::<Vec<_>>();
        assert_eq!(version, [0xa0, 3, 2, 1, 2]);
        for length in [2, 6] {
            let shorter = u16::from_be_bytes([der[length], der[length + 1]]) - 5;
            der[length..length + 2].copy_from_slice(&shorter.to_be_bytes());
        }
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
    }

    #[test]
    fn a_certificate_of_version_1_can_be_shown_with_its_key_only() {
        let pki = Pki::new();
        let [client, other] = [(); 2].map(|()| pki.identity(&["probe.test"], Flaw::None));
        let read = |path| std::fs::read_to_string(path).unwrap();
        let cert = of_version_1(read(&client.cert_file).as_bytes());
        let provider = rustls::crypto::ring::default_provider();
        for (key, expected) in [
            (&client.key_file, None),
            (&other.key_file, Some("the client's certificate and key do not belong together")),
        ] {
            let identity = Identity { cert: Pem::of(&cert), key: Pem::of(&read(key)) };
            let failure = identity.read(&provider).err();
            assert_eq!(failure.as_ref().map(|failure| &*failure.message), expected);
        }
    }
}
