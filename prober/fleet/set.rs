//! A scenario set: the files of a region as its probers compile them, packed for the engine.
//!
//! A set is texts and not plans: whoever applies it compiles it with the compiler that validated it, so there is one
//! language and no second form of it. Files are sorted and hashed; they lie in packs, each file in the pack that the hash of
//! its path says, so a change of one scenario changes one pack, and ten thousand scenarios are a few dozen objects.
//!
//! Deliberately absent: what the files mean.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::Digest;
use crate::manifest::{Manifest, PACKS_MAX};

/// The name under which the set of all regions is published, for whoever keeps the account. No region has it: a region's name
/// begins with a letter or a digit.
pub const ALL_REGIONS: &str = "_all";

/// The most files of a set.
pub const FILES_MAX: usize = 50_000;

/// The longest file, in bytes: what the compiler reads.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// The most bytes of all files of a set.
pub const SET_BYTES_MAX: usize = 256 << 20;

/// The longest pack, as it is stored: what an engine's message carries.
pub const PACK_BYTES_MAX: usize = 512 << 10;

/// The most bytes of a pack's files.
const UNPACKED_BYTES_MAX: usize = 4 << 20;

/// How many bytes of files a pack has on average.
const PACK_BYTES_AIM: usize = 128 << 10;

/// The longest path of a file.
const PATH_BYTES_MAX: usize = 1_024;

/// The level of Zstandard: sets are packed once and unpacked by everybody.
const LEVEL: i32 = 9;

/// What a file is to the compiler.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The project file; a set has one at most.
    Project = 0,
    /// A template.
    Template = 1,
    /// A scenario file, or an SLO file.
    Scenario = 2,
    /// A file that a scenario names and that is read with it.
    Beside = 3,
}

/// A file of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFile {
    /// What it is to the compiler.
    pub role: Role,
    /// Its path below the project's folder, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The files of a region, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioSet {
    /// By role and path.
    files: BTreeMap<(Role, String), String>,
}

/// A pack and the hash that it is stored under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The hash of its bytes.
    pub digest: Digest,
    /// The packed files.
    pub bytes: Bytes,
}

/// Why files are no set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// A path could lead out of the folder, or is not one path on every machine.
    #[error("`{0}` cannot be the path of a file in a set: write it below the project's folder, with `/`")]
    Path(String),
    /// One path twice.
    #[error("the set has `{0}` twice")]
    Twice(String),
    /// More than one project file.
    #[error("the set has two project files")]
    Projects,
    /// A file is too long.
    #[error("`{path}` has {bytes} bytes, and a set takes files of up to {FILE_BYTES_MAX}")]
    FileTooLong {
        /// Which.
        path: String,
        /// How long.
        bytes: usize,
    },
    /// All of them are too many.
    #[error(
        "the set has {files} files of {bytes} bytes, and takes {FILES_MAX} files of {SET_BYTES_MAX} bytes in all"
    )]
    TooLarge {
        /// How many files.
        files: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// A file cannot be packed into what an engine carries.
    #[error("`{0}` does not fit into a pack of {PACK_BYTES_MAX} bytes; split the file")]
    DoesNotFit(String),
    /// A pack is not what its hash says.
    #[error("the pack {0} is not what its hash says")]
    Changed(Digest),
    /// A pack is missing.
    #[error("the pack {0} is missing")]
    Missing(Digest),
    /// A pack cannot be read.
    #[error("the pack {digest} cannot be read: {message}")]
    Unreadable {
        /// Which.
        digest: Digest,
        /// Why.
        message: String,
    },
    /// The packs are those of the manifest, and the files are not.
    #[error("the set's files are not those of its manifest")]
    Content,
}

impl ScenarioSet {
    /// The set of these files, in any order.
    ///
    /// # Errors
    /// A path is none or stands there twice, or the files are too many or too long.
    pub fn new(files: impl IntoIterator<Item = SetFile>) -> Result<Self, SetError> {
        let mut set = Self::default();
        let mut bytes = 0;
        for file in files {
            bytes += file.text.len();
            set.add(file)?;
            if set.files.len() > FILES_MAX || bytes > SET_BYTES_MAX {
                return Err(SetError::TooLarge { files: set.files.len(), bytes });
            }
        }
        if set.of(Role::Project).count() > 1 {
            return Err(SetError::Projects);
        }
        Ok(set)
    }

    fn add(&mut self, SetFile { role, path, text }: SetFile) -> Result<(), SetError> {
        if !is_path(&path) {
            return Err(SetError::Path(path));
        }
        if text.len() > FILE_BYTES_MAX {
            return Err(SetError::FileTooLong { path, bytes: text.len() });
        }
        match self.files.insert((role, path.clone()), text) {
            Some(_) => Err(SetError::Twice(path)),
            None => Ok(()),
        }
    }

    /// The files of one role, by their paths.
    pub fn of(&self, role: Role) -> impl Iterator<Item = (&str, &str)> {
        let of_role = self.files.iter().filter(move |((one, _), _)| *one == role);
        of_role.map(|((_, path), text)| (path.as_str(), text.as_str()))
    }

    /// All files, in their order.
    pub fn files(&self) -> impl Iterator<Item = (Role, &str, &str)> {
        self.files.iter().map(|((role, path), text)| (*role, path.as_str(), text.as_str()))
    }

