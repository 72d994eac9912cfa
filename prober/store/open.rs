//! Opening a data directory, and the handle that everybody shares.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use model::high_mark::HighMark;
use model::slot::Stream;
use model::time::{Clock, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::append::Tail;
use crate::files::{self, DirectoryLock, Files, LockError, PartName};
use crate::heads::Heads;
use crate::marks::Marks;
use crate::meta::{self, Meta};
use crate::part::{self, Part, PartInfo};
use crate::plans::Epochs;
use crate::reader::{ReadError, Reader};
use crate::recent::Recent;
use crate::sqlite::{self, Depth, Trouble, trouble};
use crate::stats::{DropCause, Health, Stats};
use crate::writer::{Record, Writer};

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

/// Why a data directory could not be opened; nothing in it was changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is something else.
    #[error("data directory {} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// There is none to be read.
    #[error("there are no events yet: no data directory {}; `prober serve` makes it, --data names another one", .0.display())]
    Missing(PathBuf),
    /// Another prober has it.
    #[error("data directory {} is in use by another prober{holder}; stop it or choose another directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// ` (process 123)`, or empty.
        holder: String,
    },
    /// A file is damaged or is not ours.
    #[error("store file {} cannot be used: {detail}; move it away to start without it", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file was written by a newer version.
    #[error("store file {} has format {found}, the newest this version knows is {known}; use a newer prober", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// There is no space left.
    #[error("no space left to open {}", .0.display())]
    Full(PathBuf),
    /// The system refused.
    #[error("{} could not be opened: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("store file {} could not be opened: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        // SQLite says on several lines which database it means; the last one says what is wrong.
        let detail: String = detail.into();
        let detail = detail.trim_end().lines().last().unwrap_or_default().to_owned();
        Self::Corrupt { path: path.to_owned(), detail }
    }

    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        match trouble(&source) {
            Trouble::Full => Self::Full(path.to_owned()),
            Trouble::Corrupt => Self::corrupt(path, source.to_string()),
            Trouble::Other => Self::Sqlite { path: path.to_owned(), source },
        }
    }
}

/// What opening gives: the handle, the way in, and the thread's work.
#[derive(Debug)]
pub struct Opened {
    /// Reads, plans, cursors; clones are cheap.
    pub store: Store,
    /// Records for the writer; when the queue is full, a sender waits. The writer ends when every clone is dropped.
    pub queue: mpsc::Sender<Record>,
    /// To be given a thread of its own: [`Writer::recover`], then [`Writer::run`].
    pub writer: Writer,
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
    _lock: DirectoryLock,
}

impl Store {
    /// Opens the data directory for one prober.
    ///
    /// # Errors
    /// The directory cannot be used, or a file in it is damaged, too new or not ours.
    pub fn open(mut config: Config, clock: Arc<dyn Clock>) -> Result<Opened, OpenError> {
        config.dir = prepare_directory(&config.dir)?;
        config.fit_disk();
        let files = Files { dir: config.dir.clone() };
        let lock = lock_directory(&files.dir)?;
        files.remove_unfinished().map_err(|error| OpenError::io(&files.dir, error))?;
        let meta = Meta::open(&files)?;
        let names = known_parts(&files)?;
        let seq_floor = seq_floor(&meta)?;
        let (part, parts, tail, checkpoint) = open_parts(&files, names, seq_floor, clock.now())?;
        let facts = (|| {
            meta.durably(|conn| {
                let boots = meta::read_state(conn, meta::BOOTS)?.unwrap_or(0);
                meta::write_state(conn, meta::BOOTS, boots + 1)
            })?;
            let dropped_until = meta.state(meta::DROPPED_UNTIL_MS)?.unwrap_or(i64::MIN);
            Ok((Epochs::read(&meta)?, dropped_until))
        })();
        let (epochs, dropped_until) = facts.map_err(|error| OpenError::sqlite(&meta.path, error))?;
        let last = (tail.next_seq - 1).cast_unsigned();
        let shared = Arc::new(Shared {
            stats: stats(&meta, &parts)?,
            health: watch::Sender::new(Health::Ok),
            durable: watch::Sender::new(last),
            outbox: watch::Sender::new(0),
            parts: RwLock::new(parts),
            heads: RwLock::new(tail.heads.clone()),
            marks: RwLock::new(tail.marks.clone()),
            recent: Mutex::new(Recent::new(tail.next_seq, config.recent_events)),
            epochs: RwLock::new(epochs),
            dropped_until_ms: AtomicI64::new(dropped_until),
            config,
            files,
            meta,
            _lock: lock,
        });
        let (queue, records) = mpsc::channel(shared.config.queue_records.max(1));
        let store = Self { shared: Arc::clone(&shared) };
        let writer = Writer::new(shared, records, clock, (part, tail, checkpoint));
        Ok(Opened { store, queue, writer })
    }

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

