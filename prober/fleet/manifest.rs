//! Which scenario set a region has: a small signed text that names everything by its hash.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `SETM` |
//! | 1 | the format's number |
//! | 8 | which key signed it: the first bytes of the key's BLAKE3 hash |
//! | 64 | Ed25519 signature over a word for this use, the format and every byte behind |
//! | … | the manifest, as JSON |
//!
//! # What a reader may rely on
//!
//! 1. **It is ours.** The signature is checked before the JSON is looked at. The key is not a credential of the engine: whoever
//!    owns the engine can withhold a set, but not make one.
//! 2. **It is for here.** A manifest names its region.
//! 3. **It is not older.** Versions only grow; what was replaced cannot be played back. To go back, the old set is
//!    published again under a new version.
//! 4. **It is whole.** Each pack is named by the hash of its bytes, and all files together by another.
//!
//! Deliberately absent: where manifests and keys are stored.

mod keys;

use std::collections::BTreeSet;

use model::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Digest, SetVersion};

pub use keys::{KEYS_BYTES_MAX, KeyError, SigningKey, Trust, TrustedKey, password};

/// The longest manifest: what an engine's message carries.
pub const BYTES_MAX: usize = 512 << 10;

/// The most packs of one set.
pub const PACKS_MAX: usize = 4_096;

/// The most regions of a fleet.
pub const REGIONS_MAX: usize = 1_000;

/// The longest text of who published it, and why.
pub const WORDS_BYTES_MAX: usize = 256;

/// The format that this version writes.
pub const FORMAT: u8 = 1;

const MAGIC: [u8; 4] = *b"SETM";
const SIGNATURE_BYTES: usize = 64;
const KEY_ID_BYTES: usize = 8;
const HEAD_BYTES: usize = MAGIC.len() + 1 + KEY_ID_BYTES + SIGNATURE_BYTES;

/// Keeps a signature of a manifest from being one of anything else.
const USE: &[u8] = b"prober scenario set manifest\0";

/// A region's scenario set: its number, and the hashes of what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Whose set.
    pub region: String,
    /// Its number, from 1.
    pub version: SetVersion,
    /// When it was published.
    pub published: Timestamp,
    /// From when it holds: the first slot at or after this time is the new set's.
    pub effective: Timestamp,
    /// Who published it; at most [`WORDS_BYTES_MAX`] bytes.
    pub author: String,
    /// The version whose content this is again; `None` if it is new.
    pub restores: Option<SetVersion>,
    /// How many plans it has in this region.
    pub plans: u64,
    /// How many files it has.
    pub files: u64,
    /// The hash of all its files; equal for equal sets, whoever packed them.
    pub content: Digest,
    /// Its packs, in their order.
    pub packs: Vec<Digest>,
    /// Of the set of all regions: the regions that have a set of this version. Empty in a region's own.
    pub regions: Vec<String>,
}

/// What a reader has already.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version of its set.
    pub version: SetVersion,
    /// The content of its set.
    pub content: Digest,
}

/// Why a manifest is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are something else.
    #[error("these bytes are no manifest of a scenario set")]
    NotAManifest,
    /// They end too soon, or are too many.
    #[error("a manifest of {0} bytes is cut off or too long")]
    Length(usize),
    /// A newer version wrote it.
    #[error("the manifest has format {0}, and the newest that is known is {FORMAT}; upgrade this prober")]
    Format(u8),
    /// The key is not among those that are trusted.
    #[error("the manifest is signed by the key {0}, which is not trusted here")]
    UnknownKey(String),
    /// The signature does not fit.
    #[error("the manifest is forged or damaged: the signature of the key {0} does not fit")]
    Forged(String),
    /// It is signed, but not for this region.
    #[error("the manifest is for region {found}, and this is {here}")]
    Region {
        /// Which region the reader is in.
        here: String,
        /// Which one the manifest is for.
        found: String,
    },
    /// It is older than what is applied.
    #[error(
        "version {found} is older than version {applied}, which is applied: somebody rolled the engine back"
    )]
    RolledBack {
        /// What the reader has.
        applied: SetVersion,
        /// What it was shown.
        found: SetVersion,
    },
    /// Two sets have one version.
    #[error("version {0} has two contents; publish again to get a new version")]
    Twofold(SetVersion),
    /// It is signed but says what no manifest says.
    #[error("the manifest is wrong: {0}")]
    Wrong(String),
}

