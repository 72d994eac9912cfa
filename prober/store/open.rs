//! Opening a data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use model::time::{Clock, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::append::Tail;
use crate::epochs::Epochs;
use crate::error::OpenError;
use crate::files::{self, DirectoryLock, Files, PartName};
use crate::folded;
use crate::heads::Heads;
use crate::intents;
use crate::marks::Marks;
use crate::meta::{self, Meta};
use crate::notes;
use crate::outbox;
use crate::part::{self, Part, PartInfo};
use crate::recent::Recent;
use crate::shared::{Config, Shared, Store};
use crate::sqlite::{self, Depth};
use crate::stats::{DropCause, Health, Stats};
use crate::writer::{Record, Writer};

/// The tables of `meta.db` that came later than its format; a version that does not know them leaves them alone.
const LATER: [&str; 4] = [outbox::SCHEMA, folded::SCHEMA, notes::SCHEMA, intents::SCHEMA];

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

impl Store {
    /// Opens the data directory for one prober.
    ///
    /// # Errors
    /// The directory cannot be used, or a file in it is damaged, too new or not ours.
    pub fn open(mut config: Config, clock: Arc<dyn Clock>) -> Result<Opened, OpenError> {
        config.dir = prepare_directory(&config.dir)?;
        config.fit_disk();
        let files = Files { dir: config.dir.clone() };
        let lock = DirectoryLock::take(&files.dir).map_err(|error| error.told_of(&files.dir))?;
        files.remove_unfinished().map_err(|error| OpenError::io(&files.dir, error))?;
        let meta = Meta::open(&files, &LATER)?;
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
            lock: Mutex::new(lock),
        });
        let (queue, records) = mpsc::channel(shared.config.queue_records.max(1));
        let store = Self { shared: Arc::clone(&shared) };
        let writer = Writer::new(shared, records, clock, (part, tail, checkpoint));
        Ok(Opened { store, queue, writer })
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

/// The names of the parts, each looked at. One that is empty is damaged: no crash of ours leaves it, as a part gets its
/// name when it is whole.
fn known_parts(files: &Files) -> Result<Vec<PartName>, OpenError> {
    let events = files.events();
    let names = files.parts().map_err(|error| OpenError::io(&events, error))?;
    for (index, name) in names.iter().enumerate() {
        let depth = if index + 1 == names.len() { Depth::Pages } else { Depth::Header };
        sqlite::examine(&files.part(name), &part::TABLES, depth)?;
    }
    Ok(names)
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
