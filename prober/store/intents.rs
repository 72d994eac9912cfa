//! Slots whose run is about to begin, written down before its first request: what a crash leaves behind says which slots
//! may have been sent.
//!
//! An intent is never taken back. It outlives the slot's event, so that a slot is not begun again after a restart with a
//! clock that was stepped back.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use model::slot::Stream;
use model::time::Timestamp;
use rusqlite::params;

use crate::epochs;
use crate::error::ReadError;
use crate::meta::Meta;
use crate::shared::Store;

/// The table; made in older files when they are opened.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS intents(
  scenario TEXT NOT NULL, region TEXT NOT NULL, replica INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY(scenario, region, replica, at_ms)) STRICT, WITHOUT ROWID;
";

/// How long before a stream's newest intent older ones are kept: longer than any event waits to be stored.
const KEPT: Duration = Duration::from_hours(1);
/// Intents of streams that are gone.
const FORGOTTEN: Duration = Duration::from_hours(48);

/// The slots with an intent, by their starts in ms.
pub(crate) type Intents = HashMap<Stream, HashSet<i64>>;

impl Store {
    /// Notes that the run of a slot is about to begin; durable when this returns. `false` if that was noted before: then
    /// it must not begin.
    ///
    /// # Errors
    /// Nothing was noted.
    pub fn intend(&self, stream: &Stream, at: Timestamp) -> Result<bool, ReadError> {
        let meta = &self.shared.meta;
        let Stream { scenario, region, replica } = stream;
        let noted = meta.durably(|transaction| {
            let sql =
                "DELETE FROM intents WHERE scenario = ?1 AND region = ?2 AND replica = ?3 AND at_ms < ?4";
            let oldest = at.minus(KEPT).as_millis();
            transaction.prepare_cached(sql)?.execute(params![&**scenario, &**region, replica, oldest])?;
            let sql = "INSERT OR IGNORE INTO intents VALUES (?1, ?2, ?3, ?4)";
            let values = params![&**scenario, &**region, replica, at.as_millis()];
            transaction.prepare_cached(sql)?.execute(values)
        });
        noted.map(|rows| rows > 0).map_err(|error| ReadError::of(&meta.path, error))
    }
}

impl Meta {
    /// The intents for slots at or after `from_ms`.
    pub(crate) fn intents(&self, from_ms: i64) -> rusqlite::Result<Intents> {
        self.durably(|conn| {
            let mut select =
                conn.prepare("SELECT scenario, region, replica, at_ms FROM intents WHERE at_ms >= ?1")?;
            let mut rows = select.query([from_ms])?;
            let mut found = Intents::new();
            while let Some(row) = rows.next()? {
                found.entry(epochs::stream(row, 0)?).or_default().insert(row.get(3)?);
            }
            Ok(found)
        })
    }

    /// Forgets the intents of streams that have none any more for days.
    pub(crate) fn forget_intents(&self, now: Timestamp) -> rusqlite::Result<()> {
        self.durably(|conn| {
            let oldest = now.minus(FORGOTTEN).as_millis();
            conn.execute("DELETE FROM intents WHERE at_ms < ?1", [oldest]).map(|_| ())
        })
    }
}
