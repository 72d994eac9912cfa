//! The action of a `tcp` step and its evidence.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, cut};
use model::probe::BoxFuture;
use model::step::Phase;
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::template::{Scope, Template};
use scenario::value::{self, Selector, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::net::address::HostPort;
use crate::net::dial::dial;
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};

/// How long a pause ends an answer whose end is not known.
const QUIET: Duration = Duration::from_millis(100);
/// How much is read at once.
const CHUNK: usize = 4096;
/// The longest part of an answer that a message shows, in bytes.
const SHOWN: usize = 200;

/// A `tcp` step, ready to be run.
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) reach: Reach,
    pub(super) send: Option<Template>,
    pub(super) reading: Reading,
    /// The most that is read, in bytes.
    pub(super) limit: usize,
}

/// Where to connect: parsed when the file is compiled if it is known by then.
#[derive(Debug)]
pub(super) enum Reach {
    /// A constant.
    Now(HostPort),
    /// An address with holes.
    Later(Template),
}

/// What is read once connected.
#[derive(Debug)]
pub(super) enum Reading {
    /// Nothing.
    Nothing,
    /// Up to and with this text.
    Until(Box<str>),
    /// Until the server pauses.
    UntilQuiet,
}

/// What the server sent; `None` if nothing was read.
struct Heard(Option<Vec<u8>>);

impl Action<Net> for Tcp {
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
        Box::pin(self.talk(net.shared(), context))
    }
}

impl Reach {
    /// The address in this run.
    ///
    /// # Errors
    /// A name has no value, or what it is filled with is no address.
    pub(super) fn resolve(&self, scope: &Scope<'_>) -> Result<Cow<'_, HostPort>, Failure> {
        match self {
            Self::Now(address) => Ok(Cow::Borrowed(address)),
            Self::Later(template) => {
                let text = template.render(scope).map_err(|error| fault::unresolved(&error))?;
                HostPort::parse(&text, None).map(Cow::Owned).map_err(|error| fault::config(error.to_string()))
            }
        }
    }
}

impl Tcp {
    async fn talk(&self, shared: &Shared, context: &StepContext<'_>) -> StepOutcome {
        let mut attributes = Attributes::new();
        let prepared = self.reach.resolve(context.scope).and_then(|address| {
            let send = self.send.as_ref().map(|send| send.render(context.scope)).transpose();
            Ok((address, send.map_err(|error| fault::unresolved(&error))?))
        });
        let (address, send) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => {
                let evidence = Box::new(Nothing);
                return StepOutcome { hops: Vec::new(), attributes, failure: Some(failure), evidence };
            }
        };
        attributes.set("server.address", address.host.to_string());
        attributes.set("server.port", i64::from(address.port));
        attributes.set("network.transport", "tcp");
        let mut phases = Phases::start(context.began);
        let exchange = self.exchange(shared, &address, send.as_deref(), &mut phases);
        let heard = within(context.deadline, exchange).await;
        let heard = heard.unwrap_or_else(|| Err(fault::timed_out(&phases, context.deadline)));
        if let Some(peer) = phases.peer {
            attributes.set("network.peer.address", peer.ip().to_string());
        }
        if let Ok(Heard(Some(bytes))) = &heard {
            attributes.set("network.io.size", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        }
        let hops = vec![phases.into_hop(address.to_string())];
        match heard {
            Ok(heard) => StepOutcome { hops, attributes, failure: None, evidence: Box::new(heard) },
            Err(failure) => {
                StepOutcome { hops, attributes, failure: Some(failure), evidence: Box::new(Nothing) }
            }
        }
    }

