//! Which slots a part has a record of, and which of those records count no more.

use model::outcome::Reason;
use rusqlite::{Connection, params};

/// The slots that were missed first and then had an event after all: their misses do not count. The table came later than
/// the format, and only a ledger's parts have rows in it.
pub(super) const UPGRADED: &str = "
CREATE TABLE IF NOT EXISTS upgraded(
  scheduled INTEGER NOT NULL, stream INTEGER NOT NULL, PRIMARY KEY(scheduled, stream)) STRICT, WITHOUT ROWID;
";

/// The slots whose held event is in an older part and has its place taken by one here. The table came later than the
/// format.
pub(super) const SETTLED: &str = "
CREATE TABLE IF NOT EXISTS settled(
  scheduled INTEGER NOT NULL, stream INTEGER NOT NULL, PRIMARY KEY(scheduled, stream)) STRICT, WITHOUT ROWID;
";

/// Whether the part holds an event of the slot that is held as correlated.
pub(crate) fn holds_held(conn: &Connection, stream: i64, at_ms: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM events WHERE manual = 0 AND scheduled = ?1 AND stream = ?2 AND reason = ?3";
    conn.prepare_cached(sql)?.exists(params![at_ms, stream, Reason::Correlated.as_str()])
}

/// Whether the part holds an event of the slot that is not held.
pub(crate) fn holds_other(conn: &Connection, stream: i64, at_ms: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM events WHERE manual = 0 AND scheduled = ?1 AND stream = ?2 AND reason <> ?3";
    conn.prepare_cached(sql)?.exists(params![at_ms, stream, Reason::Correlated.as_str()])
}

/// Whether the part holds an event of the slot, or says that it was paused: then it is not upgraded.
pub(crate) fn holds_event(conn: &Connection, stream: i64, at_ms: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM events WHERE manual = 0 AND scheduled = ?1 AND stream = ?2";
    if conn.prepare_cached(sql)?.exists([at_ms, stream])? {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM missed WHERE stream = ?2 AND last_ms >= ?1 AND first_ms <= ?1 AND reason = ?3
               AND (step_ms = 0 OR (?1 - first_ms) % step_ms = 0)";
    conn.prepare_cached(sql)?.exists(params![at_ms, stream, Reason::Paused.as_str()])
}

/// The streams of the upgraded slots in a window, one entry a slot.
pub(crate) fn upgraded(conn: &Connection, from_ms: i64, to_ms: i64) -> rusqlite::Result<Vec<i64>> {
    noted(conn, "upgraded", (from_ms, to_ms))
}

/// The streams of the slots in a window whose held event in an older part does not count, one entry a slot.
pub(crate) fn settled(conn: &Connection, from_ms: i64, to_ms: i64) -> rusqlite::Result<Vec<i64>> {
    noted(conn, "settled", (from_ms, to_ms))
}

fn noted(conn: &Connection, table: &str, (from_ms, to_ms): (i64, i64)) -> rusqlite::Result<Vec<i64>> {
    if !conn.table_exists(None, table)? {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT stream FROM {table} WHERE scheduled >= ?1 AND scheduled < ?2");
    let mut select = conn.prepare_cached(&sql)?;
    select.query_map([from_ms, to_ms], |row| row.get(0))?.collect()
}

/// Whether the part holds a scheduled event, or a missed slot, of `stream` at `at_ms`.
pub(crate) fn holds_slot(conn: &Connection, stream: i64, at_ms: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM events WHERE manual = 0 AND scheduled = ?1 AND stream = ?2";
    if conn.prepare_cached(sql)?.exists([at_ms, stream])? {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM missed WHERE stream = ?2 AND last_ms >= ?1 AND first_ms <= ?1
               AND (step_ms = 0 OR (?1 - first_ms) % step_ms = 0)";
    conn.prepare_cached(sql)?.exists([at_ms, stream])
}
