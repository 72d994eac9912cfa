//! What a chain can be beside good and flawed: in another order, with odd extensions, revoked, stapled.

use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::time::{Clock as _, SystemClock, Timestamp};
use rcgen::{
    BasicConstraints, CertificateRevocationListParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyIdMethod, KeyUsagePurpose, NameConstraints,
    RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateDer;

use super::{Authority, DAY, Identity, Pki, authority, key, leaf, since_epoch, write, write_private};
use crate::servers::openssl;

/// What a leaf has that usual ones do not.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Extra {
    /// It asks for a stapled OCSP answer (RFC 7633).
    MustStaple,
    /// It is for clients only.
    ClientOnly,
    /// So many embedded timestamps of transparency logs, none of them signed by anybody.
    Timestamps(usize),
    /// It says that it is an authority's, and signed itself.
    Authority,
    /// Another leaf signed it, which is served behind it.
    IssuedByALeaf,
    /// Its key may sign lists of revoked certificates and nothing else.
    OtherKeyUsage,
    /// An authority signed it whose key may not sign certificates.
    IssuedWithoutCertSign,
    /// An authority signed it that may issue for one organisation and for `shop.test` only.
    OneOrganisation,
    /// So many authorities stand between it and the root.
    Far(usize),
}

/// What a stapled OCSP answer says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Staple {
    /// The certificate is good.
    Good,
    /// It was revoked yesterday.
    Revoked,
    /// The responder does not know it.
    Unknown,
    /// Good, and signed by someone who is nobody to this authority.
    Forged,
    /// Good, and signed by one whom the authority named for that.
    Delegated,
}

impl Pki {
    /// A chain for `names` whose leaf has something `extra`; it is good for 90 days.
    pub fn identity_with(&self, names: &[&str], extra: Extra) -> Identity {
        let now = SystemClock.now();
        let dates = (now.minus(DAY), now.plus(DAY * 90));
        let mut params = leaf(names, dates.0, dates.1);
        let mut signer = Some(&self.intermediate);
        let mut others = vec![self.intermediate()];
        let odd_one;
        match extra {
            Extra::MustStaple => {
                // The features as a sequence of numbers, 5 for `status_request`.
                let content = vec![0x30, 0x03, 0x02, 0x01, 0x05];
                params.custom_extensions = vec![extension(&[1, 3, 6, 1, 5, 5, 7, 1, 24], content)];
            }
            Extra::ClientOnly => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            Extra::Timestamps(count) => {
                let content = timestamps(count);
                params.custom_extensions = vec![extension(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], content)];
            }
            Extra::Authority => {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                (signer, others) = (None, Vec::new());
            }
            Extra::IssuedByALeaf => {
                let other = leaf(&["leaf.test"], dates.0, dates.1);
                odd_one = Authority::signed_by(other, key(), &self.intermediate).expect("it is well-formed");
                others.insert(0, odd_one.der().clone());
                signer = Some(&odd_one);
            }
            Extra::OtherKeyUsage => params.key_usages = vec![KeyUsagePurpose::CrlSign],
            Extra::OneOrganisation => {
                let mut between = authority("prober test issuer for one");
                let mut name = DistinguishedName::new();
                name.push(DnType::OrganizationName, "prober test");
                let permitted_subtrees = vec![
                    GeneralSubtree::DirectoryName(name),
                    GeneralSubtree::DnsName("shop.test".to_owned()),
                ];
                let excluded_subtrees = Vec::new();
                between.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees });
                params.distinguished_name.push(DnType::OrganizationName, "prober test");
                odd_one = Authority::signed_by(between, key(), &self.root).expect("it is well-formed");
                others = vec![odd_one.der().clone()];
                signer = Some(&odd_one);
            }
            Extra::Far(count) => {
                let mut last = None::<Authority>;
                others = Vec::new();
                for number in 0..count {
                    let params = authority(&format!("prober test issuer {number}"));
                    let made = Authority::signed_by(params, key(), last.as_ref().unwrap_or(&self.root));
                    let made = made.expect("it is well-formed");
                    others.insert(0, made.der().clone());
                    last = Some(made);
                }
                odd_one = last.expect("there is one at least");
                signer = Some(&odd_one);
            }
            Extra::IssuedWithoutCertSign => {
                let mut between = authority("prober test signer of lists");
                between.key_usages = vec![KeyUsagePurpose::CrlSign];
                odd_one = Authority::signed_by(between, key(), &self.root).expect("it is well-formed");
                others = vec![odd_one.der().clone()];
                signer = Some(&odd_one);
            }
        }
        self.sign(params, signer, others, dates)
    }

    /// So many authorities of two names, each of which may have issued all of the other name: between the leaf and
    /// nowhere. The leaves' issuer has one of the names.
    pub fn maze(&self, count: usize) -> Vec<CertificateDer<'static>> {
        let names = ["prober test intermediate", "prober test other side"];
        let sides = names.map(|name| {
            Authority::self_signed(authority(name), key()).expect("the authority is well-formed")
        });
        let one = |number: usize| {
            let (name, issuer) = (names[number % 2], &sides[(number + 1) % 2]);
            let made = Authority::signed_by(authority(name), key(), issuer);
            made.expect("the authority is well-formed").der().clone()
        };
        (0..count).map(one).collect()
    }

    /// A second root, which nobody is told to trust.
    pub fn stranger(&self) -> CertificateDer<'static> {
        self.stranger.der().clone()
    }

    /// A PEM file with the intermediate's list of revoked certificates, to be renewed so many days from now.
    pub fn crl_file(&self, revoked: &[&Identity], renewed_in: i64) -> PathBuf {
        let now = since_epoch(SystemClock.now().minus(DAY * 10));
        let start = rcgen::date_time_ymd(1970, 1, 1) + now;
        let days = u32::try_from(renewed_in + 10).expect("a list is made before it is to be renewed");
        let revoked = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: identity.serial.into(),
            revocation_time: start,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: start,
            next_update: start + DAY * days,
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.intermediate).expect("the list is well-formed");
        let path = self.folder.path().join(format!("crl-{renewed_in}-{}.pem", list.der().len()));
        write(&path, &list.pem().expect("it was just encoded"));
        path
    }

    /// An OCSP answer about `identity`, made an hour ago and good for so many days, by OpenSSL's responder.
    pub fn staple(&self, identity: &Identity, says: Staple, days: u32) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
        let at = |name: &str| folder.path().join(name);
        write(&at("ca.pem"), &self.intermediate.pem());
        write(&at("leaf.pem"), &pem("CERTIFICATE", &identity.chain[..1]));
        let ca = &self.intermediate;
        let (responder, key_pem) = match says {
            Staple::Forged => (self.stranger.pem(), self.stranger.key().serialize_pem()),
            Staple::Delegated => {
                let now = SystemClock.now();
                let mut params = leaf(&["responder.test"], now.minus(DAY), now.plus(DAY * 90));
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
                let own = key();
                (params.signed_by(&own, ca).expect("it is well-formed").pem(), own.serialize_pem())
            }
            _ => (ca.pem(), ca.key().serialize_pem()),
        };
        write(&at("responder.pem"), &responder);
        write_private(&at("responder.key"), &key_pem);
        let serial = format!("{:X}", identity.serial);
        let line = match says {
            Staple::Unknown => String::new(),
            Staple::Revoked => format!("R\t{}\t{}\t{serial}\tunknown\t/CN=x\n", far(90), near()),
            _ => format!("V\t{}\t\t{serial}\tunknown\t/CN=x\n", far(90)),
        };
        write(&at("index.txt"), &line);
        let ask = ["ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-no_nonce", "-reqout", "request.der"];
        openssl(folder.path(), &ask);
        let days = days.to_string();
        let mut answer = vec!["ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "responder.pem"];
        answer.extend(["-rkey", "responder.key", "-reqin", "request.der", "-respout", "answer.der"]);
        answer.extend(["-ndays", &days]);
        openssl(folder.path(), &answer);
        std::fs::read(at("answer.der")).expect("openssl has written it")
    }
}

