//! Where a reader is: batches in the order of the sequence, at least once.

use std::sync::Arc;

use model::event::SliEvent;
use rusqlite::params;

use crate::error::ReadError;
use crate::meta;
use crate::part::PartInfo;
use crate::reader::{Reader, StoredRun, body};
use crate::recent::Place;
use crate::shared::{Shared, Store};

/// Events in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events; empty if there is nothing new.
    pub events: Vec<Arc<SliEvent>>,
    /// What [`Cursor::advance`] takes once they are delivered.
    pub end: u64,
    /// Events that were dropped before this reader came to them.
    pub lost: u64,
    /// Events that were skipped because this version cannot read them.
    pub unreadable: u64,
}

/// One reader's place in the sequence.
#[derive(Debug)]
pub struct Cursor {
    pub(crate) shared: Arc<Shared>,
    /// Under which name the place is stored; `None` if it is in memory only.
    pub(crate) name: Option<String>,
    /// The next number this reader wants.
    pub(crate) position: Place,
    /// How many events it lost so far.
    pub(crate) lost: i64,
    reader: Reader,
}

impl Store {
    /// The stored cursor `name`; a new one begins with the oldest event there is.
    ///
    /// # Errors
    /// Its place could not be read or stored.
    pub fn cursor(&self, name: &str) -> Result<Cursor, ReadError> {
        let meta = &self.shared.meta;
        let stored = meta.cursor(name).and_then(|found| {
            let oldest = self.shared.part_list().first().map_or(1, |part| part.first_seq);
            let (position, lost) = found.unwrap_or((oldest, 0));
            meta.set_cursor(name, position, lost).map(|()| (position, lost))
        });
        let (position, lost) = stored.map_err(|error| ReadError::of(&meta.path, error))?;
        Ok(self.cursor_at(Some(name.to_owned()), position, lost))
    }

    /// A cursor in memory that begins after the newest event.
    pub fn cursor_at_end(&self) -> Cursor {
        let end = self.shared.durable.borrow().saturating_add(1).cast_signed();
        self.cursor_at(None, end, 0)
    }

    fn cursor_at(&self, name: Option<String>, position: i64, lost: i64) -> Cursor {
        let position = self.shared.recent.lock().expect("no holder panics").reader(position);
        Cursor { shared: Arc::clone(&self.shared), name, position, lost, reader: self.reader() }
    }

    /// Forgets every stored cursor that is not in `names`: readers that are no longer configured hold nothing back.
    ///
    /// # Errors
    /// The cursors could not be read or stored.
    pub fn keep_cursors(&self, names: &[&str]) -> Result<(), ReadError> {
        let meta = &self.shared.meta;
        let kept = meta.cursors().and_then(|known| {
            let gone = known.into_iter().filter(|(name, _)| !names.contains(&name.as_str()));
            meta.durably(|conn| {
                for (name, position) in gone {
                    conn.execute("DELETE FROM cursors WHERE name = ?1", [&name])?;
                    // Its place also says which numbers are taken.
                    let floor = meta::read_state(conn, meta::SEQ_FLOOR)?.unwrap_or(1).max(position);
                    meta::write_state(conn, meta::SEQ_FLOOR, floor)?;
                }
                Ok(())
            })
        });
        kept.map_err(|error| ReadError::of(&meta.path, error))
    }
}

impl Cursor {
    /// The number of the next event.
    pub fn next_seq(&self) -> u64 {
        self.position.get().cast_unsigned()
    }

