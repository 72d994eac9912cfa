//! The keys that are trusted without a chain: the root's, or those that a scenario names.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::dnssec::rdata::{DNSKEY, DS};
use hickory_proto::dnssec::{Algorithm, DigestType, PublicKey as _, PublicKeyBuf, TrustAnchors};
use hickory_proto::rr::Name;
use model::outcome::Failure;

use crate::net::fault;

/// The largest file of anchors, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most anchors of one step.
const ANCHORS_MAX: usize = 64;

/// A key that is trusted, or its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trusted {
    Key(PublicKeyBuf),
    Digest(Box<DS>),
}

/// A zone and a key of it that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) struct Anchor {
    zone: Name,
    trusted: Trusted,
}

/// The keys that are trusted without a chain.
#[derive(Clone, Debug)]
pub(in crate::dns) struct Anchors(Vec<Anchor>);

/// Where anchors come from.
#[derive(Clone, Debug, Default)]
pub(in crate::dns) enum AnchorSource {
    /// The root's keys of 2017 and 2024, as built in.
    #[default]
    Root,
    /// These records.
    Records(Vec<Anchor>),
    /// The DNSKEY and DS records in this file, read in every run.
    File(String),
}

impl AnchorSource {
    /// The anchors of this run.
    ///
    /// # Errors
    /// Class `local`, `local.config`: the file cannot be used.
    pub(in crate::dns) async fn read(&self) -> Result<Anchors, Failure> {
        match self {
            Self::Root => Ok(Anchors::root()),
            Self::Records(records) => Ok(Anchors(records.clone())),
            Self::File(path) => {
                let wrong = |why: String| {
                    fault::config(format!("the file of trust anchors {path} cannot be used: {why}"))
                };
                let text = read(Path::new(path)).await.map_err(wrong)?;
                let found = records_of(&text).map_err(wrong)?;
                if found.is_empty() {
                    Err(wrong("it has no DNSKEY or DS record in it".to_owned()))
                } else {
                    Ok(Anchors(found))
                }
            }
        }
    }
}

async fn read(path: &Path) -> Result<String, String> {
    let facts = tokio::fs::metadata(path).await.map_err(|error| error.to_string())?;
    // A directory, a device or a pipe would block or never end.
    if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
        return Err("it is not a regular file of at most 1 MiB".to_owned());
    }
    tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())
}

/// The records in the text of a zone file: one a line, `;` and `#` begin a comment.
fn records_of(text: &str) -> Result<Vec<Anchor>, String> {
    let lines = text.lines().map(|line| line.split([';', '#']).next().unwrap_or_default().trim());
    let records = lines.filter(|line| !line.is_empty()).map(|line| {
        Anchor::parse(line).ok_or_else(|| format!("`{}` is no DNSKEY or DS record", shortened(line)))
    });
    let records = records.collect::<Result<Vec<_>, _>>()?;
    if records.len() > ANCHORS_MAX {
        Err(format!("it has more than {ANCHORS_MAX} records"))
    } else {
        Ok(records)
    }
}

/// A record as messages show it.
pub(in crate::dns) fn shortened(record: &str) -> String {
    model::outcome::cut(record.to_owned(), 60)
}

impl Anchor {
    /// The anchor in `record`: `shop.example. DNSKEY 257 3 13 …` or `shop.example. DS 12345 13 2 …`; TTL and class
    /// may stand in it.
    pub(in crate::dns) fn parse(record: &str) -> Option<Self> {
        let mut words = record.split_whitespace();
        let mut zone = Name::from_ascii(words.next()?).ok()?;
        zone.set_fqdn(true);
        let kind = words.find(|word| !word.eq_ignore_ascii_case("IN") && word.parse::<u32>().is_err())?;
        let data: Vec<&str> = words.collect();
        let [first, second, third, rest @ ..] = data.as_slice() else { return None };
        let rest = rest.concat();
        let trusted = match kind.to_ascii_uppercase().as_str() {
            "DNSKEY" => {
                let (_flags, protocol) = (first.parse::<u16>().ok()?, second.parse::<u8>().ok()?);
                let bytes = STANDARD.decode(rest).ok().filter(|bytes| protocol == 3 && !bytes.is_empty())?;
                Trusted::Key(PublicKeyBuf::new(bytes, Algorithm::from_u8(third.parse().ok()?)))
            }
            "DS" => {
                let (tag, algorithm) = (first.parse().ok()?, Algorithm::from_u8(second.parse().ok()?));
                let digest = unhex(&rest).filter(|digest| !digest.is_empty())?;
                let digest_type = DigestType::from(third.parse::<u8>().ok()?);
                Trusted::Digest(Box::new(DS::new(tag, algorithm, digest_type, digest)))
            }
            _ => return None,
        };
        Some(Self { zone, trusted })
    }

    fn is(&self, zone: &Name, key: &DNSKEY) -> bool {
        match &self.trusted {
            Trusted::Key(trusted) => {
                trusted.public_bytes() == key.public_key().public_bytes()
                    && trusted.algorithm() == key.public_key().algorithm()
            }
            Trusted::Digest(digest) => digest.covers(zone, key).unwrap_or(false),
        }
    }
}

impl Anchors {
    fn root() -> Self {
        let known = TrustAnchors::default();
        let keys = (0..known.len()).filter_map(|index| known.get(index));
        Self(keys.map(|key| Anchor { zone: Name::root(), trusted: Trusted::Key(key.clone()) }).collect())
    }

    /// The zone with an anchor that is nearest above `name`, or `name` itself.
    pub(super) fn nearest(&self, name: &Name) -> Option<&Name> {
        let above = self.0.iter().map(|anchor| &anchor.zone).filter(|zone| zone.zone_of(name));
        above.max_by_key(|zone| zone.num_labels())
    }

    /// Whether `key` of `zone` is trusted.
    pub(super) fn has(&self, zone: &Name, key: &DNSKEY) -> bool {
        self.0.iter().any(|anchor| anchor.zone == *zone && anchor.is(zone, key))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks_exact(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_records() {
        for (record, known) in [
            ("shop.test. 3600 IN DNSKEY 257 3 13 AAAA AAAA", true),
            ("shop.test DNSKEY 257 3 13 AAAAAAAA", true),
            ("shop.test. IN DS 12345 13 2 00ff 00FF", true),
            (". ds 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D", true),
            ("shop.test. DNSKEY 257 4 13 AAAA", false),
            ("shop.test. DNSKEY 257 3 13 !", false),
            ("shop.test. DS 12345 13 2 0", false),
            ("shop.test. DS 12345 13", false),
            ("shop.test. A 192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(Anchor::parse(record).is_some(), known, "{record}");
        }
        let root = Anchors::root();
        assert_eq!(root.0.len(), 2);
        assert_eq!(root.nearest(&"shop.test.".parse().unwrap()), Some(&Name::root()));
        assert_eq!(records_of("; none\n\n").unwrap(), []);
        assert!(records_of("shop.test. A 192.0.2.1").is_err());
    }
}
