//! The handle of an open store, and what everybody who has one shares.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use model::high_mark::HighMark;
use model::slot::Stream;
use model::time::Timestamp;
use tokio::sync::watch;

use crate::epochs::Epochs;
use crate::error::ReadError;
use crate::files::{DirectoryLock, Files};
use crate::heads::Heads;
use crate::marks::Marks;
use crate::meta::{self, Meta};
use crate::part::PartInfo;
use crate::recent::Recent;
use crate::stats::{Health, Stats};

/// Where the store is and how much it keeps.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; made if it is not there.
    pub dir: PathBuf,
    /// How long events are kept once every cursor has passed them.
    pub age_max: Duration,
    /// Bytes of all part files together, at least 8 MiB; stronger than cursors.
    pub bytes_max: u64,
    /// Records that wait for the writer; when it is full, senders wait.
    pub queue_records: usize,
    /// The most events kept in memory for readers that have not had them yet.
    pub recent_events: usize,
    /// The cursor that has to get everything: events that it has not passed never go without a word. `None`: none has to.
    pub held_by: Option<String>,
}

impl Config {
    /// The defaults in `dir`: 30 days, 1 GiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            age_max: Duration::from_hours(30 * 24),
            bytes_max: 1 << 30,
            queue_records: 4_096,
            recent_events: 1_024,
            held_by: None,
        }
    }

    /// The size at which a part is followed by the next: an eighth of all, at most 256 MiB.
    pub(crate) fn part_bytes_max(&self) -> u64 {
        (self.bytes_max.max(8 << 20) / 8).min(256 << 20)
    }
}

/// The handle of an open store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

/// What handle, writer and readers have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) files: Files,
    pub(crate) meta: Meta,
    pub(crate) stats: Stats,
    pub(crate) health: watch::Sender<Health>,
    /// The last committed number.
    pub(crate) durable: watch::Sender<u64>,
    /// How many changes of alerts were queued since the store was opened.
    pub(crate) outbox: watch::Sender<u64>,
    /// All parts, oldest first; the last is being written. Set by the writer only.
    pub(crate) parts: RwLock<Vec<PartInfo>>,
    /// Heads of committed rows. Set by the writer only.
    pub(crate) heads: RwLock<Heads>,
    /// Marks of committed events. Set by the writer only.
    pub(crate) marks: RwLock<Marks>,
    pub(crate) recent: Mutex<Recent>,
    pub(crate) epochs: RwLock<Epochs>,
    /// Slots before this were dropped with their part.
    pub(crate) dropped_until_ms: AtomicI64,
    /// Held as long as anybody has the store.
    pub(crate) lock: Mutex<DirectoryLock>,
}

impl Store {
    /// Announces the last durable sequence number, 0 before the first; what a reader waits on.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.shared.durable.subscribe()
    }

    /// Announces whether the store can write.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// The store's counters.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// The greatest values that the stream's runs have seen, as far as their events are durable.
    pub fn high_marks(&self, stream: &Stream) -> Vec<HighMark> {
        self.shared.marks.read().expect("no holder panics").get(stream).to_vec()
    }

    /// How often the directory was opened for writing, this time included.
    ///
    /// # Errors
    /// The file beside the events could not be read.
    pub fn boots(&self) -> Result<u64, ReadError> {
        let meta = &self.shared.meta;
        let boots = meta.state(meta::BOOTS).map_err(|error| ReadError::of(&meta.path, error))?;
        Ok(boots.unwrap_or(0).cast_unsigned())
    }

    /// Notes that the prober stopped in order at `now`: slots from then on are `drain`, not `interrupted`.
    ///
    /// # Errors
    /// The note could not be written.
    pub fn mark_clean_stop(&self, now: Timestamp) -> Result<(), ReadError> {
        let meta = &self.shared.meta;
        let noted = meta.durably(|conn| meta::write_state(conn, meta::CLEAN_STOP_MS, now.as_millis()));
        noted.map_err(|error| ReadError::of(&meta.path, error))
    }
}

impl Shared {
    pub(crate) fn part_list(&self) -> Vec<PartInfo> {
        self.parts.read().expect("no holder panics").clone()
    }

    pub(crate) fn accounted_from_ms(&self) -> i64 {
        self.dropped_until_ms.load(Ordering::Relaxed)
    }
}
