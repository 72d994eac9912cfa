//! One run on its way from step to step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{Failure, FailureClass, Outcome};
use model::probe::{RunContext, StopSignal};
use model::step::{StepRecord, StepState};
use scenario::plan::{Plan, StepPlan};
use scenario::template::{Captures, RunFacts};

use super::attempt::{Done, Trying};
use super::judge::Judge;
use super::now;
use super::scenario::Scenario;
use crate::net::fault;
use crate::net::shared::Net;

/// How long the step in progress may go on once a run that cleans up is asked to end.
///
/// An order whose answer is on its way can be deleted; one that was cut off cannot.
pub(crate) const FINISH: Duration = Duration::from_secs(1);

/// The `error.type` of a step that was cut off because its run was to end.
pub(crate) const CANCELLED: &str = "local.cancelled";

/// What a run carries from step to step.
pub(super) struct Walk<'a> {
    scenario: &'a Scenario,
    plan: &'a Plan<Net>,
    context: &'a RunContext,
    facts: RunFacts,
    net: Net,
    captures: Captures,
    judge: Judge<'a>,
    /// When the last step ended, counted from the run's start.
    ended: Duration,
}

/// When a step must end.
#[derive(Copy, Clone)]
pub(super) struct Bounds<'a> {
    /// At the latest.
    pub(super) end: Instant,
    /// Early, if this is asked for.
    pub(super) stop: Option<&'a dyn StopSignal>,
}

impl<'a> Walk<'a> {
    /// A run that has not begun.
    pub(super) fn new(scenario: &'a Scenario, context: &'a RunContext) -> Self {
        let plan = &**scenario.plan();
        let facts = RunFacts {
            id: context.slot.id,
            started_at: context.started,
            attempt: context.attempt,
            scenario: Arc::clone(&plan.stream().scenario),
        };
        let mut net = Net::new(Arc::clone(&scenario.shared));
        net.look(context.detail);
        net.send_once(plan.side_effects());
        Self {
            scenario,
            plan,
            context,
            facts,
            net,
            captures: Captures::default(),
            judge: Judge::new(plan, context),
            ended: Duration::ZERO,
        }
    }

    /// Runs the steps, up to the first failure or all of them; gives how long they took.
    pub(super) async fn main(&mut self) -> Duration {
        let end = self.context.deadline.min(self.context.began + self.plan.timeout());
        let stop = &*self.context.stop;
        let steps = self.plan.steps();
        for (index, step) in steps.iter().enumerate() {
            if self.judge.stops() {
                self.judge.skip(step);
            } else if stop.is_asked() {
                self.judge.skip_cancelled(step);
            } else {
                self.net.expect_more(index + 1 < steps.len() || !self.plan.teardown().is_empty());
                self.step(step, Bounds { end, stop: Some(stop) }).await;
            }
        }
        self.ended
    }

    /// Runs every step of the teardown, if any other step has begun.
    ///
    /// Each has its share of what is left of the grace, so that one which hangs does not stop the others.
    pub(super) async fn tear_down(&mut self) {
        if !self.judge.has_begun() {
            return;
        }
        let steps = self.plan.teardown();
        let end = now() + self.plan.grace();
        self.judge.begin_teardown();
        for (index, step) in steps.iter().enumerate() {
            for (name, captured) in self.judge.left_over() {
                // The attempt that passed knows better than one before it.
                if !self.captures.names_something(&name) {
                    self.captures.set(name, captured);
                }
            }
            self.net.expect_more(index + 1 < steps.len());
            let left = u32::try_from(steps.len() - index).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(now()) / left;
            self.step(step, Bounds { end: now() + share, stop: None }).await;
        }
    }

    /// What came of it, `duration` after it began, and the network, which knows what must be hidden.
    pub(super) fn end(self, duration: Duration) -> (Outcome, Net) {
        (self.judge.outcome(duration), self.net)
    }

    async fn step(&mut self, step: &StepPlan<Net>, bounds: Bounds<'_>) {
        if let Some(missing) = step.needs.iter().find(|need| self.is_missing(need)) {
            self.judge.skip_because(step, self.not_captured(missing));
            return;
        }
        let began = now();
        let mut record = self.judge.record(step, began.saturating_duration_since(self.context.began));
        let done = {
            let mut trying = Trying {
                step,
                began,
                bounds,
                facts: &self.facts,
                secrets: &self.scenario.secrets,
                captures: &self.captures,
                net: &mut self.net,
                judge: &mut self.judge,
                record: &mut record,
            };
            let patience = if self.plan.teardown().is_empty() { Duration::ZERO } else { FINISH };
            tokio::select! {
                biased;
                done = trying.run() => Some(done),
                () = cut_off(bounds.stop, patience) => None,
            }
        };
        if !matches!(done, Some(Done::Shown(..))) {
            record.duration = now().saturating_duration_since(began);
        }
        self.ended = record.start + record.duration;
        match done {
            None | Some(Done::CutOff) => self.judge.cut_off(record),
            Some(Done::Shown(shown, latency)) => {
                let missing = shown.failure.as_ref().filter(|failure| failure.error_type == fault::CAPTURE);
                if let Some(failure) = missing {
                    let name = failure.message.split('`').nth(1).unwrap_or(&failure.message);
                    self.judge.skip_because(step, self.not_captured(name));
                    return;
                }
                let taken = self.judge.look(step, &mut record, shown, latency);
                for (name, captured) in taken {
                    self.captures.set(name, captured);
                }
                self.judge.note(record);
            }
        }
    }

    /// Whether what a step needs is not there; where something is removed, null is nothing to remove.
    ///
    /// Another step does not pass over it, since a run in which it did would be good.
    fn is_missing(&self, name: &str) -> bool {
        self.captures.get(name).is_none()
            || self.judge.is_tearing_down() && !self.captures.names_something(name)
    }

    /// `order_id was not captured (create-order failed)`, for a step that cannot run without it.
    fn not_captured(&self, name: &str) -> String {
        if self.captures.get(name).is_some() {
            return format!("{name} was captured as null");
        }
        let mut steps = self.plan.steps().iter().chain(self.plan.teardown());
        let source = steps.find(|step| step.captures.iter().any(|capture| **capture.name() == *name));
        let state = source.and_then(|step| self.judge.state_of(&step.name).map(|state| (step, state)));
        match state {
            Some((step, StepState::Skipped)) => {
                format!("{name} was not captured ({} was skipped)", step.name)
            }
            Some((step, _)) => format!("{name} was not captured ({} failed)", step.name),
            None => format!("{name} was not captured"),
        }
    }
}

/// Comes back `patience` after the run was asked to end; never if nobody can ask.
async fn cut_off(stop: Option<&dyn StopSignal>, patience: Duration) {
    match stop {
        Some(stop) => {
            stop.asked().await;
            tokio::time::sleep(patience).await;
        }
        None => std::future::pending().await,
    }
}

/// The failure of a step that was cut off, or never begun, because its run was to end.
pub(super) fn cancelled(record: &StepRecord) -> Failure {
    let message = match record.state {
        StepState::Skipped => format!("the run was asked to end before {} began", record.name),
        _ => format!("the run was asked to end while {} was going", record.name),
    };
    Failure { step: record.name.to_string(), ..Failure::new(FailureClass::Local, CANCELLED, message) }
}
