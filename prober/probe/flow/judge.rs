//! What a step's evidence means: assertions, captures, marks. The run's verdict is made in [`super::verdict`].

use std::sync::Arc;
use std::time::Duration;

use model::high_mark::HighMark;
use model::outcome::{Failure, FailureClass, Mark, Reason};
use model::probe::RunContext;
use model::step::{AssertionRecord, Part, StepRecord, StepState};
use scenario::assertion::{Assertion, Checked, Earlier, LATENCY, Observed};
use scenario::kind::StepOutcome;
use scenario::plan::{Plan, StepPlan};
use scenario::template::Captured;

use super::meaning::{broken, of_time, reason_of, shown};
use super::{now, walk};
use crate::net::fault;
use crate::net::phases;
use crate::net::shared::Net;

/// Looks at the steps of one run as they come.
pub(super) struct Judge<'a> {
    pub(super) plan: &'a Plan<Net>,
    pub(super) context: &'a RunContext,
    pub(super) steps: Vec<StepRecord>,
    pub(super) assertions: Vec<AssertionRecord>,
    /// The step that decided, why, and its failure.
    pub(super) failed: Option<Decision>,
    /// Whether a clause of `sli.ineligible` matched.
    pub(super) declared: bool,
    /// Why the run ended before its steps did.
    pub(super) cancelled: Option<Failure>,
    /// What is worth knowing beside the verdict; each at most once.
    pub(super) marks: Vec<Mark>,
    /// What of `sli.good` did not hold.
    pub(super) not_good: Option<(Reason, Failure)>,
    /// The greatest age of a value, or that of the value that failed.
    pub(super) age: Option<f64>,
    /// The marks of the steps that passed.
    pub(super) high_marks: Vec<HighMark>,
    /// What steps and attempts that failed had captured, the last one of a name; only the teardown may know it.
    left_over: Vec<(Arc<str>, Captured)>,
    /// Whether the steps that come now belong to the teardown.
    tearing_down: bool,
}

/// A failure that decides the run.
pub(super) struct Decision {
    pub(super) step: usize,
    pub(super) reason: Reason,
    pub(super) failure: Failure,
}

impl<'a> Judge<'a> {
    /// A judge who has seen nothing yet.
    pub(super) fn new(plan: &'a Plan<Net>, context: &'a RunContext) -> Self {
        let expected: usize = plan.steps().iter().map(|step| step.expect.len() + step.warn.len()).sum();
        Self {
            plan,
            context,
            steps: Vec::with_capacity(plan.steps().len() + plan.teardown().len()),
            assertions: Vec::with_capacity(expected + plan.good().len()),
            failed: None,
            declared: false,
            cancelled: None,
            marks: Vec::new(),
            not_good: None,
            age: None,
            high_marks: Vec::new(),
            left_over: Vec::new(),
            tearing_down: false,
        }
    }

    /// Whether no further step runs.
    pub(super) fn stops(&self) -> bool {
        self.failed.is_some() && !self.plan.continue_on_failure()
    }

    /// Whether any step did not get skipped.
    pub(super) fn has_begun(&self) -> bool {
        self.steps.iter().any(|step| step.state != StepState::Skipped)
    }

    /// From now on steps decide nothing.
    pub(super) fn begin_teardown(&mut self) {
        self.tearing_down = true;
    }

    /// Whether the steps of the teardown are on.
    pub(super) const fn is_tearing_down(&self) -> bool {
        self.tearing_down
    }

    /// What steps and attempts that failed had captured, for the steps of the teardown that come now.
    pub(super) fn left_over(&mut self) -> Vec<(Arc<str>, Captured)> {
        if self.tearing_down { std::mem::take(&mut self.left_over) } else { Vec::new() }
    }

    /// How an earlier step ended.
    pub(super) fn state_of(&self, step: &str) -> Option<StepState> {
        self.steps.iter().find(|record| *record.name == *step).map(|record| record.state)
    }

