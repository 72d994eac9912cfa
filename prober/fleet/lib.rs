//! What the probers of a fleet share: scenario sets, who owns which work, and the events on their way to the ledger.
//!
//! Three traits, and an engine behind them: [`ConfigSource`], [`Ownership`], [`EventLog`]. One conformance suite holds for
//! every engine. Nothing of consensus, membership or replication is written here.
//!
//! Beside them, pure: [`assign`] says who should own what, [`batch`] how events lie on the wire, [`set`] and [`manifest`]
//! what a scenario set is and when it is to be believed, [`publish`] how it gets there, and [`access`] who may do what at the
//! servers.
//!
//! # What every engine promises
//!
//! 1. **A set is published whole.** Its objects are there before the manifest that names them, and the manifest is one
//!    value that is changed by compare-and-set.
//! 2. **A claim is compare-and-set.** Of two that claim a shard against the same token one wins, and the tokens of a shard
//!    only grow: an old token is recognised for ever.
//! 3. **A membership ends by itself.** Whoever does not renew for [`MEMBER_LIFE`] is no member any more, and is said to be gone.
//! 4. **An appended batch is durable, once.** What [`EventLog::append`] acknowledged outlives the engine's processes; the same
//!    batch appended again within [`DUPLICATE_WINDOW`] is stored once.
//! 5. **A cursor is a place in an order.** A reader that begins after an entry gets every later entry, each at least once, and in order.
//! 6. **The engine is never the only copy.** A prober deletes what [`Confirm`] covers and nothing else.
//! 7. **Every wait has an end.** Without the engine, each call ends with [`Fault::Away`] within seconds.
//!
//! Deliberately absent: files, clocks, and what the files of a set mean.

pub mod access;
pub mod assign;
pub mod batch;
pub mod manifest;
pub mod publish;
pub mod set;

mod config;
pub mod embedded;
mod events;
pub mod nats;
mod ownership;
mod values;

#[cfg(test)]
mod conformance;

use std::time::Duration;

pub use config::{ConfigSource, Digest, ManifestWatch, SetVersion, StoredManifest};
pub use events::{Appended, Batch, BatchId, Confirm, Entry, EventLog, EventReader, Position};
pub use ownership::{Beat, Change, Member, Owner, Ownership, OwnershipWatch, Shard, Token};

/// How long a membership lives after its last renewal. Engines that expire keys sooner lose memberships when a leader dies.
pub const MEMBER_LIFE: Duration = Duration::from_secs(15);

/// How long an engine recognises a batch that is appended again; the ledger does so for ever.
pub const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// Why an engine did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached, or does not answer in time. The call may have had its effect all the same.
    #[error("the fleet's engine is away: {0}")]
    Away(String),
    /// It does not let us. Trying again is of no use.
    #[error("the fleet's engine refuses: {0}")]
    Refused(String),
    /// Somebody else was quicker: the value is no longer what the caller compares with.
    #[error("somebody else changed it meanwhile")]
    Conflict,
    /// A value in the engine is not what this version writes.
    #[error("the fleet's engine holds what cannot be read: {0}")]
    Unreadable(String),
}

/// Whether `name` can be part of an engine's key: 1 to 64 letters, digits, `-` and `_`.
pub fn is_key_part(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
