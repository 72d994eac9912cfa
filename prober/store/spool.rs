//! A store whose events somebody still has to get: what happens to it when there is no more room.
//!
//! What its reader has had goes first. If the oldest part holds what the reader has not had, the part goes all the same, for
//! probing must go on; but for each slot that goes with it a missed one is left behind, `spool`, which the reader gets in its
//! place. A reserve lies beside the parts, so that there is room for that on a disk that is full.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::event::Origin;
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::Stream;
use model::time::Timestamp;

use crate::error::ReadError;
use crate::part::{self, PartInfo};
use crate::reader::{Reader, StoredRun, body};
use crate::recovery::runs;
use crate::shared::{Config, Shared};
use crate::stats::{DropCause, Stats};
use crate::writer::{WriteError, Writer};

/// The reserve's share of the disk, and its bounds.
const RESERVE_SHARE: u64 = 32;
const RESERVE_BYTES_MIN: u64 = 256 << 10;
const RESERVE_BYTES_MAX: u64 = 4 << 20;

/// How much is free, in reserves, before the reserve is made again.
const RESERVE_ROOM: u64 = 4;

impl Config {
    /// The bounds as the disk allows them: parts that are small beside a small disk go one by one.
    pub(crate) fn fit_disk(&mut self) {
        if self.held_by.is_some()
            && let Ok(disk) = rustix::fs::statvfs(&self.dir)
        {
            self.bytes_max = self.bytes_max.min(disk.f_blocks.saturating_mul(disk.f_frsize));
        }
    }
}

/// What has to be said of a part's slots once it is gone.
#[derive(Debug, Default)]
pub(crate) struct Left {
    runs: Vec<MissedSlots>,
    /// How many of these slots had an event.
    events: u64,
}

impl Shared {
    /// Whether the reader that this store is kept for has not had all events before `seq`.
    pub(crate) fn is_held(&self, seq: i64) -> bool {
        let Some(name) = &self.config.held_by else { return false };
        // What cannot be read may be held.
        self.meta.cursor(name).map_or(true, |found| found.is_none_or(|(next, _)| next < seq))
    }

    fn reserve(&self) -> PathBuf {
        self.files.dir.join("reserve")
    }

    /// Gives the reserve's room back; says whether there was one.
    fn free_reserve(&self) -> bool {
        self.config.held_by.is_some() && fs::remove_file(self.reserve()).is_ok()
    }

    /// Makes the reserve if it is not there and there is room.
    pub(crate) fn keep_reserve(&self) {
        let path = self.reserve();
        if self.config.held_by.is_none() || path.exists() {
            return;
        }
        let Ok(disk) = rustix::fs::statvfs(&self.files.dir) else { return };
        let all = disk.f_blocks.saturating_mul(disk.f_frsize);
        let bytes = (all / RESERVE_SHARE).clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX);
        if disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVE_ROOM * bytes {
            return;
        }
        if let Err(error) = fill(&path, bytes) {
            tracing::warn!(%error, "no reserve could be made for a full disk");
            let _gone = fs::remove_file(&path);
        }
    }
}

