//! "Run once against the target before the deadline": where measuring and scheduling meet.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use crate::outcome::Outcome;
use crate::slot::Slot;
use crate::time::Timestamp;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A whole scenario, ready to be run once.
///
/// No loop over time, no schedule, no export inside. Implementations end by themselves at the context's
/// deadline and give an [`Outcome`] that says so: a failing target is data. Dropping the future stops the
/// run and releases what it holds.
pub trait Probe: Send + Sync + 'static {
    /// Runs the scenario once.
    fn run<'a>(&'a self, context: &'a RunContext) -> BoxFuture<'a, Outcome>;
}

/// How closely a run is looked at: what of requests and answers is kept for people who wait for it.
///
/// Schedules never ask for more than [`Detail::Facts`]: the rest costs memory and is not stored.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Phases, facts and assertions.
    #[default]
    Facts,
    /// The heads of requests and answers as well.
    Heads,
    /// Heads, and bodies up to [`BODY_SHOWN_MAX`](crate::step::BODY_SHOWN_MAX).
    Bodies,
}

/// What one run is told.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// The slot that this run is for; its id is also the trace id.
    pub slot: Slot,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// The wall clock at the start.
    pub started: Timestamp,
    /// The monotonic clock at the start; every offset counts from here.
    pub began: Instant,
    /// When the run must have ended.
    pub deadline: Instant,
    /// How closely it is looked at.
    pub detail: Detail,
}
