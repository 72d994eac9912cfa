//! One part file: its tables, its place in the sequence, and the statements that fill it.

mod slots;

pub(crate) use slots::{holds_event, holds_held, holds_other, holds_slot, settled, upgraded};

use std::collections::HashMap;
use std::path::PathBuf;

use model::outcome::Reason;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::append::{EventRow, Group, MissedRow, Row, Tail};
use crate::error::OpenError;
use crate::files::{self, Files, PartName};
use crate::marks;
use crate::sqlite::{self, Promise};
use slots::{SETTLED, UPGRADED};

/// The tables of format 1.
///
/// `events` is narrow and `bodies` is wide so that accounts and lists never touch the wide one. Every index
/// grows at its end when slots arrive in time's order: at 1,000 events a second, pages touched are what a commit costs.
/// `prev` links the rows of one stream, newest to oldest, over all parts.
const SCHEMA: &str = "
CREATE TABLE state(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE streams(
  id INTEGER PRIMARY KEY, scenario TEXT NOT NULL, region TEXT NOT NULL, replica INTEGER NOT NULL,
  last_seq INTEGER NOT NULL, last_ms INTEGER NOT NULL) STRICT;
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, prev INTEGER NOT NULL, stream INTEGER NOT NULL, scheduled INTEGER NOT NULL,
  slot BLOB NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, manual INTEGER NOT NULL,
  duration_us INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX events_slot ON events(scheduled, stream) WHERE manual = 0;
CREATE TABLE bodies(seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE origins(id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE missed(
  seq INTEGER PRIMARY KEY, prev INTEGER NOT NULL, stream INTEGER NOT NULL, reason TEXT NOT NULL,
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, step_ms INTEGER NOT NULL, count INTEGER NOT NULL,
  recorded INTEGER NOT NULL, origin INTEGER NOT NULL) STRICT;
CREATE INDEX missed_last ON missed(last_ms);
CREATE INDEX missed_stream ON missed(stream, last_ms);
";

/// The tables by which a part file is recognised.
pub(crate) const TABLES: [&str; 6] = ["state", "streams", "events", "bodies", "origins", "missed"];

/// What is known of a part without looking into it.
#[derive(Clone, Debug)]
pub(crate) struct PartInfo {
    pub(crate) name: PartName,
    pub(crate) path: PathBuf,
    /// The sequence number of its first event.
    pub(crate) first_seq: i64,
    /// The earliest slot in it; above `last_ms` if it is empty.
    pub(crate) first_ms: i64,
    /// The latest slot in it.
    pub(crate) last_ms: i64,
    /// The first and the last slot of its runs by hand, which the span above leaves out; all time if nobody knows.
    manual_ms: (i64, i64),
    /// Whether the file has [`INDEXES`].
    pub(crate) is_indexed: bool,
}

impl PartInfo {
    /// Whether slots in `[from_ms, to_ms)` may be in it.
    pub(crate) const fn may_hold(&self, from_ms: i64, to_ms: i64) -> bool {
        self.first_ms < to_ms && self.last_ms >= from_ms
    }

    /// Whether slots in `[from_ms, to_ms)`, those of runs by hand too, may be in it.
    pub(crate) const fn may_hold_any(&self, from_ms: i64, to_ms: i64) -> bool {
        self.may_hold(from_ms, to_ms) || (self.manual_ms.0 < to_ms && self.manual_ms.1 >= from_ms)
    }

    /// Takes a row into the spans.
    fn add(&mut self, row: &Row) {
        let (first, last) = row.span_ms();
        self.first_ms = self.first_ms.min(first);
        self.last_ms = self.last_ms.max(last);
        if let Row::Event(EventRow { manual: true, scheduled, .. }) = row {
            self.manual_ms.0 = self.manual_ms.0.min(*scheduled);
            self.manual_ms.1 = self.manual_ms.1.max(*scheduled);
        }
    }

    /// Reads what is known of the part behind `conn`.
    pub(crate) fn read(files: &Files, name: PartName, conn: &Connection) -> rusqlite::Result<Self> {
        let first_seq = state(conn, "first_seq")?.unwrap_or(1);
        let bound = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let first = [
            bound("SELECT min(scheduled) FROM events WHERE manual = 0")?,
            bound("SELECT min(first_ms) FROM missed")?,
        ];
        let last = [
            bound("SELECT max(scheduled) FROM events WHERE manual = 0")?,
            bound("SELECT max(last_ms) FROM missed")?,
        ];
        let is_indexed = is_indexed(conn)?;
        let manual_ms = if is_indexed {
            let bound = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
            let first = bound("SELECT min(scheduled) FROM events INDEXED BY events_manual WHERE manual = 1")?;
            let last = bound("SELECT max(scheduled) FROM events INDEXED BY events_manual WHERE manual = 1")?;
            (first.unwrap_or(i64::MAX), last.unwrap_or(i64::MIN))
        } else {
            // Without the index every row would have to be looked at, at each start.
            (i64::MIN, i64::MAX)
        };
        Ok(Self {
            path: files.part(&name),
            name,
            first_seq,
            first_ms: first.into_iter().flatten().min().unwrap_or(i64::MAX),
            last_ms: last.into_iter().flatten().max().unwrap_or(i64::MIN),
            manual_ms,
            is_indexed,
        })
    }
}

/// Those of `parts`, oldest first, that may hold one of the numbers `seqs`.
pub(crate) fn with_numbers(parts: Vec<PartInfo>, seqs: &std::ops::Range<i64>) -> Vec<PartInfo> {
    let before = parts.partition_point(|part| part.first_seq < seqs.end);
    let begin = parts.partition_point(|part| part.first_seq <= seqs.start).saturating_sub(1);
    parts.into_iter().take(before).skip(begin).collect()
}

/// Indexes that came later than the format; a file without them is read all the same, row by row.
///
/// `events_not_ok` holds what people ask for most, `events_manual` the runs that the index over slots leaves out. A
/// scheduled run that was good is in neither, so that they cost next to nothing.
const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS events_not_ok ON events(seq) WHERE reason <> 'ok';
CREATE INDEX IF NOT EXISTS events_manual ON events(scheduled) WHERE manual = 1;
";

fn is_indexed(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('events_not_ok', 'events_manual')";
    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))? == 2)
}

