//! The evaluator's task: events out of the store, changes of alerts into the outbox, standings for whoever looks.
//!
//! Place, state and changes are committed as one, so that a crash neither loses nor doubles an alert. Bounded: a turn
//! takes so many events and no more, and what waits for a commit that fails is kept up to a bound.

mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{Clock, SystemClock, Timestamp};
use slo::evaluator::{Change, Evaluator, Transition};
use slo::promise::Promise;
use slo::snapshot::Snapshot;
use slo::standing::Standing;
use store::{Cursor, NewState, ReadError, Store};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::promises::Promises;
use super::recall::recall;
use telling::{noted, tell};

/// The name of its place and its state in the store.
pub(crate) const NAME: &str = "slo";
/// How often it looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often place and state are committed when no alert changes: what was judged since then is judged again after a
/// crash, with the same result, so this only bounds how much that is.
const COMMIT_EVERY: Duration = Duration::from_mins(5);
/// Events of one batch, and of one turn.
const BATCH_EVENTS: usize = 500;
const TURN_EVENTS: usize = 20_000;
const BATCH_BYTES: usize = 1 << 20;
/// How much of the history from before anything was promised is judged tick by tick: as far as the longest burn window
/// sees.
const HISTORY_JUDGED: Duration = Duration::from_hours(72);
/// Changes that wait for a commit at most; beyond that the oldest are lost and counted.
const CHANGES_MAX: usize = 10_000;
/// The wall clock was set if it moved so much more or less than the monotonic one.
const STEP_LEAST: Duration = Duration::from_secs(30);

/// How every promise stands, by name; empty before the first tick.
pub(crate) type Standings = Arc<[Standing]>;

/// The evaluator's task while it runs.
pub(crate) struct Judging {
    /// What is promised from now on.
    pub(crate) promises: watch::Sender<Promises>,
    pub(crate) standings: watch::Sender<Standings>,
    pub(crate) task: JoinSet<()>,
    pub(crate) stop: CancellationToken,
}

impl Judging {
    /// Starts it; `pages` is where the pages are.
    pub(crate) fn start(store: &Store, pages: String, promises: Promises) -> Self {
        let (mut task, stop) = (JoinSet::new(), CancellationToken::new());
        let (promises, standings) = (watch::Sender::new(promises), watch::Sender::new(Standings::default()));
        let judge = Judge {
            store: store.clone(),
            clock: Arc::new(SystemClock),
            promises: promises.subscribe(),
            standings: standings.clone(),
            pages,
        };
        task.spawn(judge.run(stop.clone()));
        Self { promises, standings, task, stop }
    }
}

/// The evaluator and what it is told by.
pub(crate) struct Judge {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) promises: watch::Receiver<Promises>,
    pub(crate) standings: watch::Sender<Standings>,
    /// Where the pages are, for links: `http://127.0.0.1:9899`.
    pub(crate) pages: String,
}

