//! Running the steps of a plan.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::attribute::Attributes;
use model::outcome::Outcome;
use model::probe::{BoxFuture, Probe, RunContext};
use model::step::{StepRecord, StepState};
use scenario::kind::StepContext;
use scenario::plan::{Plan, StepPlan};
use scenario::redact::Redactor;
use scenario::template::{Captures, RunFacts, Scope, Secrets};

use super::judge::Judge;
use crate::net::fault;
use crate::net::shared::{Net, Shared};

/// A plan that can be run: with the network it uses and the secrets it refers to.
pub struct Scenario {
    plan: Arc<Plan<Net>>,
    shared: Arc<Shared>,
    secrets: Arc<Secrets>,
    /// Of the secrets that the plan refers to; empty if it refers to none.
    redactor: Redactor,
}

impl Scenario {
    /// The scenario that `plan` describes.
    ///
    /// `secrets` are those of the plan's region; one that is missing makes each run that needs it
    /// ineligible as a `config_fault`.
    pub fn new(plan: Arc<Plan<Net>>, shared: Arc<Shared>, secrets: Arc<Secrets>) -> Self {
        let mut used = Secrets::default();
        for name in plan.secrets_used() {
            if let Some(value) = secrets.get(name) {
                used.set(Arc::clone(name), value);
            }
        }
        Self { redactor: Redactor::new(&used), plan, shared, secrets }
    }

    /// The plan behind it.
    pub const fn plan(&self) -> &Arc<Plan<Net>> {
        &self.plan
    }

    async fn run_steps(&self, context: &RunContext) -> Outcome {
        let facts = RunFacts {
            id: context.slot.id,
            started_at: context.started,
            attempt: context.attempt,
            scenario: Arc::clone(&self.plan.stream().scenario),
        };
        let end = context.deadline.min(context.began + self.plan.timeout());
        let mut net = Net::new(Arc::clone(&self.shared));
        net.look(context.detail);
        let mut captures = Captures::default();
        let mut judge = Judge::new(&self.plan, context);
        let steps = self.plan.steps();
        for (index, step) in steps.iter().enumerate() {
            if judge.stops() {
                judge.skip(step);
                continue;
            }
            net.expect_more(index + 1 < steps.len());
            let began = Instant::now();
            let deadline = step.timeout.map_or(end, |timeout| end.min(began + timeout));
            let scope = Scope { run: &facts, captures: &captures, secrets: &self.secrets };
            let shown = step.action.run(&mut net, &StepContext { scope: &scope, began, deadline }).await;
            let took = began.elapsed();
            let not_captured = shown.failure.as_ref().filter(|failure| failure.error_type == fault::CAPTURE);
            if let Some(failure) = not_captured {
                let note = not_captured_note(&failure.message, steps, &judge);
                judge.skip_because(step, note);
                continue;
            }
            let mut record = record(step, began.saturating_duration_since(context.began), took);
            let taken = judge.look(step, &mut record, shown);
            for (name, captured) in taken {
                captures.set(name, captured);
            }
            judge.note(record);
        }
        let mut outcome = judge.outcome(&self.plan, context.began.elapsed());
        let redactor = self.redactor.with_captures(&captures);
        redactor.with_captures(net.hidden()).redact_outcome(&mut outcome);
        outcome
    }
}

impl Probe for Scenario {
    fn run<'a>(&'a self, context: &'a RunContext) -> BoxFuture<'a, Outcome> {
        Box::pin(self.run_steps(context))
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scenario").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// The record of a step that ran, before it is judged.
fn record(step: &StepPlan<Net>, start: Duration, duration: Duration) -> StepRecord {
    StepRecord {
        name: Arc::clone(&step.name),
        kind: step.kind.name.into(),
        state: StepState::Passed,
        start,
        duration,
        failure: None,
        note: None,
        hops: Vec::new(),
        attributes: Attributes::new(),
        captures: Vec::new(),
    }
}

/// "`order_id` was not captured (create-order failed)", for a step that cannot be asked without it.
fn not_captured_note(message: &str, steps: &[StepPlan<Net>], judge: &Judge<'_>) -> String {
    let name = message.split('`').nth(1).unwrap_or(message);
    let source = steps.iter().find(|step| step.captures.iter().any(|capture| **capture.name() == *name));
    let state = source.and_then(|step| judge.state_of(&step.name).map(|state| (step, state)));
    match state {
        Some((step, StepState::Skipped)) => format!("{name} was not captured ({} was skipped)", step.name),
        Some((step, _)) => format!("{name} was not captured ({} failed)", step.name),
        None => format!("{name} was not captured"),
    }
}
