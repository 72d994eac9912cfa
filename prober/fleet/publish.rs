//! Publishing scenario sets, bringing an earlier version back, and fetching what holds.
//!
//! All regions get one version at once. First the packs are stored, which nobody sees; then the manifest of all regions is
//! changed by compare-and-set, and whoever wins that publishes the regions' own: of two that publish at the same time one is
//! told so. What was published half, because a machine went away, is completed by publishing again.
//!
//! Deliberately absent: files, and who may publish, which the servers know.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use model::time::Timestamp;

use crate::manifest::{Applied, Manifest, ManifestError, SigningKey, Trust};
use crate::set::{ALL_REGIONS, Pack, ScenarioSet, SetError};
use crate::{ConfigSource, Fault, SetVersion, StoredManifest};

/// From when a new set holds: by then every prober that can be reached has it.
pub const EFFECTIVE_AFTER: Duration = Duration::from_secs(10);

/// A region's set that is to be published.
#[derive(Clone, Debug)]
pub struct Edition {
    /// The region, or [`ALL_REGIONS`].
    pub region: String,
    /// Its files.
    pub set: ScenarioSet,
    /// How many plans it has there.
    pub plans: u64,
}

/// Who publishes, and when.
#[derive(Clone, Debug)]
pub struct Publisher<'a> {
    /// What it signs with.
    pub key: &'a SigningKey,
    /// Whose manifests it believes.
    pub trust: &'a Trust,
    /// The time.
    pub now: Timestamp,
    /// What manifests say of who published them.
    pub author: String,
    /// The newest version that anybody applies, whatever the engine has: it may have lost its data. 0 if nobody does.
    pub applied: SetVersion,
}

impl Publisher<'_> {
    /// The version after the engine's newest, and after what anybody applies.
    fn after(&self, newest: SetVersion) -> SetVersion {
        SetVersion(newest.max(self.applied).0 + 1)
    }

    fn continues(&self, newest: SetVersion) -> Option<SetVersion> {
        (self.applied > newest).then_some(self.applied)
    }
}

/// What came of publishing one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The region, or [`ALL_REGIONS`].
    pub region: String,
    /// The version before; `None` if there was none.
    pub before: Option<SetVersion>,
    /// How many plans it has now.
    pub plans: u64,
    /// Packs that were not there.
    pub packs: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// What is, or would be, published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The version of all regions.
    pub version: SetVersion,
    /// The version that members apply and the engine does not have: what is published goes on from there.
    pub continues: Option<SetVersion>,
    /// That of all regions first; empty if nothing has changed.
    pub regions: Vec<Published>,
}

/// Why nothing was published, or nothing fetched.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The engine is away or refuses.
    #[error(transparent)]
    Fault(Fault),
    /// Somebody else published at the same time.
    #[error("somebody else published meanwhile: look at it with `prober diff --fleet`, and push again")]
    Conflict,
    /// What is there is not to be believed.
    #[error("region {region}: {error}")]
    Manifest {
        /// Whose manifest.
        region: String,
        /// Why.
        error: ManifestError,
    },
    /// The files cannot be packed, or the packs are not those that were signed.
    #[error("region {region}: {error}")]
    Set {
        /// Whose set.
        region: String,
        /// Why.
        error: SetError,
    },
    /// A machine went away while that version was published.
    #[error("version {version} was never finished in region {region}; choose another one")]
    Unfinished {
        /// Where it is missing.
        region: String,
        /// Which.
        version: SetVersion,
    },
    /// There is no such version.
    #[error("there is no version {0}; there are {1}")]
    NoVersion(SetVersion, String),
}

impl From<Fault> for PublishError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict => Self::Conflict,
            fault => Self::Fault(fault),
        }
    }
}

/// What is to be written for one region.
struct Draft {
    manifest: Manifest,
    before: Option<SetVersion>,
    packs: Vec<Pack>,
}

/// Publishes the sets of all regions, that of [`ALL_REGIONS`] among them; a region that has none any more gets an empty one.
/// With `dry` nothing is written, and the outcome is what would be.
///
/// # Errors
/// The engine, somebody else, or what is there already; see [`PublishError`]. What readers see has not changed then, or
/// is completed by publishing again.
pub async fn publish<S: ConfigSource>(
    source: &S,
    publisher: &Publisher<'_>,
    mut editions: Vec<Edition>,
    dry: bool,
) -> Result<Outcome, PublishError> {
    let all = current(source, publisher.trust, ALL_REGIONS).await?;
    let regions: Vec<_> = named(&editions);
    let gone = all.iter().flat_map(|all| &all.regions).filter(|region| !regions.contains(region));
    let gone: Vec<_> = gone.cloned().collect();
    editions.extend(gone.into_iter().map(|region| Edition { region, set: ScenarioSet::default(), plans: 0 }));
    editions.sort_by_key(|edition| edition.region != ALL_REGIONS);
    let mut before = Vec::with_capacity(editions.len());
    for edition in &editions {
        before.push(current(source, publisher.trust, &edition.region).await?);
    }
    let newest = before.iter().flatten().map(|manifest| manifest.version).max().unwrap_or_default();
    let same = editions.iter().zip(&before).all(|(edition, before)| {
        let content = edition.set.content();
        before.as_ref().is_some_and(|before| before.content == content && before.version == newest)
    });
    if same && newest.0 > 0 && newest >= publisher.applied {
        return Ok(Outcome { version: newest, continues: None, regions: Vec::new() });
    }
    let version = publisher.after(newest);
    let mut drafts = Vec::with_capacity(editions.len());
    for (edition, before) in editions.iter().zip(before) {
        drafts.push(draft(publisher, version, edition, before, &regions)?);
    }
    if !dry {
        write(source, publisher, &drafts).await?;
    }
    Ok(Outcome { continues: publisher.continues(newest), ..outcome(version, &drafts) })
}

