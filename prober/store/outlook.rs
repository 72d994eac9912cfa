//! What people ask of the outbox: what waits, what was not taken, for which route, and since when.

use model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::ReadError;
use crate::outbox::{QueuedDelivery, select};
use crate::reader::Reader;
use crate::shared::Store;

/// The most changes that one look gives.
pub const OUTBOX_LIMIT_MAX: usize = 1_000;

/// One look at the outbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Every route that a change is known for, by name.
    pub routes: Vec<OutboxRoute>,
    /// The changes: first those that wait, the oldest first, then those that were given up, the newest first; with
    /// [`OutboxFilter::all`] also those that were taken.
    pub changes: Vec<QueuedDelivery>,
}

/// How it stands with one route; what was done longer ago than [`crate::KEPT`] is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxRoute {
    /// The route's name.
    pub route: String,
    /// Changes that wait.
    pub waiting: u64,
    /// Those of them that are overdue.
    pub overdue: u64,
    /// When the oldest of those that wait was queued.
    pub oldest: Option<Timestamp>,
    /// Changes that were given up.
    pub given_up: u64,
    /// Changes that a receiver took.
    pub accepted: u64,
    /// When a receiver last took one.
    pub last_accepted: Option<Timestamp>,
}

/// Which changes are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxFilter {
    /// For this route.
    pub route: Option<String>,
    /// Also those that were taken.
    pub all: bool,
    /// Queued at or after this time.
    pub since: Option<Timestamp>,
    /// At most so many, and never more than [`OUTBOX_LIMIT_MAX`].
    pub limit: usize,
}

impl Store {
    /// Looks at the outbox, for people.
    ///
    /// # Errors
    /// It could not be read.
    pub fn outbox_of(&self, filter: &OutboxFilter) -> Result<Outbox, ReadError> {
        let meta = &self.shared.meta;
        meta.cheaply(|conn| look(conn, filter)).map_err(|error| ReadError::of(&meta.path, error))
    }
}

impl Reader {
    /// Looks at the outbox, also while a prober is using it.
    ///
    /// # Errors
    /// It could not be read.
    pub fn outbox(&mut self, filter: &OutboxFilter) -> Result<Outbox, ReadError> {
        let found = self.meta(|conn| {
            let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'outbox'";
            let known: i64 = conn.query_row(sql, [], |row| row.get(0))?;
            if known == 1 { look(conn, filter) } else { Ok(Outbox::default()) }
        })?;
        Ok(found.unwrap_or_default())
    }
}

fn look(conn: &Connection, filter: &OutboxFilter) -> rusqlite::Result<Outbox> {
    let moment = conn.unchecked_transaction()?;
    let since = filter.since.map_or(i64::MIN, Timestamp::as_millis);
    let limit = i64::try_from(filter.limit.min(OUTBOX_LIMIT_MAX)).unwrap_or(i64::MAX);
    let sql = "SELECT route, count(*) FILTER (WHERE done_ms IS NULL),
                 count(*) FILTER (WHERE done_ms IS NULL AND overdue_ms IS NOT NULL),
                 min(created_ms) FILTER (WHERE done_ms IS NULL),
                 count(*) FILTER (WHERE done_ms IS NOT NULL AND accepted = 0),
                 count(*) FILTER (WHERE accepted = 1), max(done_ms) FILTER (WHERE accepted = 1)
               FROM outbox WHERE (?1 IS NULL OR route = ?1) AND created_ms >= ?2 GROUP BY route ORDER BY route";
    let mut routes = moment.prepare(sql)?;
    let routes = routes.query_map(params![filter.route, since], |row| {
        let count = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
        let at = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp::from_millis));
        Ok(OutboxRoute {
            route: row.get(0)?,
            waiting: count(1)?,
            overdue: count(2)?,
            oldest: at(3)?,
            given_up: count(4)?,
            accepted: count(5)?,
            last_accepted: at(6)?,
        })
    })?;
    let routes = routes.collect::<Result<_, _>>()?;
    let rest = "WHERE (?1 IS NULL OR route = ?1) AND created_ms >= ?2 AND (?3 OR accepted = 0)
                ORDER BY done_ms IS NOT NULL, CASE WHEN done_ms IS NULL THEN id ELSE -id END LIMIT ?4";
    let changes = select(&moment, rest, params![filter.route, since, filter.all, limit])?;
    Ok(Outbox { routes, changes })
}
