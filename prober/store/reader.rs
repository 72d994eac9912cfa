//! Read-only connections to the parts; each reader has its own, and none blocks the writer.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use model::event::{Origin, SliEvent};
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::Stream;
use model::time::Timestamp;
use rusqlite::{Connection, Row};

use crate::epochs::origin_from;
use crate::error::{OpenError, ReadError};
use crate::files::{Files, PartName};
use crate::heads::{Head, Heads};
use crate::part::{self, PartInfo};
use crate::shared::{Shared, Store};
use crate::sqlite::{self, Depth};

/// Reads stored events for one reader at a time.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    /// Open parts, the last used at the end.
    open: Vec<(PartName, Connection)>,
    /// Origins of missed runs by part and row.
    origins: HashMap<(PartName, i64), Arc<Origin>>,
    effort: Effort,
}

/// What a reader's answers have cost so far: on every machine the same, however fast it is.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Part files opened; one that was let go meanwhile counts again.
    pub parts_opened: u64,
    /// Steps of SQLite's machine for queries and walks, some ten a row.
    pub steps: u64,
}

#[derive(Debug)]
enum Source {
    /// The store of this process.
    Store(Arc<Shared>),
    /// A directory that another process may be writing.
    Directory(Files),
}

/// Parts that a reader holds open at once.
const OPEN_PARTS: usize = 4;
/// Origins kept; beyond that all are read again.
const ORIGINS: usize = 20_000;

impl Store {
    /// A reader with connections of its own.
    pub fn reader(&self) -> Reader {
        Reader::of(Arc::clone(&self.shared))
    }
}

