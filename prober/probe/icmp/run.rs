//! The action of an `icmp` step.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::address_text::ip_text;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::BoxFuture;
use model::step::Phase;
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome, Takes};
use scenario::showing::Shows;
use scenario::template::{Scope, Template};
use tokio::net::UdpSocket;

use super::echo::Echo;
use super::tally::Tally;
use crate::net::address::{Host, HostPort};
use crate::net::datagram::{self, receive_from};
use crate::net::fault::{self, within};
use crate::net::named;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};

/// The setting that says who may ping, as a file (icmp(7)).
const RANGE: &str = "/proc/sys/net/ipv4/ping_group_range";

/// An `icmp` step, ready to be run.
#[derive(Debug)]
pub(super) struct Icmp {
    pub(super) whom: Whom,
    pub(super) family: Family,
    /// How many pings are sent, at least one.
    pub(super) count: u16,
    /// From one ping to the next.
    pub(super) interval: Duration,
    /// How long after the last one replies are waited for.
    pub(super) wait: Duration,
    /// The bytes of a ping's payload.
    pub(super) size: usize,
}

/// Who is pinged: parsed when the file is compiled if it is known by then.
#[derive(Debug)]
pub(super) enum Whom {
    /// A constant.
    Now(Host),
    /// A host with holes.
    Later(Template),
}

