//! The action of a `tls` step.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::address_text::ip_text;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::{Hop, Phase};
use model::time::Timestamp;
use rustls_pki_types::ServerName;
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Endpoint, Nothing, StepContext, StepOutcome};
use scenario::showing::Shows;
use tokio::io::AsyncWriteExt as _;

use super::accepts::{Asked, ask};
use super::chain::{Facts, Served, judge};
use super::evidence::Shown;
use super::subjects::{self, ACCEPTS, CRL};
use crate::net::address::{Host, HostPort};
use crate::net::dial::dial;
use crate::net::each;
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::reach::{self, Reach};
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::starttls::{self, Protocol};
use crate::net::tls::{Before, TlsChoice, server_name};

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
    /// What is spoken before TLS.
    pub(super) starttls: Option<Protocol>,
    pub(super) family: Family,
    /// Whether each address of a name is looked at by itself.
    pub(super) every: bool,
    pub(super) choice: TlsChoice,
    /// Whether anything looks at the versions that the server accepts.
    pub(super) asks_versions: bool,
}

impl Action<Net> for Tls {
    fn target(&self) -> String {
        self.reach.to_string()
    }

    fn shows(&self, subject: &str) -> Shows {
        match subject {
            CRL if self.choice.crl.is_none() => {
                Shows::Nothing("add the list of revoked certificates under `tls`: crl: certs/internal.crl")
            }
            _ => Shows::Anything,
        }
    }

    fn form(&self, subject: &str, value: &str, extent: Extent) -> Form {
        subjects::form(subject, value, extent)
    }

    fn looked_at(&mut self, subjects: &[&'static str]) {
        self.asks_versions = subjects.contains(&ACCEPTS);
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.reach.endpoints()
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            if !self.every {
                return self.reach.hold_outcome(self.look(net.shared(), None, context).await);
            }
            let look =
                |shared: Arc<Shared>, peer| async move { self.look(&shared, Some(peer), context).await };
            let outcome = each::every(net.shared(), (&self.reach, self.family), context, look).await;
            self.reach.hold_outcome(outcome)
        })
    }
}

impl Tls {
    /// Looks at `peer`, or at whoever of the target's addresses answers.
    async fn look(
        &self,
        shared: &Arc<Shared>,
        only: Option<SocketAddr>,
        context: &StepContext<'_>,
    ) -> StepOutcome {
        let prepared = self.reach.resolve(context.scope, self.family).and_then(|address| {
            let name = server_name(self.name.as_ref().unwrap_or(&address.host))?;
            Ok((address, name))
        });
        let (address, name) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let mut attributes = reach::facts(&address, "tcp");
        if let Some(protocol) = self.starttls {
            attributes.set("prober.tls.starttls", protocol.word());
        }
        let mut phases = Phases::start(context.began);
        let to = only.map(each::only);
        let to = to.as_ref().unwrap_or(&address);
        let handshake = self.handshake(shared, (to, &name), context, &mut phases);
        let shown = within(context.deadline, handshake).await;
        let shown = shown.unwrap_or_else(|| Err(fault::timed_out(&phases, context.deadline)));
        let peer = phases.peer;
        if let Some(peer) = peer {
            attributes.set("network.peer.address", ip_text(peer.ip()));
        }
        let mut hops = vec![phases.into_hop(address.to_string())];
        let asked = peer.filter(|_| self.asks_versions).map(|peer| Asked {
            shared,
            peer,
            name: &name,
            starttls: self.starttls,
            origin: context.began,
            deadline: context.deadline,
        });
        match (shown, asked) {
            (Ok(mut shown), asked) => {
                if let Some(asked) = asked {
                    let accepted = ask(asked, shown.version()).await;
                    hops.extend(accepted.hops);
                    shown.accepts = Some(accepted.versions);
                }
                shown.describe(&mut attributes);
                StepOutcome { hops, attributes, failure: None, evidence: Box::new(shown) }
            }
            (Err(failure), Some(asked)) if is_refusal(&failure) => {
                let failure = explain(failure, asked, (&mut hops, &mut attributes)).await;
                failed(hops, attributes, failure)
            }
            (Err(failure), _) => failed(hops, attributes, failure),
        }
    }

    async fn handshake(
        &self,
        shared: &Arc<Shared>,
        (address, name): (&HostPort, &ServerName<'static>),
        context: &StepContext<'_>,
        phases: &mut Phases,
    ) -> Result<Shown, Failure> {
        let setup = shared.tls(&self.choice).await?;
        let mut stream = dial(shared, address, self.family, phases).await?;
        if let Some(protocol) = self.starttls {
            phases.enter(Phase::Wait);
            starttls::upgrade(protocol, &mut stream, name).await?;
        }
        let before = self.starttls.map_or(Before::Nothing, Before::StartTls);
        let (connected, handshake) = setup.connect(stream, name, before, phases).await;
        phases.finish();
        let mut stream = connected?;
        let until = context.deadline.min(Instant::now() + GOODBYE);
        // A server that does not want to hear the goodbye has answered all the same.
        let _said = within(until, stream.shutdown()).await;
        let now: Timestamp = context.scope.run.started_at;
        let seen = handshake.chain.iter().take(CHAIN_MAX);
        let facts: Facts = seen.map(|der| shared.certificate(der)).collect();
        let judged = judge(&Served {
            chain: &handshake.chain[..facts.len()],
            facts: &facts,
            staple: &handshake.staple,
            trusted: &setup.roots,
            crls: setup.crls.as_ref(),
            name,
            now,
        })?;
        Ok(Shown { handshake, facts, judged, now, accepts: None })
    }
}

fn failed(hops: Vec<Hop>, attributes: Attributes, failure: Failure) -> StepOutcome {
    StepOutcome { hops, attributes, failure: Some(failure), evidence: Box::new(Nothing) }
}

/// Whether the server was there and refused, so that it is worth asking what it would accept.
fn is_refusal(failure: &Failure) -> bool {
    failure.class == FailureClass::Tls && failure.error_type == "tls.handshake"
}

/// The failure, with the versions that the server does accept.
async fn explain(
    failure: Failure,
    asked: Asked<'_>,
    (hops, attributes): (&mut Vec<Hop>, &mut Attributes),
) -> Failure {
    let accepted = ask(asked, None).await;
    hops.extend(accepted.hops);
    let Ok(versions) = accepted.versions else { return failure };
    attributes.set("prober.tls.accepts", versions.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let words = if versions.is_empty() { "no version".to_owned() } else { versions.join(", ") };
    let message = format!("{}; it accepts {words}", failure.message);
    Failure { message, ..failure }
}
