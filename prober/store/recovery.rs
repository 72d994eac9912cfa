//! After a stop or a crash: every slot that should have been and is not on record becomes a missed one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::event::Origin;
use model::missed::{COUNT_MAX, MissedSlots};
use model::outcome::Reason;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;

use crate::epochs::{self, ceil_ms, origin_from};
use crate::error::ReadError;
use crate::meta;
use crate::part::PartInfo;
use crate::plans::Expected;
use crate::reader::{Reader, StoredRun};
use crate::shared::{Shared, Store};
use crate::writer::{WriteError, Writer};

/// What recovery found.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Slots now on record as `interrupted`.
    pub interrupted: u64,
    /// Slots after a clean stop, now on record as `drain`.
    pub drained: u64,
    /// Those of the interrupted ones whose requests may have been sent.
    pub maybe_sent: u64,
}

/// Rows in one transaction of recovery.
pub(crate) const GROUP_ROWS: usize = 5_000;
/// How far back to look when the checkpoint is from a clock that was wrong.
const WRONG_CLOCK: Duration = Duration::from_hours(24);

/// One epoch's share of the gap.
struct Gap {
    stream: Stream,
    cadence: Cadence,
    origin: Arc<Origin>,
    from: Timestamp,
    to: Timestamp,
}

/// What is on record in the gap.
#[derive(Default)]
struct OnRecord {
    events: HashMap<i64, Vec<i64>>,
    runs: HashMap<i64, Vec<StoredRun>>,
}

impl Writer {
    /// Records the slots that nobody ran before `now`, durably.
    ///
    /// Call it once, before the first record is sent and before the plans of this start are set with the same `now`; the
    /// runner begins with the slots at or after it. Cut off at any instant and begun again, it records each slot once.
    ///
    /// # Errors
    /// Stored events or schedules could not be read, or the missed ones not be written.
    pub fn recover(&mut self, now: Timestamp, expected: &Expected<'_>) -> Result<Recovered, WriteError> {
        let to_ms = ceil_ms(now);
        let from_ms = self.gap_start(now);
        let clean_stop = self.shared.meta.state(meta::CLEAN_STOP_MS)?;
        let mut recovered = Recovered::default();
        let mut reader = Reader::of(Arc::clone(&self.shared));
        let on_record = on_record(&mut reader, from_ms, to_ms)?;
        let intents = self.shared.meta.intents(from_ms)?;
        for gap in gaps(&self.shared, from_ms, to_ms)? {
            let mut due = expected(&gap.stream, &gap.cadence, gap.from, gap.to);
            if let Some(head) = self.tail.heads.get(&gap.stream) {
                on_record.remove_from(&mut due, head.id, (gap.from, gap.to));
            }
            let sent = intents.get(&gap.stream);
            let (maybe_sent, due): (Vec<_>, Vec<_>) =
                due.into_iter().partition(|at| sent.is_some_and(|sent| sent.contains(&at.as_millis())));
            recovered.interrupted += maybe_sent.len() as u64;
            recovered.maybe_sent += maybe_sent.len() as u64;
            for at in maybe_sent {
                let one = MissedSlots::one(Arc::clone(&gap.origin), Reason::Interrupted, at, now);
                self.tail.add_missed(&mut self.group, MissedSlots { maybe_sent: true, ..one });
            }
            let split = clean_stop.map_or(due.len(), |stop| due.partition_point(|at| at.as_millis() < stop));
            recovered.interrupted += split as u64;
            recovered.drained += (due.len() - split) as u64;
            for (slots, reason) in [(&due[..split], Reason::Interrupted), (&due[split..], Reason::Drain)] {
                for run in runs(&gap.origin, reason, slots, now) {
                    // Compared with what is stored just now; nothing else writes.
                    self.tail.add_missed(&mut self.group, run);
                    if self.group.rows.len() >= self.recovery_rows {
                        self.commit()?;
                        self.rotate()?;
                    }
                }
            }
        }
        self.group.checkpoint = Some(to_ms);
        self.commit()?;
        // Only now: cut off before, the next start still knows that the stop was clean.
        self.shared
            .meta
            .durably(|conn| conn.execute("DELETE FROM state WHERE key = ?1", [meta::CLEAN_STOP_MS]))?;
        self.shared.meta.forget_intents(now)?;
        Ok(recovered)
    }