impl Identity {
    /// The same leaf, served in this chain.
    #[must_use]
    pub fn served_as(&self, chain: Vec<CertificateDer<'static>>) -> Self {
        let number = chain.iter().map(|der| der.len()).sum::<usize>() * 31 + chain.len();
        let cert_file = self.cert_file.with_extension(format!("{number}.pem"));
        write(&cert_file, &pem("CERTIFICATE", &chain));
        Self { chain, cert_file, key_file: self.key_file.clone(), key: self.key.clone_key(), ..*self }
    }

    /// A PEM file with what follows the leaf; `None` if it is served alone.
    pub fn issuers_file(&self) -> Option<PathBuf> {
        let (_, others) = self.chain.split_first()?;
        let path = self.cert_file.with_extension("issuers.pem");
        write(&path, &pem("CERTIFICATE", others));
        (!others.is_empty()).then_some(path)
    }
}

/// The certificates as PEM.
pub(super) fn pem(what: &str, ders: &[CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for der in ders {
        writeln!(text, "-----BEGIN {what}-----").expect("a String takes every text");
        let encoded = STANDARD.encode(der);
        for line in encoded.as_bytes().chunks(64) {
            text += &String::from_utf8_lossy(line);
            text.push('\n');
        }
        writeln!(text, "-----END {what}-----").expect("a String takes every text");
    }
    text
}

fn extension(oid: &[u64], content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(oid, content)
}

/// A list of timestamps in an octet string (RFC 6962, section 3.3).
fn timestamps(count: usize) -> Vec<u8> {
    // Version, log, time, no extensions, SHA-256 with ECDSA, a signature of eight bytes.
    let one = [&[0][..], &[7; 32], &[0; 8], &[0, 0], &[4, 3, 0, 8], &[9; 8]].concat();
    let mut list = Vec::new();
    for _ in 0..count {
        list.extend([0, u8::try_from(one.len()).expect("a timestamp is short")]);
        list.extend_from_slice(&one);
    }
    let length = u16::try_from(list.len()).expect("a test has few of them").to_be_bytes();
    let inner = [&length[..], &list].concat();
    let outer = u16::try_from(inner.len()).expect("a test has few of them").to_be_bytes();
    [&[0x04, 0x82][..], &outer, &inner].concat()
}

/// `YYMMDDHHMMSSZ`, as the responder's index has it.
fn compact(at: Timestamp) -> String {
    at.to_string().replace(['-', ':', 'T'], "")[2..14].to_owned() + "Z"
}

fn far(days: u32) -> String {
    compact(SystemClock.now().plus(DAY * days))
}

fn near() -> String {
    compact(SystemClock.now().minus(DAY))
}