impl Judge {
    /// Judges until `stop`, then once more what is in the store.
    ///
    /// Stop it after the store's writer has ended, and before those who deliver.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut work: Option<Box<Work>> = None;
        loop {
            let pause =
                if work.as_ref().is_some_and(|work| work.has_more) { Duration::ZERO } else { LOOK_EVERY };
            let (is_last, is_new) = tokio::select! {
                biased;
                () = stop.cancelled() => (true, false),
                changed = self.promises.changed() => (changed.is_err(), changed.is_ok()),
                () = tokio::time::sleep(pause) => (false, false),
            };
            let promises = (is_new || work.is_none()).then(|| self.promises.borrow_and_update().clone());
            work = self.turn(work, promises, is_last).await;
            if is_last {
                return;
            }
        }
    }

    /// One turn where blocking is allowed; `None` if the state could not be read, which is tried again.
    async fn turn(
        &self,
        work: Option<Box<Work>>,
        promises: Option<Promises>,
        is_last: bool,
    ) -> Option<Box<Work>> {
        let (store, clock, pages) = (self.store.clone(), Arc::clone(&self.clock), self.pages.clone());
        let turned = spawn_blocking(move || {
            let mut work = match work {
                Some(work) => work,
                None => Box::new(Work::begin((store, pages), clock)?),
            };
            if let Some(promises) = promises {
                work.promise(promises);
            }
            let standings = work.turn(is_last);
            Ok::<_, ReadError>((work, standings))
        });
        match turned.await {
            Ok(Ok((work, standings))) => {
                if let Some(standings) = standings {
                    self.standings.send_replace(standings);
                }
                Some(work)
            }
            Ok(Err(error)) => {
                tracing::error!("what is promised cannot be judged: {error}");
                tokio::time::sleep(LOOK_EVERY).await;
                None
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

/// Everything that a turn needs.
struct Work {
    store: Store,
    pages: String,
    clock: Arc<dyn Clock>,
    cursor: Cursor,
    evaluator: Evaluator,
    /// The state of before, until the promises are known.
    stored: Option<Snapshot>,
    /// Whether what is read is history from before anything was promised here: it alerts nobody.
    is_history: bool,
    /// Whether the last turn ended before everything was read.
    has_more: bool,
    promises: Promises,
    /// Changes that are not committed yet.
    changes: Vec<Change>,
    last: Option<(Timestamp, Instant)>,
    /// `None` before the first commit, which does not wait.
    committed: Option<Instant>,
    /// The last tick that standings were made of.
    shown: Option<Timestamp>,
}

impl Work {
    fn begin((store, pages): (Store, String), clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let cursor = store.cursor(NAME)?;
        let stored = store.folded(NAME)?;
        let stored = stored.map(|state| Snapshot { head: state.head, pieces: state.pieces });
        let now = clock.now();
        Ok(Self {
            store,
            pages,
            clock,
            cursor,
            evaluator: Evaluator::new(Vec::new(), now),
            is_history: stored.is_none(),
            has_more: false,
            stored,
            promises: Promises::default(),
            changes: Vec::new(),
            last: None,
            committed: None,
            shown: None,
        })
    }

    /// Takes over what is promised from now on.
    fn promise(&mut self, promises: Promises) {
        let now = self.clock.now();
        let all = promises.all.clone();
        if let Some(state) = self.stored.take() {
            match Evaluator::restore(&state, all, now) {
                Ok(restored) => {
                    for slo in &restored.damaged {
                        tracing::error!(%slo, "its state is damaged; it is judged from now on");
                    }
                    self.evaluator = restored.evaluator;
                    self.changes.extend(restored.changes);
                }
                Err(error) => {
                    // A damaged state must not keep anybody from being woken up.
                    tracing::error!("{error}; what was promised is judged from now on");
                    self.evaluator = Evaluator::new(promises.all.clone(), now);
                }
            }
        } else if self.is_history && self.evaluator.judged().is_none() {
            self.evaluator = Evaluator::new(self.since_history(all), now);
            self.evaluator.skim(now.minus(HISTORY_JUDGED));
        } else {
            let changes = self.evaluator.set_promises(all, now);
            self.changes.extend(changes);
        }
        self.promises = promises;
        self.shown = None;
    }

    /// With events from before, a promise begins with the oldest of them.
    fn since_history(&mut self, mut all: Vec<Promise>) -> Vec<Promise> {
        let oldest = self.cursor.next_batch(1, 1).ok().and_then(|batch| batch.events.first().cloned());
        if let Some(oldest) = oldest {
            let begin = oldest.slot.scheduled.min(oldest.recorded);
            for promise in &mut all {
                promise.begin = promise.begin.min(begin);
            }
        }
        all
    }

    /// Takes in what is new, judges, and commits if there is reason to; gives the standings after a new tick.
    fn turn(&mut self, is_last: bool) -> Option<Standings> {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        if self.last.replace((now, monotonic)).is_some_and(|last| was_set(last, (now, monotonic))) {
            tracing::warn!("the clock was set: nothing is judged for the time in between");
            self.evaluator.resume(now);
        }
        let read = self.read();
        // What cannot be read now is tried again after a pause.
        self.has_more = matches!(read, Ok(false));
        let caught_up = match read {
            Ok(caught_up) => caught_up,
            Err(error) => {
                tracing::error!("events cannot be read to be judged: {error}");
                false
            }
        };
        if caught_up {
            self.evaluator.advance(now, &mut self.changes);
            if self.is_history {
                self.end_history();
            }
        }
        let is_old = |at: Instant| monotonic.saturating_duration_since(at) >= COMMIT_EVERY;
        let waits = self.committed.is_none_or(is_old);
        if !self.is_history && (is_last || waits || !self.changes.is_empty()) {
            self.commit(now);
        }
        let judged = self.evaluator.judged();
        if judged == self.shown || self.is_history {
            return None;
        }
        self.shown = judged;
        Some(self.evaluator.standings().into())
    }

    /// Folds what is new, a bounded number of events; gives whether nothing is left.
    fn read(&mut self) -> Result<bool, ReadError> {
        recall(&mut self.evaluator, &mut self.store.reader(), self.cursor.next_seq())?;
        let mut folded = 0;
        while folded < TURN_EVENTS {
            let batch = self.cursor.next_batch(BATCH_EVENTS, BATCH_BYTES)?;
            if batch.lost > 0 {
                tracing::warn!(lost = batch.lost, "events were dropped before they were judged");
            }
            for event in &batch.events {
                self.evaluator.fold(event, &mut self.changes);
            }
            folded += batch.events.len();
            let more = !batch.events.is_empty() || batch.lost + batch.unreadable > 0;
            self.cursor.pass(&batch);
            self.bound_changes();
            if !more {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Of the time before anything was promised, only what still fires is told.
    fn end_history(&mut self) {
        self.is_history = false;
        let fired = |alert| Change { alert, transition: Transition::Fired };
        self.changes = self.evaluator.firing().into_iter().map(fired).collect();
    }

    fn bound_changes(&mut self) {
        if self.is_history {
            self.changes.clear();
        }
        if self.changes.len() > CHANGES_MAX {
            let lost = self.changes.len() - CHANGES_MAX;
            tracing::error!(lost, "changes of alerts are lost: the store does not take them");
            self.changes.drain(..lost);
        }
    }

    /// Commits place, state and changes; what fails is tried again with the next turn.
    fn commit(&mut self, now: Timestamp) {
        // Noted before, and once: after a crash the same changes come again.
        if let Err(error) = self.store.note(&noted(&self.changes), now) {
            return tracing::error!("changes of alerts could not be noted: {error}");
        }
        let unsaved = self.evaluator.unsaved();
        let state = NewState { head: &unsaved.head, pieces: &unsaved.pieces, gone: &unsaved.gone };
        let committed = self.rows().and_then(|rows| self.cursor.commit(state, &rows, now));
        match committed {
            Ok(_) => {
                self.evaluator.saved();
                self.changes.iter().for_each(tell);
                self.changes.clear();
                self.committed = Some(self.clock.monotonic());
            }
            Err(error) => tracing::error!("what was judged could not be stored: {error}"),
        }
    }
}

/// Whether the wall clock moved otherwise than the monotonic one.
fn was_set(before: (Timestamp, Instant), after: (Timestamp, Instant)) -> bool {
    let walked = after.0.seconds_since(before.0);
    let passed = after.1.saturating_duration_since(before.1).as_secs_f64();
    (walked - passed).abs() > STEP_LEAST.as_secs_f64()
}
