//! One run of one slot, from its start to the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::event::{SliEvent, Trigger};
use model::high_mark::HighMark;
use model::maintenance::{Effect, Maintenance};
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::probe::RunContext;
use model::slot::Slot;
use model::time::{Clock, Timestamp};

use super::Sink;
use crate::distrust::hold::Held;
use crate::distrust::{Doubts, Judgement, Ran};
use crate::entry::Entry;
use crate::lag::{self, Lag};
use crate::stop::StopToken;

/// A probe ends by itself at its deadline, or soon after it was asked to; one that has not after this much
/// longer is broken.
pub(super) const BACKSTOP: Duration = Duration::from_secs(2);

/// What the runner learns when a run has ended and its event is with the store.
pub(super) struct Finished {
    /// The stream's number in the runner.
    pub(super) stream: usize,
    /// How long the run took.
    pub(super) took: Duration,
    /// The marks that it moved on.
    pub(super) high_marks: Vec<HighMark>,
    /// The event, if it is not with the store yet because it is not settled.
    pub(super) held: Option<Box<Held>>,
    /// Why there was no run after all.
    pub(super) not_begun: Option<NotBegun>,
}

/// Why the run of a slot with side effects did not begin.
pub(super) struct NotBegun {
    pub(super) reason: Reason,
    /// Whether an earlier life may have begun it.
    pub(super) maybe_sent: bool,
}

/// One run, ready to start.
pub(super) struct Run<S, C> {
    pub(super) stream: usize,
    pub(super) slot: Slot,
    pub(super) entry: Arc<Entry>,
    /// The planned maintenance that the slot lies in.
    pub(super) maintenance: Option<Arc<Maintenance>>,
    pub(super) sink: S,
    pub(super) clock: Arc<C>,
    pub(super) lag: Arc<Mutex<Lag>>,
    /// Asks it to end.
    pub(super) stop: StopToken,
    /// What earlier runs of the stream saw.
    pub(super) high_marks: Arc<[HighMark]>,
    /// What is known of the prober's own health.
    pub(super) doubts: Option<Arc<Doubts>>,
    /// Whether an earlier event of the stream waits, and this one behind it.
    pub(super) behind: bool,
}

impl<S: Sink, C: Clock> Run<S, C> {
    pub(super) async fn run(self) -> Finished {
        if self.entry.origin.side_effects
            && let Err(not_begun) = self.may_begin().await
        {
            let (stream, high_marks) = (self.stream, Vec::new());
            let not_begun = Some(not_begun);
            return Finished { stream, took: Duration::ZERO, high_marks, held: None, not_begun };
        }
        let (started, began) = (self.clock.now(), self.clock.monotonic());
        let deadline = began + self.room(started);
        let stop = StopToken(self.stop.0.child_token());
        let context = RunContext {
            stop: Arc::new(stop.clone()),
            high_marks: Some(Arc::clone(&self.high_marks)),
            ..RunContext::new(self.slot, started, (began, deadline))
        };
        let end = deadline + self.entry.grace + BACKSTOP;
        let backstop = tokio::time::timeout_at(end.into(), self.entry.probe.run(&context));
        let mut outcome = match &self.entry.lease {
            None => backstop.await.unwrap_or_else(|_| stuck()),
            Some(lease) => {
                let guard = (|| self.clock.monotonic(), || stop.0.cancel());
                let guarded = lease.guard(backstop, guard).await;
                guarded.map_or_else(fenced, |ended| ended.unwrap_or_else(|_| stuck()))
            }
        };
        let ended = self.clock.monotonic();
        // What the teardown took is not measured.
        if self.was_lagged(began, ended.min(began + outcome.duration)) {
            outcome = lag::discount(outcome);
        }
        if let Some(window) = &self.maintenance {
            outcome = inside(window, outcome);
        }
        // What was seen of a target that was being rebuilt is nothing to hold against it later.
        if !outcome.verdict().is_eligible() {
            outcome.high_marks.clear();
        }
        let took = ended.saturating_duration_since(began);
        let ran = Ran { began, ended: ended.min(began + outcome.duration) };
        let (outcome, wait) = self.settled(outcome, ran);
        let high_marks = if wait.is_none() { outcome.high_marks.clone() } else { Vec::new() };
        let event = SliEvent {
            origin: Arc::clone(&self.entry.origin),
            slot: self.slot,
            attempt: 0,
            trigger: Trigger::Schedule,
            started: Some(started),
            finished: Some(started.plus(took)),
            recorded: self.clock.now(),
            outcome,
        };
        let held = if let Some(wait) = wait {
            Some(Box::new(Held { stream: self.stream, event, ran, wait }))
        } else {
            self.sink.event(event).await;
            None
        };
        Finished { stream: self.stream, took, high_marks, held, not_begun: None }
    }

