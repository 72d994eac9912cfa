//! How the store opens SQLite files: formats, durability, and what is refused.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::files;

/// The format of every file that this version writes.
pub const FORMAT: i32 = 1;

/// What makes a SQLite file one of ours: "prob" in ASCII.
const APPLICATION_ID: i32 = 0x7072_6f62;

/// Longest wait for another connection's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Makes the database at `path` with everything `fill` puts into it, whole or not at all.
pub(crate) fn create(
    path: &Path,
    fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), OpenError> {
    let new = files::unfinished(path);
    files::remove_database(&new).map_err(|error| OpenError::io(&new, error))?;
    let made = (|| {
        let conn = Connection::open_with_flags(
            &new,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
        // Nobody knows the file yet and a crash throws it away: one fsync at the end is enough.
        conn.pragma_update(None, "synchronous", "OFF")?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.execute_batch("BEGIN")?;
        fill(&conn)?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
        conn.pragma_update(None, "user_version", FORMAT)?;
        conn.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
        conn.close().map_err(|(_, error)| error)
    })();
    made.map_err(|error| OpenError::sqlite(&new, error))?;
    publish(&new, path).map_err(|error| OpenError::io(path, error))
}

/// The page size: a group of events fills pages of this size well.
const PAGE_BYTES: i64 = 8_192;

fn publish(new: &Path, path: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    fs::rename(new, path)?;
    files::sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// How much a commit through this connection promises.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Promise {
    /// It survives a power cut.
    Durable,
    /// It survives the process; a power cut may take the last ones back, in order.
    Cheap,
}

/// Opens an existing database for writing.
pub(crate) fn open_write(path: &Path, promise: Promise) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    let synchronous = match promise {
        Promise::Durable => "FULL",
        Promise::Cheap => "NORMAL",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    // About 8 MiB between checkpoints: seldom enough to write each page once, small enough to recover at once.
    conn.pragma_update(None, "wal_autocheckpoint", 1_000)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.pragma_update(None, "cache_size", -2_048)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

/// Opens an existing database for reading only.
pub(crate) fn open_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    // There are several, and the kernel keeps the files' pages for all of them.
    conn.pragma_update(None, "cache_size", -512)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

/// Whether every page is looked at, or only the header.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Header,
    Pages,
}

/// Refuses a file that is not a whole store file of a known format; changes nothing in it.
///
/// `tables` are names that a file of this role has.
pub(crate) fn examine(path: &Path, tables: &[&str], depth: Depth) -> Result<(), OpenError> {
    if fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0) {
        return Err(OpenError::corrupt(path, "it is empty"));
    }
    let conn = open_read(path).map_err(|error| OpenError::sqlite(path, error))?;
    let seen = (|| {
        let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let found: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok((id, found))
    })();
    let (id, found) = seen.map_err(|error| OpenError::sqlite(path, error))?;
    if id != APPLICATION_ID {
        return Err(OpenError::corrupt(path, "it is not a store file"));
    }
    if found > FORMAT {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known: FORMAT });
    }
    if found < 1 {
        return Err(OpenError::corrupt(path, "its format number is missing"));
    }
    let whole = (|| {
        if depth == Depth::Pages {
            let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Ok(Some(found));
            }
        }
        for table in tables {
            let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            if conn.query_row(sql, [table], |row| row.get::<_, i64>(0))? != 1 {
                return Ok(Some(format!("it has no table `{table}`")));
            }
        }
        Ok(None)
    })();
    match whole.map_err(|error| OpenError::sqlite(path, error))? {
        Some(detail) => Err(OpenError::corrupt(path, detail)),
        None => Ok(()),
    }
}
