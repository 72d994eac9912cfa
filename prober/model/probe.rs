//! "Run once against the target before the deadline": where measuring and scheduling meet.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::high_mark::HighMark;
use crate::outcome::Outcome;
use crate::slot::Slot;
use crate::time::Timestamp;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A whole scenario, ready to be run once.
///
/// No loop over time, no schedule, no export inside. Implementations end by themselves at the context's
/// deadline, or soon after its stop was asked for, and give an [`Outcome`] that says so: a failing target is
/// data. What a scenario cleans up afterwards may take its grace longer. Dropping the future ends the run at
/// once and releases what it holds, but cleans nothing up.
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
    /// When the run must have ended, its teardown left aside.
    pub deadline: Instant,
    /// How closely it is looked at.
    pub detail: Detail,
    /// Asks the run to end early; whoever drains or cancels holds the other end.
    pub stop: Arc<dyn StopSignal>,
    /// The greatest values of earlier runs of this stream; `None` where nobody keeps them.
    pub high_marks: Option<Arc<[HighMark]>>,
}

impl RunContext {
    /// The first attempt at `slot`, which nobody stops and which knows of no earlier run.
    pub fn new(slot: Slot, started: Timestamp, (began, deadline): (Instant, Instant)) -> Self {
        Self {
            slot,
            attempt: 0,
            started,
            began,
            deadline,
            detail: Detail::Facts,
            stop: Arc::new(NeverStops),
            high_marks: None,
        }
    }
}

/// A wish from outside that a run ends early and cleans up after itself.
pub trait StopSignal: fmt::Debug + Send + Sync {
    /// Whether the run is to end.
    fn is_asked(&self) -> bool;

    /// Comes back once the run is to end. Dropping the future loses nothing.
    fn asked(&self) -> BoxFuture<'_, ()>;
}

/// The signal that never comes.
#[derive(Copy, Clone, Debug, Default)]
pub struct NeverStops;

impl StopSignal for NeverStops {
    fn is_asked(&self) -> bool {
        false
    }

    fn asked(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
