//! Event batches on their way from the probers to the ledger.

use std::fmt;

use bytes::Bytes;

use crate::{Beat, Fault, Shard, Token};

/// Which batch: what an engine recognises a second delivery by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// Which prober, in which of its lives.
    pub from: Beat,
    /// From 1, without a hole within one life.
    pub sequence: u64,
}

impl fmt::Display for BatchId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.from.prober, self.from.boot, self.sequence)
    }
}

/// Events of one shard; to an engine the bytes mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The region whose events they are.
    pub region: String,
    /// Whose work.
    pub shard: Shard,
    /// Which batch.
    pub id: BatchId,
    /// The token under which the shard was owned when the events were made.
    pub token: Token,
    /// The encoded events.
    pub bytes: Bytes,
}

/// A place in the order of all batches; 0 is before the first.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What came of an append.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where the batch is.
    pub position: Position,
    /// Whether it was there already.
    pub duplicate: bool,
}

/// A batch that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub position: Position,
    /// What was appended; or why it cannot be read, and under which name it lies there.
    pub batch: Result<Batch, String>,
}

/// What the ledger tells a prober.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// Whose batches.
    pub from: Beat,
    /// Every batch up to this sequence is in the ledger; 0 if none is.
    pub through: u64,
    /// Batches after [`Confirm::through`] up to this one that the ledger lacks and asks for again; 0 if none.
    pub again: u64,
}

/// Carries batches, each at least once, and the ledger's answers.
pub trait EventLog: Send + Sync {
    /// What reads the batches.
    type Reader: EventReader;

    /// Appends a batch; it is durable once this returns. The largest that fits is 512 KiB.
    ///
    /// # Errors
    /// The engine is away, or refuses.
    fn append(&self, batch: &Batch) -> impl Future<Output = Result<Appended, Fault>> + Send;

    /// Reads every region's batches after `after`, a place in the log `log` (0: it is not known which). A place in another
    /// log means nothing: all of what is there is read then.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn read(&self, after: Position, log: u64) -> impl Future<Output = Result<Self::Reader, Fault>> + Send;

    /// Tells a prober how far the ledger has its batches.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn confirm(&self, region: &str, confirm: &Confirm) -> impl Future<Output = Result<(), Fault>> + Send;

    /// What the ledger last told the prober.
    ///
    /// # Errors
    /// The engine is away or refuses.
    fn confirmed(
        &self,
        region: &str,
        prober: &str,
    ) -> impl Future<Output = Result<Option<Confirm>, Fault>> + Send;
}

/// Reads batches in their order.
pub trait EventReader: Send {
    /// Which log it reads: another number after the engine's data was wiped.
    fn log(&self) -> u64;

    /// Up to `max` batches after the last one it gave; waits for one, at most until the engine is seen to be away.
    /// Empty if a while went by without any. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The reader is broken: make a new one from the last place that is durable.
    fn next(&mut self, max: usize) -> impl Future<Output = Result<Vec<Entry>, Fault>> + Send;
}