    /// The record of a step that begins `start` after the run.
    pub(super) fn record(&self, step: &StepPlan<Net>, start: Duration) -> StepRecord {
        let new = StepRecord::new(Arc::clone(&step.name), step.kind.name, StepState::Passed);
        StepRecord { start, teardown: self.tearing_down, ..new }
    }

    /// Notes that `step` does not run because an earlier one failed.
    pub(super) fn skip(&mut self, step: &StepPlan<Net>) {
        let earlier = self.failed.as_ref().map(|failed| format!("{} failed", self.steps[failed.step].name));
        self.skip_because(step, earlier.unwrap_or_default());
    }

    /// Notes that `step` does not run, and why.
    pub(super) fn skip_because(&mut self, step: &StepPlan<Net>, why: String) {
        let start = now().saturating_duration_since(self.context.began);
        let record = self.record(step, start);
        self.steps.push(StepRecord { state: StepState::Skipped, note: Some(why), ..record });
    }

    /// Notes that `step` does not run because the run is to end.
    pub(super) fn skip_cancelled(&mut self, step: &StepPlan<Net>) {
        self.skip_because(step, "the run was asked to end".to_owned());
        let record = self.steps.last().expect("it was just added");
        let failure = walk::cancelled(record);
        self.cancelled.get_or_insert(failure);
    }

    /// Keeps the record of a step that was cut off because the run is to end.
    pub(super) fn cut_off(&mut self, mut record: StepRecord) {
        record.state = StepState::Failed;
        let failure = walk::cancelled(&record);
        record.failure = Some(failure.clone());
        self.cancelled.get_or_insert(failure);
        self.steps.push(record);
    }

