//! What people and the evaluator did: an append-only list, the only thing that pages write.
//!
//! The state of an alert's page (acknowledged, useful or noise) is the newest note about it; nothing is ever changed,
//! so the list is the audit as well. Bounded: the oldest go.

use model::time::Timestamp;
use rusqlite::{Row, params};

use crate::error::ReadError;
use crate::shared::Store;

/// The table; made in older files when they are opened.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS notes(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
  subject TEXT NOT NULL, detail TEXT NOT NULL, once TEXT UNIQUE) STRICT;
CREATE INDEX IF NOT EXISTS notes_subject ON notes(subject, id);
";

/// Notes that are kept.
const NOTES_MAX: i64 = 50_000;

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number; larger is later.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What: `acknowledge`, `useful`, `noise`, `reload`, `fired`, `ended`.
    pub action: String,
    /// To what; of alerts the name of the episode.
    pub subject: String,
    /// More about it, such as an alert as JSON.
    pub detail: String,
}

/// Something that was just done, to be noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNote {
    /// Who did it.
    pub who: String,
    /// What was done.
    pub action: &'static str,
    /// To what.
    pub subject: String,
    /// More about it.
    pub detail: String,
    /// Whether there is one such note of an action and a subject only, however often it is given.
    pub once: bool,
}

impl Store {
    /// Adds notes in one durable transaction; the oldest go beyond the bound.
    ///
    /// # Errors
    /// Nothing was noted.
    pub fn note(&self, notes: &[NewNote], now: Timestamp) -> Result<(), ReadError> {
        let meta = &self.shared.meta;
        let noted = meta.durably(|transaction| {
            for note in notes {
                let once = note.once.then(|| format!("{} {}", note.action, note.subject));
                let sql = "INSERT OR IGNORE INTO notes(at_ms, who, action, subject, detail, once)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let NewNote { who, action, subject, detail, .. } = note;
                transaction.execute(sql, params![now.as_millis(), who, action, subject, detail, once])?;
            }
            let sql = "DELETE FROM notes WHERE id <= (SELECT max(id) FROM notes) - ?1";
            transaction.execute(sql, [NOTES_MAX]).map(|_| ())
        });
        noted.map_err(|error| ReadError::of(&meta.path, error))
    }

    /// Up to `limit` notes before number `before`, the newest first.
    ///
    /// # Errors
    /// The notes could not be read.
    pub fn notes(&self, before: Option<u64>, limit: u32) -> Result<Vec<Note>, ReadError> {
        let meta = &self.shared.meta;
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        let found: rusqlite::Result<Vec<Note>> = meta.cheaply(|conn| {
            let sql = "SELECT id, at_ms, who, action, subject, detail FROM notes WHERE id < ?1
                       ORDER BY id DESC LIMIT ?2";
            let mut select = conn.prepare_cached(sql)?;
            select.query_map(params![before, limit], read)?.collect()
        });
        found.map_err(|error| ReadError::of(&meta.path, error))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Note> {
    Ok(Note {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        at: Timestamp::from_millis(row.get(1)?),
        who: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        detail: row.get(5)?,
    })
}