/// What [`publish`] would come to where nothing was ever published; no engine is asked.
///
/// # Errors
/// The files cannot be packed.
pub fn first(publisher: &Publisher<'_>, editions: &[Edition]) -> Result<Outcome, PublishError> {
    let regions = named(editions);
    let version = publisher.after(SetVersion(0));
    let drafts = editions.iter().map(|edition| draft(publisher, version, edition, None, &regions));
    Ok(outcome(version, &drafts.collect::<Result<Vec<_>, _>>()?))
}

/// The regions of the editions, without [`ALL_REGIONS`].
fn named(editions: &[Edition]) -> Vec<String> {
    editions.iter().map(|edition| edition.region.clone()).filter(|region| region != ALL_REGIONS).collect()
}

fn outcome(version: SetVersion, drafts: &[Draft]) -> Outcome {
    let published = drafts.iter().map(|draft| Published {
        region: draft.manifest.region.clone(),
        before: draft.before,
        plans: draft.manifest.plans,
        packs: draft.packs.len(),
        bytes: draft.packs.iter().map(|pack| pack.bytes.len()).sum(),
    });
    Outcome { version, continues: None, regions: published.collect() }
}

fn draft(
    publisher: &Publisher<'_>,
    version: SetVersion,
    edition: &Edition,
    before: Option<Manifest>,
    regions: &[String],
) -> Result<Draft, PublishError> {
    let region = edition.region.clone();
    let packs = edition.set.packs().map_err(|error| PublishError::Set { region: region.clone(), error })?;
    let manifest = Manifest {
        version,
        published: publisher.now,
        effective: publisher.now.plus(EFFECTIVE_AFTER),
        author: publisher.author.clone(),
        restores: None,
        plans: edition.plans,
        files: edition.set.len() as u64,
        content: edition.set.content(),
        packs: packs.iter().map(|pack| pack.digest).collect(),
        regions: if region == ALL_REGIONS { regions.to_vec() } else { Vec::new() },
        region,
    };
    let known: BTreeSet<_> = before.iter().flat_map(|before| before.packs.iter().copied()).collect();
    let packs = packs.into_iter().filter(|pack| !known.contains(&pack.digest)).collect();
    Ok(Draft { manifest, before: before.map(|before| before.version), packs })
}

/// Stores the packs, then the manifests in their order.
async fn write<S: ConfigSource>(
    source: &S,
    publisher: &Publisher<'_>,
    drafts: &[Draft],
) -> Result<(), PublishError> {
    let mut sealed = Vec::with_capacity(drafts.len());
    for Draft { manifest, .. } in drafts {
        let bytes = manifest.seal(publisher.key).map_err(|error| wrong(&manifest.region, error))?;
        sealed.push(StoredManifest { version: manifest.version, bytes: bytes.into() });
    }
    for draft in drafts {
        for pack in &draft.packs {
            source.put_object(&draft.manifest.region, pack.digest, pack.bytes.clone()).await?;
        }
    }
    for (draft, stored) in drafts.iter().zip(sealed) {
        source.publish(&draft.manifest.region, draft.before, stored).await?;
    }
    Ok(())
}

