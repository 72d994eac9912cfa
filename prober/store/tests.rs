//! Tests of the store as a whole.

mod cursors;
mod damage;
mod effort;
mod folded;
mod full_disk;
mod glance;
mod gone;
mod intents;
mod invariant;
mod keeping;
mod kill;
mod outbox;
pub(crate) mod sample;
mod settled;
mod slots;
mod spool;
