//! A reader that keeps a state of its own: its place, that state and what follows from it are committed as one.
//!
//! So a crash between anything neither loses nor doubles what the reader has decided: it goes on from the state that
//! belongs to its place.

use rusqlite::{OptionalExtension as _, params};

use crate::cursor::{Batch, Cursor};
use crate::open::Store;
use crate::outbox::{NewDelivery, Queued, enqueue};
use crate::reader::ReadError;
use crate::stats::Stats;
use model::time::Timestamp;

/// The table; made in older files when they are opened.
pub(crate) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS folded(name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;";

impl Store {
    /// The state that the reader `name` committed last; `None` if there is none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn folded(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let meta = &self.shared.meta;
        let sql = "SELECT state FROM folded WHERE name = ?1";
        let found = meta.cheaply(|conn| conn.query_row(sql, [name], |row| row.get(0)).optional());
        found.map_err(|error| ReadError::of(&meta.path, error))
    }
}

impl Cursor {
    /// Moves the place to the end of a batch, in memory only: until [`Cursor::commit`], a restart begins before it.
    pub fn pass(&mut self, batch: &Batch) {
        let end = batch.end.cast_signed();
        if end <= self.position {
            return;
        }
        self.position = end;
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
        state: &[u8],
        rows: &[NewDelivery],
        now: Timestamp,
    ) -> Result<Queued, ReadError> {
        let name = self.name.as_deref().expect("a cursor with a state has a name");
        let meta = &self.shared.meta;
        let committed = meta.durably(|transaction| {
            let place = params![name, self.position, self.lost];
            transaction.execute("INSERT OR REPLACE INTO cursors VALUES (?1, ?2, ?3)", place)?;
            transaction.execute("INSERT OR REPLACE INTO folded VALUES (?1, ?2)", params![name, state])?;
            enqueue(transaction, rows, now)
        });
        let queued = committed.map_err(|error| ReadError::of(&meta.path, error))?;
        Store { shared: std::sync::Arc::clone(&self.shared) }.announce_queued(queued);
        Ok(queued)
    }
}
