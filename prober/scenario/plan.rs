//! A plan: one scenario in one region, validated and ready to run.
//!
//! Nothing validates again after this: the constructors are private to the compiler.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::event::Origin;
use model::maintenance::Maintenance;
use model::slot::{Cadence, Stream};

use crate::assertion::Assertion;
use crate::capture::CapturePlan;
use crate::kind::{Action, Kind};
use crate::network::Policy;
use crate::redact::Redactor;
use crate::repeat::{PollPlan, RetryPlan};
use crate::slo::Slo;
use crate::source::Span;
use crate::template::{Filter, Hole, Secrets};

/// One scenario in one region.
pub struct Plan<N: 'static> {
    pub(crate) origin: Arc<Origin>,
    pub(crate) replicas: u16,
    pub(crate) about: Arc<About>,
    pub(crate) cadence: Cadence,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) steps: Box<[StepPlan<N>]>,
    pub(crate) teardown: Box<[StepPlan<N>]>,
    pub(crate) grace: Duration,
    pub(crate) good: Arc<[Assertion]>,
    pub(crate) ineligible: Arc<[Vec<Assertion>]>,
    pub(crate) continue_on_failure: bool,
    pub(crate) retried_is_bad: bool,
    pub(crate) secrets: Arc<[Arc<str>]>,
    pub(crate) unnamed_secrets: Secrets,
    pub(crate) chains: Box<[(Hole, Vec<Filter>)]>,
    pub(crate) slo: Arc<Slo>,
    /// Where its name stands.
    pub(crate) name_at: Span,
    pub(crate) maintenance: Arc<[Arc<Maintenance>]>,
    pub(crate) network: Arc<Policy>,
}

/// What people should know about a scenario; the same in all its regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The name for people; the scenario's name if none is given.
    pub title: Arc<str>,
    /// What the system is for; empty if not given.
    pub aim: Arc<str>,
    /// The team; empty if not given.
    pub owner: Arc<str>,
    /// Where to read what to do, a URL; empty if not given.
    pub runbook: Arc<str>,
    /// The file, as people should see it.
    pub path: Arc<str>,
    /// The line of the scenario's name, counted from 1.
    pub line: u32,
    /// Names that the scenario had before; its history is under them too.
    pub was: Box<[Arc<str>]>,
    /// Whether anyone may see on a status page how it goes.
    pub public: bool,
}

/// One step of a plan.
#[non_exhaustive]
pub struct StepPlan<N: 'static> {
    /// Unique in the scenario; the kind's name if the author gave none.
    pub name: Arc<str>,
    /// The kind of step.
    pub kind: &'static Kind<N>,
    /// What it does.
    pub action: Box<dyn Action<N>>,
    /// The step's own limit, if it has one beside the scenario's; that of one poll or attempt.
    pub timeout: Option<Duration>,
    /// Captures without which it is skipped.
    pub needs: Box<[Arc<str>]>,
    /// Until what it is repeated; never beside `retry`.
    pub poll: Option<PollPlan>,
    /// When it is tried again.
    pub retry: Option<RetryPlan>,
    /// What must hold, implied assertions included.
    pub expect: Box<[Assertion]>,
    /// What should hold, without touching the SLI.
    pub warn: Box<[Assertion]>,
    /// What later steps use.
    pub captures: Box<[CapturePlan]>,
}

impl<N> StepPlan<N> {
    /// Every subject that the step itself looks at; one that is looked at twice comes twice.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &'static str> {
        let polled = self.poll.iter().flat_map(|poll| poll.until.iter().chain(&poll.stop_if));
        let assertions = self.expect.iter().chain(&self.warn).chain(polled);
        assertions.map(Assertion::subject).chain(self.captures.iter().map(CapturePlan::subject))
    }
}

impl<N> Plan<N> {
    /// What all its events have in common.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Scenario and region.
    pub fn stream(&self) -> &Stream {
        &self.origin.stream
    }

    /// How many agents probe it, each at times of its own: streams that differ in their replica, counted from 0.
    ///
    /// More than 1 only in a fleet, see [`crate::compile::Options`], and never of what has side effects.
    pub fn replicas(&self) -> u16 {
        self.replicas
    }

    /// What people should know about it.
    pub fn about(&self) -> &Arc<About> {
        &self.about
    }

    /// Where it may connect to.
    pub fn network(&self) -> &Arc<Policy> {
        &self.network
    }

    /// How often it is due.
    pub fn cadence(&self) -> &Cadence {
        &self.cadence
    }

    /// The shortest distance between two starts; for cron the shortest that the expression can have.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The longest that a run may take; never longer than the interval.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The steps in order; at least one.
    pub fn steps(&self) -> &[StepPlan<N>] {
        &self.steps
    }

    /// The steps that run in the end, whatever came of the others; empty if there is nothing to clean up.
    pub fn teardown(&self) -> &[StepPlan<N>] {
        &self.teardown
    }

    /// The longest that the teardown may take, after the run; zero without a teardown.
    pub fn grace(&self) -> Duration {
        if self.teardown.is_empty() { Duration::ZERO } else { self.grace }
    }

    /// Whether a run that only a retry saved counts as bad.
    pub fn retried_is_bad(&self) -> bool {
        self.retried_is_bad
    }

    /// Whether its runs change something, so that no slot may be run twice.
    pub fn side_effects(&self) -> bool {
        self.origin.side_effects
    }

    /// What makes a correct run count as good; empty if nothing more is asked.
    pub fn good(&self) -> &[Assertion] {
        &self.good
    }

    /// The clauses of `sli.ineligible`: a run does not count if everything in one of them holds for a step.
    pub fn ineligible(&self) -> &[Vec<Assertion>] {
        &self.ineligible
    }

    /// Whether later steps run after one has failed.
    pub fn continue_on_failure(&self) -> bool {
        self.continue_on_failure
    }

    /// What is promised of it and whom a broken promise tells; the same in all its regions.
    pub fn slo(&self) -> &Arc<Slo> {
        &self.slo
    }

    /// What each step talks to, for people.
    pub fn targets(&self) -> Vec<String> {
        let targets = self.steps.iter().map(|step| step.action.target());
        if self.unnamed_secrets.is_empty() {
            return targets.collect();
        }
        let redactor = Redactor::new(&self.unnamed_secrets, &[]);
        targets.map(|target| redactor.redact(&target).into_owned()).collect()
    }

    /// Planned maintenance: the scenario's own, then the project's.
    pub fn maintenance(&self) -> &[Arc<Maintenance>] {
        &self.maintenance
    }

    /// Values that its steps put through more than one filter, and through which.
    pub fn chains(&self) -> &[(Hole, Vec<Filter>)] {
        &self.chains
    }

    /// Variables that its steps use and that look like secrets (warning W303), by their paths: never to be shown either.
    pub fn unnamed_secrets(&self) -> &Secrets {
        &self.unnamed_secrets
    }

    /// The names of the secrets that its steps refer to, sorted.
    pub fn secrets_used(&self) -> &[Arc<str>] {
        &self.secrets
    }
}

impl<N> fmt::Debug for Plan<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Plan")
            .field("origin", &self.origin)
            .field("cadence", &self.cadence)
            .field("timeout", &self.timeout)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<N> fmt::Debug for StepPlan<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StepPlan")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}
