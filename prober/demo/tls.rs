//! The shop's certificates, made anew at each start: root → intermediate → leaf.

use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::StartError;

const DAY: Duration = Duration::from_hours(24);

/// The names in the shop's certificates.
const NAMES: [&str; 4] = ["shop.demo.test", "www.demo.test", "localhost", "127.0.0.1"];

/// A root and an intermediate that sign what the shop serves.
pub(crate) struct Certificates {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
    now: Timestamp,
}

impl Certificates {
    /// Makes fresh keys.
    pub(crate) fn new(now: Timestamp) -> Result<Self, StartError> {
        let root = CertifiedIssuer::self_signed(authority("Demo Shop Root", now), key()?).map_err(failed)?;
        let params = authority("Demo Shop Intermediate", now);
        let intermediate = CertifiedIssuer::signed_by(params, key()?, &root).map_err(failed)?;
        Ok(Self { root, intermediate, now })
    }

    /// The root that scenarios trust.
    pub(crate) fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// A certificate for 90 days.
    pub(crate) fn good(&self) -> Result<Arc<ServerConfig>, StartError> {
        self.serve(self.now.minus(DAY), self.now.plus(DAY * 89))
    }

    /// A certificate that ends in 10 days.
    pub(crate) fn soon(&self) -> Result<Arc<ServerConfig>, StartError> {
        self.serve(self.now.minus(DAY * 80), self.now.plus(DAY * 10))
    }

    /// A certificate that ended 2 days ago.
    pub(crate) fn expired(&self) -> Result<Arc<ServerConfig>, StartError> {
        self.serve(self.now.minus(DAY * 92), self.now.minus(DAY * 2))
    }

    fn serve(&self, from: Timestamp, to: Timestamp) -> Result<Arc<ServerConfig>, StartError> {
        let key = key()?;
        let leaf = leaf(from, to)?.signed_by(&key, &self.intermediate).map_err(failed)?;
        let chain = vec![leaf.der().clone(), self.intermediate.der().clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(failed)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(failed)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError::Certificate(error.to_string())
}

fn key() -> Result<KeyPair, StartError> {
    KeyPair::generate().map_err(failed)
}

fn authority(name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(now.minus(DAY * 365));
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(now.plus(DAY * 3650));
    params
}

fn leaf(from: Timestamp, to: Timestamp) -> Result<CertificateParams, StartError> {
    let mut params = CertificateParams::new(NAMES.map(String::from)).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, NAMES[0]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(from);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(to);
    Ok(params)
}

/// Whole seconds from the Unix epoch to `at`.
fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_secs(at.since(Timestamp::default()).as_secs())
}
