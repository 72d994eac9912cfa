//! The one writer: gathers records into groups, commits them, and stands by a disk that fails.

mod admission;
mod place;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::missed::MissedSlots;
use model::time::{Clock, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::append::{Group, Row, Tail};
use crate::error::OpenError;
use crate::error::ReadError;
use crate::error::{Trouble, trouble};
use crate::files::{self, PartName};
use crate::meta;
use crate::part::Part;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::stats::{Health, Stats};

/// What the writer is told.
#[derive(Debug)]
pub enum Record {
    /// One slot's event.
    Event(Arc<SliEvent>),
    /// One slot's event that also counts if the slot is on record as missed: what a ledger hears late.
    Late(Arc<SliEvent>),
    /// One slot's event that takes the place of the one that is on record as `correlated`; dropped if there is none.
    Settled(Arc<SliEvent>),
    /// Slots that nobody ran.
    Missed(MissedSlots),
    /// Every slot scheduled before this time has had its record sent before this message.
    Checkpoint(Timestamp),
    /// Commits at once; answered when everything sent before is durable.
    Flush(oneshot::Sender<()>),
}

/// Why a group could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// SQLite refused.
    #[error("events could not be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The next part could not be made.
    #[error("the next part could not be made: {0}")]
    Part(#[from] OpenError),
    /// An older part could not be read to tell duplicates.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The part is no longer where it was: somebody has removed or replaced it.
    #[error(
        "{0} is gone: it was removed or replaced while events were written to it; put it back, or restart the prober"
    )]
    Gone(PathBuf),
    /// The directory's lock was removed, and cannot be taken again.
    #[error("the lock was removed: {0}")]
    Lost(OpenError),
    /// A plan's schedule could not be read.
    #[error("{0}")]
    Schedule(String),
}

/// How the writer ended.
#[derive(Debug)]
pub struct WriterEnd {
    /// Events written since it was opened, each slot of a missed run counted.
    pub events: u64,
    /// Records that could not be written because the disk failed until the end.
    pub lost_records: usize,
    /// The last error, if records were lost or the file could not be closed.
    pub error: Option<WriteError>,
}

/// The blocking loop that owns the part being written.
#[derive(Debug)]
pub struct Writer {
    pub(crate) shared: Arc<Shared>,
    /// Senders are the runner and whoever else makes events; full = they wait.
    records: mpsc::Receiver<Record>,
    pub(crate) clock: Arc<dyn ClockDebug>,
    pub(crate) part: Part,
    pub(crate) tail: Tail,
    pub(crate) group: Group,
    /// The checkpoint that is durable.
    pub(crate) checkpoint: Option<i64>,
    /// Answers slots of older parts.
    older: Reader,
    pub(crate) retained: Option<Instant>,
    /// How long to wait before a failed commit is tried again.
    pub(crate) retry: Duration,
    /// Rows in one transaction of recovery.
    pub(crate) recovery_rows: usize,
}

/// A clock inside a type that can be shown.
pub(crate) trait ClockDebug: Send + Sync {
    fn now(&self) -> Timestamp;
}

struct Shown(Arc<dyn Clock>);

impl ClockDebug for Shown {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

impl std::fmt::Debug for dyn ClockDebug {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.now())
    }
}

