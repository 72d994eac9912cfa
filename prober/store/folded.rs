//! A reader that keeps a state of its own: its place, that state and what follows from it are committed as one.
//!
//! So a crash between anything neither loses nor doubles what the reader has decided: it goes on from the state that
//! belongs to its place. The state has a head, which is written every time, and pieces by name, of which only those are
//! written that changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::cursor::{Batch, Cursor};
use crate::error::ReadError;
use crate::outbox::{NewDelivery, Queued, enqueue};
use crate::reader::Reader;
use crate::shared::Store;
use crate::stats::Stats;
use model::time::Timestamp;

/// The tables; made in older files when they are opened.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS folded(name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS folded_pieces(
  name TEXT NOT NULL, piece TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY(name, piece)) STRICT, WITHOUT ROWID;
";

/// The state that a reader committed last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// The number of the first event that is not in it.
    pub next_seq: u64,
    /// What is written every time.
    pub head: Vec<u8>,
    /// The rest, by name.
    pub pieces: BTreeMap<Arc<str>, Vec<u8>>,
}

/// What of a state is to be committed; pieces that are in neither list stay as they are.
#[derive(Copy, Clone, Debug, Default)]
pub struct NewState<'a> {
    /// What is written every time.
    pub head: &'a [u8],
    /// Pieces that changed, by name.
    pub pieces: &'a [(Arc<str>, Vec<u8>)],
    /// Pieces that are no longer there.
    pub gone: &'a [Arc<str>],
}

impl Store {
    /// The state that the reader `name` committed last; `None` if there is none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn folded(&self, name: &str) -> Result<Option<Folded>, ReadError> {
        let meta = &self.shared.meta;
        meta.cheaply(|conn| read(conn, name)).map_err(|error| ReadError::of(&meta.path, error))
    }
}

impl Reader {
    /// The state that the reader `name` committed last, also while a prober is writing it; `None` if there is none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn folded(&mut self, name: &str) -> Result<Option<Folded>, ReadError> {
        let found = self.meta(|conn| {
            let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('folded', 'folded_pieces')";
            // A store that only an older version has opened has none.
            let known: i64 = conn.query_row(tables, [], |row| row.get(0))?;
            if known == 2 { read(conn, name) } else { Ok(None) }
        })?;
        Ok(found.flatten())
    }
}

impl Cursor {
    /// Moves the place to the end of a batch, in memory only: until [`Cursor::commit`], a restart begins before it.
    pub fn pass(&mut self, batch: &Batch) {
        let end = batch.end.cast_signed();
        if end <= self.position.get() {
            return;
        }
        self.position.set(end);
        self.lost = self.lost.saturating_add(batch.lost.cast_signed());
        Stats::add(&self.shared.stats.lost, batch.lost);
        Stats::add(&self.shared.stats.unreadable, batch.unreadable);
    }

    /// Commits the place, the state that belongs to it, and the changes of alerts that follow, in one durable
    /// transaction. Changes that are queued already are left as they are.
    ///
    /// # Errors
    /// Nothing of it was committed.
    ///
    /// # Panics
    /// The cursor has no name, so that nothing could find the state again.
    pub fn commit(
        &mut self,
        state: NewState<'_>,
        rows: &[NewDelivery],
        now: Timestamp,
    ) -> Result<Queued, ReadError> {
        let name = self.name.as_deref().expect("a cursor with a state has a name");
        let meta = &self.shared.meta;
        let committed = meta.durably(|transaction| {
            let place = params![name, self.position.get(), self.lost];
            transaction.execute("INSERT OR REPLACE INTO cursors VALUES (?1, ?2, ?3)", place)?;
            write(transaction, name, state)?;
            enqueue(transaction, rows, now)
        });
        let queued = committed.map_err(|error| ReadError::of(&meta.path, error))?;
        Store { shared: Arc::clone(&self.shared) }.announce_queued(queued);
        Ok(queued)
    }
}

fn write(transaction: &Transaction<'_>, name: &str, state: NewState<'_>) -> rusqlite::Result<()> {
    transaction.execute("INSERT OR REPLACE INTO folded VALUES (?1, ?2)", params![name, state.head])?;
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO folded_pieces VALUES (?1, ?2, ?3)")?;
    for (piece, bytes) in state.pieces {
        put.execute(params![name, piece, bytes])?;
    }
    let mut remove =
        transaction.prepare_cached("DELETE FROM folded_pieces WHERE name = ?1 AND piece = ?2")?;
    for piece in state.gone {
        remove.execute(params![name, piece])?;
    }
    Ok(())
}

/// All of it as one moment has it.
fn read(conn: &Connection, name: &str) -> rusqlite::Result<Option<Folded>> {
    let moment = conn.unchecked_transaction()?;
    let sql = "SELECT state, coalesce((SELECT next_seq FROM cursors WHERE cursors.name = folded.name), 0)
               FROM folded WHERE name = ?1";
    let head = moment.query_row(sql, [name], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).optional()?;
    let Some((head, next_seq)) = head else { return Ok(None) };
    let mut select = moment.prepare("SELECT piece, state FROM folded_pieces WHERE name = ?1")?;
    let pieces = select.query_map([name], |row| Ok((row.get::<_, String>(0)?.into(), row.get(1)?)))?;
    let pieces = pieces.collect::<Result<_, _>>()?;
    Ok(Some(Folded { next_seq: next_seq.cast_unsigned(), head, pieces }))
}