impl Manifest {
    /// The signed bytes.
    ///
    /// # Errors
    /// A field is longer than readers allow.
    pub fn seal(&self, key: &SigningKey) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let body = self.to_json().to_string();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&key.public().id());
        bytes.extend_from_slice(&key.sign(&signed(FORMAT, body.as_bytes())));
        bytes.extend_from_slice(body.as_bytes());
        if bytes.len() > BYTES_MAX {
            return Err(ManifestError::Length(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads a manifest for `region`; with `applied`, only one that may follow it.
    ///
    /// # Errors
    /// It is not to be believed, or not for here, or older than what is applied.
    pub fn open(
        bytes: &[u8],
        trust: &Trust,
        region: &str,
        applied: Option<Applied>,
    ) -> Result<Self, ManifestError> {
        let manifest = Self::read(bytes, trust)?;
        if manifest.region != region {
            return Err(ManifestError::Region { here: region.to_owned(), found: manifest.region });
        }
        match applied {
            Some(applied) if manifest.version < applied.version => {
                Err(ManifestError::RolledBack { applied: applied.version, found: manifest.version })
            }
            Some(applied) if manifest.version == applied.version && manifest.content != applied.content => {
                Err(ManifestError::Twofold(manifest.version))
            }
            _ => Ok(manifest),
        }
    }

    /// Reads a manifest of any region, for whoever looks at all of them.
    ///
    /// # Errors
    /// It is not to be believed.
    pub fn read(bytes: &[u8], trust: &Trust) -> Result<Self, ManifestError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ManifestError::NotAManifest);
        }
        let length = ManifestError::Length(bytes.len());
        let (head, body) = bytes.split_at_checked(HEAD_BYTES).ok_or(length.clone())?;
        if bytes.len() > BYTES_MAX {
            return Err(length);
        }
        let format = head[MAGIC.len()];
        if format != FORMAT {
            return Err(ManifestError::Format(format));
        }
        let (id, signature) = head[MAGIC.len() + 1..].split_at(KEY_ID_BYTES);
        let shown = keys::hex(id);
        let key = trust.key(id).ok_or_else(|| ManifestError::UnknownKey(shown.clone()))?;
        if !key.verifies(&signed(format, body), signature) {
            return Err(ManifestError::Forged(shown));
        }
        let wrong = |error: serde_json::Error| ManifestError::Wrong(error.to_string());
        let manifest = Self::from_json(&serde_json::from_slice(body).map_err(wrong)?)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let wrong = |what: &str| Err(ManifestError::Wrong(what.to_owned()));
        let distinct: BTreeSet<_> = self.packs.iter().collect();
        if !crate::is_key_part(&self.region) {
            return wrong("its region has a name that no region of a fleet can have");
        }
        if self.version.0 == 0 {
            return wrong("versions begin with 1");
        }
        if self.packs.len() > PACKS_MAX || distinct.len() != self.packs.len() {
            return wrong("its packs are too many, or one stands there twice");
        }
        if self.regions.len() > REGIONS_MAX || !self.regions.iter().all(|region| crate::is_key_part(region)) {
            return wrong("its regions are too many, or one has a name that no region of a fleet can have");
        }
        if self.author.len() > WORDS_BYTES_MAX {
            return wrong("the name of its author is too long");
        }
        if self.restores.is_some_and(|restored| restored >= self.version) {
            return wrong("it restores a version that is not before it");
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let packs: Vec<_> = self.packs.iter().map(Digest::to_string).collect();
        let mut value = json!({
            "region": self.region, "version": self.version.0, "published": self.published.to_string(),
            "effective": self.effective.to_string(), "author": self.author, "plans": self.plans,
            "files": self.files, "content": self.content.to_string(), "packs": packs,
        });
        if let Some(restored) = self.restores {
            value["restores"] = restored.0.into();
        }
        if !self.regions.is_empty() {
            value["regions"] = self.regions.clone().into();
        }
        value
    }

    /// Fields that a later version adds are signed too, and left aside here.
    fn from_json(value: &Value) -> Result<Self, ManifestError> {
        let fields = value.as_object().ok_or_else(|| ManifestError::Wrong("it is no object".to_owned()))?;
        let wrong = |name: &str| ManifestError::Wrong(format!("`{name}` is missing or wrong"));
        let text = |name: &str| text(fields, name).ok_or_else(|| wrong(name));
        let number = |name: &str| fields.get(name).and_then(Value::as_u64).ok_or_else(|| wrong(name));
        let time = |name: &str| text(name)?.parse::<Timestamp>().map_err(|_| wrong(name));
        let digest = |name: &str, text: &str| keys::from_hex(text).map(Digest).ok_or_else(|| wrong(name));
        let packs = fields.get("packs").and_then(Value::as_array).ok_or_else(|| wrong("packs"))?;
        let packs = packs.iter().map(|pack| digest("packs", pack.as_str().unwrap_or_default()));
        let regions = fields.get("regions").map_or(Some(&[][..]), |list| list.as_array().map(Vec::as_slice));
        let regions = regions.ok_or_else(|| wrong("regions"))?.iter();
        let regions =
            regions.map(|region| region.as_str().map(str::to_owned).ok_or_else(|| wrong("regions")));
        Ok(Self {
            region: text("region")?.to_owned(),
            version: SetVersion(number("version")?),
            published: time("published")?,
            effective: time("effective")?,
            author: text("author")?.to_owned(),
            restores: fields
                .contains_key("restores")
                .then(|| number("restores"))
                .transpose()?
                .map(SetVersion),
            plans: number("plans")?,
            files: number("files")?,
            content: digest("content", text("content")?)?,
            packs: packs.collect::<Result<_, _>>()?,
            regions: regions.collect::<Result<_, _>>()?,
        })
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str()
}

/// What the signature is over.
fn signed(format: u8, body: &[u8]) -> Vec<u8> {
    [USE, &[format], body].concat()
}

#[cfg(test)]
mod tests;