    /// Writes down that the run is about to begin; what could have changed meanwhile is looked at after that.
    async fn may_begin(&self) -> Result<(), NotBegun> {
        let (stream, scheduled) = (&self.entry.origin.stream, self.slot.scheduled);
        let no = |reason, maybe_sent| Err(NotBegun { reason, maybe_sent });
        match self.sink.intend(stream, scheduled).await {
            Ok(true) => {}
            Ok(false) => return no(Reason::Interrupted, true),
            Err(error) => {
                tracing::error!(%stream, "a run with side effects does not begin, it could not be noted: {error}");
                return no(Reason::Spool, false);
            }
        }
        if self.clock.now().since(scheduled) > self.entry.timetable.tolerance() {
            return no(Reason::Late, false);
        }
        if self.entry.is_fenced(scheduled, self.clock.monotonic()) {
            return no(Reason::NoLease, false);
        }
        Ok(())
    }

    /// How long the run may take. With side effects it ends before the next slot, which may be another prober's.
    fn room(&self, started: Timestamp) -> Duration {
        let timeout = self.entry.timeout;
        if !self.entry.origin.side_effects {
            return timeout;
        }
        let next = self.entry.timetable.next_after(self.slot.scheduled);
        next.map_or(timeout, |next| timeout.min(next.since(started)))
    }

    /// The outcome as it counts; if that is not known yet, how long to wait for it.
    fn settled(&self, outcome: Outcome, ran: Ran) -> (Outcome, Option<Duration>) {
        let behind = self.behind.then_some(Duration::ZERO);
        let Some(doubts) = &self.doubts else { return (outcome, None) };
        let stream = &self.entry.origin.stream;
        doubts.hear(stream, &outcome, ran);
        match doubts.judge_of(stream, &outcome, ran) {
            Judgement::Stands => (outcome, behind),
            Judgement::Doubted(doubt) => (doubt.apply(outcome), behind),
            Judgement::Wait(wait) => {
                doubts.want_round();
                (outcome, Some(wait))
            }
        }
    }

    fn was_lagged(&self, began: Instant, ended: Instant) -> bool {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).touches(began, ended)
    }
}

/// The outcome of a run inside a maintenance: marked, and not counted unless that only keeps alerts quiet.
fn inside(window: &Maintenance, mut outcome: Outcome) -> Outcome {
    outcome.maintenance = Some(Arc::clone(&window.name));
    if window.effect != Effect::Mute {
        outcome.reason = Reason::Maintenance;
    }
    outcome
}

/// The outcome of a run that was cut off because another prober may have its work.
fn fenced() -> Outcome {
    let mut outcome = Outcome::empty(Reason::Cancelled);
    let message = "the lease had ended, so the run was cut off before it could send any more";
    outcome.failure = Some(Failure::new(FailureClass::Local, "local.lease", message));
    outcome
}

fn stuck() -> Outcome {
    let mut outcome = Outcome::empty(Reason::ProberFault);
    let message = "the run did not end at its deadline and was stopped; this is a fault of the prober";
    outcome.failure = Some(Failure::new(FailureClass::Local, "local.bug", message));
    outcome
}
