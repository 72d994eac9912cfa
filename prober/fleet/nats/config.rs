//! Scenario sets in the bucket of NATS.

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::kv::{CreateErrorKind, UpdateErrorKind};
use bytes::Bytes;

use super::keys::Keys;
use super::{CALL_MAX, CONFIG, LOOK_EVERY, Nats, away, within};
use crate::config::{ConfigSource, Digest, ManifestWatch, SetVersion, StoredManifest};
use crate::{Fault, values};

impl Nats {
    async fn value(&self, key: String) -> Result<Option<Bytes>, Fault> {
        within(self.bucket(CONFIG).await?.get(key)).await
    }
}

impl ConfigSource for Nats {
    type Watch = NatsManifests;

    async fn manifest(&self, region: &str) -> Result<Option<StoredManifest>, Fault> {
        let found = self.value(format!("{region}.manifest")).await?;
        found.as_ref().map(values::manifest).transpose()
    }

    async fn manifest_at(&self, region: &str, version: SetVersion) -> Result<Option<StoredManifest>, Fault> {
        let found = self.value(format!("{region}.version.{version}")).await?;
        found.as_ref().map(values::manifest).transpose()
    }

    async fn versions(&self, region: &str) -> Result<Vec<SetVersion>, Fault> {
        let found = self.entries(CONFIG, &format!("{region}.version.*")).await?;
        let number = |key: &str| key.rsplit('.').next()?.parse().ok().map(SetVersion);
        let mut versions: Vec<_> = found.iter().filter_map(|(key, _)| number(key)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn object(&self, region: &str, digest: Digest) -> Result<Option<Bytes>, Fault> {
        self.value(format!("{region}.object.{digest}")).await
    }

    async fn put_object(&self, region: &str, digest: Digest, bytes: Bytes) -> Result<(), Fault> {
        let bucket = self.bucket(CONFIG).await?;
        within(bucket.put(format!("{region}.object.{digest}"), bytes)).await.map(drop)
    }

    async fn publish(
        &self,
        region: &str,
        after: Option<SetVersion>,
        manifest: StoredManifest,
    ) -> Result<(), Fault> {
        let bucket = self.bucket(CONFIG).await?;
        let key = format!("{region}.manifest");
        let entry = within(bucket.entry(&key)).await?;
        let newest = entry.as_ref().map(|entry| values::manifest(&entry.value)).transpose()?;
        if newest.map(|newest| newest.version) != after {
            return Err(Fault::Conflict);
        }
        let value = values::manifest_value(&manifest);
        // First the kept copy: a version that nobody was shown may lie there, but none that was shown is missing.
        let copy = format!("{region}.version.{}", manifest.version);
        within(bucket.put(copy, value.clone())).await?;
        match entry {
            None => create(bucket.create(&key, value)).await,
            Some(entry) => update(bucket.update(&key, value, entry.revision)).await,
        }
        .map(drop)
    }

    async fn watch(&self, region: &str) -> Result<NatsManifests, Fault> {
        let newest = DeliverPolicy::LastPerSubject;
        let connects = self.connects();
        let changes = self.watch_keys(CONFIG, &format!("{region}.manifest"), newest).await?;
        Ok(NatsManifests { changes, connects, engine: self.clone() })
    }
}

/// A `create` whose refusal says that somebody else was quicker.
pub(super) async fn create(
    call: impl Future<Output = Result<u64, async_nats::jetstream::kv::CreateError>>,
) -> Result<u64, Fault> {
    match tokio::time::timeout(CALL_MAX, call).await {
        Ok(Ok(revision)) => Ok(revision),
        Ok(Err(error)) if error.kind() == CreateErrorKind::AlreadyExists || lost(&error) => {
            Err(Fault::Conflict)
        }
        Ok(Err(error)) => Err(away(&error)),
        Err(_) => Err(Fault::Away("there was no answer in time".to_owned())),
    }
}

/// An `update` whose refusal says that somebody else was quicker.
pub(super) async fn update(
    call: impl Future<Output = Result<u64, async_nats::jetstream::kv::UpdateError>>,
) -> Result<u64, Fault> {
    match tokio::time::timeout(CALL_MAX, call).await {
        Ok(Ok(revision)) => Ok(revision),
        Ok(Err(error)) if error.kind() == UpdateErrorKind::WrongLastRevision || lost(&error) => {
            Err(Fault::Conflict)
        }
        Ok(Err(error)) => Err(away(&error)),
        Err(_) => Err(Fault::Away("there was no answer in time".to_owned())),
    }
}

/// Whether somebody else's value is on its way through a cluster: its leader says so with a number that the client does not
/// know, and in these words.
fn lost(error: &dyn std::fmt::Display) -> bool {
    error.to_string().contains("wrong last sequence")
}

/// Tells of a region's manifests.
pub struct NatsManifests {
    changes: Keys,
    /// The connection that it was made on.
    connects: u64,
    engine: Nats,
}

impl ManifestWatch for NatsManifests {
    async fn next(&mut self) -> Result<StoredManifest, Fault> {
        loop {
            if self.engine.connects() != self.connects {
                // Servers that lost their data count from 1 again: a watch of before would wait for what it has had.
                return Err(Fault::Away("the connection is another one".to_owned()));
            }
            match tokio::time::timeout(LOOK_EVERY, self.changes.next()).await {
                // Nobody removes a manifest; a region that is no more has an empty set.
                Ok(changed) => {
                    if let Some(value) = changed?.value {
                        return values::manifest(&value);
                    }
                }
                Err(_) if !self.engine.is_connected() => return Err(Fault::Away("no connection".to_owned())),
                Err(_) => {}
            }
        }
    }
}
