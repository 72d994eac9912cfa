//! Due slots → runs → events.
//!
//! One task chooses slots and counts permits; each run is a task of its own in a `JoinSet` that the runner
//! owns. A run keeps its permit until the store has taken its event, so a store that cannot keep up is felt
//! as slots missed with reason `spool`, never as memory.

mod places;
mod run;
mod state;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use model::event::{Origin, SliEvent};
use model::high_mark::HighMark;
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::{Cadence, Stream};
use model::time::{Clock, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::distrust::Doubts;
use crate::entry::Replace;
use state::State;

/// Where records go: the store, or a list in a test.
pub trait Sink: Clone + Send + Sync + 'static {
    /// Hands over an event; waits while the store is full. Dropping the future hands over nothing.
    fn event(&self, event: SliEvent) -> impl Future<Output = ()> + Send;

    /// Hands over missed slots, or says no because the store is full.
    fn try_missed(&self, missed: &MissedSlots) -> bool;

    /// Hands over an event that was held, or says no because the store is full.
    fn try_event(&self, event: &SliEvent) -> bool;

    /// Says that the records of all slots before `at` have been handed over before; may say no.
    fn try_checkpoint(&self, at: Timestamp) -> bool;

    /// Whether the store could take nothing now.
    fn is_full(&self) -> bool;

    /// Makes durable that the run of a slot with side effects is about to begin; says no if that was said before.
    ///
    /// # Errors
    /// The store could not; then the run must not begin.
    fn intend(&self, stream: &Stream, at: Timestamp) -> impl Future<Output = Result<bool, String>> + Send;

    /// The greatest values that earlier runs of the stream saw.
    fn high_marks(&self, stream: &Stream) -> Arc<[HighMark]>;

    /// Makes durable which streams are due how often from `at` on.
    ///
    /// # Errors
    /// The store could not; nothing has changed then.
    fn epochs(
        &self,
        streams: Vec<(Arc<Origin>, Cadence)>,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// The runner's bounds.
#[derive(Copy, Clone, Debug)]
pub struct Limits {
    /// Runs in flight at once; beyond it slots wait for a permit inside their tolerance.
    pub in_flight_max: usize,
    /// After a stop, how long runs in flight may go on before they are asked to end; what they clean up then
    /// has a grace of its own.
    pub grace: Duration,
}

impl Limits {
    /// The part of the permits that streams whose last run took long may use together: three quarters.
    const fn slow_max(&self) -> usize {
        let reserve = self.in_flight_max / 4;
        if reserve == 0 { self.in_flight_max } else { self.in_flight_max - reserve }
    }
}

/// A new set of entries for a runner, and where to say from when it holds.
#[derive(Debug)]
pub struct Command {
    /// The entries.
    pub entries: Vec<crate::entry::Entry>,
    /// The border lies at this time if it is still to come; for two probers that hand over work at an instant they know.
    pub not_before: Option<Timestamp>,
    /// Told the border between the old timetable and the new one, or why the old one stays.
    pub reply: oneshot::Sender<Result<Timestamp, String>>,
}

/// What the runner is doing, for metrics and readiness.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Runs in flight.
    pub in_flight: AtomicUsize,
    /// Streams that are scheduled.
    pub streams: AtomicUsize,
    /// Runs started since the process began.
    pub started: AtomicU64,
    /// The last checkpoint that the store took: every slot before it was handed over; ms since the epoch.
    pub checkpoint_ms: AtomicI64,
    /// Missed values that the store has not taken yet.
    pub misses_waiting: AtomicUsize,
    /// Runs that wait until it is known whether the prober was at fault.
    pub held: AtomicUsize,
}

/// How a runner ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// All slots before this instant are recorded (or handed to the store).
    pub at: Timestamp,
    /// Runs that had to be aborted when the grace ended.
    pub aborted: usize,
    /// Missed values that the store did not take in time; the next start recovers them.
    pub unsent: usize,
}

/// Schedules, runs and records.
#[derive(Debug)]
pub struct Runner<S, C> {
    sink: S,
    clock: Arc<C>,
    limits: Limits,
    gauges: Arc<Gauges>,
    from: Timestamp,
    /// What is known of the prober's own health; every run is believed if `None`.
    doubts: Option<Arc<Doubts>>,
}

/// The longest sleep: a step of the wall clock is noticed within this time.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How often a checkpoint is sent.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// A wall clock that moves this far against the monotonic one has been stepped.
const STEP_MIN: f64 = 1.0;

