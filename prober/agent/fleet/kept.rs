//! The last good scenario set: checked, kept on disk, unpacked for the compiler.
//!
//! A set is applied whole or not at all. What was applied last is there after a restart, also when the engine is not.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fleet::manifest::{Applied, Manifest, ManifestError, Trust};
use fleet::set::{ScenarioSet, SetError};
use fleet::{ConfigSource, Digest, Fault, SetVersion, StoredManifest};

/// Why a set is not applied; the one from before goes on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Set(#[from] SetError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A set that may be applied.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) manifest: Manifest,
    stored: Bytes,
    packs: HashMap<Digest, Bytes>,
    set: ScenarioSet,
}

/// The folder of the set that is applied.
#[derive(Debug)]
pub(super) struct Kept {
    dir: PathBuf,
    trust: Trust,
    region: String,
    applied: Option<Applied>,
}

const MANIFEST: &str = "manifest";
/// The link to the folder of the set that is applied.
const CURRENT: &str = "current";

impl Kept {
    /// Opens the folder; made if it is not there.
    pub(super) fn open(dir: PathBuf, trust: Trust, region: &str) -> Result<Self, Refusal> {
        fs::create_dir_all(&dir).map_err(|source| Refusal::Io { path: dir.clone(), source })?;
        Ok(Self { dir, trust, region: region.to_owned(), applied: None })
    }

    /// Whose set it is.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The set from before the restart, if there is one; it is checked as if it had just come.
    pub(super) fn load(&self) -> Result<Option<Checked>, Refusal> {
        let path = self.dir.join(MANIFEST);
        let stored = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            stored => Bytes::from(stored.map_err(|source| Refusal::Io { path, source })?),
        };
        let manifest = Manifest::open(&stored, &self.trust, &self.region, None)?;
        let read = |digest: &Digest| Some((*digest, fs::read(self.pack(*digest)).ok()?.into()));
        let packs = manifest.packs.iter().filter_map(read).collect();
        check(manifest, stored, packs).map(Some)
    }

    /// Checks what the engine shows, and fetches what it names; `None` if it is what is applied.
    pub(super) async fn fetch(
        &self,
        engine: &impl ConfigSource,
        shown: &StoredManifest,
    ) -> Result<Option<Checked>, Refusal> {
        let manifest = Manifest::open(&shown.bytes, &self.trust, &self.region, self.applied)?;
        if self.applied.is_some_and(|applied| applied.version == manifest.version) {
            return Ok(None);
        }
        let mut packs = HashMap::new();
        for digest in &manifest.packs {
            let known = fs::read(self.pack(*digest)).ok();
            let known = known.filter(|bytes| *blake3::hash(bytes).as_bytes() == digest.0);
            let pack = match known {
                Some(bytes) => Some(bytes.into()),
                None => engine.object(&self.region, *digest).await?,
            };
            packs.extend(pack.map(|pack| (*digest, pack)));
        }
        check(manifest, shown.bytes.clone(), packs).map(Some)
    }

    /// Unpacks the set into a folder of its own, for the compiler; gives the folder.
    pub(super) fn unpack(&self, checked: &Checked) -> Result<PathBuf, Refusal> {
        let folder = self.dir.join(format!("set-{}", checked.manifest.version));
        let write = || {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            for (_, path, text) in checked.set.files() {
                let path = folder.join(path);
                fs::create_dir_all(path.parent().unwrap_or(&folder))?;
                fs::write(path, text)?;
            }
            Ok(())
        };
        write().map_err(|source| Refusal::Io { path: folder.clone(), source })?;
        Ok(folder)
    }

    /// Takes up what was held before a restart; says which version it is.
    pub(super) fn resume(&mut self) -> Result<Option<SetVersion>, Refusal> {
        let Some(Checked { manifest, .. }) = self.load()? else { return Ok(None) };
        let Manifest { version, content, .. } = manifest;
        self.applied = Some(Applied { version, content });
        Ok(Some(version))
    }

    /// Puts the set that is held into an engine that has the version `over`, or none; gives its version, if one is held.
    pub(super) async fn put_back(
        &self,
        engine: &impl ConfigSource,
        over: Option<SetVersion>,
    ) -> Result<Option<SetVersion>, Refusal> {
        let Some(Checked { manifest, stored, packs, .. }) = self.load()? else { return Ok(None) };
        for (digest, bytes) in packs {
            engine.put_object(&self.region, digest, bytes).await?;
        }
        let version = manifest.version;
        engine.publish(&self.region, over, StoredManifest { version, bytes: stored }).await?;
        Ok(Some(version))
    }

    /// Holds it for servers that may lose it; what only earlier sets needed goes.
    pub(super) fn hold(&mut self, checked: &Checked) -> Result<(), Refusal> {
        let held = self.write(checked).and_then(|()| self.clear(checked));
        held.map_err(|source| Refusal::Io { path: self.dir.clone(), source })?;
        let Manifest { version, content, .. } = checked.manifest;
        self.applied = Some(Applied { version, content });
        Ok(())
    }

    fn write(&self, checked: &Checked) -> io::Result<()> {
        for (digest, bytes) in &checked.packs {
            durable(&self.pack(*digest), bytes)?;
        }
        durable(&self.dir.join(MANIFEST), &checked.stored)
    }

    /// Makes it the set that a restart begins with; what only earlier sets needed goes.
    pub(super) fn keep(&mut self, checked: &Checked) -> Result<(), Refusal> {
        let write = || {
            self.write(checked)?;
            let link = self.dir.join("current.new");
            if link.is_symlink() {
                fs::remove_file(&link)?;
            }
            symlink(format!("set-{}", checked.manifest.version), &link)?;
            fs::rename(link, self.current())?;
            self.clear(checked)
        };
        write().map_err(|source| Refusal::Io { path: self.dir.clone(), source })?;
        let Manifest { version, content, .. } = checked.manifest;
        self.applied = Some(Applied { version, content });
        Ok(())
    }

    /// Where the files of the set are that is applied, whichever it is.
    pub(super) fn current(&self) -> PathBuf {
        self.dir.join(CURRENT)
    }

    fn clear(&self, checked: &Checked) -> io::Result<()> {
        let folder = format!("set-{}", checked.manifest.version);
        let packs: Vec<_> = checked.packs.keys().map(|digest| format!("pack-{digest}")).collect();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("set-") && name != folder {
                fs::remove_dir_all(entry.path())?;
            } else if name.starts_with("pack-") && !packs.contains(&name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn pack(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("pack-{digest}"))
    }
}

fn check(manifest: Manifest, stored: Bytes, packs: HashMap<Digest, Bytes>) -> Result<Checked, Refusal> {
    let set = ScenarioSet::assemble(&manifest, |digest| packs.get(&digest).cloned())?;
    Ok(Checked { manifest, stored, packs, set })
}

/// Writes a file that is there whole or not at all.
pub(super) fn durable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)
}