/// Writes a file that takes up so many bytes of the disk.
fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    // Bytes that no file system stores as a hole.
    let piece = vec![0x70; 64 << 10];
    for _ in 0..bytes.div_ceil(piece.len() as u64) {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

impl Writer {
    /// Drops what is over the bounds.
    pub(crate) fn retain(&mut self) {
        self.retained = Some(std::time::Instant::now());
        while self.shared.retain(self.clock.now()) {
            match self.give_up_oldest() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "a part that has to go could not be read; it stays for now");
                    break;
                }
            }
        }
        self.shared.keep_reserve();
    }

    /// Leaves a missed slot for each event of the oldest part that its reader has not had, and removes the part.
    fn give_up_oldest(&mut self) -> Result<bool, WriteError> {
        let Some(left) = self.left_of_oldest()? else { return Ok(false) };
        if !self.is_noted(&left)? {
            self.leave(left);
            self.commit()?;
        }
        Ok(self.shared.drop_oldest(DropCause::Bytes))
    }

    /// Makes room on a full disk: one part goes. Says whether there is more room now.
    pub(crate) fn make_room(&mut self) -> bool {
        if self.shared.config.held_by.is_none() {
            return self.shared.drop_oldest(DropCause::DiskFull);
        }
        let freed = self.shared.free_reserve();
        if self.shared.part_list().len() < 2 {
            // What is full now is the oldest part from now on.
            return match self.begin_part() {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(%error, "no other part could be begun");
                    freed
                }
            };
        }
        match self.left_of_oldest() {
            Ok(Some(left)) => {
                let gone = self.shared.drop_oldest(DropCause::DiskFull);
                if gone {
                    // They are committed with the group that waits for the room.
                    self.leave(left);
                }
                gone || freed
            }
            Ok(None) => freed,
            Err(error) => {
                tracing::warn!(%error, "a part that has to go could not be read; it stays for now");
                freed
            }
        }
    }

    /// What has to be said of the oldest part's slots once it is gone; `None` if there is no other part.
    pub(crate) fn left_of_oldest(&self) -> Result<Option<Left>, WriteError> {
        let parts = self.shared.part_list();
        let [oldest, next, ..] = parts.as_slice() else { return Ok(None) };
        if !self.shared.is_held(next.first_seq) {
            return Ok(Some(Left::default()));
        }
        let name = self.shared.config.held_by.as_deref().unwrap_or_default();
        let from = self.shared.meta.cursor(name)?.map_or(0, |(next, _)| next);
        let mut reader = Reader::of(Arc::clone(&self.shared));
        Ok(Some(unread(&mut reader, oldest, from, self.clock.now())?))
    }

    /// Whether it was noted before, by a writer that was cut off before the part was gone: one transaction has all of it.
    pub(crate) fn is_noted(&self, left: &Left) -> Result<bool, WriteError> {
        let Some(first) = left.runs.first() else { return Ok(true) };
        let Some(head) = self.tail.heads.get(&first.origin.stream) else { return Ok(false) };
        let slot = (head.id, first.first.as_millis());
        if self.group.holds(slot) {
            return Ok(true);
        }
        let parts = self.shared.part_list();
        let Some(oldest) = parts.first() else { return Ok(false) };
        let mut reader = Reader::of(Arc::clone(&self.shared));
        Ok(reader.older_part_holds(&oldest.name, slot, part::holds_slot)?)
    }

    pub(crate) fn leave(&mut self, Left { runs, events }: Left) {
        if events > 0 {
            tracing::error!(
                events,
                "there is no room for events that nobody has had; their slots are missed"
            );
            Stats::add(&self.shared.stats.given_up, events);
        }
        for run in runs {
            self.tail.add_missed(&mut self.group, run);
        }
    }
}

/// The slots of a part from number `from` on, as missed ones: those that were so before keep their reason.
fn unread(reader: &mut Reader, part: &PartInfo, from: i64, now: Timestamp) -> Result<Left, ReadError> {
    let mut streams: HashMap<Stream, (Arc<Origin>, Vec<Timestamp>)> = HashMap::new();
    let Some(conn) = reader.connect(part)? else { return Ok(Left::default()) };
    let read = (|| {
        let sql = "SELECT bodies.body FROM events JOIN bodies USING (seq)
                   WHERE events.manual = 0 AND events.seq >= ?1 ORDER BY events.seq";
        let mut select = conn.prepare(sql)?;
        let mut rows = select.query([from])?;
        while let Some(row) = rows.next()? {
            let Some(event) = body(row, 0)? else { continue };
            if let Some((_, slots)) = streams.get_mut(&event.origin.stream) {
                slots.push(event.slot.scheduled);
            } else {
                let first = (Arc::clone(&event.origin), vec![event.slot.scheduled]);
                streams.insert(event.origin.stream.clone(), first);
            }
        }
        let sql = format!("SELECT {} FROM missed WHERE seq + count > ?1 ORDER BY seq", StoredRun::COLUMNS);
        let mut select = conn.prepare(&sql)?;
        let stored = select.query_map([from], StoredRun::read)?;
        stored.collect::<rusqlite::Result<Vec<_>>>()
    })();
    let stored = read.map_err(|error| ReadError::of(&part.path, error))?;
    let mut left = Left::default();
    for (origin, mut slots) in streams.into_values() {
        slots.sort_unstable();
        left.events += slots.len() as u64;
        left.runs.extend(runs(&origin, Reason::Spool, &slots, now));
    }
    for stored in stored {
        let run = reader.run(part, &stored)?;
        let had = u32::try_from((from - stored.seq).max(0)).unwrap_or(u32::MAX).min(run.count);
        if had < run.count {
            left.runs.push(MissedSlots { first: run.slot(had).scheduled, count: run.count - had, ..run });
        }
    }
    Ok(left)
}