impl Reader {
    /// A reader of a data directory without the right to write, also while a prober is using it.
    ///
    /// # Errors
    /// There is no store in `dir`, or a file in it is damaged, too new or not ours.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let dir = std::fs::canonicalize(dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Missing(dir.to_owned()),
            _ => OpenError::io(dir, error),
        })?;
        let files = Files { dir };
        let events = files.events();
        for name in files.parts().map_err(|error| OpenError::io(&events, error))? {
            let path = files.part(&name);
            if crate::files::bytes_with_wal(&path) > 0 {
                sqlite::examine(&path, &part::TABLES, Depth::Header)?;
            }
        }
        Ok(Self::new(Source::Directory(files)))
    }

    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self::new(Source::Store(shared))
    }

    fn new(source: Source) -> Self {
        Self { source, open: Vec::new(), origins: HashMap::new(), effort: Effort::default() }
    }

    /// What its answers have cost so far.
    pub const fn effort(&self) -> Effort {
        self.effort
    }

    pub(crate) const fn add_steps(&mut self, steps: u64) {
        self.effort.steps += steps;
    }

    /// Reads the small file beside the events; `None` if there is none.
    pub(crate) fn meta<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, ReadError> {
        let files = match &self.source {
            Source::Store(shared) => {
                let meta = &shared.meta;
                return meta.cheaply(work).map(Some).map_err(|error| ReadError::of(&meta.path, error));
            }
            Source::Directory(files) => files,
        };
        let path = files.meta();
        if crate::files::bytes_with_wal(&path) == 0 {
            return Ok(None);
        }
        let conn = sqlite::open_read(&path).map_err(|error| ReadError::of(&path, error))?;
        work(&conn).map(Some).map_err(|error| ReadError::of(&path, error))
    }

    /// All parts there are now, oldest first.
    pub(crate) fn parts(&mut self) -> Result<Vec<PartInfo>, ReadError> {
        let files = match &self.source {
            Source::Store(shared) => return Ok(shared.part_list()),
            Source::Directory(files) => files.clone(),
        };
        let names = files.parts().map_err(|source| ReadError::Io { path: files.events(), source })?;
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            let path = files.part(&name);
            if crate::files::bytes_with_wal(&path) == 0 {
                continue;
            }
            let Some(conn) = self.connection(&name, &path)? else { continue };
            let info = PartInfo::read(&files, name, conn);
            parts.push(info.map_err(|error| ReadError::of(&path, error))?);
        }
        Ok(parts)
    }

    /// The heads of all streams.
    pub(crate) fn heads(&mut self) -> Result<Heads, ReadError> {
        if let Source::Store(shared) = &self.source {
            return Ok(shared.heads.read().expect("no holder panics").clone());
        }
        let parts = self.parts()?;
        let Some(newest) = parts.last() else { return Ok(Heads::default()) };
        let Some(conn) = self.connection(&newest.name, &newest.path)? else { return Ok(Heads::default()) };
        Heads::read(conn).map_err(|error| ReadError::of(&newest.path, error))
    }

    /// The heads of `streams`, in their order.
    pub(crate) fn heads_of(&mut self, streams: &[Stream]) -> Result<Vec<Option<Head>>, ReadError> {
        // Thousands of heads are not copied for a few of them.
        if let Source::Store(shared) = &self.source {
            let heads = shared.heads.read().expect("no holder panics");
            return Ok(streams.iter().map(|stream| heads.get(stream)).collect());
        }
        let heads = self.heads()?;
        Ok(streams.iter().map(|stream| heads.get(stream)).collect())
    }

    /// The head of one stream.
    pub(crate) fn head(&mut self, stream: &Stream) -> Result<Option<Head>, ReadError> {
        Ok(self.heads_of(std::slice::from_ref(stream))?.pop().flatten())
    }

    /// The part's connection; `None` if the part was dropped meanwhile.
    pub(crate) fn connect(&mut self, part: &PartInfo) -> Result<Option<&Connection>, ReadError> {
        self.connection(&part.name, &part.path)
    }

    fn connection(&mut self, name: &PartName, path: &Path) -> Result<Option<&Connection>, ReadError> {
        if let Some(index) = self.open.iter().position(|(known, _)| known == name) {
            let found = self.open.remove(index);
            self.open.push(found);
        } else {
            let conn = match sqlite::open_read(path) {
                Ok(conn) => conn,
                Err(_) if !path.exists() => return Ok(None),
                Err(error) => return Err(ReadError::of(path, error)),
            };
            self.effort.parts_opened += 1;
            if self.open.len() >= OPEN_PARTS {
                self.open.remove(0);
            }
            self.open.push((name.clone(), conn));
        }
        Ok(self.open.last().map(|(_, conn)| conn))
    }

    /// Lets go of connections to parts that are gone, so that their space is free.
    pub(crate) fn let_go(&mut self, parts: &[PartInfo]) {
        self.open.retain(|(name, _)| parts.iter().any(|part| part.name == *name));
        self.origins.retain(|(name, _), _| parts.iter().any(|part| part.name == *name));
    }

    /// Whether a part older than `current` holds the slot (stream number, start in ms) as `holds` asks.
    pub(crate) fn older_part_holds(
        &mut self,
        current: &PartName,
        (stream, at_ms): (i64, i64),
        holds: impl Fn(&Connection, i64, i64) -> rusqlite::Result<bool>,
    ) -> Result<bool, ReadError> {
        let parts = self.parts()?;
        self.let_go(&parts);
        for part in parts.iter().rev().filter(|part| part.name != *current) {
            if !part.may_hold(at_ms, at_ms.saturating_add(1)) {
                continue;
            }
            let Some(conn) = self.connect(part)? else { continue };
            if holds(conn, stream, at_ms).map_err(|error| ReadError::of(&part.path, error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The origin of a missed run.
    pub(crate) fn origin(&mut self, part: &PartInfo, id: i64) -> Result<Arc<Origin>, ReadError> {
        let key = (part.name.clone(), id);
        if let Some(origin) = self.origins.get(&key) {
            return Ok(Arc::clone(origin));
        }
        let damaged = |detail: String| ReadError::Corrupt { path: part.path.clone(), detail };
        let Some(conn) = self.connect(part)? else {
            return Err(damaged("it was removed while it was read".to_owned()));
        };
        let text: String = conn
            .prepare_cached("SELECT body FROM origins WHERE id = ?1")
            .and_then(|mut select| select.query_row([id], |row| row.get(0)))
            .map_err(|error| ReadError::of(&part.path, error))?;
        let origin = Arc::new(origin_from(&text).map_err(|error| damaged(error.to_string()))?);
        if self.origins.len() >= ORIGINS {
            self.origins.clear();
        }
        self.origins.insert(key, Arc::clone(&origin));
        Ok(origin)
    }

    /// The run in a stored row with its first number.
    pub(crate) fn run(&mut self, part: &PartInfo, stored: &StoredRun) -> Result<MissedSlots, ReadError> {
        Ok(MissedSlots {
            origin: self.origin(part, stored.origin)?,
            reason: stored.reason,
            first: Timestamp::from_millis(stored.first_ms),
            step_ms: stored.step_ms,
            count: stored.count,
            recorded: Timestamp::from_nanos(stored.recorded),
            // Those that may have been sent are events of their own.
            maybe_sent: false,
        })
    }
}

/// A row of `missed` as it lies in the file.
#[derive(Clone, Debug)]
pub(crate) struct StoredRun {
    pub(crate) seq: i64,
    pub(crate) prev: i64,
    pub(crate) stream: i64,
    pub(crate) reason: Reason,
    pub(crate) first_ms: i64,
    pub(crate) step_ms: u64,
    pub(crate) count: u32,
    pub(crate) recorded: i64,
    pub(crate) origin: i64,
}

impl StoredRun {
    /// The columns that [`StoredRun::read`] wants, in order.
    pub(crate) const COLUMNS: &'static str =
        "seq, prev, stream, reason, first_ms, step_ms, count, recorded, origin";

    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            prev: row.get(1)?,
            stream: row.get(2)?,
            reason: word(row, 3)?,
            first_ms: row.get(4)?,
            step_ms: row.get::<_, i64>(5)?.cast_unsigned(),
            count: row.get(6)?,
            recorded: row.get(7)?,
            origin: row.get(8)?,
        })
    }

    /// How many of its slots have a number before `seq`.
    pub(crate) fn skipped(&self, seq: i64) -> u32 {
        u32::try_from(seq.saturating_sub(self.seq).max(0)).map_or(self.count, |before| before.min(self.count))
    }

    /// How many of its slots start in `[from_ms, to_ms)`.
    pub(crate) fn count_in(&self, from_ms: i64, to_ms: i64) -> u64 {
        if from_ms >= to_ms {
            return 0;
        }
        let below = |bound: i64| {
            let Ok(room) = u64::try_from(bound.saturating_sub(self.first_ms)) else { return 0 };
            match (room, self.step_ms) {
                (0, _) => 0,
                (_, 0) => u64::from(self.count.min(1)),
                (room, step) => room.div_ceil(step).min(u64::from(self.count)),
            }
        };
        below(to_ms) - below(from_ms)
    }
}

/// The reason in column `index`.
pub(crate) fn word(row: &Row<'_>, index: usize) -> rusqlite::Result<Reason> {
    let text = row.get_ref(index)?.as_str()?;
    text.parse().map_err(|error: model::outcome::UnknownWord| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, error.into())
    })
}

/// The event in column `index`; `None` if this version cannot read it.
pub(crate) fn body(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Arc<SliEvent>>> {
    let text = row.get_ref(index)?.as_str()?;
    Ok(SliEvent::from_json(text).ok().map(Arc::new))
}
