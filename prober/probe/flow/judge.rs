//! What a step's evidence means for the run: assertions, captures, and at the end the verdict.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, Mark, Outcome, Reason, cut};
use model::probe::RunContext;
use model::step::{AssertionRecord, Part, SHOWN_MAX, StepRecord, StepState};
use scenario::assertion::{Assertion, Checked, LATENCY, Observed};
use scenario::kind::{Nothing, StepOutcome};
use scenario::plan::{Plan, StepPlan};
use scenario::template::Captured;

use crate::net::fault;
use crate::net::shared::Net;

/// Looks at the steps of one run as they come.
pub(super) struct Judge<'a> {
    plan: &'a Plan<Net>,
    context: &'a RunContext,
    steps: Vec<StepRecord>,
    assertions: Vec<AssertionRecord>,
    /// The step that decided, why, and its failure.
    failed: Option<Verdict>,
    /// Whether a clause of `sli.ineligible` matched.
    declared: bool,
    warned: bool,
    /// What of `sli.good` did not hold.
    not_good: Option<(Reason, Failure)>,
    /// The greatest age of a value, or that of the value that failed.
    age: Option<f64>,
}

/// A failure that decides the run.
struct Verdict {
    step: usize,
    reason: Reason,
    failure: Failure,
}

impl<'a> Judge<'a> {
    /// A judge who has seen nothing yet.
    pub(super) fn new(plan: &'a Plan<Net>, context: &'a RunContext) -> Self {
        let expected: usize = plan.steps().iter().map(|step| step.expect.len() + step.warn.len()).sum();
        Self {
            plan,
            context,
            steps: Vec::with_capacity(plan.steps().len()),
            assertions: Vec::with_capacity(expected + plan.good().len()),
            failed: None,
            declared: false,
            warned: false,
            not_good: None,
            age: None,
        }
    }

    /// Whether no further step runs.
    pub(super) fn stops(&self) -> bool {
        self.failed.is_some() && !self.plan.continue_on_failure()
    }

    /// How an earlier step ended.
    pub(super) fn state_of(&self, step: &str) -> Option<StepState> {
        self.steps.iter().find(|record| *record.name == *step).map(|record| record.state)
    }

    /// Notes that `step` does not run because an earlier one failed.
    pub(super) fn skip(&mut self, step: &StepPlan<Net>) {
        let earlier = self.failed.as_ref().map(|failed| format!("{} failed", self.steps[failed.step].name));
        self.skip_because(step, earlier.unwrap_or_default());
    }

    /// Notes that `step` does not run, and why.
    pub(super) fn skip_because(&mut self, step: &StepPlan<Net>, why: String) {
        self.steps.push(StepRecord {
            name: Arc::clone(&step.name),
            kind: step.kind.name.into(),
            state: StepState::Skipped,
            start: self.context.began.elapsed(),
            duration: Duration::ZERO,
            failure: None,
            note: Some(why),
            hops: Vec::new(),
            attributes: Attributes::new(),
            captures: Vec::new(),
        });
    }

    /// Looks at what `step` showed, fills `record`, and gives what it captured.
    pub(super) fn look(
        &mut self,
        step: &StepPlan<Net>,
        record: &mut StepRecord,
        shown: StepOutcome,
    ) -> Vec<(Arc<str>, Captured)> {
        record.hops = shown.hops;
        record.attributes = shown.attributes;
        if let Some(failure) = shown.failure {
            self.fail(record, reason_of(&failure), failure);
            return Vec::new();
        }
        let observed = Observed {
            evidence: &*shown.evidence,
            latency: record.duration,
            now: self.context.started.plus(self.context.began.elapsed()),
        };
        self.declared |= self.plan.ineligible().iter().any(|clause| matches(clause, step, &observed));
        if self.declared {
            self.note_clauses(step, &observed);
        }
        self.expect(step, record, &observed);
        if record.state == StepState::Failed {
            return Vec::new();
        }
        self.warn(step, &observed);
        self.good(step, &observed);
        self.capture(step, record, &observed)
    }