/// Publishes the sets of an earlier version again, under a new one.
///
/// # Errors
/// As [`publish`]; and there is no such version, or a pack of it is not there any more.
pub async fn restore<S: ConfigSource>(
    source: &S,
    publisher: &Publisher<'_>,
    version: SetVersion,
    dry: bool,
) -> Result<Outcome, PublishError> {
    let trust = publisher.trust;
    let Some(old) = earlier(source, trust, ALL_REGIONS, version).await? else {
        return Err(no_version(source, version).await?);
    };
    let now = current(source, trust, ALL_REGIONS).await?;
    let mut regions: BTreeSet<_> = old.regions.iter().cloned().collect();
    regions.extend(now.iter().flat_map(|now| now.regions.iter().cloned()));
    let mut pairs = Vec::with_capacity(regions.len() + 1);
    for region in std::iter::once(ALL_REGIONS.to_owned()).chain(regions) {
        let before = current(source, trust, &region).await?;
        let then = earlier(source, trust, &region, version).await?;
        if then.is_none() && old.regions.contains(&region) {
            return Err(PublishError::Unfinished { region, version });
        }
        pairs.push((region, before, then));
    }
    let newest = pairs.iter().filter_map(|(_, before, _)| Some(before.as_ref()?.version)).max();
    let newest = newest.unwrap_or_default();
    let next = publisher.after(newest);
    let mut drafts = Vec::with_capacity(pairs.len());
    for (region, before, then) in pairs {
        let packs = then.iter().flat_map(|then| then.packs.clone());
        for digest in packs {
            if source.object(&region, digest).await?.is_none() {
                return Err(PublishError::Set { region, error: SetError::Missing(digest) });
            }
        }
        drafts.push(Draft {
            manifest: again(publisher, next, version, &region, then),
            before: before.map(|one| one.version),
            packs: Vec::new(),
        });
    }
    if !dry {
        write(source, publisher, &drafts).await?;
    }
    Ok(Outcome { continues: publisher.continues(newest), ..outcome(next, &drafts) })
}

/// The manifest `then` under the version `next`; of a region that had no set at that time, an empty one.
fn again(
    publisher: &Publisher<'_>,
    next: SetVersion,
    restores: SetVersion,
    region: &str,
    then: Option<Manifest>,
) -> Manifest {
    let none = || Manifest {
        region: region.to_owned(),
        version: next,
        published: publisher.now,
        effective: publisher.now,
        author: String::new(),
        restores: None,
        plans: 0,
        files: 0,
        content: ScenarioSet::default().content(),
        packs: Vec::new(),
        regions: Vec::new(),
    };
    Manifest {
        version: next,
        published: publisher.now,
        effective: publisher.now.plus(EFFECTIVE_AFTER),
        author: publisher.author.clone(),
        restores: Some(restores),
        ..then.unwrap_or_else(none)
    }
}

async fn no_version<S: ConfigSource>(source: &S, version: SetVersion) -> Result<PublishError, PublishError> {
    let known = source.versions(ALL_REGIONS).await?;
    let known = match known.as_slice() {
        [] => "none".to_owned(),
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}"),
    };
    Ok(PublishError::NoVersion(version, known))
}

/// The region's newest manifest, if it is to be believed.
///
/// # Errors
/// The engine is away or refuses, or the manifest is not to be believed.
pub async fn current<S: ConfigSource>(
    source: &S,
    trust: &Trust,
    region: &str,
) -> Result<Option<Manifest>, PublishError> {
    let Some(stored) = source.manifest(region).await? else { return Ok(None) };
    Manifest::open(&stored.bytes, trust, region, None).map(Some).map_err(|error| wrong(region, error))
}

/// The region's manifest of an earlier version, if it is to be believed.
///
/// # Errors
/// The engine is away or refuses, or the manifest is not to be believed, or of another version than it lies under.
pub async fn earlier<S: ConfigSource>(
    source: &S,
    trust: &Trust,
    region: &str,
    version: SetVersion,
) -> Result<Option<Manifest>, PublishError> {
    let Some(stored) = source.manifest_at(region, version).await? else { return Ok(None) };
    let manifest =
        Manifest::open(&stored.bytes, trust, region, None).map_err(|error| wrong(region, error))?;
    if manifest.version != version {
        let what = format!("version {} lies where version {version} should", manifest.version);
        return Err(wrong(region, ManifestError::Wrong(what)));
    }
    Ok(Some(manifest))
}

/// The set that a stored manifest names, if it may follow what is applied: all of it or nothing.
///
/// # Errors
/// The engine is away or refuses, the manifest is not to be believed, or a pack is missing or another one.
pub async fn fetch<S: ConfigSource>(
    source: &S,
    trust: &Trust,
    region: &str,
    stored: &StoredManifest,
    applied: Option<Applied>,
) -> Result<(Manifest, ScenarioSet), PublishError> {
    let manifest =
        Manifest::open(&stored.bytes, trust, region, applied).map_err(|error| wrong(region, error))?;
    let mut packs: Vec<(crate::Digest, Bytes)> = Vec::with_capacity(manifest.packs.len());
    for digest in &manifest.packs {
        if let Some(bytes) = source.object(region, *digest).await? {
            packs.push((*digest, bytes));
        }
    }
    let pack = |digest| packs.iter().find(|(one, _)| *one == digest).map(|(_, bytes)| bytes.clone());
    let set = ScenarioSet::assemble(&manifest, pack)
        .map_err(|error| PublishError::Set { region: region.to_owned(), error })?;
    Ok((manifest, set))
}

fn wrong(region: &str, error: ManifestError) -> PublishError {
    PublishError::Manifest { region: region.to_owned(), error }
}

#[cfg(test)]
mod tests;
