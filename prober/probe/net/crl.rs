//! Lists of revoked certificates, from a file that someone else keeps up to date.
//!
//! Deliberately absent: fetching them. A prober asks its target, and nobody else on the target's behalf.

use model::outcome::Failure;
use model::time::Timestamp;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use crate::net::fault;
use crate::net::roots;
use crate::net::tls::words::{of_pem, of_webpki};

/// The most lists of one file.
const LISTS_MAX: usize = 64;

/// The lists of one file.
#[derive(Debug)]
pub(crate) struct Crls(Vec<List>);

/// One authority's list.
#[derive(Debug)]
pub(crate) struct List {
    der: CertificateRevocationListDer<'static>,
    /// As verification needs it.
    pub(crate) parsed: CertRevocationList<'static>,
    /// The authority's name as it is encoded.
    issuer: Box<[u8]>,
    /// When the authority will have issued the next one, if the list says so.
    pub(crate) next_update: Option<Timestamp>,
}

impl Crls {
    /// The list of the authority with the encoded name `issuer`.
    pub(crate) fn of_issuer(&self, issuer: &[u8]) -> Option<&List> {
        self.0.iter().find(|list| *list.issuer == *issuer)
    }

    /// Every list as verification needs it.
    pub(crate) fn parsed(&self) -> Vec<&CertRevocationList<'static>> {
        self.0.iter().map(|list| &list.parsed).collect()
    }

    /// Every list as it is encoded.
    pub(crate) fn encoded(&self) -> impl Iterator<Item = &CertificateRevocationListDer<'static>> {
        self.0.iter().map(|list| &list.der)
    }
}

/// The lists in the file at `path`: PEM, or a single one in DER.
///
/// # Errors
/// Class `local`, `local.config`: no such file, too large, or no list in it.
pub(crate) fn of_file(path: &str) -> Result<Crls, Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| fault::config(format!("the CRL file {path} cannot be used: {why}"));
    let bytes = roots::read(path).map_err(|why| wrong(&why))?;
    let ders = if bytes.first() == Some(&0x30) {
        vec![CertificateRevocationListDer::from(bytes)]
    } else {
        let ders = CertificateRevocationListDer::pem_slice_iter(&bytes).take(LISTS_MAX + 1);
        ders.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&of_pem(&error)))?
    };
    if ders.is_empty() || ders.len() > LISTS_MAX {
        return Err(wrong(&format!("it has {} lists in it, not 1 to {LISTS_MAX}", ders.len())));
    }
    ders.into_iter().map(|der| list(der).map_err(|why| wrong(&why))).collect::<Result<_, _>>().map(Crls)
}

fn list(der: CertificateRevocationListDer<'static>) -> Result<List, String> {
    let parsed =
        OwnedCertRevocationList::from_der(&der).map_err(|error| format!("no list: {}", of_webpki(&error)))?;
    let (_, read) =
        CertificateRevocationList::from_der(&der).map_err(|_| "no list: it cannot be read".to_owned())?;
    let issuer = read.issuer().as_raw().into();
    let next_update = read.next_update().map(|time| Timestamp::from_seconds(time.timestamp()));
    Ok(List { parsed: parsed.into(), issuer, next_update, der })
}
