//! An engine inside the process: one file, no broker.
//!
//! For a machine that is the whole fleet, and for tests. The file is SQLite as the store's are; memberships and beats are in
//! memory, as they are of no use to the next process.

mod events;
mod ownership;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tokio::sync::{broadcast, watch};

use crate::config::{ConfigSource, Digest, ManifestWatch, SetVersion, StoredManifest};
use crate::{Beat, Fault, Member, values};

pub use events::EmbeddedReader;
pub use ownership::EmbeddedWatch;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS entries(
  key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL UNIQUE) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches(
  position INTEGER PRIMARY KEY AUTOINCREMENT, prober TEXT NOT NULL, boot INTEGER NOT NULL, sequence INTEGER NOT NULL,
  region TEXT NOT NULL, number INTEGER NOT NULL, replica INTEGER NOT NULL, token INTEGER NOT NULL, bytes BLOB,
  UNIQUE(prober, boot, sequence)) STRICT;
";

/// Beats that a slow watcher may be behind.
const BEATS: usize = 256;

/// The engine; clones share it.
#[derive(Clone, Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: Mutex<Connection>,
    /// Counts changes of any kind.
    changed: watch::Sender<u64>,
    /// By region and prober.
    members: Mutex<BTreeMap<(String, String), Present>>,
    /// Region and who; watchers that are too slow lose beats.
    beats: broadcast::Sender<(String, Beat)>,
}

/// A member that is there.
#[derive(Clone, Debug)]
struct Present {
    member: Member,
    until: Instant,
}

impl Embedded {
    /// Opens the engine's file, made if it is not there.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let open = || {
            let file = Connection::open(path)?;
            file.pragma_update(None, "journal_mode", "WAL")?;
            file.pragma_update(None, "synchronous", "FULL")?;
            file.execute_batch(SCHEMA)?;
            Ok(file)
        };
        let file = open().map_err(|error: rusqlite::Error| away(&error))?;
        let (changed, beats) = (watch::Sender::new(0), broadcast::Sender::new(BEATS));
        let shared = Shared { file: Mutex::new(file), changed, members: Mutex::default(), beats };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs `work` in one durable transaction, and wakes whoever watches.
    async fn durably<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let made = self.durably_quiet(work).await;
        self.shared.changed.send_modify(|count| *count += 1);
        made
    }

    /// The same for what changes nothing.
    async fn durably_quiet<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut file = shared.file.lock().expect("no holder panics");
            let transaction = file.transaction()?;
            let made = work(&transaction)?;
            // A refusal changes nothing.
            if made.is_ok() {
                transaction.commit()?;
            }
            Ok(made)
        });
        let done: rusqlite::Result<_> = done.await.map_err(|error| Fault::Away(error.to_string()))?;
        done.map_err(|error| away(&error))?
    }

    async fn value(&self, key: String) -> Result<Option<Bytes>, Fault> {
        self.durably_quiet(move |file| read(file, &key).map(|found| Ok(found.map(|(value, _)| value)))).await
    }

    async fn values(&self, prefix: String) -> Result<Vec<(String, Bytes)>, Fault> {
        self.durably_quiet(move |file| after(file, &prefix, 0).map(|rows| Ok(rows.0))).await
    }
}

fn away(error: &rusqlite::Error) -> Fault {
    Fault::Away(error.to_string())
}

/// The value of a key, and its revision.
fn read(file: &Connection, key: &str) -> rusqlite::Result<Option<(Bytes, u64)>> {
    file.prepare_cached("SELECT value, revision FROM entries WHERE key = ?1")?
        .query_row([key], |row| {
            Ok((Bytes::from(row.get::<_, Vec<u8>>(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
        })
        .optional()
}

fn write(file: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO entries VALUES
               (?1, ?2, (SELECT coalesce(max(revision), 0) + 1 FROM entries))";
    file.prepare_cached(sql)?.execute(params![key, value]).map(drop)
}

type Rows = (Vec<(String, Bytes)>, u64);

/// What changed below `prefix` after `revision`, oldest first, without the prefix; and the newest revision.
fn after(file: &Connection, prefix: &str, revision: u64) -> rusqlite::Result<Rows> {
    let sql = "SELECT substr(key, length(?1) + 1), value, revision FROM entries
               WHERE substr(key, 1, length(?1)) = ?1 AND revision > ?2 ORDER BY revision";
    let mut select = file.prepare_cached(sql)?;
    let mut rows = select.query(params![prefix, revision.cast_signed()])?;
    let (mut found, mut newest) = (Vec::new(), revision);
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?)));
        newest = row.get::<_, i64>(2)?.cast_unsigned();
    }
    Ok((found, newest))
}

impl ConfigSource for Embedded {
    type Watch = EmbeddedManifests;

    async fn manifest(&self, region: &str) -> Result<Option<StoredManifest>, Fault> {
        let found = self.value(format!("manifest/{region}")).await?;
        found.as_ref().map(values::manifest).transpose()
    }

    async fn manifest_at(&self, region: &str, version: SetVersion) -> Result<Option<StoredManifest>, Fault> {
        let found = self.value(format!("version/{region}/{version}")).await?;
        found.as_ref().map(values::manifest).transpose()
    }

    async fn versions(&self, region: &str) -> Result<Vec<SetVersion>, Fault> {
        let found = self.values(format!("version/{region}/")).await?;
        let mut versions: Vec<_> =
            found.iter().filter_map(|(key, _)| key.parse().ok().map(SetVersion)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn object(&self, region: &str, digest: Digest) -> Result<Option<Bytes>, Fault> {
        self.value(format!("object/{region}/{digest}")).await
    }

    async fn put_object(&self, region: &str, digest: Digest, bytes: Bytes) -> Result<(), Fault> {
        let key = format!("object/{region}/{digest}");
        self.durably(move |file| write(file, &key, &bytes).map(Ok)).await
    }

    async fn publish(
        &self,
        region: &str,
        after: Option<SetVersion>,
        manifest: StoredManifest,
    ) -> Result<(), Fault> {
        let keys = [format!("manifest/{region}"), format!("version/{region}/{}", manifest.version)];
        self.durably(move |file| {
            let newest = read(file, &keys[0])?.map(|(value, _)| values::manifest(&value));
            match newest.transpose() {
                Err(fault) => return Ok(Err(fault)),
                Ok(newest) if newest.as_ref().map(|newest| newest.version) != after => {
                    return Ok(Err(Fault::Conflict));
                }
                Ok(_) => {}
            }
            let value = values::manifest_value(&manifest);
            keys.iter().try_for_each(|key| write(file, key, &value)).map(Ok)
        })
        .await
    }

    async fn watch(&self, region: &str) -> Result<EmbeddedManifests, Fault> {
        let changed = self.shared.changed.subscribe();
        Ok(EmbeddedManifests { engine: self.clone(), region: region.to_owned(), changed, shown: None })
    }
}

/// Tells of a region's manifests.
#[derive(Debug)]
pub struct EmbeddedManifests {
    engine: Embedded,
    region: String,
    changed: watch::Receiver<u64>,
    /// What was told last.
    shown: Option<StoredManifest>,
}

impl ManifestWatch for EmbeddedManifests {
    async fn next(&mut self) -> Result<StoredManifest, Fault> {
        loop {
            self.changed.mark_unchanged();
            let found = self.engine.manifest(&self.region).await?;
            if let Some(found) = found.filter(|found| Some(found) != self.shown.as_ref()) {
                self.shown = Some(found.clone());
                return Ok(found);
            }
            self.changed.changed().await.map_err(|_| Fault::Away("the engine has ended".to_owned()))?;
        }
    }
}