    /// Where unrecorded slots may begin.
    fn gap_start(&self, now: Timestamp) -> i64 {
        let oldest = now.minus(self.shared.config.age_max).as_millis().max(self.shared.accounted_from_ms());
        match self.checkpoint {
            Some(at) if at > ceil_ms(now) => now.minus(WRONG_CLOCK).as_millis().max(oldest),
            Some(at) => at.max(oldest),
            None => oldest,
        }
    }
}

/// The slots of one plan that nobody has spoken of.
#[derive(Clone, Debug)]
pub struct Unrecorded {
    /// Whose they are.
    pub origin: Arc<Origin>,
    /// Their starts, in order.
    pub starts: Vec<Timestamp>,
}

impl Unrecorded {
    /// The slots before `to` and from `from` on as missed, noticed at `now`.
    pub fn missed(
        &self,
        reason: Reason,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Vec<MissedSlots> {
        let starts: Vec<_> = self.starts.iter().copied().filter(|start| (from..to).contains(start)).collect();
        runs(&self.origin, reason, &starts, now)
    }
}

impl Store {
    /// The slots due in `[from, to)` by the stored schedules that have no durable record, plan by plan.
    ///
    /// # Errors
    /// Stored events or schedules could not be read.
    pub fn unrecorded(
        &self,
        from: Timestamp,
        to: Timestamp,
        expected: &Expected<'_>,
    ) -> Result<Vec<Unrecorded>, WriteError> {
        let (from_ms, to_ms) = (ceil_ms(from).max(self.shared.accounted_from_ms()), ceil_ms(to));
        let on_record = on_record(&mut self.reader(), from_ms, to_ms)?;
        let heads = self.shared.heads.read().expect("no holder panics").clone();
        let mut found = Vec::new();
        for gap in gaps(&self.shared, from_ms, to_ms)? {
            let mut starts = expected(&gap.stream, &gap.cadence, gap.from, gap.to);
            if let Some(head) = heads.get(&gap.stream) {
                on_record.remove_from(&mut starts, head.id, (gap.from, gap.to));
            }
            if !starts.is_empty() {
                found.push(Unrecorded { origin: gap.origin, starts });
            }
        }
        Ok(found)
    }
}

fn gaps(shared: &Shared, from_ms: i64, to_ms: i64) -> Result<Vec<Gap>, WriteError> {
    let sql =
        "SELECT scenario, region, replica, cadence, max(from_ms, ?1), min(ifnull(to_ms, ?2), ?2), origin
               FROM schedules WHERE from_ms < ?2 AND (to_ms IS NULL OR to_ms > ?1) ORDER BY id";
    let rows = shared.meta.durably(|conn| {
        let mut select = conn.prepare(sql)?;
        let rows = select.query_map([from_ms, to_ms], |row| {
            let (from, to) = (Timestamp::from_millis(row.get(4)?), Timestamp::from_millis(row.get(5)?));
            Ok((epochs::stream(row, 0)?, epochs::cadence(row, 3)?, from, to, row.get::<_, String>(6)?))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let gap = |(stream, cadence, from, to, origin): (Stream, Cadence, Timestamp, Timestamp, String)| {
        let origin = origin_from(&origin).map_err(|error| {
            let path = &shared.meta.path;
            WriteError::Schedule(format!("schedule of {stream} in {}: {error}", path.display()))
        })?;
        Ok(Gap { stream, cadence, origin: Arc::new(origin), from, to })
    };
    rows.into_iter().filter(|(_, _, from, to, _)| from < to).map(gap).collect()
}

fn on_record(reader: &mut Reader, from_ms: i64, to_ms: i64) -> Result<OnRecord, ReadError> {
    let mut found = OnRecord::default();
    for part in reader.parts()? {
        if part.may_hold(from_ms, to_ms)
            && let Some(conn) = reader.connect(&part)?
        {
            found.read(conn, from_ms, to_ms).map_err(|error| part_error(&part, error))?;
        }
    }
    Ok(found)
}

fn part_error(part: &PartInfo, error: rusqlite::Error) -> ReadError {
    ReadError::of(&part.path, error)
}

impl OnRecord {
    fn read(&mut self, conn: &rusqlite::Connection, from_ms: i64, to_ms: i64) -> rusqlite::Result<()> {
        let sql =
            "SELECT stream, scheduled FROM events WHERE manual = 0 AND scheduled >= ?1 AND scheduled < ?2";
        let mut select = conn.prepare(sql)?;
        let mut rows = select.query([from_ms, to_ms])?;
        while let Some(row) = rows.next()? {
            self.events.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        let columns = StoredRun::COLUMNS;
        let sql = format!("SELECT {columns} FROM missed WHERE last_ms >= ?1 AND first_ms < ?2");
        let mut select = conn.prepare(&sql)?;
        let mut rows = select.query([from_ms, to_ms])?;
        while let Some(row) = rows.next()? {
            let run = StoredRun::read(row)?;
            self.runs.entry(run.stream).or_default().push(run);
        }
        Ok(())
    }

    /// Removes from `due` what is on record for the stream; runs are spread out for one stream at a time.
    fn remove_from(&self, due: &mut Vec<Timestamp>, stream: i64, (from, to): (Timestamp, Timestamp)) {
        let mut stored: Vec<i64> = self.events.get(&stream).cloned().unwrap_or_default();
        for run in self.runs.get(&stream).into_iter().flatten() {
            let start = |index: u32| run.first_ms.saturating_add_unsigned(run.step_ms * u64::from(index));
            stored.extend(
                (0..run.count).map(start).filter(|at| (from.as_millis()..to.as_millis()).contains(at)),
            );
        }
        if stored.is_empty() {
            return;
        }
        stored.sort_unstable();
        due.retain(|at| stored.binary_search(&at.as_millis()).is_err());
    }
}

/// `slots`, in order, as runs of equal distances.
pub(crate) fn runs(
    origin: &Arc<Origin>,
    reason: Reason,
    slots: &[Timestamp],
    now: Timestamp,
) -> Vec<MissedSlots> {
    let mut runs: Vec<MissedSlots> = Vec::new();
    let mut last_ms = 0;
    for &at in slots {
        let before_ms = std::mem::replace(&mut last_ms, at.as_millis());
        if let Some(run) = runs.last_mut() {
            let distance = u64::try_from(last_ms.saturating_sub(before_ms)).unwrap_or(0);
            let joins = distance > 0 && run.count < COUNT_MAX && (run.count == 1 || run.step_ms == distance);
            if joins {
                run.step_ms = distance;
                run.count += 1;
                continue;
            }
        }
        let at = Timestamp::from_millis(last_ms);
        runs.push(MissedSlots::one(Arc::clone(origin), reason, at, now));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample::origin;

    #[test]
    fn slots_become_runs() {
        let shape = |starts: &[i64]| {
            let slots: Vec<_> = starts.iter().map(|at| Timestamp::from_millis(*at)).collect();
            let runs = runs(&origin("a"), Reason::Interrupted, &slots, Timestamp::default());
            let back: Vec<_> = runs.iter().flat_map(|run| run.events().collect::<Vec<_>>()).collect();
            assert_eq!(back.iter().map(|event| event.slot.scheduled.as_millis()).collect::<Vec<_>>(), starts);
            runs.iter().map(|run| (run.first.as_millis(), run.step_ms, run.count)).collect::<Vec<_>>()
        };
        assert_eq!(shape(&[]), []);
        assert_eq!(shape(&[7]), [(7, 0, 1)]);
        assert_eq!(shape(&[10, 20, 30]), [(10, 10, 3)]);
        assert_eq!(shape(&[10, 20, 40, 60, 61]), [(10, 10, 2), (40, 20, 2), (61, 0, 1)]);
        let many: Vec<i64> = (0..2_500).map(|index| index * 5).collect();
        assert_eq!(shape(&many), [(0, 5, 1_000), (5_000, 5, 1_000), (10_000, 5, 500)]);
    }
}
