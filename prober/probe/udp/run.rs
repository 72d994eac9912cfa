//! The action of a `udp` step and its evidence.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::address_text::ip_text;
use model::outcome::{Failure, FailureClass};
use model::probe::{BoxFuture, Detail};
use model::step::Phase;
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome, Takes};
use scenario::showing::Shows;
use scenario::value::{self, Selector, Value};
use tokio::net::UdpSocket;

use crate::net::address::HostPort;
use crate::net::datagram::{self, receive};
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::reach::{self, Reach};
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::octets::{self, Encoding, Payload};

/// The most that all replies may have together, in bytes.
const REPLIES_BYTES_MAX: usize = 1024 * 1024;
/// The longest datagram of UDP.
const DATAGRAM_MAX: usize = 65_536;

/// A `udp` step, ready to be run.
#[derive(Debug)]
pub(super) struct Udp {
    pub(super) reach: Reach,
    /// At least one.
    pub(super) send: Vec<Payload>,
    pub(super) encoding: Encoding,
    pub(super) wanted: Wanted,
    /// How long replies are waited for, if not to the step's end.
    pub(super) wait: Option<Duration>,
}

/// How many replies are waited for, and what it means if they do not come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// So many must come.
    Required(usize),
    /// So many may come.
    Optional(usize),
    /// None is waited for; only a refusal is.
    None,
}

impl Wanted {
    const fn count(self) -> usize {
        match self {
            Self::Required(count) | Self::Optional(count) => count,
            Self::None => 0,
        }
    }
}

impl Action<Net> for Udp {
    fn target(&self) -> String {
        self.reach.to_string()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.reach.endpoints()
    }

    fn shows(&self, subject: &str) -> Shows {
        match (subject, self.wanted) {
            ("response" | "responses" | "size", Wanted::None) => {
                Shows::Nothing("leave out `reply: none`: no reply is waited for")
            }
            ("replies", Wanted::None) => Shows::AtMost(0, "leave out `reply: none`: no reply is waited for"),
            ("replies", Wanted::Required(most) | Wanted::Optional(most)) => {
                Shows::AtMost(most as u64, "write a larger `replies` under `udp`, or expect less")
            }
            _ => Shows::Anything,
        }
    }

    fn takes(&self) -> Option<Takes> {
        let least = self.wait?;
        Some(Takes { least, what: "replies are waited for during", key: "wait" })
    }

    fn form(&self, subject: &str, value: &str, extent: Extent) -> Form {
        match subject {
            "response" | "responses" => self.encoding.form(value, extent),
            _ => Form::Fits,
        }
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move { self.reach.hold_outcome(self.talk(net.shared(), net.detail(), context).await) })
    }
}

impl Udp {
    async fn talk(&self, shared: &Shared, detail: Detail, context: &StepContext<'_>) -> StepOutcome {
        let prepared = self.reach.resolve(context.scope, Family::Any).and_then(|address| {
            let said = self.send.iter().map(|payload| payload.render(context.scope));
            Ok((address, said.collect::<Result<Vec<_>, _>>()?))
        });
        let (address, said) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let mut attributes = reach::facts(&address, "udp");
        let mut phases = Phases::start(context.began);
        let mut replies = Vec::new();
        let exchange = self.exchange((shared, &address), &said, &mut phases, &mut replies);
        let done = within(context.deadline, exchange).await;
        let failure = match done {
            Some(Ok(())) => self.judge(&replies, &address, None),
            Some(Err(failure)) => Some(failure),
            None => {
                let late = fault::timed_out(&phases, context.deadline);
                // Whoever has not been asked yet is not silent.
                let asked = matches!(phases.current(), Some(Phase::Wait | Phase::Receive));
                if asked { self.judge(&replies, &address, Some(late)) } else { Some(late) }
            }
        };
        if let Some(peer) = phases.peer {
            attributes.set("network.peer.address", ip_text(peer.ip()));
            attributes.set("network.type", if peer.is_ipv4() { "ipv4" } else { "ipv6" });
        }
        let size: usize = replies.iter().map(Vec::len).sum();
        attributes.set("network.io.size", i64::try_from(size).unwrap_or(i64::MAX));
        let mut hop = phases.into_hop(address.to_string());
        hop.exchange = octets::kept(detail, self.encoding, &said.concat(), &replies.concat());
        let evidence: Box<dyn Evidence> = if failure.is_none() {
            Box::new(Replies { all: replies, size, encoding: self.encoding })
        } else {
            Box::new(Nothing)
        };
        StepOutcome { hops: vec![hop], attributes, failure, evidence }
    }

