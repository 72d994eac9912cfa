//! Spans of time in which a stream was due by one cadence, and how plans are stored.

use std::collections::HashSet;
use std::sync::Arc;

use model::event::{Origin, SliEvent};
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use rusqlite::Connection;

use crate::meta::Meta;

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

    /// Lets go of every second copy of a name that is planned.
    pub(crate) fn share_names(&mut self, planned: &HashSet<&Stream>) {
        for epoch in &mut self.0 {
            if let Some(stream) = planned.get(&epoch.stream) {
                epoch.stream = Stream::clone(stream);
            }
        }
        self.0.shrink_to_fit();
    }
}

/// The epochs as they are stored.
pub(crate) fn read_epochs(conn: &Connection) -> rusqlite::Result<Epochs> {
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

/// The first whole millisecond at or after `at`.
pub(crate) fn ceil_ms(at: Timestamp) -> i64 {
    let floor = at.as_millis();
    if Timestamp::from_millis(floor) < at { floor + 1 } else { floor }
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