    /// Keeps the record of a step that ran.
    pub(super) fn note(&mut self, record: StepRecord) {
        self.steps.push(record);
    }

    fn expect(&mut self, step: &StepPlan<Net>, record: &mut StepRecord, observed: &Observed<'_>) {
        let mut broken: Option<(&Assertion, Checked)> = None;
        for assertion in &step.expect {
            let checked = assertion.check(observed);
            self.assertions.push(assertion.record(&step.name, Part::Expect, &checked));
            self.note_age(&checked);
            if !checked.pass && broken.is_none() {
                broken = Some((assertion, checked));
            }
        }
        let Some((assertion, checked)) = broken else { return };
        if let Some(age) = checked.age
            && self.failed.is_none()
        {
            self.age = Some(age);
        }
        let (class, error_type) = classify(step, assertion, &checked);
        self.fail(record, checked.reason, Failure::new(class, error_type, checked.message));
    }

    fn warn(&mut self, step: &StepPlan<Net>, observed: &Observed<'_>) {
        for assertion in &step.warn {
            let checked = assertion.check(observed);
            self.assertions.push(assertion.record(&step.name, Part::Warn, &checked));
            self.note_age(&checked);
            self.warned |= !checked.pass;
        }
    }

    /// The part of `sli.good` that looks at a step; `latency` is the run's and is looked at in the end.
    fn good(&mut self, step: &StepPlan<Net>, observed: &Observed<'_>) {
        for assertion in self.plan.good() {
            if assertion.subject() != LATENCY && assertion.applies_to(step.kind) {
                self.check_good(assertion, &step.name, observed);
            }
        }
    }

    fn check_good(&mut self, assertion: &Assertion, step: &Arc<str>, observed: &Observed<'_>) {
        let checked = assertion.check(observed);
        self.assertions.push(assertion.record(step, Part::Good, &checked));
        self.note_age(&checked);
        if checked.pass || self.not_good.is_some() {
            return;
        }
        let (reason, class, error_type) = match checked.reason {
            Reason::Stale => (Reason::Stale, FailureClass::Stale, "stale"),
            Reason::FutureDated => (Reason::FutureDated, FailureClass::Stale, "future_dated"),
            _ => (Reason::Slow, FailureClass::Slow, "slow"),
        };
        let mut failure = Failure::new(class, error_type, checked.message);
        step.as_ref().clone_into(&mut failure.step);
        self.not_good = Some((reason, failure));
    }

    /// Records the clauses that made the run ineligible; those that did not match say nothing.
    fn note_clauses(&mut self, step: &StepPlan<Net>, observed: &Observed<'_>) {
        for clause in self.plan.ineligible() {
            if matches(clause, step, observed) {
                let looks = clause.iter().map(|assertion| {
                    assertion.record(&step.name, Part::Ineligible, &assertion.check(observed))
                });
                self.assertions.extend(looks);
            }
        }
    }

    fn capture(
        &mut self,
        step: &StepPlan<Net>,
        record: &mut StepRecord,
        observed: &Observed<'_>,
    ) -> Vec<(Arc<str>, Captured)> {
        let mut taken = Vec::with_capacity(step.captures.len());
        for capture in &step.captures {
            match capture.take(observed) {
                Ok(captured) => {
                    record.captures.push((capture.name().to_string(), shown(capture.name(), &captured)));
                    taken.push((Arc::clone(capture.name()), captured));
                }
                Err(why) => {
                    let message = format!("`{}` could not be captured: {why}", capture.name());
                    let failure = Failure::new(FailureClass::Incorrect, "assert.capture", message);
                    self.fail(record, Reason::Failed, failure);
                }
            }
        }
        taken
    }