    /// What assertions look at in what `step` showed.
    pub(super) fn observed<'o>(
        &'o self,
        step: &'o StepPlan<Net>,
        shown: &'o StepOutcome,
        latency: Duration,
    ) -> Observed<'o> {
        let now = self.context.started.plus(now().saturating_duration_since(self.context.began));
        let marks = self.context.high_marks.as_deref();
        let earlier = marks.map(|marks| Earlier { step: &step.name, marks });
        Observed { earlier, ..Observed::new(&*shown.evidence, latency, now) }
    }

    /// The failure that `step` would have if this was its last attempt; notes nothing.
    pub(super) fn would_fail(
        &self,
        step: &StepPlan<Net>,
        shown: &StepOutcome,
        latency: Duration,
    ) -> Option<Failure> {
        let failure = shown.failure.clone().or_else(|| {
            let observed = self.observed(step, shown, latency);
            step.expect.iter().find_map(|assertion| {
                let checked = assertion.check(&observed);
                (!checked.pass).then(|| broken(step, assertion, &checked))
            })
        });
        failure.map(|failure| Failure { step: step.name.to_string(), ..failure })
    }

    /// Takes what an attempt that failed has to be captured, before the next one: it may have made what nobody else removes.
    pub(super) fn set_aside(&mut self, step: &StepPlan<Net>, shown: &StepOutcome, latency: Duration) {
        let observed = self.observed(step, shown, latency);
        let taken = step.captures.iter().filter_map(|capture| {
            let captured = capture.take(&observed).ok()?;
            Some((Arc::clone(capture.name()), captured))
        });
        let taken = taken.collect();
        self.leave_over(taken);
    }

    /// Looks at what `step` showed in `latency`, fills `record`, and gives what it captured for the steps after it.
    pub(super) fn look(
        &mut self,
        step: &StepPlan<Net>,
        record: &mut StepRecord,
        mut shown: StepOutcome,
        latency: Duration,
    ) -> Vec<(Arc<str>, Captured)> {
        record.hops = std::mem::take(&mut shown.hops);
        record.attributes = std::mem::take(&mut shown.attributes);
        let failure = shown.failure.take();
        // The judge is changed while the evidence is looked at, so this cannot borrow from it.
        let context = self.context;
        let marks = context.high_marks.as_deref();
        let observed = Observed {
            evidence: &*shown.evidence,
            latency,
            now: context.started.plus(now().saturating_duration_since(context.began)),
            earlier: marks.map(|marks| Earlier { step: &step.name, marks }),
        };
        if let Some(failure) = failure {
            self.fail(record, reason_of(&failure), failure);
            self.salvage(step, record, &observed);
            return Vec::new();
        }
        if !record.teardown {
            self.declare(step, &observed);
        }
        let marks = self.expect(step, record, &observed);
        if record.state == StepState::Failed {
            self.salvage(step, record, &observed);
            return Vec::new();
        }
        self.high_marks.extend(marks);
        self.warn(step, record, &observed);
        if !record.teardown {
            self.good(step, &observed);
        }
        self.capture(step, record, &observed)
    }

    /// Keeps the record of a step that ran.
    pub(super) fn note(&mut self, record: StepRecord) {
        self.steps.push(record);
    }

    /// Keeps the record of an assertion that was looked at elsewhere.
    pub(super) fn keep(&mut self, record: AssertionRecord) {
        self.assertions.push(record);
    }

    fn mark(&mut self, mark: Mark) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    fn declare(&mut self, step: &StepPlan<Net>, observed: &Observed<'_>) {
        self.declared |= self.plan.ineligible().iter().any(|clause| matches(clause, step, observed));
        if self.declared {
            self.note_clauses(step, observed);
        }
    }

    /// Looks at all of `expect`; gives the marks, which count only if all of it holds.
    fn expect(
        &mut self,
        step: &StepPlan<Net>,
        record: &mut StepRecord,
        observed: &Observed<'_>,
    ) -> Vec<HighMark> {
        let mut first: Option<(Reason, Option<f64>, Failure)> = None;
        let mut marks = Vec::new();
        for assertion in &step.expect {
            let checked = assertion.check(observed);
            if !record.teardown {
                self.note_age(&checked);
                marks.extend(assertion.high_mark(&step.name, &checked));
                remark(record, assertion, &checked);
            }
            if !checked.pass && first.is_none() {
                first = Some((checked.reason, checked.age, broken(step, assertion, &checked)));
            }
            self.assertions.push(assertion.record(&step.name, Part::Expect, checked));
        }
        if let Some((reason, age, failure)) = first {
            if age.is_some() && self.failed.is_none() && !record.teardown {
                self.age = age;
            }
            // Silence is what a timeout is, also where an assertion says so.
            phases::note_timeout(&mut record.attributes, &failure, &record.hops);
            self.fail(record, reason, failure);
        }
        marks
    }

    fn warn(&mut self, step: &StepPlan<Net>, record: &mut StepRecord, observed: &Observed<'_>) {
        for assertion in &step.warn {
            let checked = assertion.check(observed);
            if !checked.pass {
                self.mark(Mark::Warned);
            }
            if !record.teardown {
                self.note_age(&checked);
                self.high_marks.extend(assertion.high_mark(&step.name, &checked));
                remark(record, assertion, &checked);
            }
            self.assertions.push(assertion.record(&step.name, Part::Warn, checked));
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

    pub(super) fn check_good(&mut self, assertion: &Assertion, step: &Arc<str>, observed: &Observed<'_>) {
        let mut checked = assertion.check(observed);
        self.note_age(&checked);
        self.high_marks.extend(assertion.high_mark(step, &checked));
        if !checked.pass && self.not_good.is_none() {
            let (reason, class, error_type) = match of_time(checked.reason) {
                Some(error_type) => (checked.reason, FailureClass::Stale, error_type),
                None => (Reason::Slow, FailureClass::Slow, "slow"),
            };
            let mut failure = Failure::new(class, error_type, std::mem::take(&mut checked.message));
            step.as_ref().clone_into(&mut failure.step);
            self.not_good = Some((reason, failure));
        }
        self.assertions.push(assertion.record(step, Part::Good, checked));
    }

    /// Records the clauses that made the run ineligible; those that did not match say nothing.
    fn note_clauses(&mut self, step: &StepPlan<Net>, observed: &Observed<'_>) {
        for clause in self.plan.ineligible() {
            if matches(clause, step, observed) {
                let looks = clause.iter().map(|assertion| {
                    assertion.record(&step.name, Part::Ineligible, assertion.check(observed))
                });
                self.assertions.extend(looks);
            }
        }
    }

    /// What a step that passed captured; what cannot be taken fails it.
    fn capture(
        &mut self,
        step: &StepPlan<Net>,
        record: &mut StepRecord,
        observed: &Observed<'_>,
    ) -> Vec<(Arc<str>, Captured)> {
        let (taken, failures) = take(step, record, observed);
        for failure in failures {
            self.fail(record, Reason::Failed, failure);
        }
        taken
    }

    /// Takes what a step that failed has to be captured: what it made is there, and the teardown removes it.
    ///
    /// What cannot be taken is no failure of its own.
    fn salvage(&mut self, step: &StepPlan<Net>, record: &mut StepRecord, observed: &Observed<'_>) {
        let (taken, _) = take(step, record, observed);
        self.leave_over(taken);
    }

    fn leave_over(&mut self, mut taken: Vec<(Arc<str>, Captured)>) {
        // Null names nothing, and takes no place of what does.
        taken.retain(|(_, captured)| !captured.value.is_null());
        self.left_over.retain(|(known, _)| taken.iter().all(|(name, _)| name != known));
        self.left_over.extend(taken);
    }

    /// The step of `record`, which is about to be noted, failed; an ineligible failure outweighs a bad one.
    ///
    /// A step of the teardown never decides the run.
    fn fail(&mut self, record: &mut StepRecord, reason: Reason, mut failure: Failure) {
        record.name.as_ref().clone_into(&mut failure.step);
        record.state = StepState::Failed;
        if record.failure.is_none() {
            record.failure = Some(failure.clone());
        }
        if record.teardown {
            self.mark(Mark::TeardownFailed);
            return;
        }
        let outweighs =
            |known: &Decision| known.reason.verdict().is_eligible() && !reason.verdict().is_eligible();
        if self.failed.as_ref().is_none_or(outweighs) {
            self.failed = Some(Decision { step: self.steps.len(), reason, failure });
        }
    }

    pub(super) fn note_age(&mut self, checked: &Checked) {
        if self.failed.is_none()
            && let Some(age) = checked.age
        {
            self.age = Some(self.age.map_or(age, |known| known.max(age)));
        }
    }
}

/// Whether everything in a clause of `sli.ineligible` holds.
fn matches(clause: &[Assertion], step: &StepPlan<Net>, observed: &Observed<'_>) -> bool {
    let holds = |assertion: &Assertion| assertion.applies_to(step.kind) && assertion.check(observed).pass;
    !clause.is_empty() && clause.iter().all(holds)
}

/// What `step` captures, shown in `record` as people may see it, and the failures of what cannot be taken.
fn take(
    step: &StepPlan<Net>,
    record: &mut StepRecord,
    observed: &Observed<'_>,
) -> (Vec<(Arc<str>, Captured)>, Vec<Failure>) {
    let (mut taken, mut failures) = (Vec::with_capacity(step.captures.len()), Vec::new());
    for capture in &step.captures {
        let name = capture.name();
        match capture.take(observed) {
            Ok(captured) => {
                record.captures.push((name.to_string(), shown(name, &captured)));
                taken.push((Arc::clone(name), captured));
            }
            Err(why) => {
                let message = format!("`{name}` could not be captured: {why}");
                failures.push(Failure::new(FailureClass::Incorrect, fault::UNUSABLE, message));
            }
        }
    }
    (taken, failures)
}

/// Notes why an assertion that held says less than it seems to.
fn remark(record: &mut StepRecord, assertion: &Assertion, checked: &Checked) {
    if let (Some(remark), None) = (&checked.remark, &record.note) {
        record.note = Some(format!("{}: {remark}", assertion.name()));
    }
}