/// A value of the part's own state.
pub(crate) fn state(conn: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM state WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn set_state(conn: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?
        .execute(params![key, value])
        .map(|_| ())
}

/// The first sequence number after everything in the part.
pub(crate) fn next_seq(conn: &Connection) -> rusqlite::Result<i64> {
    let one = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let ends = [
        state(conn, "first_seq")?,
        one("SELECT max(seq) + 1 FROM events")?,
        // Runs do not overlap, so the last row ends last.
        one("SELECT seq + count FROM missed ORDER BY seq DESC LIMIT 1").optional()?.flatten(),
    ];
    Ok(ends.into_iter().flatten().max().unwrap_or(1))
}

/// The part that is being written.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) info: PartInfo,
    pub(crate) conn: Connection,
    /// Device and number of the file that is open.
    file: Option<(u64, u64)>,
    /// Row ids of the origins of missed runs, by their text.
    origins: HashMap<String, i64>,
    /// Pages that the file may have: how tests fill the disk.
    #[cfg(test)]
    pub(crate) pages_max: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl Part {
    /// Makes a new part that carries on `tail` and `checkpoint`, and begins with number `first_seq`.
    pub(crate) fn create(
        files: &Files,
        name: PartName,
        (tail, first_seq): (&Tail, i64),
        checkpoint: Option<i64>,
    ) -> Result<Self, OpenError> {
        let path = files.part(&name);
        sqlite::create(&path, |conn| {
            conn.execute_batch(SCHEMA)?;
            conn.execute_batch(marks::SCHEMA)?;
            conn.execute_batch(UPGRADED)?;
            conn.execute_batch(SETTLED)?;
            conn.execute_batch(INDEXES)?;
            set_state(conn, "first_seq", first_seq)?;
            if let Some(at) = checkpoint {
                set_state(conn, "checkpoint_ms", at)?;
            }
            tail.marks.write(conn)?;
            tail.heads.write(conn)
        })?;
        Self::open(files, name)
    }

    /// Opens a part that [`sqlite::examine`] has let pass.
    pub(crate) fn open(files: &Files, name: PartName) -> Result<Self, OpenError> {
        let path = files.part(&name);
        let opened = (|| {
            let conn = sqlite::open_write(&path, Promise::Durable)?;
            conn.execute_batch(marks::SCHEMA)?;
            conn.execute_batch(UPGRADED)?;
            conn.execute_batch(SETTLED)?;
            // On a full disk they wait for the next start: without them answers only take longer.
            let _ = conn.execute_batch(INDEXES);
            let info = PartInfo::read(files, name, &conn)?;
            Ok(Self {
                info,
                conn,
                file: files::number(&path),
                origins: HashMap::new(),
                #[cfg(test)]
                pages_max: std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0)),
            })
        })();
        opened.map_err(|error| OpenError::sqlite(&path, error))
    }

    /// Opens the file again: after an error of the disk a connection is not to be trusted. What stands in the place of a
    /// file that was removed or moved away is left alone: it may be another prober's.
    pub(crate) fn reopen(&mut self) -> rusqlite::Result<()> {
        self.origins.clear();
        if self.is_there() {
            self.conn = sqlite::open_write(&self.info.path, Promise::Durable)?;
        }
        Ok(())
    }

    /// Whether the open file is still the one at its path: what is written to a file that was removed is durable nowhere.
    pub(crate) fn is_there(&self) -> bool {
        self.file.is_some() && self.file == files::number(&self.info.path)
    }

    /// Writes the group in one transaction, durable when this returns.
    pub(crate) fn commit(&mut self, group: &Group) -> rusqlite::Result<()> {
        let written = self.write(group);
        if written.is_err() {
            // Ids handed out in a transaction that was undone are not there.
            self.origins.clear();
            let _ = self.conn.execute_batch("ROLLBACK");
        } else {
            group.rows.iter().for_each(|row| self.info.add(row));
        }
        written
    }

    fn write(&mut self, group: &Group) -> rusqlite::Result<()> {
        #[cfg(test)]
        match self.pages_max.load(std::sync::atomic::Ordering::SeqCst) {
            0 => {}
            pages => self.conn.pragma_update(None, "max_page_count", pages)?,
        }
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        if !group.new_streams.is_empty() {
            group.new_streams.write(&self.conn)?;
        }
        if !group.marks.is_empty() {
            group.marks.write(&self.conn)?;
        }
        for slot in &group.settled {
            self.set_aside(*slot)?;
        }
        self.write_events(group)?;
        for row in &group.rows {
            if let Row::Missed(missed) = row {
                self.write_missed(missed)?;
            }
        }
        for (stream, at_ms) in &group.upgraded {
            let sql = "INSERT OR IGNORE INTO upgraded VALUES (?1, ?2)";
            self.conn.prepare_cached(sql)?.execute([at_ms, stream])?;
        }
        if let Some(at) = group.checkpoint {
            set_state(&self.conn, "checkpoint_ms", at)?;
        }
        self.conn.execute_batch("COMMIT")
    }

    /// Takes a held event out of the account, as if it were one by hand; in an older part it stays, and is noted here.
    fn set_aside(&self, (stream, at_ms): (i64, i64)) -> rusqlite::Result<()> {
        let sql = "UPDATE events SET manual = 1
                   WHERE manual = 0 AND scheduled = ?1 AND stream = ?2 AND reason = ?3";
        if self.conn.prepare_cached(sql)?.execute(params![at_ms, stream, Reason::Correlated.as_str()])? == 0 {
            let sql = "INSERT OR IGNORE INTO settled VALUES (?1, ?2)";
            self.conn.prepare_cached(sql)?.execute([at_ms, stream])?;
        }
        Ok(())
    }

    fn write_events(&self, group: &Group) -> rusqlite::Result<()> {
        // Seen from here the slot is new; `OR IGNORE` is the file's own guard of invariant 3.
        let mut event = self
            .conn
            .prepare_cached("INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        for row in &group.rows {
            let Row::Event(EventRow {
                seq, prev, stream, scheduled, manual, duration_us, event: stored, ..
            }) = row
            else {
                continue;
            };
            let (verdict, reason) = (stored.verdict().as_str(), stored.outcome.reason.as_str());
            let slot = stored.slot.id.as_bytes().as_slice();
            event.execute(params![
                seq,
                prev,
                stream,
                scheduled,
                slot,
                verdict,
                reason,
                manual,
                duration_us
            ])?;
        }
        let mut body = self.conn.prepare_cached("INSERT INTO bodies VALUES (?1, ?2)")?;
        for row in &group.rows {
            if let Row::Event(EventRow { seq, body: range, .. }) = row {
                // We wrote it as UTF-8, so it need not be looked through again.
                let text = ToSqlOutput::Borrowed(ValueRef::Text(&group.bodies[range.clone()]));
                body.execute(params![seq, text])?;
            }
        }
        Ok(())
    }

    fn write_missed(&mut self, row: &MissedRow) -> rusqlite::Result<()> {
        let origin = self.origin(&row.origin)?;
        let run = &row.run;
        let mut insert = self
            .conn
            .prepare_cached("INSERT INTO missed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
        insert.execute(params![
            row.seq,
            row.prev,
            row.stream,
            run.reason.as_str(),
            run.first.as_millis(),
            run.last().as_millis(),
            run.step_ms.cast_signed(),
            run.count,
            run.recorded.as_nanos(),
            origin
        ])?;
        Ok(())
    }

    fn origin(&mut self, text: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.origins.get(text) {
            return Ok(*id);
        }
        self.conn.prepare_cached("INSERT OR IGNORE INTO origins(body) VALUES (?1)")?.execute([text])?;
        let id = self
            .conn
            .prepare_cached("SELECT id FROM origins WHERE body = ?1")?
            .query_row([text], |row| row.get::<_, i64>(0))?;
        self.origins.insert(text.to_owned(), id);
        Ok(id)
    }

    /// Writes everything into the file itself and lets go of it.
    pub(crate) fn close(self) -> rusqlite::Result<()> {
        self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        self.conn.close().map_err(|(_, error)| error)
    }
}
