//! One step, tried once, or again after some failures.

use std::time::{Duration, Instant};

use model::outcome::FailureClass;
use model::probe::StopSignal;
use model::step::{AttemptRecord, Hop, Phase, StepRecord};
use scenario::kind::{Action, StepContext, StepOutcome};
use scenario::plan::StepPlan;
use scenario::repeat::RetryPlan;
use scenario::template::{Captures, RunFacts, Scope, Secrets};

use super::judge::Judge;
use super::now;
use super::walk::Bounds;
use crate::net::phases;
use crate::net::shared::Net;

/// What stands for an answer that may hold a secret which is not known.
const LEFT_OUT: &str = "(left out: it may hold a secret that could not be captured)";

/// One step while it is tried; what was seen so far is in `record` even if the future is dropped.
pub(super) struct Trying<'t, 'a> {
    pub(super) step: &'t StepPlan<Net>,
    /// The step's start.
    pub(super) began: Instant,
    pub(super) bounds: Bounds<'t>,
    pub(super) facts: &'t RunFacts,
    pub(super) secrets: &'t Secrets,
    pub(super) captures: &'t Captures,
    pub(super) net: &'t mut Net,
    pub(super) judge: &'t mut Judge<'a>,
    pub(super) record: &'t mut StepRecord,
}

/// How trying ended.
pub(super) enum Done {
    /// What the last try showed, and the latency that the step is judged by.
    Shown(StepOutcome, Duration),
    /// The run was asked to end between two tries.
    CutOff,
}

impl Trying<'_, '_> {
    /// Tries as often as the step says.
    pub(super) async fn run(&mut self) -> Done {
        match (&self.step.poll, &self.step.retry) {
            (Some(poll), _) => self.poll(poll).await,
            (None, Some(retry)) => self.retry(retry).await,
            (None, None) => {
                let (shown, took) = self.once(self.bounds.end, 0).await;
                Done::Shown(shown, took)
            }
        }
    }

    async fn retry(&mut self, retry: &RetryPlan) -> Done {
        // A connection that an attempt leaves open serves the next one.
        self.net.expect_more(true);
        for number in 1.. {
            let began = now();
            let (mut shown, took) = self.once(self.bounds.end, number - 1).await;
            let start = began.saturating_duration_since(self.began);
            shown.hops.iter_mut().for_each(|hop| hop.shift(start));
            // Who tries again has waited for all of it.
            let waited = self.record.duration;
            let failure = self.judge.would_fail(self.step, &shown, waited);
            let again = failure.filter(|failure| {
                number < retry.attempts
                    && retry.on.contains(&failure.class)
                    && self.may_repeat(failure.class, &shown.hops)
            });
            let Some(failure) = again else { return Done::Shown(shown, waited) };
            let next = now() + retry.backoff;
            if next >= self.bounds.end {
                self.record.note = Some("no time was left for another attempt".to_owned());
                return Done::Shown(shown, waited);
            }
            self.judge.set_aside(self.step, &shown, waited);
            let hops = shown.hops;
            self.record.attempts.push(AttemptRecord { start, duration: took, failure, hops });
            if pause(next, self.bounds.stop).await {
                return Done::CutOff;
            }
        }
        unreachable!("attempts end with the last one")
    }

    /// Whether trying again does no more than the author has said is right.
    ///
    /// `on: [connect]` means "before the request": a connection that is reset later may have done its work.
    fn may_repeat(&self, class: FailureClass, hops: &[Hop]) -> bool {
        let sent = || hops.iter().flat_map(|hop| &hop.phases).any(|span| span.phase == Phase::Send);
        RetryPlan::may_repeat_work(class) || self.step.action.is_repeatable() || !sent()
    }

    /// Runs the action once, until `end` at the latest; `attempt` counts from 0.
    pub(super) async fn once(&mut self, end: Instant, attempt: u32) -> (StepOutcome, Duration) {
        let began = now();
        let deadline = self.step.timeout.map_or(end, |timeout| end.min(began + timeout));
        let facts;
        let run = if attempt == self.facts.attempt {
            self.facts
        } else {
            facts = RunFacts { attempt, ..self.facts.clone() };
            &facts
        };
        let scope = Scope { run, captures: self.captures, secrets: self.secrets };
        let context = StepContext { scope: &scope, began, deadline };
        let mut shown = act(&*self.step.action, self.net, &context).await;
        let took = shown.took(now().saturating_duration_since(began));
        self.record.duration = (began + took).saturating_duration_since(self.began);
        self.hide_secrets(&mut shown, took);
        (shown, took)
    }

    /// Takes care that nobody sees what a capture marks as secret, whether the step passes or not.
    ///
    /// What cannot be taken may still be in the answer, under another name or before it broke off: then the
    /// answer is left out as a whole.
    fn hide_secrets(&mut self, shown: &mut StepOutcome, took: Duration) {
        let mut unknown = false;
        for capture in self.step.captures.iter().filter(|capture| capture.is_secret()) {
            match capture.take(&self.judge.observed(self.step, shown, took)) {
                Ok(captured) => self.net.hide_value(capture.name(), captured.value),
                Err(_) => unknown = true,
            }
        }
        let exchanges = shown.hops.iter_mut().filter_map(|hop| hop.exchange.as_mut());
        for answer in exchanges.filter_map(|exchange| exchange.answer.as_mut()).filter(|_| unknown) {
            answer.head.truncate(1);
            answer.body = answer.body.take().map(|_| LEFT_OUT.to_owned());
        }
    }
}

/// Does what a step does once, of whatever kind it is, and says in which phase it timed out if it did.
pub(crate) async fn act(action: &dyn Action<Net>, net: &mut Net, context: &StepContext<'_>) -> StepOutcome {
    let mut shown = action.run(net, context).await;
    if let Some(failure) = &shown.failure {
        phases::note_timeout(&mut shown.attributes, failure, &shown.hops);
    }
    shown
}

/// Waits until `until`; comes back early with `true` if the run is asked to end.
pub(super) async fn pause(until: Instant, stop: Option<&dyn StopSignal>) -> bool {
    let asked = async {
        match stop {
            Some(stop) => stop.asked().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = asked => true,
        () = tokio::time::sleep_until(until.into()) => false,
    }
}