    /// How many files it has.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has no file: a region that is no more.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The hash of all files: equal for equal sets.
    pub fn content(&self) -> Digest {
        let mut hash = blake3::Hasher::new();
        let mut bytes = Vec::new();
        for (role, path, text) in self.files() {
            bytes.clear();
            write(role, path, text, &mut bytes);
            hash.update(&bytes);
        }
        Digest(*hash.finalize().as_bytes())
    }

    /// The packs of the set; the same for the same files and the same version of Zstandard.
    ///
    /// # Errors
    /// A single file does not fit into a pack.
    pub fn packs(&self) -> Result<Vec<Pack>, SetError> {
        let bytes: usize = self.files.values().map(String::len).sum();
        let mut count = (bytes / PACK_BYTES_AIM + 1).next_power_of_two();
        loop {
            match self.packs_of(count)? {
                Some(packs) => return Ok(packs),
                // One of them was too long: twice as many are shorter.
                None if count < PACKS_MAX => count *= 2,
                None => return Err(SetError::TooLarge { files: self.len(), bytes }),
            }
        }
    }

    /// The set in at most `count` packs; `None` if several files together are too long for one.
    fn packs_of(&self, count: usize) -> Result<Option<Vec<Pack>>, SetError> {
        let mut unpacked: BTreeMap<u64, (Vec<u8>, Vec<&str>)> = BTreeMap::new();
        for (role, path, text) in self.files() {
            let hash = blake3::hash(path.as_bytes());
            let first = u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"));
            let (bytes, paths) = unpacked.entry(first % count as u64).or_default();
            write(role, path, text, bytes);
            paths.push(path);
        }
        let mut packs = Vec::with_capacity(unpacked.len());
        for (bytes, paths) in unpacked.into_values() {
            let packed =
                zstd::bulk::compress(&bytes, LEVEL).ok().filter(|packed| packed.len() <= PACK_BYTES_MAX);
            match packed.filter(|_| bytes.len() <= UNPACKED_BYTES_MAX) {
                Some(packed) => {
                    let digest = Digest(*blake3::hash(&packed).as_bytes());
                    packs.push(Pack { digest, bytes: packed.into() });
                }
                None if paths.len() == 1 => return Err(SetError::DoesNotFit(paths[0].to_owned())),
                None => return Ok(None),
            }
        }
        Ok(Some(packs))
    }

    /// The set that a manifest names; `pack` gives the bytes that are stored under a hash. All of it or nothing.
    ///
    /// # Errors
    /// A pack is missing or changed, or the files are not those that were signed.
    pub fn assemble(
        manifest: &Manifest,
        mut pack: impl FnMut(Digest) -> Option<Bytes>,
    ) -> Result<Self, SetError> {
        let mut set = Self::default();
        let mut total = 0;
        for digest in &manifest.packs {
            let bytes = pack(*digest).ok_or(SetError::Missing(*digest))?;
            if Digest(*blake3::hash(&bytes).as_bytes()) != *digest {
                return Err(SetError::Changed(*digest));
            }
            let unreadable = |message: String| SetError::Unreadable { digest: *digest, message };
            let unpacked = zstd::bulk::decompress(&bytes, UNPACKED_BYTES_MAX)
                .map_err(|error| unreadable(error.to_string()))?;
            total += unpacked.len();
            let mut rest = unpacked.as_slice();
            while !rest.is_empty() {
                let file = read(&mut rest).ok_or_else(|| unreadable("it ends inside a file".to_owned()))?;
                set.add(file)?;
            }
            if set.len() > FILES_MAX || total > SET_BYTES_MAX {
                return Err(SetError::TooLarge { files: set.len(), bytes: total });
            }
        }
        let same = set.content() == manifest.content && set.len() as u64 == manifest.files;
        if same { Ok(set) } else { Err(SetError::Content) }
    }
}

/// Whether it is a path below a folder, the same on every machine.
fn is_path(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let letter = |letter: char| !letter.is_control() && letter != '\\' && letter != ':';
    (1..=PATH_BYTES_MAX).contains(&path.len()) && path.split('/').all(part) && path.chars().all(letter)
}

fn write(role: Role, path: &str, text: &str, out: &mut Vec<u8>) {
    let length = |text: &str| u32::try_from(text.len()).expect("files have at most 1 MiB").to_le_bytes();
    out.push(role as u8);
    out.extend_from_slice(&length(path));
    out.extend_from_slice(&length(text));
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The next file; `None` if there is none that is whole.
fn read(rest: &mut &[u8]) -> Option<SetFile> {
    let (role, after) = rest.split_first()?;
    let role = [Role::Project, Role::Template, Role::Scenario, Role::Beside]
        .into_iter()
        .find(|one| *one as u8 == *role)?;
    let (path, after) = after.split_first_chunk()?;
    let (text, after) = after.split_first_chunk()?;
    let length = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
    let (path, after) = after.split_at_checked(length(path)?)?;
    let (text, after) = after.split_at_checked(length(text)?)?;
    *rest = after;
    let owned = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some(SetFile { role, path: owned(path)?, text: owned(text)? })
}

#[cfg(test)]
mod tests;
