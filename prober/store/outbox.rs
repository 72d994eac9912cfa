//! The outbox: changes of alerts on their way to receivers, until each is accepted or given up.
//!
//! 1. **A change is queued once.** Rows are known by route and key; queueing a known one again does nothing, so whoever
//!    decides on alerts may decide again after a crash. A row that is done stays known for [`KEPT`],
//!    though no more than the last 50,000.
//! 2. **What is queued is durable**, together with whatever else its transaction wrote: the evaluator's state and the rows
//!    that follow from it are committed as one.
//! 3. **The changes of one alert go to one route in their order**; alerts do not wait for each other, nor do routes.
//! 4. **It is bounded**: at [`OPEN_MAX`] rows that wait for one route, the oldest one of least importance is given up and
//!    counted, so that the newest state of the world gets through.
//!
//! Every mark is durable, too: a change comes again only if its receiver had it and the mark was not written yet.
//! Deliberately absent: what a row says, and how it is delivered.

mod end;

use std::collections::BTreeSet;

use model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::error::ReadError;
use crate::shared::Store;

/// Rows that may wait for one route.
pub const OPEN_MAX: u64 = 10_000;

/// How long a row that is done stays known.
pub const KEPT: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// Rows in a row that may be done and known; older ones are forgotten before their time.
const DONE_MAX: i64 = 50_000;

/// The table; made in older files when they are opened.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, route TEXT NOT NULL, key TEXT NOT NULL, alert TEXT NOT NULL,
  firing INTEGER NOT NULL, urgent INTEGER NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL,
  next_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT, overdue_ms INTEGER,
  done_ms INTEGER, accepted INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS outbox_once ON outbox(route, key);
CREATE INDEX IF NOT EXISTS outbox_alert ON outbox(route, alert, id);
CREATE INDEX IF NOT EXISTS outbox_done ON outbox(done_ms) WHERE done_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_open ON outbox(route, next_ms) WHERE done_ms IS NULL;
";

/// A change of an alert for one route, to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The route's name.
    pub route: String,
    /// What the change is known by on this route: the same for the same change, whenever it is found.
    pub key: String,
    /// Which alert changes.
    pub alert: String,
    /// Whether the alert fires from this change on; it has ended if not.
    pub firing: bool,
    /// Whether it is for now and not for within days.
    pub urgent: bool,
    /// The alert, in a form that names its version; at most some kilobytes.
    pub state: String,
}

/// A change that was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedDelivery {
    /// Its number; greater than those of all queued before.
    pub id: u64,
    /// What was queued.
    pub delivery: NewDelivery,
    /// When it was queued.
    pub created: Timestamp,
    /// When it may be tried.
    pub next: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last try that failed said.
    pub error: Option<String>,
    /// When its schedule was over without success and this was told.
    pub overdue: Option<Timestamp>,
    /// When it was accepted or given up.
    pub done: Option<Timestamp>,
    /// Whether the receiver has it.
    pub accepted: bool,
}

/// What queueing did.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// New rows.
    pub added: u64,
    /// Rows that were known.
    pub known: u64,
    /// Older rows that were given up because their route had no room.
    pub given_up: u64,
}

/// How many rows wait, when the next may be tried, and when the oldest urgent one that is not overdue was queued.
pub type Outlook = (u64, Option<Timestamp>, Option<Timestamp>);

const COLUMNS: &str = "id, route, key, alert, firing, urgent, state, created_ms, next_ms, attempts, error, overdue_ms, \
                       done_ms, accepted";

/// Queues `rows` as part of `transaction`; rows that are known already are left as they are.
///
/// The caller announces it by [`Store::announce_queued`] after the commit.
pub(crate) fn enqueue(
    transaction: &Transaction<'_>,
    rows: &[NewDelivery],
    now: Timestamp,
) -> rusqlite::Result<Queued> {
    let mut queued = Queued::default();
    let sql = "INSERT OR IGNORE INTO outbox(route, key, alert, firing, urgent, state, created_ms, next_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    let mut insert = transaction.prepare_cached(sql)?;
    let mut fuller = BTreeSet::new();
    for row in rows {
        let values =
            params![row.route, row.key, row.alert, row.firing, row.urgent, row.state, now.as_millis()];
        if insert.execute(values)? == 0 {
            queued.known += 1;
        } else {
            queued.added += 1;
            fuller.insert(row.route.as_str());
        }
    }
    for route in fuller {
        queued.given_up += make_room(transaction, route, now)?;
    }
    if queued.added > 0 {
        forget(transaction, now)?;
    }
    Ok(queued)
}

