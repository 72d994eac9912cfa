//! Batches and confirms of the engine inside the process.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::sync::watch;

use super::{Embedded, write};
use crate::events::{Appended, Batch, BatchId, Confirm, Entry, EventLog, EventReader, Position};
use crate::{Beat, Fault, Shard, Token, values};

/// Batches that are remembered, without their bytes, after the ledger has them.
const REMEMBERED: i64 = 10_000;

/// How long a reader waits before it says that there is nothing.
const IDLE: Duration = Duration::from_secs(1);

impl EventLog for Embedded {
    type Reader = EmbeddedReader;

    async fn append(&self, batch: &Batch) -> Result<Appended, Fault> {
        let batch = batch.clone();
        self.durably(move |file| insert(file, &batch).map(Ok)).await
    }

    async fn read(&self, after: Position, _log: u64) -> Result<EmbeddedReader, Fault> {
        Ok(EmbeddedReader { engine: self.clone(), changed: self.shared.changed.subscribe(), last: after })
    }

    async fn confirm(&self, region: &str, confirm: &Confirm) -> Result<(), Fault> {
        let key = format!("confirm/{region}/{}", confirm.from.prober);
        let confirm = confirm.clone();
        self.durably(move |file| {
            write(file, &key, &values::confirm_value(&confirm))?;
            let (prober, boot) = (&confirm.from.prober, confirm.from.boot.cast_signed());
            let sql = "UPDATE batches SET bytes = NULL
                       WHERE prober = ?1 AND boot = ?2 AND sequence <= ?3 AND bytes IS NOT NULL";
            file.execute(sql, params![prober, boot, confirm.through.cast_signed()])?;
            let sql = "DELETE FROM batches WHERE bytes IS NULL
                       AND position < (SELECT max(position) FROM batches) - ?1";
            file.execute(sql, [REMEMBERED]).map(|_| Ok(()))
        })
        .await
    }

    async fn confirmed(&self, region: &str, prober: &str) -> Result<Option<Confirm>, Fault> {
        let found = self.value(format!("confirm/{region}/{prober}")).await?;
        found.map(|value| values::confirm(prober, &value)).transpose()
    }
}

fn insert(file: &Connection, batch: &Batch) -> rusqlite::Result<Appended> {
    let BatchId { from: Beat { prober, boot }, sequence } = &batch.id;
    let sql = "SELECT position FROM batches WHERE prober = ?1 AND boot = ?2 AND sequence = ?3";
    let id = params![prober, boot.cast_signed(), sequence.cast_signed()];
    let known: Option<i64> = file.query_row(sql, id, |row| row.get(0)).optional()?;
    if let Some(position) = known {
        return Ok(Appended { position: Position(position.cast_unsigned()), duplicate: true });
    }
    let sql = "INSERT INTO batches(prober, boot, sequence, region, number, replica, token, bytes)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (Shard { number, replica }, token) = (batch.shard, batch.token.0.cast_signed());
    let bytes = batch.bytes.as_ref();
    let (boot, sequence) = (boot.cast_signed(), sequence.cast_signed());
    file.execute(sql, params![prober, boot, sequence, batch.region, number, replica, token, bytes])?;
    Ok(Appended { position: Position(file.last_insert_rowid().cast_unsigned()), duplicate: false })
}

/// Reads batches in their order.
#[derive(Debug)]
pub struct EmbeddedReader {
    engine: Embedded,
    changed: watch::Receiver<u64>,
    last: Position,
}

impl EventReader for EmbeddedReader {
    fn log(&self) -> u64 {
        // The file is the log.
        1
    }

    async fn next(&mut self, max: usize) -> Result<Vec<Entry>, Fault> {
        let end = tokio::time::Instant::now() + IDLE;
        loop {
            self.changed.mark_unchanged();
            let (last, limit) = (self.last.0.cast_signed(), i64::try_from(max).unwrap_or(i64::MAX));
            let found = self.engine.durably_quiet(move |file| select(file, last, limit).map(Ok)).await?;
            if let Some(newest) = found.last() {
                self.last = newest.position;
                return Ok(found);
            }
            match tokio::time::timeout_at(end, self.changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Fault::Away("the engine has ended".to_owned())),
                Err(_) => return Ok(Vec::new()),
            }
        }
    }
}

fn select(file: &Connection, last: i64, limit: i64) -> rusqlite::Result<Vec<Entry>> {
    let sql = "SELECT position, region, number, replica, prober, boot, sequence, token, bytes FROM batches
               WHERE position > ?1 AND bytes IS NOT NULL ORDER BY position LIMIT ?2";
    let mut select = file.prepare_cached(sql)?;
    select.query_map([last, limit], entry)?.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let number = |index| row.get::<_, i64>(index).map(i64::cast_unsigned);
    let batch = Batch {
        region: row.get(1)?,
        shard: Shard { number: row.get(2)?, replica: row.get(3)? },
        id: BatchId { from: Beat { prober: row.get(4)?, boot: number(5)? }, sequence: number(6)? },
        token: Token(number(7)?),
        bytes: Bytes::from(row.get::<_, Vec<u8>>(8)?),
    };
    Ok(Entry { position: Position(number(0)?), batch: Ok(batch) })
}
