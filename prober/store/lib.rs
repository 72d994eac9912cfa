//! The durable SLI events: append, cursors of the readers, slot accounting, queries.
//!
//! # Invariants
//!
//! 1. **Acknowledged is durable.** A sequence number announced by [`Store::durable`] was committed with an
//!    fsync before; `kill -9` or a power cut at any instant loses nothing that was announced.
//! 2. **One sequence.** Every event, each slot of a missed run included, has its own number; numbers only grow,
//!    over all part files and restarts. A reader's cursor is the next number it wants.
//! 3. **A slot counts once.** A second scheduled event for a stored slot, in whichever part or missed run it
//!    is, is dropped and counted. Manual runs are stored and in no account.
//!    A ledger's late event ([`Record::Late`]) takes the place of a miss; the miss stays stored and counts no more.
//! 4. **A slot counts.** After [`Writer::recover`] every expected slot before its `now` has a record, so that
//!    for each closed window `good + bad + ineligible + missed = expected`.
//! 5. **A checkpoint promises less than is stored, never more.** It may lag; recovery compares with the rows.
//! 6. **One writer.** The directory is locked; one thread writes events. Readers have connections of their
//!    own and never block it.
//! 7. **Space is bounded.** Whole part files go, the oldest first, by age and by bytes; bytes win over cursors, and
//!    what a cursor lost is counted. The part being written never goes. A store that is kept for one reader
//!    ([`Config::held_by`]) leaves a missed slot, `spool`, for each event that goes before this reader has had it.
//! 8. **A full or broken disk is a state, not an end.** The group is kept and tried again; the bounded queue
//!    fills; nothing panics and nothing committed is lost.
//! 9. **A mark is as durable as its event.** What `advances` compares with is written in one transaction with the
//!    event that moved it, and outlives the parts that held those events.
//! 10. **A change of an alert waits in the outbox** until its receiver has it or it is given up, and is queued once: see
//!     [`NewDelivery`].
//! 11. **A reader that decides commits at once** its place, its state and the changes that follow: see [`Cursor::commit`].
//! 12. **An intent is durable before its run begins**, and there is one a slot: see [`Store::intend`]. A slot with an intent and
//!     without an event is missed as `interrupted`, and says that it may have been sent.
//! 13. **A file that cannot be understood is refused** by name and never changed or removed.
//!
//! # Files
//!
//! ```text
//! <dir>/lock                        held exclusively while a prober runs
//! <dir>/meta.db                     plans' schedules, cursors, counters, the clean stop, the outbox of alerts, notes
//! <dir>/reserve                     room for a full disk, where a reader has to get everything
//! <dir>/events/events-2026-03-01.db     one a UTC day of recording …
//! <dir>/events/events-2026-03-01.1.db   … and more when a part is over its size
//! ```
//!
//! Each file carries [`FORMAT`]; a newer one is refused. Calls on [`Store`], [`Reader`], [`Cursor`] and [`Writer`]
//! block: async callers go through `spawn_blocking`. Deliberately absent: the network, and the arithmetic of
//! schedules, which comes in as an [`Expected`] function.

mod account;
mod append;
mod cursor;
mod epochs;
mod error;
mod files;
mod folded;
mod heads;
mod intents;
mod marks;
mod meta;
mod notes;
mod open;
mod outbox;
mod outlook;
mod part;
mod plans;
mod query;
mod reader;
mod recent;
mod recovery;
mod retention;
mod scan;
mod shared;
mod spool;
mod sqlite;
mod stats;
mod writer;

#[cfg(test)]
mod tests;

pub use account::{Account, StreamAccount};
pub use cursor::{Batch, Cursor};
pub use error::{OpenError, ReadError};
pub use folded::{Folded, NewState};
pub use notes::{NewNote, Note};
pub use open::Opened;
pub use outbox::{KEPT, NewDelivery, OPEN_MAX, Outlook, Queued, QueuedDelivery};
pub use outlook::{OUTBOX_LIMIT_MAX, Outbox, OutboxFilter, OutboxRoute};
pub use plans::{Expected, PlanError, Span};
pub use query::{EventFilter, EventSummary, LIMIT_MAX, StoredEvent};
pub use reader::{Effort, Reader};
pub use recovery::{Recovered, Unrecorded};
pub use shared::{Config, Store};
pub use sqlite::FORMAT;
pub use stats::{DropCause, Health, Stats};
pub use writer::{Record, WriteError, Writer, WriterEnd};