/// Gives up the oldest waiting rows of the route beyond [`OPEN_MAX`], those that are not urgent first.
fn make_room(conn: &Connection, route: &str, now: Timestamp) -> rusqlite::Result<u64> {
    let open = count_open(conn, route)?;
    let over = open.saturating_sub(OPEN_MAX);
    if over == 0 {
        return Ok(0);
    }
    let sql = "UPDATE outbox SET done_ms = ?1, error = 'no room: too many changes wait for this route'
               WHERE id IN (SELECT id FROM outbox WHERE route = ?2 AND done_ms IS NULL ORDER BY urgent, id LIMIT ?3)";
    conn.execute(sql, params![now.as_millis(), route, over.cast_signed()])?;
    Ok(over)
}

fn count_open(conn: &Connection, route: &str) -> rusqlite::Result<u64> {
    conn.prepare_cached("SELECT count(*) FROM outbox WHERE route = ?1 AND done_ms IS NULL")?
        .query_row([route], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Removes rows that were done long ago, but not the last word on an alert that still fires.
fn forget(conn: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    for (old, bound) in [
        ("done_ms < ?1", now.minus(KEPT).as_millis()),
        ("id <= (SELECT max(id) FROM outbox) - ?1 AND done_ms IS NOT NULL", DONE_MAX),
    ] {
        let sql = format!(
            "DELETE FROM outbox WHERE {old} AND (firing = 0 OR EXISTS (
               SELECT 1 FROM outbox AS later
               WHERE later.route = outbox.route AND later.alert = outbox.alert AND later.id > outbox.id))"
        );
        conn.prepare_cached(&sql)?.execute([bound])?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<QueuedDelivery> {
    let at = |index: usize| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp::from_millis));
    Ok(QueuedDelivery {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        delivery: NewDelivery {
            route: row.get(1)?,
            key: row.get(2)?,
            alert: row.get(3)?,
            firing: row.get(4)?,
            urgent: row.get(5)?,
            state: row.get(6)?,
        },
        created: Timestamp::from_millis(row.get(7)?),
        next: Timestamp::from_millis(row.get(8)?),
        attempts: row.get(9)?,
        error: row.get(10)?,
        overdue: at(11)?,
        done: at(12)?,
        accepted: row.get(13)?,
    })
}

pub(crate) fn select(
    conn: &Connection,
    rest: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<Vec<QueuedDelivery>> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox {rest}"))?;
    select.query_map(values, read)?.collect()
}

impl Store {
    /// Queues `rows` in a durable transaction of their own.
    ///
    /// # Errors
    /// The outbox could not be written; then nothing is queued.
    pub fn enqueue(&self, rows: &[NewDelivery], now: Timestamp) -> Result<Queued, ReadError> {
        let meta = &self.shared.meta;
        let queued = meta.durably(|transaction| enqueue(transaction, rows, now));
        let queued = queued.map_err(|error| ReadError::of(&meta.path, error))?;
        self.announce_queued(queued);
        Ok(queued)
    }

    /// Wakes those who wait for rows; to be called after the commit of what [`enqueue`] did.
    pub(crate) fn announce_queued(&self, queued: Queued) {
        if queued.given_up > 0 {
            tracing::error!(
                rows = queued.given_up,
                "the outbox is full: older changes of alerts are given up"
            );
        }
        if queued.added > 0 {
            self.shared.outbox.send_modify(|rows| *rows += queued.added);
        }
    }

    /// Announces how many rows were queued since the store was opened; what a route waits on.
    pub fn queued(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.outbox.subscribe()
    }

    /// Up to `limit` rows of `route` that may be tried at `now`, for each alert its
    /// oldest open one: urgent ones first, then those that were tried least.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn due_deliveries(
        &self,
        route: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedDelivery>, ReadError> {
        self.outbox(|conn| {
            // After a clock was stepped back, what is further ahead than any wait is due.
            let rest = "WHERE route = ?1 AND done_ms IS NULL AND (next_ms <= ?2 OR next_ms > ?2 + 3600000)
                        AND NOT EXISTS (
                          SELECT 1 FROM outbox AS earlier WHERE earlier.route = outbox.route
                          AND earlier.alert = outbox.alert AND earlier.id < outbox.id AND earlier.done_ms IS NULL)
                        ORDER BY urgent DESC, attempts, id LIMIT ?3";
            select(conn, rest, params![route, now.as_millis(), limit])
        })
    }