    /// Up to `events_max` durable events of about `bytes_max` bytes from the cursor's place on; always one if there is one.
    ///
    /// The place stays until [`Cursor::advance`]. If a part was dropped, the batch begins with the oldest event left
    /// and says how many are lost.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn next_batch(&mut self, events_max: usize, bytes_max: usize) -> Result<Batch, ReadError> {
        let events_max = events_max.max(1);
        let durable = self.shared.durable.borrow().cast_signed();
        let mut batch = Batch { end: self.position.get().cast_unsigned(), ..Batch::default() };
        if self.position.get() > durable {
            return Ok(batch);
        }
        if let Some(events) =
            self.shared.recent.lock().expect("no holder panics").from(self.position.get(), events_max)
        {
            batch.end += events.len() as u64;
            batch.events = events;
            return Ok(batch);
        }
        let parts = self.reader.parts()?;
        self.reader.let_go(&parts);
        let mut position = self.position.get();
        for (index, part) in parts.iter().enumerate() {
            let end = parts.get(index + 1).map_or(durable + 1, |next| next.first_seq);
            if end <= position {
                continue;
            }
            if part.first_seq > position {
                batch.lost += (part.first_seq - position).cast_unsigned();
                position = part.first_seq;
            }
            let wanted = Wanted { from: position, to: end, events_max, bytes_max };
            let full = self.read_part(part, &wanted, &mut batch)?;
            position = if full { batch.end.cast_signed() } else { end };
            batch.end = position.cast_unsigned();
            if full || !batch.events.is_empty() {
                break;
            }
        }
        Ok(batch)
    }

    /// Reads what is wanted of one part; gives whether the batch is full, and then `batch.end` is set.
    fn read_part(&mut self, part: &PartInfo, wanted: &Wanted, batch: &mut Batch) -> Result<bool, ReadError> {
        let Some((rows, complete)) = self.read_rows(part, wanted)? else {
            // Dropped between listing and opening.
            batch.lost += (wanted.to - wanted.from).cast_unsigned();
            return Ok(false);
        };
        let mut bytes = 0;
        for Found { seq, event, bytes: size } in rows {
            let full = batch.events.len() >= wanted.events_max || bytes + size > wanted.bytes_max;
            if full && !batch.events.is_empty() {
                batch.end = seq.cast_unsigned();
                return Ok(true);
            }
            bytes += size;
            match event {
                Some(event) => batch.events.push(event),
                None => batch.unreadable += 1,
            }
            batch.end = seq.cast_unsigned() + 1;
        }
        // Unreadable rows take no place in the batch, so the part may hold more.
        Ok(!complete)
    }

    /// Rows of both tables in order, one more than the batch takes, and whether they are all; `None` if the part is
    /// gone.
    fn read_rows(
        &mut self,
        part: &PartInfo,
        wanted: &Wanted,
    ) -> Result<Option<(Vec<Found>, bool)>, ReadError> {
        let Some(conn) = self.reader.connect(part)? else { return Ok(None) };
        let limit = wanted.events_max.saturating_add(1);
        let read = (|| {
            let mut found = Vec::new();
            let sql = "SELECT seq, body, length(CAST(body AS BLOB)) FROM bodies
                       WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT ?3";
            let mut select = conn.prepare_cached(sql)?;
            let mut rows = select.query(params![wanted.from, wanted.to, limit.cast_signed()])?;
            let mut bytes = 0_usize;
            while let Some(row) = rows.next()? {
                let size = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX);
                found.push(Found { seq: row.get(0)?, event: body(row, 1)?, bytes: size });
                bytes = bytes.saturating_add(size);
                if bytes > wanted.bytes_max && found.len() > 1 {
                    break;
                }
            }
            let columns = StoredRun::COLUMNS;
            let sql = format!(
                "SELECT {columns} FROM missed WHERE seq > ?1 AND seq < ?2 AND seq + count > ?3 ORDER BY seq LIMIT ?4"
            );
            let reach = wanted.from.saturating_sub(i64::from(model::missed::COUNT_MAX));
            // Beyond the last event found there may be others that were not read.
            let complete = found.len() < limit && bytes <= wanted.bytes_max;
            let to = if complete { wanted.to } else { found.last().map_or(wanted.to, |last| last.seq) };
            let mut select = conn.prepare_cached(&sql)?;
            let mut rows = select.query(params![reach, to, wanted.from, limit.cast_signed()])?;
            let (mut runs, mut slots) = (Vec::new(), 0);
            while slots < limit
                && let Some(row) = rows.next()?
            {
                let run = StoredRun::read(row)?;
                slots += (run.count - run.skipped(wanted.from)) as usize;
                runs.push(run);
            }
            Ok((found, runs, complete))
        })();
        let (mut found, runs, complete) = read.map_err(|error| ReadError::of(&part.path, error))?;
        let mut room = limit;
        for stored in runs {
            let run = self.reader.run(part, &stored)?;
            let skipped = stored.skipped(wanted.from);
            let slots = (stored.seq + i64::from(skipped)..wanted.to).zip(run.events_from(skipped));
            let before = found.len();
            found.extend(slots.take(room).map(|(seq, event)| Found {
                seq,
                event: Some(Arc::new(event)),
                bytes: MISSED_BYTES,
            }));
            room -= found.len() - before;
        }
        found.sort_by_key(|row| row.seq);
        Ok(Some((found, complete)))
    }

    /// Moves the place to `end` of a batch that is delivered; stored if the cursor has a name.
    ///
    /// # Errors
    /// The place could not be stored; it is moved in memory all the same.
    pub fn advance(&mut self, batch: &Batch) -> Result<(), ReadError> {
        let end = batch.end.cast_signed();
        if end <= self.position.get() {
            return Ok(());
        }
        self.pass(batch);
        let Some(name) = &self.name else { return Ok(()) };
        let meta = &self.shared.meta;
        meta.set_cursor(name, end, self.lost).map_err(|error| ReadError::of(&meta.path, error))
    }

    /// A cursor in memory that begins where this one is.
    #[must_use]
    pub fn ahead(&self) -> Self {
        let reader = Reader::of(Arc::clone(&self.shared));
        let position = self.shared.recent.lock().expect("no holder panics").reader(self.position.get());
        Self { shared: Arc::clone(&self.shared), name: None, position, lost: 0, reader }
    }

    /// The number of the next event that it wants.
    pub fn position(&self) -> u64 {
        self.position.get().cast_unsigned()
    }

    /// Events between the cursor's place and the newest durable one.
    pub fn behind(&self) -> u64 {
        let next = self.shared.durable.borrow().saturating_add(1);
        next.saturating_sub(self.position.get().cast_unsigned())
    }

    /// Events that this cursor lost over its life, restarts included.
    pub const fn lost(&self) -> u64 {
        self.lost.cast_unsigned()
    }
}