    async fn exchange(
        &self,
        shared: &Shared,
        address: &HostPort,
        send: Option<&str>,
        phases: &mut Phases,
    ) -> Result<Heard, Failure> {
        let mut stream = dial(shared, address, Family::Any, phases).await?;
        if let Some(text) = send {
            phases.enter(Phase::Send);
            let sent = stream.write_all(text.as_bytes()).await;
            sent.map_err(|error| fault::of_io(&error, "sending"))?;
        }
        let heard = match &self.reading {
            Reading::Nothing => None,
            Reading::Until(text) => Some(self.read_until(&stream, text, phases).await?),
            Reading::UntilQuiet => Some(self.read_until_quiet(&stream, phases).await?),
        };
        phases.finish();
        Ok(Heard(heard))
    }

    async fn read_until(
        &self,
        stream: &TcpStream,
        text: &str,
        phases: &mut Phases,
    ) -> Result<Vec<u8>, Failure> {
        let marker = text.as_bytes();
        let mut heard = Vec::new();
        phases.enter(Phase::Wait);
        loop {
            // The marker may have begun in the bytes before.
            let from = heard.len().saturating_sub(marker.len() - 1);
            let more = self.read_some(stream, &mut heard, phases).await?;
            if let Some(at) = heard[from..].windows(marker.len()).position(|part| part == marker) {
                heard.truncate(from + at + marker.len());
                return Ok(heard);
            }
            if !more {
                let what = if heard.len() >= self.limit {
                    format!("did not send {text:?} within the first {} bytes", self.limit)
                } else {
                    format!("closed the connection before it sent {text:?}")
                };
                let said = cut(String::from_utf8_lossy(&heard).into_owned(), SHOWN);
                let message = format!("the server {what}; it sent {said:?}");
                return Err(Failure::new(FailureClass::Incorrect, "assert.response", message));
            }
        }
    }

    async fn read_until_quiet(&self, stream: &TcpStream, phases: &mut Phases) -> Result<Vec<u8>, Failure> {
        let mut heard = Vec::new();
        phases.enter(Phase::Wait);
        let mut more = self.read_some(stream, &mut heard, phases).await?;
        while more {
            match within(Instant::now() + QUIET, self.read_some(stream, &mut heard, phases)).await {
                Some(read) => more = read?,
                None => break,
            }
        }
        Ok(heard)
    }

    /// Reads what is there; false at the end of the connection and at the limit.
    async fn read_some(
        &self,
        stream: &TcpStream,
        heard: &mut Vec<u8>,
        phases: &mut Phases,
    ) -> Result<bool, Failure> {
        let room = (self.limit - heard.len()).min(CHUNK);
        let count = loop {
            stream.readable().await.map_err(|error| broken(&error, heard))?;
            // Readiness may be a false alarm; nothing is kept across the wait, which may be cut short.
            match take(stream, heard, room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => break read.map_err(|error| broken(&error, heard))?,
            }
        };
        if count > 0 && phases.current() == Some(Phase::Wait) {
            phases.enter(Phase::Receive);
        }
        Ok(count > 0 && heard.len() < self.limit)
    }
}

/// Moves at most `room` bytes that have arrived to the end of `heard`.
fn take(stream: &TcpStream, heard: &mut Vec<u8>, room: usize) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let count = stream.try_read(&mut chunk[..room])?;
    heard.extend_from_slice(&chunk[..count]);
    Ok(count)
}

fn broken(error: &io::Error, heard: &[u8]) -> Failure {
    let failure = fault::of_io(error, "reading the answer");
    if heard.is_empty() {
        return failure;
    }
    let said = cut(String::from_utf8_lossy(heard).into_owned(), SHOWN);
    Failure::new(
        failure.class,
        failure.error_type,
        format!("{}, after it had sent {said:?}", failure.message),
    )
}

impl Evidence for Heard {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> value::Reading<'a> {
        let Some(bytes) = &self.0 else {
            let why = "nothing is read without `read_until`, `send` or `read: true`";
            return value::Reading::Unreadable(why.to_owned());
        };
        match subject {
            "response" => value::Reading::One(Value::Text(String::from_utf8_lossy(bytes))),
            "size" => value::Reading::One(Value::Int(i64::try_from(bytes.len()).unwrap_or(i64::MAX))),
            _ => value::Reading::Absent,
        }
    }
}
