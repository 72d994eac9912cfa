//! What the store tells about itself: counters for metrics, and whether it can write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::time::Timestamp;

/// Whether the store can write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// The last group was committed.
    #[default]
    Ok,
    /// Groups wait for the disk; committed events are safe and readable.
    Failing {
        /// Since when.
        since: Timestamp,
        /// What the system said last.
        error: String,
    },
}

/// Why a part file was removed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// It was older than the age bound and every cursor had passed it.
    Age,
    /// The byte bound was reached.
    Bytes,
    /// The disk was full.
    DiskFull,
}

impl DropCause {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::Age, Self::Bytes, Self::DiskFull];

    /// The word used in the store and as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Bytes => "bytes",
            Self::DiskFull => "disk_full",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Counters of one store since it was opened; read at any time from any thread.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) events: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) upgraded: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) queue: AtomicU64,
    pub(crate) commit_nanos: AtomicU64,
    dropped: [AtomicU64; 3],
}

impl Stats {
    /// Events written, each slot of a missed run counted.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Events not written because their slot was stored before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    /// Slots that were on record as missed and had an event after all.
    pub fn upgraded(&self) -> u64 {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// Groups committed.
    pub fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// Commits that failed and were tried again.
    pub fn failed_commits(&self) -> u64 {
        self.failed_commits.load(Ordering::Relaxed)
    }

    /// Events that some named or in-memory cursor wanted but that were dropped before it read them.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Slots whose events went before the reader had them that has to get everything; each is missed, `spool`, in its place.
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Stored events that a cursor skipped because their body could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Events removed with their part for `cause`, read or not; counted over restarts.
    pub fn dropped(&self, cause: DropCause) -> u64 {
        self.dropped[cause.index()].load(Ordering::Relaxed)
    }

    /// Bytes of all part files, as of the last look.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records in the queue when the last group was taken from it; while the disk fails, all that wait for it, but for
    /// what is being put into the group.
    pub fn queue(&self) -> u64 {
        self.queue.load(Ordering::Relaxed)
    }

    /// How long the last commit took, its fsync included.
    pub fn last_commit(&self) -> Duration {
        Duration::from_nanos(self.commit_nanos.load(Ordering::Relaxed))
    }

    pub(crate) fn add_dropped(&self, cause: DropCause, events: u64) {
        self.dropped[cause.index()].fetch_add(events, Ordering::Relaxed);
    }

    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