impl<S: Sink, C: Clock> Runner<S, C> {
    /// A runner without entries; the first [`Command`] brings them.
    ///
    /// `from` is where the account begins for this process: every slot before it is recorded already.
    pub fn new(sink: S, clock: Arc<C>, limits: Limits, from: Timestamp) -> Self {
        Self { sink, clock, limits, gauges: Arc::default(), from, doubts: None }
    }

    /// The same, which holds what is bad until `doubts` settles whether it was the prober.
    #[must_use]
    pub fn doubting(self, doubts: Arc<Doubts>) -> Self {
        Self { doubts: Some(doubts), ..self }
    }

    /// What the runner is doing, for metrics.
    pub fn gauges(&self) -> Arc<Gauges> {
        Arc::clone(&self.gauges)
    }

    /// Runs until `stop`, then drains: no new run starts, runs in flight get their grace, and every slot
    /// that came due meanwhile is recorded as missed.
    pub async fn run(self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) -> Stopped {
        let (sink, clock, gauges) = (self.sink.clone(), Arc::clone(&self.clock), self.gauges());
        let mut state = State::new(sink, clock, self.limits, gauges, self.from).doubting(self.doubts.clone());
        let mut last_checkpoint = self.clock.monotonic();
        let mut commands_open = true;
        loop {
            state.turn();
            let now = self.clock.monotonic();
            if now.saturating_duration_since(last_checkpoint) >= CHECKPOINT_EVERY {
                last_checkpoint = now;
                state.checkpoint();
            }
            let wake = state.wake().min(last_checkpoint + CHECKPOINT_EVERY);
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain(state).await,
                command = commands.recv(), if commands_open => match command {
                    Some(command) => self.replace(&mut state, command).await,
                    None => commands_open = false,
                },
                () = state.news() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Waits until no run is in flight, at most for `patience`.
    async fn wait_for_runs(&self, state: &mut State<S, C>, patience: Duration) {
        let end = self.clock.monotonic() + patience;
        while state.in_flight() > 0 && self.clock.monotonic() < end {
            state.turn();
            let wake = state.wake().min(end);
            tokio::select! {
                () = state.news() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Waits until the runs that are held are settled, for a short while; what is not settled then says nothing.
    async fn wait_for_held(&self, state: &mut State<S, C>) {
        let end = self.clock.monotonic() + HELD_DRAIN_MAX;
        while state.held() > 0 && self.clock.monotonic() < end {
            state.want_round();
            state.turn();
            let soon = self.clock.monotonic() + Duration::from_millis(100);
            tokio::select! {
                () = state.news() => {}
                () = tokio::time::sleep_until(soon.min(end).into()) => {}
            }
        }
        state.settle_held();
    }

    async fn replace(&self, state: &mut State<S, C>, command: Command) {
        state.turn();
        let at = command.not_before.map_or(state.border(), |time| time.max(state.border()));
        let streams = command.entries.iter().map(|entry| (Arc::clone(&entry.origin), entry.cadence.clone()));
        let kept = self.sink.epochs(streams.collect(), at).await;
        let answer = kept.map(|()| {
            state.replace(Replace { entries: command.entries, at });
            at
        });
        // The asker may have gone; the entries hold all the same.
        drop(command.reply.send(answer));
    }

    /// Runs end by themselves, then because they are asked to, then at once.
    async fn drain(&self, mut state: State<S, C>) -> Stopped {
        state.drain();
        self.wait_for_runs(&mut state, self.limits.grace).await;
        if state.in_flight() > 0 {
            let patience = state.ask_to_end();
            self.wait_for_runs(&mut state, patience).await;
        }
        let aborted = state.abort().await;
        self.wait_for_held(&mut state).await;
        state.turn();
        let at = state.border();
        let end = self.clock.monotonic() + FLUSH_MAX;
        while state.flush() > 0 && self.clock.monotonic() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let unsent = state.flush();
        if unsent == 0 {
            state.checkpoint_at(state.all_dealt(at));
        }
        Stopped { at, aborted, unsent }
    }
}

/// How long a stopping runner waits for the runs that are held.
const HELD_DRAIN_MAX: Duration = Duration::from_secs(3);

/// How long a stopping runner waits for a full store.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// The instant on the monotonic clock at which the wall clock will show `at`.
fn instant_of(at: Timestamp, wall: Timestamp, monotonic: Instant) -> Instant {
    monotonic + at.since(wall).min(SLEEP_MAX)
}

/// What a slot that nobody ran was missed for, seen `late` after its start.
const fn lateness(stepped: bool) -> Reason {
    if stepped { Reason::ClockStep } else { Reason::Late }
}

fn bump(gauge: &AtomicU64) {
    gauge.fetch_add(1, Ordering::Relaxed);
}
