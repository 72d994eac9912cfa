//! What becomes of a row: it is accepted, failed, overdue, overtaken by a later one, or given up with its route.
//!
//! Each change is durable when its call returns.

use model::time::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{NewDelivery, Queued, enqueue};
use crate::error::ReadError;
use crate::shared::Store;

impl Store {
    /// Notes that the receiver has row `id`; gives whether it was open until now.
    ///
    /// # Errors
    /// The outbox could not be written; the row would be delivered again.
    pub fn mark_accepted(&self, id: u64, now: Timestamp) -> Result<bool, ReadError> {
        self.change_outbox(|conn| {
            let sql = "UPDATE outbox SET done_ms = ?2, accepted = 1, attempts = attempts + 1
                       WHERE id = ?1 AND done_ms IS NULL";
            conn.prepare_cached(sql)?.execute(params![id.cast_signed(), now.as_millis()]).map(|rows| rows > 0)
        })
    }

    /// Notes that row `id` was tried in vain and may be tried again at `next`.
    ///
    /// # Errors
    /// The outbox could not be written.
    pub fn mark_failed(&self, id: u64, next: Timestamp, why: &str) -> Result<(), ReadError> {
        self.change_outbox(|conn| {
            let sql = "UPDATE outbox SET next_ms = ?2, attempts = attempts + 1, error = ?3
                       WHERE id = ?1 AND done_ms IS NULL";
            conn.prepare_cached(sql)?.execute(params![id.cast_signed(), next.as_millis(), why]).map(|_| ())
        })
    }

    /// Notes that row `id` is overdue, and queues what tells of it elsewhere, in one durable transaction.
    ///
    /// The row itself is given up if `next` is `None`, else it may be tried again then. Nothing is told of an alert that
    /// the other route already knows to be over. `None` if the row was done, or overdue already and is tried again.
    ///
    /// # Errors
    /// The outbox could not be written; then nothing has changed.
    pub fn mark_overdue(
        &self,
        id: u64,
        (now, next): (Timestamp, Option<Timestamp>),
        why: &str,
        instead: &[NewDelivery],
    ) -> Result<Option<Queued>, ReadError> {
        let (meta, id) = (&self.shared.meta, id.cast_signed());
        let queued = meta.durably(|transaction| {
            let sql = "UPDATE outbox SET overdue_ms = coalesce(overdue_ms, ?2), error = ?3,
                         next_ms = coalesce(?4, next_ms), done_ms = CASE WHEN ?4 IS NULL THEN ?2 END
                       WHERE id = ?1 AND done_ms IS NULL AND (overdue_ms IS NULL OR ?4 IS NULL)";
            let next = next.map(Timestamp::as_millis);
            if transaction.execute(sql, params![id, now.as_millis(), why, next])? == 0 {
                return Ok(None);
            }
            let mut open = Vec::with_capacity(instead.len());
            for row in instead {
                if !is_over(transaction, row, id)? {
                    open.push(row.clone());
                }
            }
            enqueue(transaction, &open, now).map(Some)
        });
        let queued = queued.map_err(|error| ReadError::of(&meta.path, error))?;
        self.announce_queued(queued.unwrap_or_default());
        Ok(queued)
    }

    /// Closes the rows of `alert` on `route` before row `id`, which tells how things stand by itself.
    ///
    /// # Errors
    /// The outbox could not be written.
    pub fn close_earlier(&self, route: &str, alert: &str, id: u64, now: Timestamp) -> Result<u64, ReadError> {
        self.change_outbox(|conn| {
            let sql = "UPDATE outbox SET done_ms = ?4, error = 'a later change was delivered'
                       WHERE route = ?1 AND alert = ?2 AND id < ?3 AND done_ms IS NULL";
            let values = params![route, alert, id.cast_signed(), now.as_millis()];
            conn.prepare_cached(sql)?.execute(values).map(|rows| rows as u64)
        })
    }

    /// Gives up what has waited since before `before` for routes other than `routes`; gives how many rows.
    ///
    /// # Errors
    /// The outbox could not be written.
    pub fn give_up_routes_but(
        &self,
        routes: &[String],
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, ReadError> {
        let waiting = self.waiting_routes()?;
        let gone = waiting.into_iter().filter(|(route, _)| !routes.contains(route));
        let mut given_up = 0;
        for (route, _) in gone {
            given_up += self.change_outbox(|conn| {
                let sql = "UPDATE outbox SET done_ms = ?3, error = 'the route is gone'
                           WHERE route = ?1 AND created_ms <= ?2 AND done_ms IS NULL";
                let values = params![route, before.as_millis(), now.as_millis()];
                conn.execute(sql, values).map(|rows| rows as u64)
            })?;
        }
        Ok(given_up)
    }

    /// Writes through the one connection that everybody queues for: two that write compete, and one may starve.
    fn change_outbox<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let meta = &self.shared.meta;
        meta.durably(work).map_err(|error| ReadError::of(&meta.path, error))
    }
}

/// Whether the route of `row` was told after row `id` that the alert is over.
fn is_over(conn: &Connection, row: &NewDelivery, id: i64) -> rusqlite::Result<bool> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE route = ?1 AND alert = ?2 AND id > ?3 AND firing = 0)";
    conn.prepare_cached(sql)?.query_row(params![row.route, row.alert, id], |row| row.get(0))
}
