//! The small file beside the events: schedules, cursors, counters, the clean stop.

use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::OpenError;
use crate::files::Files;
use crate::sqlite::{self, Depth, Promise};
use crate::stats::DropCause;

const SCHEMA: &str = "
CREATE TABLE state(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE dropped(cause TEXT PRIMARY KEY, events INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursors(name TEXT PRIMARY KEY, next_seq INTEGER NOT NULL, lost INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE schedules(
  id INTEGER PRIMARY KEY, scenario TEXT NOT NULL, region TEXT NOT NULL, replica INTEGER NOT NULL,
  cadence TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER, origin TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX schedules_current ON schedules(scenario, region, replica) WHERE to_ms IS NULL;
";

const TABLES: [&str; 4] = ["state", "dropped", "cursors", "schedules"];

/// How often the store was opened for writing.
pub(crate) const BOOTS: &str = "boots";
/// When the prober last stopped in order, until the next start has dealt with it.
pub(crate) const CLEAN_STOP_MS: &str = "clean_stop_ms";
/// No event before this number is ever written again, whatever happens to the parts.
pub(crate) const SEQ_FLOOR: &str = "seq_floor";
/// Slots before this went with a dropped part; accounts begin here.
pub(crate) const DROPPED_UNTIL_MS: &str = "dropped_until_ms";

/// The connections to `meta.db`.
#[derive(Debug)]
pub(crate) struct Meta {
    pub(crate) path: PathBuf,
    /// For what must survive a power cut.
    durable: Mutex<Connection>,
    /// For cursors: a step back only means that a batch is delivered again.
    cheap: Mutex<Connection>,
}

impl Meta {
    /// Opens the file, or makes it; `later` are the schemas of tables that are added to what is there.
    pub(crate) fn open(files: &Files, later: &[&str]) -> Result<Self, OpenError> {
        let path = files.meta();
        let found = path.try_exists().map_err(|error| OpenError::io(&path, error))?;
        if found {
            sqlite::examine(&path, &TABLES, Depth::Pages)?;
        } else {
            sqlite::create(&path, |conn| conn.execute_batch(SCHEMA))?;
        }
        let connect =
            |promise| sqlite::open_write(&path, promise).map_err(|error| OpenError::sqlite(&path, error));
        let (durable, cheap) = (connect(Promise::Durable)?, connect(Promise::Cheap)?);
        for schema in later {
            durable.execute_batch(schema).map_err(|error| OpenError::sqlite(&path, error))?;
        }
        Ok(Self { durable: Mutex::new(durable), cheap: Mutex::new(cheap), path })
    }

    /// Runs `work` in one durable transaction.
    pub(crate) fn durably<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let mut conn = self.durable.lock().expect("no holder panics");
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let made = work(&transaction)?;
        transaction.commit()?;
        Ok(made)
    }

    /// Reads through the connection that no durable commit holds up.
    pub(crate) fn cheaply<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        work(&self.cheap.lock().expect("no holder panics"))
    }

    pub(crate) fn state(&self, key: &str) -> rusqlite::Result<Option<i64>> {
        read_state(&self.durable.lock().expect("no holder panics"), key)
    }

    /// The cursor's next number and what it has lost so far.
    pub(crate) fn cursor(&self, name: &str) -> rusqlite::Result<Option<(i64, i64)>> {
        let conn = self.cheap.lock().expect("no holder panics");
        conn.prepare_cached("SELECT next_seq, lost FROM cursors WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    pub(crate) fn set_cursor(&self, name: &str, next_seq: i64, lost: i64) -> rusqlite::Result<()> {
        let conn = self.cheap.lock().expect("no holder panics");
        conn.prepare_cached("INSERT OR REPLACE INTO cursors VALUES (?1, ?2, ?3)")?
            .execute(params![name, next_seq, lost])
            .map(|_| ())
    }

    /// All cursors by name with their next number.
    pub(crate) fn cursors(&self) -> rusqlite::Result<Vec<(String, i64)>> {
        let conn = self.cheap.lock().expect("no holder panics");
        let mut select = conn.prepare_cached("SELECT name, next_seq FROM cursors")?;
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Notes `events` more as dropped for `cause`, and that slots before `until_ms` are gone.
    pub(crate) fn note_dropped(&self, cause: DropCause, events: i64, until_ms: i64) -> rusqlite::Result<()> {
        self.durably(|conn| {
            let sql = "INSERT INTO dropped VALUES (?1, ?2) ON CONFLICT DO UPDATE SET events = events + excluded.events";
            conn.execute(sql, params![cause.as_str(), events])?;
            let until = read_state(conn, DROPPED_UNTIL_MS)?.map_or(until_ms, |known| known.max(until_ms));
            write_state(conn, DROPPED_UNTIL_MS, until)
        })
    }

    pub(crate) fn dropped(&self, cause: DropCause) -> rusqlite::Result<i64> {
        let conn = self.durable.lock().expect("no holder panics");
        let sql = "SELECT events FROM dropped WHERE cause = ?1";
        Ok(conn.query_row(sql, [cause.as_str()], |row| row.get(0)).optional()?.unwrap_or(0))
    }
}

pub(crate) fn read_state(conn: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM state WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

pub(crate) fn write_state(conn: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?
        .execute(params![key, value])
        .map(|_| ())
}
