//! Many events at a glance: what became of slots, without what each run showed.

use std::collections::HashMap;
use std::time::Duration;

use model::slot::{Slot, SlotId, Stream};
use model::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::ReadError;
use crate::part::PartInfo;
use crate::query::EventSummary;
use crate::reader::{Reader, StoredRun, word};

impl Reader {
    /// Hands over every scheduled event of slots in `[since, until)`; inside a part in the order of their slots, runs
    /// that nobody made after the others.
    ///
    /// Reads no bodies, so that a day of many streams is a matter of seconds.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn scan(
        &mut self,
        since: Timestamp,
        until: Timestamp,
        mut take: impl FnMut(&Stream, EventSummary),
    ) -> Result<(), ReadError> {
        let span = (crate::epochs::ceil_ms(since), crate::epochs::ceil_ms(until));
        let streams: HashMap<i64, Stream> =
            self.heads()?.iter().map(|(stream, head)| (head.id, stream.clone())).collect();
        let parts = self.parts()?;
        self.let_go(&parts);
        for part in parts.iter().filter(|part| part.may_hold(span.0, span.1)) {
            self.scan_part(part, span, &mut |id, summary| {
                if let Some(stream) = streams.get(&id) {
                    take(stream, summary);
                }
            })?;
            for run in self.runs_in(part, span)? {
                let Some(stream) = streams.get(&run.stream) else { continue };
                for index in 0..run.count {
                    let at = run.first_ms.saturating_add_unsigned(run.step_ms.saturating_mul(index.into()));
                    if (span.0..span.1).contains(&at) {
                        take(stream, missed(&run, index, stream.slot(Timestamp::from_millis(at))));
                    }
                }
            }
        }
        Ok(())
    }

    /// Follows the stream's scheduled events back from the newest until `take` says no; runs by hand are left out.
    ///
    /// # Errors
    /// A part could not be read.
    pub fn history(
        &mut self,
        stream: &Stream,
        mut take: impl FnMut(EventSummary) -> bool,
    ) -> Result<(), ReadError> {
        let Some(head) = self.head(stream)? else { return Ok(()) };
        let parts = self.parts()?;
        self.let_go(&parts);
        self.walk(&parts, (stream, head.last_seq), |summary| summary.manual || take(summary))
    }

    fn scan_part(
        &mut self,
        part: &PartInfo,
        span: (i64, i64),
        take: &mut dyn FnMut(i64, EventSummary),
    ) -> Result<(), ReadError> {
        let Some(conn) = self.connect(part)? else { return Ok(()) };
        events(conn, span, take).map_err(|error| ReadError::of(&part.path, error))
    }

    fn runs_in(&mut self, part: &PartInfo, (from, to): (i64, i64)) -> Result<Vec<StoredRun>, ReadError> {
        let Some(conn) = self.connect(part)? else { return Ok(Vec::new()) };
        let columns = StoredRun::COLUMNS;
        let sql = format!("SELECT {columns} FROM missed WHERE last_ms >= ?1 AND first_ms < ?2 ORDER BY seq");
        let read: rusqlite::Result<Vec<_>> = (|| {
            let mut select = conn.prepare_cached(&sql)?;
            select.query_map(params![from, to], StoredRun::read)?.collect()
        })();
        read.map_err(|error| ReadError::of(&part.path, error))
    }
}

fn events(
    conn: &Connection,
    (from, to): (i64, i64),
    take: &mut dyn FnMut(i64, EventSummary),
) -> rusqlite::Result<()> {
    let sql = "SELECT seq, stream, scheduled, slot, reason, duration_us FROM events
               WHERE manual = 0 AND scheduled >= ?1 AND scheduled < ?2 ORDER BY scheduled";
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(params![from, to])?;
    while let Some(row) = rows.next()? {
        let slot = Slot {
            id: SlotId::from_bytes(row.get::<_, [u8; 16]>(3)?),
            scheduled: Timestamp::from_millis(row.get(2)?),
        };
        let summary = EventSummary {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            slot,
            reason: word(row, 4)?,
            manual: false,
            duration: Duration::from_micros(row.get::<_, i64>(5)?.max(0).cast_unsigned()),
        };
        take(row.get(1)?, summary);
    }
    Ok(())
}

fn missed(run: &StoredRun, index: u32, slot: Slot) -> EventSummary {
    EventSummary {
        seq: (run.seq + i64::from(index)).cast_unsigned(),
        slot,
        reason: run.reason,
        manual: false,
        duration: Duration::ZERO,
    }
}
