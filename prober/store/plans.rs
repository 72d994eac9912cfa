//! Which stream was due how, and when: the epochs from which expected slots are computed again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::event::{Origin, SliEvent};
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::heads::Heads;
use crate::meta::Meta;
use crate::open::Store;

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

/// A span of time in which a stream was due by one cadence: `[from_ms, to_ms)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) stream: Stream,
    pub(crate) cadence: Cadence,
    pub(crate) from_ms: i64,
    /// `None` while it is current.
    pub(crate) to_ms: Option<i64>,
    /// Whether the stream's newest plan in it has side effects.
    pub(crate) side_effects: bool,
}

impl Epoch {
    /// The part of `[from_ms, to_ms)` that lies in this epoch, if any.
    pub(crate) fn overlap(&self, from_ms: i64, to_ms: i64) -> Option<(Timestamp, Timestamp)> {
        let from = self.from_ms.max(from_ms);
        let to = self.to_ms.map_or(to_ms, |end| end.min(to_ms));
        (from < to).then(|| (Timestamp::from_millis(from), Timestamp::from_millis(to)))
    }
}

/// All epochs that a window still kept may touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs(pub(crate) Vec<Epoch>);

impl Epochs {
    pub(crate) fn read(meta: &Meta) -> rusqlite::Result<Self> {
        meta.durably(|conn| read_epochs(conn))
    }
}

fn read_epochs(conn: &Connection) -> rusqlite::Result<Epochs> {
    let sql = "SELECT scenario, region, replica, cadence, from_ms, to_ms,
               ifnull(json_extract(origin, '$.\"prober.scenario.side_effects\"'), 0)
               FROM schedules ORDER BY id";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([], |row| {
        Ok(Epoch {
            stream: stream(row, 0)?,
            cadence: cadence(row, 3)?,
            from_ms: row.get(4)?,
            to_ms: row.get(5)?,
            side_effects: row.get(6)?,
        })
    })?;
    rows.collect::<rusqlite::Result<_>>().map(Epochs)
}

/// The stream in three columns from `index` on.
pub(crate) fn stream(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Stream> {
    Ok(Stream {
        scenario: row.get_ref(index)?.as_str()?.into(),
        region: row.get_ref(index + 1)?.as_str()?.into(),
        replica: row.get(index + 2)?,
    })
}

/// The cadence in column `index`.
pub(crate) fn cadence(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Cadence> {
    row.get_ref(index)?.as_str()?.parse().map_err(|error: model::slot::NotACadence| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, error.into())
    })
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
            read_epochs(conn)
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

/// The first whole millisecond at or after `at`.
pub(crate) fn ceil_ms(at: Timestamp) -> i64 {
    let floor = at.as_millis();
    if Timestamp::from_millis(floor) < at { floor + 1 } else { floor }
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

/// The stored form of an origin: an event that says nothing else.
pub(crate) fn origin_text(origin: &Arc<Origin>) -> String {
    let epoch = Timestamp::default();
    let run = MissedSlots::one(Arc::clone(origin), Reason::Interrupted, epoch, epoch);
    run.events().next().expect("one slot").to_json()
}

/// Reads the stored form of an origin.
pub(crate) fn origin_from(text: &str) -> Result<Origin, serde_json::Error> {
    SliEvent::from_json(text).map(|event| Arc::unwrap_or_clone(event.origin))
}