    /// The step of `record`, which is about to be noted, failed; an ineligible failure outweighs a bad one.
    fn fail(&mut self, record: &mut StepRecord, reason: Reason, mut failure: Failure) {
        record.name.as_ref().clone_into(&mut failure.step);
        record.state = StepState::Failed;
        if record.failure.is_none() {
            record.failure = Some(failure.clone());
        }
        let outweighs =
            |known: &Verdict| known.reason.verdict().is_eligible() && !reason.verdict().is_eligible();
        if self.failed.as_ref().is_none_or(outweighs) {
            self.failed = Some(Verdict { step: self.steps.len(), reason, failure });
        }
    }

    fn note_age(&mut self, checked: &Checked) {
        if self.failed.is_none()
            && let Some(age) = checked.age
        {
            self.age = Some(self.age.map_or(age, |known| known.max(age)));
        }
    }

    /// The run's outcome, `duration` after it began.
    pub(super) fn outcome(mut self, plan: &Plan<Net>, duration: Duration) -> Outcome {
        if self.failed.is_none() && !self.declared {
            let evidence = Nothing;
            let now = self.context.started.plus(duration);
            let observed = Observed { evidence: &evidence, latency: duration, now };
            let run: Arc<str> = Arc::default();
            for assertion in plan.good().iter().filter(|assertion| assertion.subject() == LATENCY) {
                self.check_good(assertion, &run, &observed);
            }
        }
        let ran = self.steps.iter().rposition(|step| step.state != StepState::Skipped);
        let main = self.failed.as_ref().map(|failed| failed.step).or(ran);
        let (reason, failure) = match (self.failed, self.not_good) {
            // The prober's own fault comes before anything that the file declares.
            (Some(failed), _) if !failed.reason.verdict().is_eligible() => {
                (failed.reason, Some(failed.failure))
            }
            (Some(failed), _) if self.declared => (Reason::Declared, Some(failed.failure)),
            _ if self.declared => (Reason::Declared, None),
            (Some(failed), _) => (failed.reason, Some(failed.failure)),
            (None, Some((reason, failure))) => (reason, Some(failure)),
            (None, None) => (Reason::Ok, None),
        };
        Outcome {
            reason,
            failure,
            marks: if self.warned { vec![Mark::Warned] } else { Vec::new() },
            duration,
            freshness_age: self.age,
            steps: self.steps,
            main,
            assertions: self.assertions,
            maintenance: None, // the runner knows it
        }
    }
}

/// Whether everything in a clause of `sli.ineligible` holds.
fn matches(clause: &[Assertion], step: &StepPlan<Net>, observed: &Observed<'_>) -> bool {
    let holds = |assertion: &Assertion| assertion.applies_to(step.kind) && assertion.check(observed).pass;
    !clause.is_empty() && clause.iter().all(holds)
}

/// The reason that a failure of an action stands for.
fn reason_of(failure: &Failure) -> Reason {
    match (failure.class, &*failure.error_type) {
        (FailureClass::Local, fault::CONFIG | fault::SECRET) => Reason::ConfigFault,
        (FailureClass::Local, _) => Reason::ProberFault,
        _ => Reason::Failed,
    }
}

/// The failure that a broken `expect` stands for.
fn classify(
    step: &StepPlan<Net>,
    assertion: &Assertion,
    checked: &Checked,
) -> (FailureClass, Cow<'static, str>) {
    match checked.reason {
        Reason::Stale => (FailureClass::Stale, Cow::Borrowed("stale")),
        Reason::FutureDated => (FailureClass::Stale, Cow::Borrowed("future_dated")),
        _ => {
            let special = (step.kind.classify)(assertion.subject(), &checked.actual, assertion.is_implied());
            special.unwrap_or_else(|| {
                (FailureClass::Incorrect, Cow::Owned(format!("assert.{}", assertion.subject())))
            })
        }
    }
}

/// A captured value as people may see it.
fn shown(name: &str, captured: &Captured) -> String {
    if captured.secret {
        return format!("•••({name})");
    }
    let text = captured.value.as_str().map_or_else(|| captured.value.to_string(), str::to_owned);
    cut(text, SHOWN_MAX)
}