impl Whom {
    fn resolve(&self, scope: &Scope<'_>, family: Family) -> Result<Cow<'_, Host>, Failure> {
        match self {
            Self::Now(host) => Ok(Cow::Borrowed(host)),
            Self::Later(template) => {
                let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
                let parsed =
                    Host::parse(&text).map_err(|error| fault::unusable(template, &error.to_string()))?;
                named::check_family(template, &parsed, family)?;
                Ok(Cow::Owned(parsed))
            }
        }
    }

    /// What the pings came to, held against the target if it named a host that may not be pinged.
    fn hold(&self, outcome: StepOutcome) -> StepOutcome {
        match self {
            Self::Now(_) => outcome,
            Self::Later(template) => named::hold_outcome(template, outcome),
        }
    }
}

impl Action<Net> for Icmp {
    fn target(&self) -> String {
        match &self.whom {
            Whom::Now(host) => host.to_string(),
            Whom::Later(template) => template.to_string(),
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        match &self.whom {
            Whom::Now(host) => vec![HostPort { host: host.clone(), port: 0 }.endpoint()],
            Whom::Later(_) => Vec::new(),
        }
    }

    fn shows(&self, subject: &str) -> Shows {
        match subject {
            "replies" => Shows::AtMost(self.count.into(), "write a larger `count`, or expect less"),
            _ => Shows::Anything,
        }
    }

    fn takes(&self) -> Option<Takes> {
        let least = self.interval * u32::from(self.count.saturating_sub(1));
        let key = if self.count > 3 { "count" } else { "interval" };
        Some(Takes { least, what: "all pings are sent only after", key })
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move { self.whom.hold(self.ping(net.shared(), context).await) })
    }
}

impl Icmp {
    async fn ping(&self, shared: &Shared, context: &StepContext<'_>) -> StepOutcome {
        let host = match self.whom.resolve(context.scope, self.family) {
            Ok(host) => host,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let mut attributes = Attributes::new();
        attributes.set("server.address", host.to_string());
        attributes.set("network.transport", "icmp");
        let mut phases = Phases::start(context.began);
        let mut tally = Tally::default();
        let mark = *context.scope.run.id.as_bytes();
        let pings = self.pings((shared, &host), mark, &mut phases, &mut tally);
        let done = within(context.deadline, pings).await;
        let failure = match done {
            Some(done) => done.err(),
            // Who has not answered the last ping by now is lost; pings that were not sent are nobody's fault.
            None if tally.sent() == usize::from(self.count) => None,
            None => Some(self.late(&phases, &tally, context.deadline)),
        };
        if let Some(peer) = phases.peer {
            attributes.set("network.peer.address", ip_text(peer.ip()));
            attributes.set("network.type", if peer.is_ipv4() { "ipv4" } else { "ipv6" });
        }
        if tally.sent() > 0 {
            tally.describe(&mut attributes);
        }
        let hops = vec![phases.into_hop(format!("ping {host}"))];
        let evidence: Box<dyn Evidence> = if failure.is_none() { Box::new(tally) } else { Box::new(Nothing) };
        StepOutcome { hops, attributes, failure, evidence }
    }

    fn late(&self, phases: &Phases, tally: &Tally, deadline: Instant) -> Failure {
        let failure = fault::timed_out(phases, deadline);
        if tally.sent() == 0 {
            return failure;
        }
        let message = format!(
            "only {} of {} pings could be sent before the timeout, {:?} apart",
            tally.sent(),
            self.count,
            self.interval
        );
        Failure::new(failure.class, failure.error_type, message)
    }

    async fn pings(
        &self,
        (shared, host): (&Shared, &Host),
        mark: [u8; 16],
        phases: &mut Phases,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let target = HostPort { host: host.clone(), port: 0 };
        let peer = datagram::peer(shared, &target, self.family, phases).await?;
        phases.enter(Phase::Send);
        let socket = datagram::ping(peer).map_err(|error| denied(&error, peer))?;
        phases.connected(peer);
        let echo = Echo::new(peer.ip(), mark);
        let began = Instant::now();
        let mut refused = None;
        for number in 0..self.count {
            let due = began + self.interval * u32::from(number);
            if number > 0 {
                // Until the next one is due, replies to those before are taken.
                let heard = hear(&socket, echo, (&mut *phases, &mut *tally), &mut refused);
                if let Some(heard) = within(due, heard).await {
                    heard?;
                    tokio::time::sleep_until(due.into()).await;
                }
            }
            tally.send(Instant::now());
            if let Err(error) = socket.send(&echo.request(number, self.size)).await {
                note(&error, peer, &mut refused)?;
            }
            if phases.current() == Some(Phase::Send) {
                phases.enter(Phase::Wait);
            }
        }
        let last = Instant::now() + self.wait;
        let heard = hear(&socket, echo, (&mut *phases, &mut *tally), &mut refused);
        if let Some(heard) = within(last, heard).await {
            heard?;
        }
        phases.finish();
        match refused {
            Some(failure) if tally.replies() == 0 => Err(failure),
            _ => Ok(()),
        }
    }
}

/// Takes replies until all that were sent have come back.
async fn hear(
    socket: &UdpSocket,
    echo: Echo,
    (phases, tally): (&mut Phases, &mut Tally),
    refused: &mut Option<Failure>,
) -> Result<(), Failure> {
    let mut buffer = [0; 128];
    let peer = phases.peer.expect("the socket was opened for a peer");
    while tally.replies() < tally.sent() {
        match receive_from(socket, &mut buffer).await {
            // Unlike one of UDP, a connected ping socket hears everybody who knows its identifier.
            Ok((_, from)) if from.ip() != peer.ip() => {}
            Ok((length, _)) => {
                let at = Instant::now();
                if let Some(sequence) = echo.sequence(&buffer[..length]) {
                    tally.receive(sequence, at);
                    if phases.current() == Some(Phase::Wait) {
                        phases.enter_at(Phase::Receive, at);
                    }
                }
            }
            Err(error) => note(&error, peer, refused)?,
        }
    }
    Ok(())
}

/// Keeps what ICMP said of a ping; the others may still come back.
///
/// # Errors
/// It is this machine that refused.
fn note(error: &io::Error, peer: SocketAddr, refused: &mut Option<Failure>) -> Result<(), Failure> {
    if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) {
        return Err(fault::config(format!("pings of this `size` are longer than the way to {peer} takes")));
    }
    let failure = fault::of_datagram(error, peer);
    if failure.class == FailureClass::Local {
        return Err(failure);
    }
    *refused = Some(failure);
    Ok(())
}

/// The failure of a socket that the system does not give.
fn denied(error: &io::Error, peer: SocketAddr) -> Failure {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return fault::of_datagram(error, peer);
    }
    let range = std::fs::read_to_string(RANGE).unwrap_or_default();
    let range = range.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = format!(
        "the system lets no group of this process ping: net.ipv4.ping_group_range is \"{range}\"; \
         set it with sysctl -w net.ipv4.ping_group_range='0 2147483647'"
    );
    Failure::new(FailureClass::Local, "local.denied", message)
}