    /// A reader with connections of its own.
    pub fn reader(&self) -> Reader {
        Reader::of(Arc::clone(&self.shared))
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

/// Makes the directories and gives the absolute path.
fn prepare_directory(dir: &Path) -> Result<PathBuf, OpenError> {
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => return Err(OpenError::NotADirectory(dir.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(OpenError::NotADirectory(dir.to_owned()));
        }
        _ => {}
    }
    let events = dir.join("events");
    fs::create_dir_all(&events).map_err(|error| OpenError::io(&events, error))?;
    fs::canonicalize(dir).map_err(|error| OpenError::io(dir, error))
}

fn lock_directory(dir: &Path) -> Result<DirectoryLock, OpenError> {
    DirectoryLock::take(dir).map_err(|error| match error {
        LockError::Held(id) => {
            let holder = if id.is_empty() { id } else { format!(" (process {id})") };
            OpenError::Locked { dir: dir.to_owned(), holder }
        }
        LockError::Io(error) => OpenError::io(&dir.join("lock"), error),
    })
}

/// The names of the parts, each looked at; empty files that a crash left are removed.
fn known_parts(files: &Files) -> Result<Vec<PartName>, OpenError> {
    let events = files.events();
    let names = files.parts().map_err(|error| OpenError::io(&events, error))?;
    let mut kept = Vec::with_capacity(names.len());
    for name in names {
        let path = files.part(&name);
        if files::bytes_with_wal(&path) == 0 {
            files::remove_database(&path).map_err(|error| OpenError::io(&path, error))?;
            continue;
        }
        kept.push(name);
    }
    for (index, name) in kept.iter().enumerate() {
        let depth = if index + 1 == kept.len() { Depth::Pages } else { Depth::Header };
        sqlite::examine(&files.part(name), &part::TABLES, depth)?;
    }
    Ok(kept)
}

/// The first number that surely nobody has seen, whatever became of the parts.
fn seq_floor(meta: &Meta) -> Result<i64, OpenError> {
    let floor = (|| {
        let cursors = meta.cursors()?.into_iter().map(|(_, next)| next).max();
        Ok(cursors.max(meta.state(meta::SEQ_FLOOR)?).unwrap_or(1))
    })();
    floor.map_err(|error| OpenError::sqlite(&meta.path, error))
}

type OpenedParts = (Part, Vec<PartInfo>, Tail, Option<i64>);

fn open_parts(
    files: &Files,
    mut names: Vec<PartName>,
    seq_floor: i64,
    now: Timestamp,
) -> Result<OpenedParts, OpenError> {
    let Some(newest) = names.pop() else {
        let tail = Tail { heads: Heads::default(), marks: Marks::default(), next_seq: seq_floor };
        let part = Part::create(files, PartName { day: now.day(), index: 0 }, (&tail, seq_floor), None)?;
        let parts = vec![part.info.clone()];
        return Ok((part, parts, tail, None));
    };
    let mut parts = Vec::with_capacity(names.len() + 1);
    for name in names {
        let path = files.part(&name);
        let read = sqlite::open_read(&path).and_then(|conn| PartInfo::read(files, name, &conn));
        parts.push(read.map_err(|error| OpenError::sqlite(&path, error))?);
    }
    let part = Part::open(files, newest)?;
    parts.push(part.info.clone());
    let read = (|| {
        let next_seq = part::next_seq(&part.conn)?.max(seq_floor);
        let tail = Tail { heads: Heads::read(&part.conn)?, marks: Marks::read(&part.conn)?, next_seq };
        Ok((tail, part::state(&part.conn, "checkpoint_ms")?))
    })();
    let (tail, checkpoint) = read.map_err(|error| OpenError::sqlite(&part.info.path, error))?;
    Ok((part, parts, tail, checkpoint))
}

fn stats(meta: &Meta, parts: &[PartInfo]) -> Result<Stats, OpenError> {
    let stats = Stats::default();
    for cause in DropCause::ALL {
        let dropped = meta.dropped(cause).map_err(|error| OpenError::sqlite(&meta.path, error))?;
        stats.add_dropped(cause, dropped.cast_unsigned());
    }
    let bytes = parts.iter().map(|part| files::bytes_with_wal(&part.path)).sum();
    stats.bytes.store(bytes, Ordering::Relaxed);
    Ok(stats)
}
