//! The newest row of each stream: where its history begins, and what a new slot is compared with.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::slot::Stream;
use rusqlite::{Connection, params};

/// One stream's newest row.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The stream's number, the same in every part.
    pub(crate) id: i64,
    /// The row's sequence number; 0 if there is none.
    pub(crate) last_seq: i64,
    /// The latest slot that was ever stored; a later one cannot be a duplicate.
    pub(crate) last_ms: i64,
}

/// The heads of all streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heads {
    /// Looked up three times an event. The keys come from files that were read, so they need no hash against strangers.
    heads: HashMap<Stream, Head, RandomState>,
    /// The highest number given to a stream.
    last_id: i64,
}

impl Heads {
    pub(crate) fn get(&self, stream: &Stream) -> Option<Head> {
        self.heads.get(stream).copied()
    }

    pub(crate) fn set(&mut self, stream: &Stream, head: Head) {
        self.last_id = self.last_id.max(head.id);
        match self.heads.get_mut(stream) {
            Some(known) => *known = head,
            None => {
                self.heads.insert(stream.clone(), head);
            }
        }
    }

    /// Notes the row `seq` of the stream, whose last slot is `last_ms`; gives the head before it, and whether the stream
    /// is new.
    pub(crate) fn advance(&mut self, stream: &Stream, seq: i64, last_ms: i64) -> (Head, bool) {
        // Found far more often than not, so the key is made only where it is not.
        if let Some(head) = self.heads.get_mut(stream) {
            let before = *head;
            *head = Head { id: before.id, last_seq: seq, last_ms: before.last_ms.max(last_ms) };
            return (before, false);
        }
        let before = Head { id: self.last_id + 1, last_seq: 0, last_ms: i64::MIN };
        self.set(stream, Head { last_seq: seq, last_ms, ..before });
        (before, true)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Stream, &Head)> {
        self.heads.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Forgets streams whose whole history lies before `first_seq`, the oldest event still there.
    pub(crate) fn forget_before(&mut self, first_seq: i64) {
        self.heads.retain(|_, head| head.last_seq >= first_seq);
    }

    pub(crate) fn clear(&mut self) {
        self.heads.clear();
    }

    /// Writes the heads into a part's table.
    pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut insert =
            conn.prepare_cached("INSERT OR IGNORE INTO streams VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        for (stream, head) in &self.heads {
            let Stream { scenario, region, replica } = stream;
            insert.execute(params![head.id, &**scenario, &**region, replica, head.last_seq, head.last_ms])?;
        }
        Ok(())
    }

    /// Reads the heads as they are after the part's last row.
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut by_id = HashMap::new();
        for entry in streams(conn)? {
            by_id.insert(entry.1.id, entry);
        }
        let mut note = |id: i64, seq: i64, last_ms: Option<i64>| {
            if let Some((_, head)) = by_id.get_mut(&id) {
                head.last_seq = head.last_seq.max(seq);
                head.last_ms = last_ms.map_or(head.last_ms, |last| head.last_ms.max(last));
            }
        };
        let mut events = conn.prepare("SELECT stream, seq, scheduled, manual FROM events")?;
        let mut rows = events.query([])?;
        while let Some(row) = rows.next()? {
            let manual: bool = row.get(3)?;
            note(row.get(0)?, row.get(1)?, if manual { None } else { Some(row.get(2)?) });
        }
        let mut missed = conn.prepare("SELECT stream, seq, last_ms FROM missed")?;
        let mut rows = missed.query([])?;
        while let Some(row) = rows.next()? {
            note(row.get(0)?, row.get(1)?, Some(row.get(2)?));
        }
        let mut heads = Self::default();
        for (stream, head) in by_id.into_values() {
            heads.set(&stream, head);
        }
        Ok(heads)
    }
}

/// The streams of a part with the heads they had when they came into it.
pub(crate) fn streams(conn: &Connection) -> rusqlite::Result<Vec<(Stream, Head)>> {
    let mut select =
        conn.prepare_cached("SELECT id, scenario, region, replica, last_seq, last_ms FROM streams")?;
    let rows = select.query_map([], |row| {
        let stream = Stream {
            scenario: row.get::<_, String>(1)?.into(),
            region: row.get::<_, String>(2)?.into(),
            replica: row.get(3)?,
        };
        Ok((stream, Head { id: row.get(0)?, last_seq: row.get(4)?, last_ms: row.get(5)? }))
    })?;
    rows.collect()
}
