//! Questions that people ask: filtered events, the last ones of each stream, the last good one.

mod conditions;

use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Reason, Verdict};
use model::slot::{Slot, SlotId, Stream};
use model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Statement, StatementStatus};

use crate::error::ReadError;
use crate::part::{self, PartInfo};
use crate::reader::{Reader, StoredRun, word};
use conditions::Conditions;

/// The most events that one query gives.
pub const LIMIT_MAX: usize = 10_000;

/// Which events are wanted; every given condition must hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this scenario; the name that the instances of a matrix share stands for all of them.
    pub scenario: Option<String>,
    /// Or of one of these, if a scenario is given: names that it had before.
    pub former: Vec<String>,
    /// Of this region.
    pub region: Option<String>,
    /// With one of these verdicts; none given means any.
    pub verdicts: Vec<Verdict>,
    /// With one of these reasons; none given means any.
    pub reasons: Vec<Reason>,
    /// Scheduled at or after this time.
    pub since: Option<Timestamp>,
    /// Scheduled before this time.
    pub until: Option<Timestamp>,
    /// Whose slot id begins with these hexadecimal digits, in either case; anything else matches nothing.
    pub slot_prefix: Option<String>,
    /// With a lower sequence number: the next page of a list with the newest first.
    pub before_seq: Option<u64>,
    /// With a higher sequence number: the next page of a list with the oldest first.
    pub after_seq: Option<u64>,
    /// At most so many, and never more than [`LIMIT_MAX`].
    pub limit: usize,
    /// Whether the list begins with the newest.
    pub newest_first: bool,
}

/// An event with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// The sequence number.
    pub seq: u64,
    /// The event.
    pub event: Arc<SliEvent>,
}

/// What an overview shows of an event.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EventSummary {
    /// The sequence number.
    pub seq: u64,
    /// The slot.
    pub slot: Slot,
    /// The reason; the verdict follows from it.
    pub reason: Reason,
    /// Whether it was started by hand.
    pub manual: bool,
    /// How long the run took.
    pub duration: Duration,
}

impl Reader {
    /// The events that the filter lets through, in the order of their numbers or the reverse.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn query(&mut self, filter: &EventFilter) -> Result<Vec<StoredEvent>, ReadError> {
        let Some(conditions) = Conditions::of(filter) else { return Ok(Vec::new()) };
        let parts = self.parts()?;
        self.let_go(&parts);
        // A part is a file to open: only those that may hold what is wanted.
        let mut parts = part::with_numbers(parts, &conditions.seqs);
        parts.retain(|part| part.may_hold_any(conditions.since_ms, conditions.until_ms));
        if filter.newest_first {
            parts.reverse();
        }
        let mut found = Vec::new();
        for part in &parts {
            let room = conditions.limit - found.len();
            if room == 0 {
                break;
            }
            found.extend(self.query_part(part, &conditions, room)?);
        }
        Ok(found)
    }

    /// The scheduled events of the slots at `at` whose id begins with `slot_prefix`: by an index, where a query without
    /// the time has to look at every row.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn slots_at(&mut self, at: Timestamp, slot_prefix: &str) -> Result<Vec<StoredEvent>, ReadError> {
        let filter = EventFilter {
            slot_prefix: Some(slot_prefix.to_owned()),
            since: Some(at),
            until: Some(at.plus(Duration::from_millis(1))),
            limit: LIMIT_MAX,
            ..EventFilter::default()
        };
        let Some(mut conditions) = Conditions::of(&filter) else { return Ok(Vec::new()) };
        conditions.scheduled_only = true;
        let (from, to) = (conditions.since_ms, conditions.until_ms);
        let mut found = Vec::new();
        for part in self.parts()?.iter().filter(|part| part.may_hold(from, to)) {
            found.extend(self.query_part(part, &conditions, LIMIT_MAX)?);
        }
        Ok(found)
    }

    fn query_part(
        &mut self,
        part: &PartInfo,
        conditions: &Conditions<'_>,
        room: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let Some(conn) = self.connect(part)? else { return Ok(Vec::new()) };
        let mut steps = 0;
        let read = conditions
            .events(conn, (part, room), &mut steps)
            .and_then(|events| Ok((events, conditions.runs(conn, room, &mut steps)?)));
        let (mut found, runs) = read.map_err(|error| ReadError::of(&part.path, error))?;
        self.add_steps(steps);
        let newest_first = conditions.filter.newest_first;
        let mut missed = 0;
        for stored in runs {
            // They come in order: what one has, later ones have not.
            if missed >= room {
                break;
            }
            let run = self.run(part, &stored)?;
            let mut slots: Vec<_> = (stored.seq..)
                .zip(run.events())
                .filter(|(seq, event)| conditions.let_through(*seq, &event.slot))
                .map(|(seq, event)| StoredEvent { seq: seq.cast_unsigned(), event: Arc::new(event) })
                .collect();
            if newest_first {
                slots.reverse();
            }
            slots.truncate(room);
            missed += slots.len();
            found.extend(slots);
        }
        if newest_first {
            found.sort_by_key(|event| std::cmp::Reverse(event.seq));
        } else {
            found.sort_by_key(|event| event.seq);
        }
        found.truncate(room);
        Ok(found)
    }

    /// The last `count` events of each of `streams`, the newest first; a stream without any gives an empty list.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn last_events(
        &mut self,
        streams: &[Stream],
        count: usize,
    ) -> Result<Vec<Vec<EventSummary>>, ReadError> {
        let heads = self.heads_of(streams)?;
        let parts = self.parts()?;
        self.let_go(&parts);
        let count = count.min(LIMIT_MAX);
        let mut all = Vec::with_capacity(streams.len());
        for (stream, head) in streams.iter().zip(heads) {
            let mut found = Vec::new();
            if let Some(head) = head {
                self.walk(&parts, (stream, head.last_seq), |summary| {
                    if found.len() < count {
                        found.push(summary);
                    }
                    found.len() < count
                })?;
            }
            all.push(found);
        }
        Ok(all)
    }

    /// The stream's last good scheduled event whose slot starts before `before`, if it is among its last [`LIMIT_MAX`].
    ///
    /// # Errors
    /// A part could not be read.
    pub fn last_good_before(
        &mut self,
        stream: &Stream,
        before: Timestamp,
    ) -> Result<Option<StoredEvent>, ReadError> {
        let Some(head) = self.head(stream)? else { return Ok(None) };
        let parts = self.parts()?;
        let (mut good, mut looked_at) = (None, 0);
        self.walk(&parts, (stream, head.last_seq), |summary| {
            // What has been bad for months must not make a page read months.
            looked_at += 1;
            let fits = summary.reason == Reason::Ok && !summary.manual && summary.slot.scheduled < before;
            if fits {
                good = Some(summary.seq);
            }
            !fits && looked_at < LIMIT_MAX
        })?;
        good.map_or(Ok(None), |seq| self.event(seq))
    }

    /// The event with this number.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn event(&mut self, seq: u64) -> Result<Option<StoredEvent>, ReadError> {
        let after_seq = Some(seq.saturating_sub(1));
        let filter =
            EventFilter { after_seq, before_seq: seq.checked_add(1), limit: 1, ..EventFilter::default() };
        Ok(self.query(&filter)?.pop().filter(|found| found.seq == seq))
    }

    /// Follows the stream's rows from the newest back until `take` says no.
    pub(crate) fn walk(
        &mut self,
        parts: &[PartInfo],
        (stream, last_seq): (&Stream, i64),
        mut take: impl FnMut(EventSummary) -> bool,
    ) -> Result<(), ReadError> {
        let mut seq = last_seq;
        while seq > 0 {
            let Some(part) = parts.iter().rev().find(|part| part.first_seq <= seq) else { return Ok(()) };
            let Some(conn) = self.connect(part)? else { return Ok(()) };
            let mut steps = 0;
            let row = link(conn, seq, &mut steps).map_err(|error| ReadError::of(&part.path, error))?;
            self.add_steps(steps);
            let prev = match row {
                Some(Link::Event { prev, scheduled_ms, mut summary }) => {
                    summary.slot.scheduled = Timestamp::from_millis(scheduled_ms);
                    if !take(summary) {
                        return Ok(());
                    }
                    prev
                }
                Some(Link::Missed(run)) => {
                    if !run_summaries(&run, stream).all(&mut take) {
                        return Ok(());
                    }
                    run.prev
                }
                None => return Ok(()),
            };
            // A link that does not lead back would be damage, and endless.
            if prev >= seq {
                return Ok(());
            }
            seq = prev;
        }
        Ok(())
    }
}

