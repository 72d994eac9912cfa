//! The kind `http` against real servers on loopback.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::slot::Stream;
use model::step::Phase;
use model::time::{Clock as _, SystemClock};
use scenario::fields::Bound;
use scenario::kind::{Action, StepContext, StepOutcome};
use scenario::source::{Span, Spanned};
use scenario::template::{Captures, RunFacts, Scope, Secrets};

use super::KIND;
use crate::net::shared::Net;
use crate::trial::{self, shared_asking, template, text};

mod auth;
mod bodies;
mod descriptors;
mod every;
mod files;
mod flows;
mod heads;
mod hostile;
mod idle;
mod looks;
mod moved;
mod phases;
#[cfg(feature = "http3")]
mod quic;
mod streams;
mod ways;

type Keys = Vec<(&'static str, Bound)>;

/// The keys of a GET of `url`.
fn get(url: impl Into<String>) -> Keys {
    vec![("url", template(url))]
}

/// A map of templates.
fn map(pairs: &[(&str, &str)]) -> Bound {
    let spanned = |(key, value): &(&str, &str)| {
        let key = Spanned::new((*key).to_owned(), Span::default());
        (key, Spanned::new(template(*value), Span::default()))
    };
    Bound::Map(pairs.iter().map(spanned).collect())
}

/// Runs `steps` one after the other in one run.
async fn flow(steps: Vec<Keys>) -> Vec<StepOutcome> {
    let actions: Vec<_> = steps.into_iter().map(action).collect();
    let mut net = Net::new(trial::shared());
    let mut outcomes = Vec::new();
    for (index, action) in actions.iter().enumerate() {
        net.expect_more(index + 1 < actions.len());
        outcomes.push(step(&**action, &mut net, trial::PATIENCE).await);
    }
    outcomes
}

fn action(keys: Keys) -> Box<dyn Action<Net>> {
    trial::compile(&KIND, keys).unwrap_or_else(|mistakes| panic!("the keys are right: {mistakes:?}"))
}

async fn step(action: &dyn Action<Net>, net: &mut Net, limit: Duration) -> StepOutcome {
    let now = SystemClock.now();
    let id = Stream::new("trial", "local").slot(now).id;
    let run = RunFacts { id, started_at: now, attempt: 0, scenario: "trial".into() };
    let (captures, secrets) = (Captures::default(), Secrets::default());
    let scope = Scope { run: &run, captures: &captures, secrets: &secrets };
    let began = Instant::now();
    action.run(net, &StepContext { scope: &scope, began, deadline: began + limit }).await
}

/// The phases of a hop.
fn phases_of(outcome: &StepOutcome, hop: usize) -> Vec<Phase> {
    outcome.hops[hop].phases.iter().map(|span| span.phase).collect()
}
