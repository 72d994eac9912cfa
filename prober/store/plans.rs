//! Which stream was due how, and when: the plans that set the epochs from which expected slots are computed again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::event::Origin;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::epochs::{Epoch, ceil_ms, origin_text, read_epochs, stream};
use crate::heads::Heads;
use crate::shared::Store;

/// Gives the starts in `[from, to)` at which a stream of a cadence is due, in order.
///
/// The arithmetic of schedules lives with the scheduler; the same function must serve runner, recovery and account.
pub type Expected<'a> = dyn Fn(&Stream, &Cadence, Timestamp, Timestamp) -> Vec<Timestamp> + 'a;

/// Why plans could not be set; the old ones stay.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Two plans have one stream.
    #[error("stream {0} is planned twice")]
    Twice(Stream),
    /// The schedules could not be stored.
    #[error("schedules could not be stored: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

struct Current {
    id: i64,
    cadence: String,
    from_ms: i64,
    origin: String,
}

/// A span of time in which a stream was due by one cadence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Whose slots.
    pub stream: Stream,
    /// How often.
    pub cadence: Cadence,
    /// The first instant of it.
    pub from: Timestamp,
    /// The first instant after it; `None` while it is current.
    pub to: Option<Timestamp>,
    /// Whether no slot of it may be run twice.
    pub side_effects: bool,
}

impl Store {
    /// Every span in which a stream was due, as far back as accounts go.
    pub fn spans(&self) -> Vec<Span> {
        let epochs = self.shared.epochs.read().expect("no holder panics");
        let span = |epoch: &Epoch| Span {
            stream: epoch.stream.clone(),
            cadence: epoch.cadence.clone(),
            from: Timestamp::from_millis(epoch.from_ms),
            to: epoch.to_ms.map(Timestamp::from_millis),
            side_effects: epoch.side_effects,
        };
        epochs.0.iter().map(span).collect()
    }

    /// Makes `plans` the current ones from `now` on; durable when this returns, before any slot runs.
    ///
    /// A plan whose cadence did not change continues its epoch. A changed or vanished one ends at `now`, half
    /// open: its slots before `now` are expected, and the new one's from `now` on. At a start this is the same `now`
    /// as recovery's, and the runner begins with the slots at or after it.
    ///
    /// # Errors
    /// A stream is planned twice, or the schedules could not be stored; then the old plans stay.
    pub fn set_plans(&self, plans: &[(Arc<Origin>, Cadence)], now: Timestamp) -> Result<(), PlanError> {
        let mut seen = HashSet::with_capacity(plans.len());
        if let Some((origin, _)) = plans.iter().find(|(origin, _)| !seen.insert(&origin.stream)) {
            return Err(PlanError::Twice(origin.stream.clone()));
        }
        let keep = self.shared.config.age_max + std::time::Duration::from_hours(24);
        let heads = self.shared.heads.read().expect("no holder panics").clone();
        let epochs = self.shared.meta.durably(|conn| {
            let sql = "DELETE FROM schedules WHERE to_ms < ?1";
            conn.execute(sql, [now.minus(keep).as_millis()])?;
            let mut current = current(conn)?;
            for (origin, cadence) in plans {
                let was = current.remove(&origin.stream);
                set_plan(conn, (origin, cadence), was, cut(&heads, &origin.stream, now))?;
            }
            for (stream, was) in current {
                close(conn, &was, cut(&heads, &stream, now))?;
            }
            let mut epochs = read_epochs(conn)?;
            epochs.share_names(&seen);
            Ok(epochs)
        })?;
        *self.shared.epochs.write().expect("no holder panics") = epochs;
        Ok(())
    }
}

/// Where epochs meet: `now`, or after the last slot on record if the clock stepped back behind it.
fn cut(heads: &Heads, stream: &Stream, now: Timestamp) -> i64 {
    let recorded = heads.get(stream).map_or(i64::MIN, |head| head.last_ms.saturating_add(1));
    // Slots start on whole milliseconds: the first one at or after `now` belongs to the new epoch.
    ceil_ms(now).max(recorded)
}

fn current(conn: &Connection) -> rusqlite::Result<HashMap<Stream, Current>> {
    let sql =
        "SELECT scenario, region, replica, id, cadence, from_ms, origin FROM schedules WHERE to_ms IS NULL";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([], |row| {
        let current =
            Current { id: row.get(3)?, cadence: row.get(4)?, from_ms: row.get(5)?, origin: row.get(6)? };
        Ok((stream(row, 0)?, current))
    })?;
    rows.collect()
}

fn set_plan(
    conn: &Connection,
    (origin, cadence): (&Arc<Origin>, &Cadence),
    was: Option<Current>,
    cut_ms: i64,
) -> rusqlite::Result<()> {
    let (text, cadence) = (origin_text(origin), cadence.to_string());
    let mut from_ms = cut_ms;
    if let Some(was) = was {
        if was.cadence == cadence {
            if was.origin != text {
                let sql = "UPDATE schedules SET origin = ?1 WHERE id = ?2";
                conn.prepare_cached(sql)?.execute(params![text, was.id])?;
            }
            return Ok(());
        }
        from_ms = close(conn, &was, cut_ms)?;
    }
    let Stream { scenario, region, replica } = &origin.stream;
    let sql = "INSERT INTO schedules(scenario, region, replica, cadence, from_ms, to_ms, origin)
               VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6)";
    conn.prepare_cached(sql)?.execute(params![&**scenario, &**region, replica, cadence, from_ms, text])?;
    Ok(())
}

/// Ends the epoch and gives where it ended.
fn close(conn: &Connection, was: &Current, cut_ms: i64) -> rusqlite::Result<i64> {
    let to_ms = cut_ms.max(was.from_ms);
    let sql = "UPDATE schedules SET to_ms = ?1 WHERE id = ?2";
    conn.prepare_cached(sql)?.execute(params![to_ms, was.id])?;
    Ok(to_ms)
}
