//! A plan that can be run.

use std::fmt;
use std::sync::Arc;

use model::outcome::Outcome;
use model::probe::{BoxFuture, Probe, RunContext};
use scenario::plan::Plan;
use scenario::redact::Redactor;
use scenario::template::Secrets;

use super::walk::Walk;
use crate::net::shared::{Net, Shared};

/// A plan that can be run: with the network it uses and the secrets it refers to.
pub struct Scenario {
    plan: Arc<Plan<Net>>,
    pub(super) shared: Arc<Shared>,
    pub(super) secrets: Arc<Secrets>,
    /// Of the secrets that the plan refers to, named or not; empty if it refers to none.
    redactor: Redactor,
}

impl Scenario {
    /// The scenario that `plan` describes.
    ///
    /// `secrets` are those of the plan's region; one that is missing makes each run that needs it
    /// ineligible as a `config_fault`.
    pub fn new(plan: Arc<Plan<Net>>, shared: Arc<Shared>, secrets: Arc<Secrets>) -> Self {
        let mut used = plan.unnamed_secrets().clone();
        for name in plan.secrets_used() {
            if let Some(value) = secrets.get(name) {
                used.set(Arc::clone(name), value);
            }
        }
        let shared = shared.under(plan.network());
        Self { redactor: Redactor::new(&used, plan.chains()), plan, shared, secrets }
    }

    /// The plan behind it.
    pub const fn plan(&self) -> &Arc<Plan<Net>> {
        &self.plan
    }

    async fn run_steps(&self, context: &RunContext) -> Outcome {
        let mut walk = Walk::new(self, context);
        let duration = walk.main().await;
        walk.tear_down().await;
        let (mut outcome, net) = walk.end(duration);
        // The one place where a run's texts leave it.
        self.redactor.with_captures(net.hidden()).redact_outcome(&mut outcome);
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
