//! What all steps together mean for the run.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::outcome::{Failure, MESSAGE_MAX, Mark, Outcome, Reason, cut};
use model::step::{StepRecord, StepState};
use scenario::assertion::{LATENCY, Observed};
use scenario::kind::Nothing;

use super::judge::Judge;

impl Judge<'_> {
    /// The run's outcome; its steps, without the teardown, ended `duration` after it began.
    pub(super) fn outcome(mut self, duration: Duration) -> Outcome {
        if self.failed.is_none() && !self.declared && self.cancelled.is_none() {
            let now = self.context.started.plus(duration);
            let observed = Observed::new(&Nothing, duration, now);
            let run: Arc<str> = Arc::default();
            let plan = self.plan;
            for assertion in plan.good().iter().filter(|assertion| assertion.subject() == LATENCY) {
                self.check_good(assertion, &run, &observed);
            }
        }
        let main_steps = self.steps.iter().take_while(|step| !step.teardown);
        let ran = main_steps.enumerate().filter(|(_, step)| step.state != StepState::Skipped);
        let last = ran.map(|(index, _)| index).last();
        let main = self.failed.as_ref().map(|failed| failed.step).or(last);
        if self.failed.is_none() && self.saved().is_some() {
            self.marks.insert(0, Mark::Flaky);
        }
        let marks = std::mem::take(&mut self.marks);
        let (reason, failure) = self.verdict();
        Outcome {
            reason,
            failure,
            marks,
            duration,
            freshness_age: self.age,
            // A run that does not count may have looked at a target that was being rebuilt.
            high_marks: if self.declared { Vec::new() } else { self.high_marks },
            steps: self.steps,
            main,
            assertions: self.assertions,
            maintenance: None, // the runner knows it
            maybe_sent: None,
        }
    }

    /// First match wins.
    fn verdict(&mut self) -> (Reason, Option<Failure>) {
        let retried = if self.plan.retried_is_bad() { self.saved().map(retried) } else { None };
        let also = self.also_failed();
        let failed = self.failed.take();
        match (failed, self.cancelled.take(), self.not_good.take()) {
            // The prober's own fault comes before anything that the file declares.
            (Some(failed), ..) if !failed.reason.verdict().is_eligible() => {
                (failed.reason, Some(failed.failure))
            }
            (Some(failed), ..) if self.declared => (Reason::Declared, Some(failed.failure)),
            _ if self.declared => (Reason::Declared, None),
            // What has failed has failed, whether or not the run was to end before its last step.
            (Some(mut failed), ..) => {
                failed.failure.message.push_str(&also);
                failed.failure.message = cut(failed.failure.message, MESSAGE_MAX);
                (failed.reason, Some(failed.failure))
            }
            (None, Some(cancelled), _) => (Reason::Cancelled, Some(cancelled)),
            (None, None, not_good) => match (retried, not_good) {
                (Some(failure), _) => (Reason::Failed, Some(failure)),
                (None, Some((reason, failure))) => (reason, Some(failure)),
                (None, None) => (Reason::Ok, None),
            },
        }
    }

    /// The first step that passed only at a later attempt.
    fn saved(&self) -> Option<&StepRecord> {
        let passed = |step: &&StepRecord| step.state == StepState::Passed && !step.teardown;
        self.steps.iter().filter(passed).find(|step| !step.attempts.is_empty())
    }

    /// The failures beside the one that decides, for `on_failure: continue`.
    fn also_failed(&self) -> String {
        let mut text = String::new();
        let Some(decision) = &self.failed else { return text };
        for (index, step) in self.steps.iter().enumerate().filter(|(_, step)| !step.teardown) {
            if let Some(failure) = step.failure.as_ref().filter(|_| index != decision.step) {
                let lead = if text.is_empty() { "; also failed: " } else { "; " };
                write!(text, "{lead}{}: {}", step.name, failure.message).expect("a String takes every text");
            }
        }
        text
    }
}

/// The failure of a run that must not need a retry.
fn retried(step: &StepRecord) -> Failure {
    let first = &step.attempts[0].failure;
    let message = format!(
        "{} passed only at attempt {}, and `sli.retried` is bad; attempt 1: {}",
        step.name,
        step.attempts.len() + 1,
        first.message
    );
    let failure = Failure::new(first.class, first.error_type.clone(), message);
    Failure { step: step.name.to_string(), ..failure }
}