enum Link {
    Event { prev: i64, scheduled_ms: i64, summary: EventSummary },
    Missed(StoredRun),
}

fn link(conn: &Connection, seq: i64, steps: &mut u64) -> rusqlite::Result<Option<Link>> {
    let sql = "SELECT prev, scheduled, slot, reason, manual, duration_us FROM events WHERE seq = ?1";
    let mut select = conn.prepare_cached(sql)?;
    let event = select.query_row([seq], |row| {
        let scheduled_ms: i64 = row.get(1)?;
        let slot = Slot {
            id: SlotId::from_bytes(row.get::<_, [u8; 16]>(2)?),
            scheduled: Timestamp::from_millis(scheduled_ms),
        };
        let duration = Duration::from_micros(row.get::<_, i64>(5)?.max(0).cast_unsigned());
        let (reason, manual) = (word(row, 3)?, row.get(4)?);
        let summary = EventSummary { seq: seq.cast_unsigned(), slot, reason, manual, duration };
        Ok(Link::Event { prev: row.get(0)?, scheduled_ms, summary })
    });
    *steps += steps_of(&select);
    if let Some(event) = event.optional()? {
        return Ok(Some(event));
    }
    let columns = StoredRun::COLUMNS;
    let sql = format!("SELECT {columns} FROM missed WHERE seq = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    let run = select.query_row([seq], StoredRun::read).optional()?;
    *steps += steps_of(&select);
    Ok(run.map(Link::Missed))
}

/// What a statement has done since it was asked last: the steps of SQLite's machine.
fn steps_of(statement: &Statement<'_>) -> u64 {
    statement.reset_status(StatementStatus::VmStep).max(0).cast_unsigned().into()
}

/// The run's slots, the newest first.
fn run_summaries(run: &StoredRun, stream: &Stream) -> impl Iterator<Item = EventSummary> {
    (0..run.count).rev().map(move |index| {
        let at = run.first_ms.saturating_add_unsigned(run.step_ms.saturating_mul(u64::from(index)));
        EventSummary {
            seq: (run.seq + i64::from(index)).cast_unsigned(),
            slot: stream.slot(Timestamp::from_millis(at)),
            reason: run.reason,
            manual: false,
            duration: Duration::ZERO,
        }
    })
}