    /// Up to `limit` open rows of `route` that are late: urgent ones from before `page_before` that nobody has called
    /// overdue, all from before `before`, and overdue ones whose alert has ended since.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn late_deliveries(
        &self,
        route: &str,
        (page_before, before): (Timestamp, Timestamp),
        limit: u32,
    ) -> Result<Vec<QueuedDelivery>, ReadError> {
        self.outbox(|conn| {
            let rest = "WHERE route = ?1 AND done_ms IS NULL AND (created_ms <= ?3
                          OR (urgent = 1 AND overdue_ms IS NULL AND created_ms <= ?2)
                          OR (overdue_ms IS NOT NULL AND EXISTS (
                            SELECT 1 FROM outbox AS later WHERE later.route = outbox.route
                            AND later.alert = outbox.alert AND later.id > outbox.id AND later.firing = 0)))
                        ORDER BY id LIMIT ?4";
            select(conn, rest, params![route, page_before.as_millis(), before.as_millis(), limit])
        })
    }

    /// How many rows wait for `route`, when the next one may be tried, and when the oldest urgent one that nobody
    /// has called overdue was queued.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn outlook(&self, route: &str) -> Result<Outlook, ReadError> {
        self.outbox(|conn| {
            let sql = "SELECT count(*), min(CASE WHEN NOT EXISTS (
                         SELECT 1 FROM outbox AS earlier WHERE earlier.route = outbox.route
                         AND earlier.alert = outbox.alert AND earlier.id < outbox.id AND earlier.done_ms IS NULL)
                         THEN next_ms END),
                         min(CASE WHEN urgent = 1 AND overdue_ms IS NULL THEN created_ms END)
                       FROM outbox WHERE route = ?1 AND done_ms IS NULL";
            conn.prepare_cached(sql)?.query_row([route], |row| {
                let at = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp::from_millis));
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), at(1)?, at(2)?))
            })
        })
    }

    /// The last change of each alert on `route`: those that fire, those that ended since `ended_since`, and those whose
    /// end nobody has taken.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn latest_deliveries(
        &self,
        route: &str,
        ended_since: Timestamp,
    ) -> Result<Vec<QueuedDelivery>, ReadError> {
        self.outbox(|conn| {
            let rest =
                "WHERE route = ?1 AND (firing = 1 OR created_ms >= ?2 OR done_ms IS NULL) AND NOT EXISTS (
                          SELECT 1 FROM outbox AS later WHERE later.route = outbox.route
                          AND later.alert = outbox.alert AND later.id > outbox.id)
                        ORDER BY id";
            select(conn, rest, params![route, ended_since.as_millis()])
        })
    }

    /// How many rows wait for `route`.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn waiting_deliveries(&self, route: &str) -> Result<u64, ReadError> {
        self.outbox(|conn| count_open(conn, route))
    }

    /// The routes that rows wait for, with their numbers; also of routes that are no longer configured.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn waiting_routes(&self) -> Result<Vec<(String, u64)>, ReadError> {
        self.outbox(|conn| {
            let sql =
                "SELECT route, count(*) FROM outbox WHERE done_ms IS NULL GROUP BY route ORDER BY route";
            let mut select = conn.prepare_cached(sql)?;
            let rows =
                select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
            rows.collect()
        })
    }

    /// Up to `limit` rows, the newest first, whatever became of them; for people.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn deliveries(&self, limit: u32) -> Result<Vec<QueuedDelivery>, ReadError> {
        self.outbox(|conn| select(conn, "ORDER BY id DESC LIMIT ?1", [limit]))
    }

    /// The row of `route` under `key`, if it is known.
    ///
    /// # Errors
    /// The outbox could not be read.
    pub fn delivery(&self, route: &str, key: &str) -> Result<Option<QueuedDelivery>, ReadError> {
        self.outbox(|conn| {
            let sql = format!("SELECT {COLUMNS} FROM outbox WHERE route = ?1 AND key = ?2");
            conn.prepare_cached(&sql)?.query_row([route, key], read).optional()
        })
    }

    fn outbox<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        let meta = &self.shared.meta;
        meta.cheaply(work).map_err(|error| ReadError::of(&meta.path, error))
    }
}