/// The most records in one group.
const GROUP_RECORDS: usize = 1_000;
/// The longest a record waits for others to join its group.
const GROUP_WAIT: Duration = Duration::from_millis(100);
/// How often the queue is looked at meanwhile; fewer wake-ups than one a record.
const GROUP_LOOK: Duration = Duration::from_millis(20);
/// A checkpoint alone is worth a commit when it is this much later than the durable one.
const CHECKPOINT_STEP_MS: i64 = 10_000;
/// How often a failing group is tried once nobody can send any more.
const LAST_ATTEMPTS: u32 = 5;
const RETENTION_EVERY: Duration = Duration::from_secs(10);

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        records: mpsc::Receiver<Record>,
        clock: Arc<dyn Clock>,
        (part, tail, checkpoint): (Part, Tail, Option<i64>),
    ) -> Self {
        let older = Reader::of(Arc::clone(&shared));
        Self {
            shared,
            records,
            clock: Arc::new(Shown(clock)),
            part,
            tail,
            group: Group::default(),
            checkpoint,
            older,
            retained: None,
            retry: Duration::from_secs(1),
            recovery_rows: crate::recovery::GROUP_ROWS,
        }
    }

    /// Writes until every sender is dropped, then commits what is left and closes the file.
    ///
    /// Blocks; give it a thread of its own. Without records it sleeps and commits nothing.
    pub fn run(mut self) -> WriterEnd {
        let mut records = Vec::with_capacity(GROUP_RECORDS);
        while let Some(first) = self.records.blocking_recv() {
            records.push(first);
            self.gather(&mut records);
            if let Err(error) = self.write(&mut records) {
                // Senders are gone and the disk still fails: say what is lost, and end.
                let mut lost = records.len() + self.group.rows.len();
                while self.records.try_recv().is_ok() {
                    lost += 1;
                }
                return WriterEnd {
                    events: self.shared.stats.events(),
                    lost_records: lost,
                    error: Some(error),
                };
            }
        }
        let events = self.shared.stats.events();
        let error = self.part.close().err().map(WriteError::Sqlite);
        WriterEnd { events, lost_records: 0, error }
    }

    /// Takes what arrives until the group is full, its time is over, or somebody waits for it.
    fn gather(&mut self, records: &mut Vec<Record>) {
        let end = Instant::now() + GROUP_WAIT;
        loop {
            let urgent = matches!(records.last(), Some(Record::Flush(_)));
            if urgent || records.len() >= GROUP_RECORDS {
                break;
            }
            match self.records.try_recv() {
                Ok(record) => records.push(record),
                Err(mpsc::error::TryRecvError::Disconnected) => break,
                Err(mpsc::error::TryRecvError::Empty) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    std::thread::sleep(left.min(GROUP_LOOK));
                }
            }
        }
        self.shared.stats.queue.store(self.records.len() as u64, Ordering::Relaxed);
    }

    /// Writes all records; comes back when they are durable, or when the end came on a failing disk.
    pub(crate) fn write(&mut self, records: &mut Vec<Record>) -> Result<(), WriteError> {
        self.insist(Self::rotate)?;
        let mut waiting = Vec::new();
        // In order, and each taken only when it is in the group: an error leaves the rest for the next try.
        records.reverse();
        while let Some(record) = records.pop() {
            match record {
                Record::Event(event) => self.add_event(event)?,
                Record::Late(event) => self.add_late(event)?,
                Record::Settled(event) => self.add_settled(event)?,
                Record::Missed(run) => self.add_missed(&run)?,
                Record::Checkpoint(at) => {
                    self.group.checkpoint = self.group.checkpoint.max(Some(at.as_millis()));
                }
                Record::Flush(answer) => waiting.push(answer),
            }
        }
        self.insist(Self::commit)?;
        for answer in waiting {
            // Whoever asked may have stopped waiting.
            let _ = answer.send(());
        }
        if self.retained.is_none_or(|last| last.elapsed() >= RETENTION_EVERY) {
            self.retain();
        }
        Ok(())
    }

    /// Commits the group and tells the readers.
    pub(crate) fn commit(&mut self) -> Result<(), WriteError> {
        let stale = self.group.checkpoint.is_some_and(|at| {
            self.checkpoint.is_none_or(|durable| at.saturating_sub(durable) >= CHECKPOINT_STEP_MS)
        });
        if self.group.rows.is_empty() && !stale {
            Stats::add(&self.shared.stats.duplicates, self.group.duplicates);
            self.group.clear();
            return Ok(());
        }
        self.hold_place()?;
        let began = Instant::now();
        self.part.commit(&self.group)?;
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.shared.stats.commit_nanos.store(nanos, Ordering::Relaxed);
        self.checkpoint = self.group.checkpoint.or(self.checkpoint);
        self.publish();
        Ok(())
    }

    fn publish(&mut self) {
        let shared = &self.shared;
        let stats = &shared.stats;
        Stats::add(&stats.groups, 1);
        Stats::add(&stats.events, self.group.events);
        Stats::add(&stats.duplicates, self.group.duplicates);
        Stats::add(&stats.upgraded, self.group.upgraded.len() as u64);
        {
            let mut heads = shared.heads.write().expect("no holder panics");
            for row in &self.group.rows {
                if let Some(head) = self.tail.heads.get(row.stream()) {
                    heads.set(row.stream(), head);
                }
            }
        }
        {
            let mut recent = shared.recent.lock().expect("no holder panics");
            for row in self.group.rows.drain(..) {
                match row {
                    Row::Event(row) => recent.push(row.seq, row.event),
                    Row::Missed(row) if row.run.count <= RECENT_RUN => {
                        for (seq, event) in (row.seq..).zip(row.run.events()) {
                            recent.push(seq, Arc::new(event));
                        }
                    }
                    // A long run would push everything else out; readers take it from the file.
                    Row::Missed(_) => {}
                }
            }
            recent.let_go();
        }
        if !self.group.marks.is_empty() {
            shared.marks.write().expect("no holder panics").add_all(&self.group.marks);
        }
        if let Some(last) = shared.parts.write().expect("no holder panics").last_mut() {
            last.clone_from(&self.part.info);
        }
        shared.durable.send_replace((self.tail.next_seq - 1).cast_unsigned());
        self.group.clear();
    }

    /// Begins the next part if the day changed or the part is full; a clock that steps back changes nothing.
    pub(crate) fn rotate(&mut self) -> Result<(), WriteError> {
        let name = &self.part.info.name;
        let today = self.clock.now().day();
        let next = if today > name.day {
            PartName { day: today, index: 0 }
        } else if files::bytes_with_wal(&self.part.info.path) > self.shared.config.part_bytes_max() {
            PartName { day: name.day.clone(), index: name.index + 1 }
        } else {
            return Ok(());
        };
        self.begin(next)?;
        self.retain();
        Ok(())
    }

    /// Begins the next part of the same day.
    pub(crate) fn begin_part(&mut self) -> Result<(), WriteError> {
        let name = &self.part.info.name;
        self.begin(PartName { day: name.day.clone(), index: name.index + 1 })
    }

    fn begin(&mut self, next: PartName) -> Result<(), WriteError> {
        self.hold_place()?;
        // What waits in the group has its numbers already.
        let first_seq = self.group.rows.first().map_or(self.tail.next_seq, Row::seq);
        self.shared.meta.durably(|conn| meta::write_state(conn, meta::SEQ_FLOOR, first_seq))?;
        let oldest = self.shared.part_list().first().map_or(1, |part| part.first_seq);
        self.tail.heads.forget_before(oldest);
        self.shared.heads.write().expect("no holder panics").forget_before(oldest);
        let part = Part::create(&self.shared.files, next, (&self.tail, first_seq), self.checkpoint)?;
        self.shared.parts.write().expect("no holder panics").push(part.info.clone());
        let full = std::mem::replace(&mut self.part, part);
        if let Err(error) = full.close() {
            tracing::warn!(%error, "a full part could not be closed");
        }
        Ok(())
    }

    /// Tries until it works; gives up only when nobody can send any more.
    pub(crate) fn insist<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        let (mut failed, mut made_room) = (0, false);
        loop {
            let error = match attempt(self) {
                Ok(made) => {
                    if failed > 0 {
                        tracing::info!("the store can write again");
                        self.shared.health.send_replace(Health::Ok);
                    }
                    return Ok(made);
                }
                Err(error) => error,
            };
            failed += 1;
            self.note_failure(&error);
            // One part a try: readers may hold the space of a removed part for a moment.
            made_room = !made_room && self.is_full(&error) && self.make_room();
            if made_room {
                continue;
            }
            if self.records.is_closed() && failed >= LAST_ATTEMPTS {
                return Err(error);
            }
            std::thread::sleep(self.retry);
            if let Err(error) = self.part.reopen() {
                tracing::debug!(%error, "the part could not be opened again yet");
            }
        }
    }

    fn note_failure(&self, error: &WriteError) {
        Stats::add(&self.shared.stats.failed_commits, 1);
        let waiting = self.records.len() + self.group.rows.len();
        self.shared.stats.queue.store(waiting as u64, Ordering::Relaxed);
        let now = self.clock.now();
        self.shared.health.send_modify(|health| match health {
            Health::Ok => {
                tracing::error!(%error, "the store cannot write; records wait");
                *health = Health::Failing { since: now, error: error.to_string() };
            }
            Health::Failing { error: last, .. } => *last = error.to_string(),
        });
    }

    /// Whether room on the disk would help.
    fn is_full(&self, error: &WriteError) -> bool {
        match error {
            WriteError::Part(OpenError::Full(_)) => true,
            WriteError::Sqlite(error) if trouble(error) == Trouble::Full => true,
            // Some calls of SQLite report a full disk as an I/O error only.
            WriteError::Sqlite(_) | WriteError::Part(_) => rustix::fs::statvfs(&self.shared.files.dir)
                .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < FULL_BYTES),
            WriteError::Read(_) | WriteError::Schedule(_) | WriteError::Gone(_) | WriteError::Lost(_) => {
                false
            }
        }
    }
}

/// Missed runs up to this length are kept in memory slot by slot.
const RECENT_RUN: u32 = 64;
/// Less free space than this is a full disk.
const FULL_BYTES: u64 = 1 << 20;
