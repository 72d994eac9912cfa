//! When scenarios run, and how many at once.
//!
//! | module | holds |
//! | --- | --- |
//! | [`slots`] | PURE: which slots a stream has, from its cadence and its name |
//! | [`maintenance`] | PURE: is a slot inside a planned maintenance? |
//! | [`entry`] | one stream that is scheduled: its plan, its bounds |
//! | [`runner`] | due slots → runs → events; bounds what is in flight |
//! | [`misses`] | slots that nobody ran, gathered until the store takes them |
//! | [`stop`] | how runs in flight are asked to end |
//! | [`lease`] | until when what must never run twice may begin |
//! | [`lag`] | is the prober itself too busy to measure? |
//! | [`distrust`] | is it the target or is it us? |
//!
//! Invariants of the runner, each tested:
//!
//! 1. Every slot of every stream, from the moment its entry starts to the moment it ends, leads to exactly
//!    one record: an event of its run, or a miss with its reason.
//! 2. Two runs of one stream never overlap.
//! 3. A slot that could not start inside its tolerance is never run later.
//! 4. A slow or hanging target takes no more than its own permit, and slow streams together never take the
//!    whole bound.
//! 5. A checkpoint `t` is sent only after the records of all slots before `t`.
//! 6. A slot with side effects begins only after its intent is durable, only once, and only under a lease that holds.
//! 7. A `bad` run is recorded only once the prober's own health at that time is known, or a bound has passed.
//!
//! Deliberately absent: the network, and any knowledge of kinds; a run is a [`model::probe::Probe`].

pub mod distrust;
pub mod entry;
pub mod lag;
pub mod lease;
pub mod maintenance;
pub mod misses;
pub mod runner;
pub mod slots;
pub mod stop;