    /// What it means that waiting has ended, at the step's deadline with `late`.
    fn judge(&self, replies: &[Vec<u8>], address: &HostPort, late: Option<Failure>) -> Option<Failure> {
        match self.wanted {
            Wanted::Required(count) if replies.len() < count => {
                if let Some(late) = late.filter(|_| replies.is_empty()) {
                    return Some(late);
                }
                let waited = self.wait.map(|wait| format!(" within {wait:?}")).unwrap_or_default();
                let message = match replies.len() {
                    0 => format!("{address} did not reply{waited}"),
                    some => format!("{address} sent {some} of {count} replies{waited}"),
                };
                Some(Failure::new(FailureClass::Timeout, "timeout", message))
            }
            _ => None,
        }
    }

    async fn exchange(
        &self,
        (shared, address): (&Shared, &HostPort),
        said: &[Vec<u8>],
        phases: &mut Phases,
        replies: &mut Vec<Vec<u8>>,
    ) -> Result<(), Failure> {
        let peer = datagram::peer(shared, address, Family::Any, phases).await?;
        phases.enter(Phase::Send);
        let socket = datagram::udp(peer).map_err(|error| fault::of_datagram(&error, peer))?;
        phases.connected(peer);
        for bytes in said {
            socket.send(bytes).await.map_err(|error| refused(&error, peer, bytes.len()))?;
        }
        phases.enter(Phase::Wait);
        let waiting = self.collect(&socket, peer, phases, replies);
        match self.wait {
            None => waiting.await?,
            Some(wait) => {
                if let Some(done) = within(Instant::now() + wait, waiting).await {
                    done?;
                }
            }
        }
        phases.finish();
        Ok(())
    }

    /// Takes replies until there are as many as are wanted; without end if none is.
    async fn collect(
        &self,
        socket: &UdpSocket,
        peer: SocketAddr,
        phases: &mut Phases,
        replies: &mut Vec<Vec<u8>>,
    ) -> Result<(), Failure> {
        let mut room = REPLIES_BYTES_MAX;
        let mut buffer = vec![0; DATAGRAM_MAX];
        while replies.len() < self.wanted.count() || self.wanted == Wanted::None {
            let length =
                receive(socket, &mut buffer).await.map_err(|error| fault::of_datagram(&error, peer))?;
            if self.wanted == Wanted::None {
                // What nobody waits for is dropped, and the thread left to others.
                tokio::task::yield_now().await;
                continue;
            }
            if phases.current() == Some(Phase::Wait) {
                phases.enter(Phase::Receive);
            }
            room = room.checked_sub(length).ok_or_else(|| too_much(peer))?;
            replies.push(buffer[..length].to_vec());
        }
        Ok(())
    }
}

/// The failure of a datagram that could not be sent.
fn refused(error: &io::Error, peer: SocketAddr, length: usize) -> Failure {
    if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) {
        return fault::config(format!("a datagram of {length} bytes is longer than the way to {peer} takes"));
    }
    fault::of_datagram(error, peer)
}

fn too_much(peer: SocketAddr) -> Failure {
    let message = format!("{peer} sent more than 1 MiB");
    Failure::new(FailureClass::Protocol, "udp.too_large", message)
}

/// What came back.
struct Replies {
    all: Vec<Vec<u8>>,
    size: usize,
    encoding: Encoding,
}

impl Evidence for Replies {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> value::Reading<'a> {
        let int = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        value::Reading::One(match subject {
            "response" => match self.all.first() {
                Some(first) => Value::Text(self.encoding.show(first)),
                None => return value::Reading::Absent,
            },
            "responses" => {
                Value::List(self.all.iter().map(|reply| Value::Text(self.encoding.show(reply))).collect())
            }
            "replies" => int(self.all.len()),
            "size" => int(self.size),
            _ => return value::Reading::Absent,
        })
    }
}
