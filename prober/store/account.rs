//! The account of slots: for each closed window, good + bad + ineligible + missed = expected.

use std::collections::HashMap;

use model::outcome::{Reason, Verdict};
use model::slot::Stream;
use model::time::Timestamp;
use rusqlite::Connection;

use crate::epochs::ceil_ms;
use crate::error::ReadError;
use crate::part;
use crate::plans::Expected;
use crate::reader::{StoredRun, word};
use crate::shared::Store;

/// What became of one stream's slots in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAccount {
    /// Whose slots.
    pub stream: Stream,
    /// Slots due by the stored schedules, planned absences taken off.
    pub expected: u64,
    /// Good events.
    pub good: u64,
    /// Bad events.
    pub bad: u64,
    /// Ineligible events, planned absences taken off.
    pub ineligible: u64,
    /// Missed slots.
    pub missed: u64,
    /// Planned absences: maintenance and pauses.
    pub planned: u64,
    /// Slots that were missed first and had an event after all; the miss is counted no more.
    pub upgraded: u64,
    /// Held events in an older part whose place a later event has taken; the held one is counted no more.
    pub settled: u64,
}

impl StreamAccount {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            expected: 0,
            good: 0,
            bad: 0,
            ineligible: 0,
            missed: 0,
            planned: 0,
            upgraded: 0,
            settled: 0,
        }
    }

    /// Good and bad, ineligible and missed together.
    pub const fn recorded(&self) -> u64 {
        self.good + self.bad + self.ineligible + self.missed
    }

    /// How far the records are from the expectation; 0 in a sound store.
    pub const fn violations(&self) -> u64 {
        self.expected.abs_diff(self.recorded())
    }

    fn count(&mut self, reason: Reason, slots: u64) {
        let counter = match reason.verdict() {
            _ if reason.is_planned() => &mut self.planned,
            Verdict::Good => &mut self.good,
            Verdict::Bad => &mut self.bad,
            Verdict::Ineligible => &mut self.ineligible,
            Verdict::Missed => &mut self.missed,
        };
        *counter += slots;
    }
}

/// What became of all slots in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The start; later than asked for if parts before it were dropped.
    pub from: Timestamp,
    /// The end, not included.
    pub to: Timestamp,
    /// Streams with a slot or an event in the window, in no order.
    pub streams: Vec<StreamAccount>,
    /// The sum of all streams' violations; 0 in a sound store.
    pub violations: u64,
}

impl Store {
    /// The account of the slots scheduled in `[from, to)`, a window whose slots all have their record.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn account(
        &self,
        from: Timestamp,
        to: Timestamp,
        expected: &Expected<'_>,
    ) -> Result<Account, ReadError> {
        let from_ms = ceil_ms(from).max(self.shared.accounted_from_ms());
        let to_ms = ceil_ms(to);
        let mut by_id = HashMap::new();
        let mut without_id = HashMap::new();
        let heads = self.shared.heads.read().expect("no holder panics").clone();
        for (stream, head) in heads.iter() {
            by_id.insert(head.id, StreamAccount::new(stream.clone()));
        }
        self.count_recorded(from_ms, to_ms, &mut by_id)?;
        let epochs = self.shared.epochs.read().expect("no holder panics").clone();
        for epoch in &epochs.0 {
            let Some((start, end)) = epoch.overlap(from_ms, to_ms) else { continue };
            let due = expected(&epoch.stream, &epoch.cadence, start, end).len() as u64;
            let known = heads.get(&epoch.stream).and_then(|head| by_id.get_mut(&head.id));
            let account = match known {
                Some(account) => account,
                None => without_id
                    .entry(&epoch.stream)
                    .or_insert_with(|| StreamAccount::new(epoch.stream.clone())),
            };
            account.expected += due;
        }
        let mut streams: Vec<_> = by_id.into_values().chain(without_id.into_values()).collect();
        for account in &mut streams {
            // Which part holds the miss and which the event is chance, so this comes when all are counted.
            account.missed = account.missed.saturating_sub(account.upgraded);
            account.ineligible = account.ineligible.saturating_sub(account.settled);
            account.expected = account.expected.saturating_sub(account.planned);
        }
        streams.retain(|account| account.expected + account.recorded() + account.planned > 0);
        let violations = streams.iter().map(StreamAccount::violations).sum();
        Ok(Account {
            from: Timestamp::from_millis(from_ms),
            to: Timestamp::from_millis(to_ms),
            streams,
            violations,
        })
    }

    fn count_recorded(
        &self,
        from_ms: i64,
        to_ms: i64,
        by_id: &mut HashMap<i64, StreamAccount>,
    ) -> Result<(), ReadError> {
        let mut reader = self.reader();
        for part in reader.parts()? {
            if part.may_hold(from_ms, to_ms)
                && let Some(conn) = reader.connect(&part)?
            {
                count_part(conn, (from_ms, to_ms), by_id)
                    .map_err(|error| ReadError::of(&part.path, error))?;
            }
        }
        Ok(())
    }
}

fn count_part(
    conn: &Connection,
    (from_ms, to_ms): (i64, i64),
    by_id: &mut HashMap<i64, StreamAccount>,
) -> rusqlite::Result<()> {
    let mut count = |stream: i64, reason: Reason, slots: u64| {
        if let Some(account) = by_id.get_mut(&stream) {
            account.count(reason, slots);
        }
    };
    let sql = "SELECT stream, reason FROM events INDEXED BY events_slot
               WHERE manual = 0 AND scheduled >= ?1 AND scheduled < ?2";
    let mut select = conn.prepare(sql)?;
    let mut rows = select.query([from_ms, to_ms])?;
    while let Some(row) = rows.next()? {
        count(row.get(0)?, word(row, 1)?, 1);
    }
    let columns = StoredRun::COLUMNS;
    let sql = format!("SELECT {columns} FROM missed WHERE last_ms >= ?1 AND first_ms < ?2");
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query([from_ms, to_ms])?;
    while let Some(row) = rows.next()? {
        let run = StoredRun::read(row)?;
        count(run.stream, run.reason, run.count_in(from_ms, to_ms));
    }
    for stream in part::settled(conn, from_ms, to_ms)? {
        if let Some(account) = by_id.get_mut(&stream) {
            account.settled += 1;
        }
    }
    for stream in part::upgraded(conn, from_ms, to_ms)? {
        if let Some(account) = by_id.get_mut(&stream) {
            account.upgraded += 1;
        }
    }
    Ok(())
}
