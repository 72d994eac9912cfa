//! The action of a `tls` step.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::attribute::Attributes;
use model::outcome::Failure;
use model::probe::BoxFuture;
use model::time::Timestamp;
use scenario::kind::{Action, Endpoint, Nothing, StepContext, StepOutcome};
use scenario::template::{Scope, Template};
use tokio::io::AsyncWriteExt as _;

use super::chain::{Facts, judge};
use super::evidence::Shown;
use crate::net::address::{Host, HostPort};
use crate::net::dial::dial;
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::tls::{TlsChoice, server_name};

/// The most certificates of a chain that are looked at.
const CHAIN_MAX: usize = 10;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(50);

/// A `tls` step, ready to be run.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) reach: Reach,
    /// The name that is asked for, if it is not the address's host.
    pub(super) name: Option<Host>,
    pub(super) choice: TlsChoice,
}

/// Where to connect: parsed when the file is compiled if it is known by then.
#[derive(Debug)]
pub(super) enum Reach {
    /// A constant.
    Now(HostPort),
    /// An address with holes.
    Later(Template),
}

impl Reach {
    fn resolve(&self, scope: &Scope<'_>) -> Result<Cow<'_, HostPort>, Failure> {
        match self {
            Self::Now(address) => Ok(Cow::Borrowed(address)),
            Self::Later(template) => {
                let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
                HostPort::parse(&text, None).map(Cow::Owned).map_err(|error| fault::config(error.to_string()))
            }
        }
    }
}

impl Action<Net> for Tls {
    fn target(&self) -> String {
        match &self.reach {
            Reach::Now(address) => address.to_string(),
            Reach::Later(template) => template.to_string(),
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        match &self.reach {
            Reach::Now(address) => vec![address.endpoint()],
            Reach::Later(_) => Vec::new(),
        }
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(self.look(net.shared(), context))
    }
}

impl Tls {
    async fn look(&self, shared: &Arc<Shared>, context: &StepContext<'_>) -> StepOutcome {
        let mut attributes = Attributes::new();
        let address = match self.reach.resolve(context.scope) {
            Ok(address) => address,
            Err(failure) => {
                let evidence = Box::new(Nothing);
                return StepOutcome { hops: Vec::new(), attributes, failure: Some(failure), evidence };
            }
        };
        attributes.set("server.address", address.host.to_string());
        attributes.set("server.port", i64::from(address.port));
        attributes.set("network.transport", "tcp");
        let mut phases = Phases::start(context.began);
        let handshake = self.handshake(shared, &address, context, &mut phases);
        let shown = within(context.deadline, handshake).await;
        let shown = shown.unwrap_or_else(|| Err(fault::timed_out(&phases, context.deadline)));
        if let Some(peer) = phases.peer {
            attributes.set("network.peer.address", peer.ip().to_string());
        }
        let hops = vec![phases.into_hop(address.to_string())];
        match shown {
            Ok(shown) => {
                shown.describe(&mut attributes);
                StepOutcome { hops, attributes, failure: None, evidence: Box::new(shown) }
            }
            Err(failure) => {
                StepOutcome { hops, attributes, failure: Some(failure), evidence: Box::new(Nothing) }
            }
        }
    }

    async fn handshake(
        &self,
        shared: &Arc<Shared>,
        address: &HostPort,
        context: &StepContext<'_>,
        phases: &mut Phases,
    ) -> Result<Shown, Failure> {
        let name = server_name(self.name.as_ref().unwrap_or(&address.host))?;
        let setup = shared.tls(&self.choice).await?;
        let stream = dial(shared, address, Family::Any, phases).await?;
        let (connected, handshake) = setup.connect(stream, &name, phases).await;
        phases.finish();
        let mut stream = connected?;
        let until = context.deadline.min(Instant::now() + GOODBYE);
        // A server that does not want to hear the goodbye has answered all the same.
        let _said = within(until, stream.shutdown()).await;
        let now: Timestamp = context.scope.run.started_at;
        let seen = handshake.chain.iter().take(CHAIN_MAX);
        let facts: Facts = seen.map(|der| shared.certificate(der)).collect();
        let judged = judge(&handshake.chain[..facts.len()], &facts, &setup.roots, &name, now);
        Ok(Shown { handshake, facts, judged, now })
    }
}