struct Wanted {
    from: i64,
    to: i64,
    events_max: usize,
    bytes_max: usize,
}

struct Found {
    seq: i64,
    event: Option<Arc<SliEvent>>,
    bytes: usize,
}

/// About the size of a missed slot's event.
const MISSED_BYTES: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;
    use crate::tests::sample::{Desk, at, origin};
    use model::missed::{COUNT_MAX, MissedSlots};
    use model::outcome::Reason;

    /// A prober that was away for days leaves hundreds of runs; a batch makes events of as many slots as it takes.
    #[test]
    fn a_batch_out_of_many_runs_makes_no_more_events_than_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = Desk::open(dir.path(), at("2026-03-01T00:00:00Z"));
        let run = |hour: u64| MissedSlots {
            origin: origin("shop"),
            reason: Reason::Interrupted,
            first: at("2026-03-01T00:00:00Z").plus(std::time::Duration::from_hours(hour)),
            step_ms: 1_000,
            count: COUNT_MAX,
            recorded: at("2026-03-01T00:00:00Z"),
            maybe_sent: false,
        };
        desk.write((0..20).map(|hour| Record::Missed(run(hour))).collect());
        let mut cursor = desk.store.cursor("slow").unwrap();
        let part = desk.store.shared.part_list().pop().unwrap();
        for from in [1, 700, 1_001, 1_999, 15_500] {
            let wanted = Wanted { from, to: 20_001, events_max: 500, bytes_max: 1 << 20 };
            let (rows, complete) = cursor.read_rows(&part, &wanted).unwrap().unwrap();
            let read: Vec<_> = rows.iter().map(|row| row.seq).collect();
            assert_eq!((read, complete), ((from..from + 501).collect(), true));
        }
    }
}
