//! The action of a `tcp` step and its evidence.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::address_text::ip_text;
use model::outcome::{Failure, FailureClass};
use model::probe::{BoxFuture, Detail};
use model::step::{Hop, Phase};
use regex::bytes::Regex;
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::showing::Shows;
use scenario::value::{self, Selector, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::heard::Heard;
use crate::net::address::HostPort;
use crate::net::dial::dial;
use crate::net::each;
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::reach::{self, Reach};
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::octets::{self, Encoding, Payload};

/// How long a pause ends an answer whose end is not known.
const QUIET: Duration = Duration::from_millis(100);

/// A `tcp` step, ready to be run.
#[derive(Debug)]
pub(super) struct Tcp {
    pub(super) reach: Reach,
    pub(super) family: Family,
    /// Whether each address of a name is talked to by itself.
    pub(super) every: bool,
    /// At least one.
    pub(super) rounds: Vec<Round>,
    pub(super) encoding: Encoding,
    /// The most that is read, in bytes.
    pub(super) limit: usize,
}

/// What is said, and what is heard of it.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) send: Option<Payload>,
    pub(super) reading: Reading,
}

/// What is read in a round.
#[derive(Debug)]
pub(super) enum Reading {
    /// Nothing.
    Nothing,
    /// Up to and with these bytes.
    Until(Box<[u8]>),
    /// Until the server pauses.
    UntilQuiet,
    /// Until this matches.
    Matching(Regex),
}

/// One run of the step.
struct Conversation<'a> {
    step: &'a Tcp,
    /// What is sent in each round.
    said: &'a [Vec<u8>],
    heard: Heard,
    /// Whether the server had more to say than may be read.
    cut: bool,
    /// What was heard in each round that ended.
    answers: Vec<Vec<u8>>,
    hops: Vec<Hop>,
    phases: Phases,
    label: String,
    detail: Detail,
}

impl Action<Net> for Tcp {
    fn target(&self) -> String {
        self.reach.to_string()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.reach.endpoints()
    }

    fn shows(&self, subject: &str) -> Shows {
        let reads = self.rounds.iter().any(|round| !matches!(round.reading, Reading::Nothing));
        match subject {
            "response" | "responses" | "size" if !reads => {
                Shows::Nothing("add read: true, or what the answer ends with: read_until: \"\\n\"")
            }
            _ => Shows::Anything,
        }
    }

    fn form(&self, subject: &str, value: &str, extent: Extent) -> Form {
        match subject {
            "response" | "responses" => self.encoding.form(value, extent),
            _ => Form::Fits,
        }
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            let (shared, detail) = (net.shared(), net.detail());
            if !self.every {
                return self.reach.hold_outcome(self.talk(shared, (None, detail), context).await);
            }
            let talk = |shared: Arc<Shared>, peer| async move {
                self.talk(&shared, (Some(peer), detail), context).await
            };
            let outcome = each::every(shared, (&self.reach, self.family), context, talk).await;
            self.reach.hold_outcome(outcome)
        })
    }
}

impl Tcp {
    /// Talks to `peer`, or to whoever of the target's addresses answers.
    async fn talk(
        &self,
        shared: &Shared,
        (peer, detail): (Option<SocketAddr>, Detail),
        context: &StepContext<'_>,
    ) -> StepOutcome {
        let prepared = self.reach.resolve(context.scope, self.family).and_then(|address| {
            let said = self.rounds.iter().map(|round| {
                round.send.as_ref().map_or(Ok(Vec::new()), |payload| payload.render(context.scope))
            });
            Ok((address, said.collect::<Result<Vec<_>, _>>()?))
        });
        let (address, said) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let mut attributes = reach::facts(&address, "tcp");
        let mut conversation = Conversation {
            step: self,
            said: &said,
            heard: Heard::new(self.limit),
            cut: false,
            answers: Vec::with_capacity(self.rounds.len()),
            hops: Vec::with_capacity(self.rounds.len()),
            phases: Phases::start(context.began),
            label: address.to_string(),
            detail,
        };
        let to = peer.map(each::only);
        let to = to.as_ref().unwrap_or(&address);
        let done = within(context.deadline, conversation.hold(shared, to)).await;
        let done = done.unwrap_or_else(|| Err(conversation.timed_out(context.deadline)));
        if let Some(peer) = conversation.phases.peer {
            attributes.set("network.peer.address", ip_text(peer.ip()));
        }
        let reads = self.rounds.iter().any(|round| !matches!(round.reading, Reading::Nothing));
        if conversation.hops.len() < self.rounds.len() {
            conversation.end_hop();
        }
        let Conversation { answers, hops, cut, .. } = conversation;
        let bytes = answers.concat();
        if reads && done.is_ok() {
            attributes.set("network.io.size", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        }
        let evidence: Box<dyn Evidence> = match done {
            Ok(()) if cut => Box::new(Cut { limit: self.limit }),
            Ok(()) if reads => Box::new(Said { bytes, answers, encoding: self.encoding }),
            Ok(()) => Box::new(Unread),
            Err(_) => Box::new(Nothing),
        };
        StepOutcome { hops, attributes, failure: done.err(), evidence }
    }
}

impl Conversation<'_> {
    async fn hold(&mut self, shared: &Shared, address: &HostPort) -> Result<(), Failure> {
        let mut stream = dial(shared, address, self.step.family, &mut self.phases).await?;
        for index in 0..self.step.rounds.len() {
            let said = &self.said[index];
            if !said.is_empty() {
                self.phases.enter(Phase::Send);
                let sent = stream.write_all(said).await;
                sent.map_err(|error| fault::of_io(&error, "sending"))?;
            }
            let length = self.listen(index, &stream).await?;
            let heard = self.heard.end_round(length).to_vec();
            self.answers.push(heard);
            self.end_hop();
        }
        Ok(())
    }

    /// Reads what the round wants; how much of it the round has heard.
    async fn listen(&mut self, index: usize, stream: &TcpStream) -> Result<usize, Failure> {
        let step = self.step;
        let reading = &step.rounds[index].reading;
        if !matches!(reading, Reading::Nothing) {
            self.phases.enter(Phase::Wait);
        }
        match reading {
            Reading::Nothing => Ok(0),
            Reading::UntilQuiet => self.until_quiet(stream).await,
            Reading::Until(marker) => {
                let mut seen = 0;
                loop {
                    if let Some(end) = self.heard.found(marker, seen) {
                        return Ok(end);
                    }
                    seen = self.heard.round().len();
                    let shown = || step.encoding.quote(marker);
                    self.more(stream, || format!("sent {}", shown()), || format!("send {}", shown())).await?;
                }
            }
            Reading::Matching(wanted) => loop {
                if let Some(end) = self.heard.matched(wanted, step.encoding) {
                    return Ok(end);
                }
                let which = || format!("match `{}`{}", wanted.as_str(), step.place(index));
                let sent = || format!("sent what would {}", which());
                self.more(stream, sent, || format!("send what would {}", which())).await?;
            },
        }
    }

    /// Reads until the server pauses or ends; something has to come, or an empty answer would pass for one without errors.
    async fn until_quiet(&mut self, stream: &TcpStream) -> Result<usize, Failure> {
        self.heard.read(stream, &mut self.phases).await?;
        while !self.heard.is_ended() {
            let more = self.heard.read(stream, &mut self.phases);
            let Some(read) = within(Instant::now() + QUIET, more).await else { break };
            read?;
        }
        if self.heard.round().is_empty() {
            let message = "the server closed the connection before it sent anything";
            return Err(Failure::new(FailureClass::Incorrect, "assert.response", message));
        }
        if self.heard.is_full() {
            let more = within(Instant::now() + QUIET, stream.peek(&mut [0])).await;
            self.cut = matches!(more, Some(Ok(1)));
        }
        Ok(self.heard.round().len())
    }

    /// Reads more, of which the round needs something.
    ///
    /// # Errors
    /// There is no more; `sent` and `send` say in two tenses what was needed.
    async fn more(
        &mut self,
        stream: &TcpStream,
        sent: impl Fn() -> String,
        send: impl Fn() -> String,
    ) -> Result<(), Failure> {
        if !self.heard.is_ended() {
            return self.heard.read(stream, &mut self.phases).await;
        }
        let what = if self.heard.is_full() {
            format!("did not {} within the first {} bytes", send(), self.step.limit)
        } else {
            format!("closed the connection before it {}", sent())
        };
        let said = self.step.encoding.quote(self.heard.round());
        let message = format!("the server {what}; it sent {said}");
        Err(Failure::new(FailureClass::Incorrect, "assert.response", message))
    }

    fn timed_out(&self, deadline: Instant) -> Failure {
        let failure = fault::timed_out(&self.phases, deadline);
        let index = self.hops.len();
        let wanted = match self.step.rounds.get(index).map(|round| &round.reading) {
            Some(Reading::Matching(wanted)) => format!("`{}`", wanted.as_str()),
            Some(Reading::Until(marker)) => self.step.encoding.quote(marker),
            _ => return failure,
        };
        let said = match self.heard.round() {
            [] => String::new(),
            bytes => format!("; so far came {}", self.step.encoding.quote(bytes)),
        };
        let place = self.step.place(index);
        let message = format!("{} for {wanted}{place}{said}", failure.message);
        Failure::new(failure.class, failure.error_type, message)
    }

    /// Ends the hop of a round; the next one is on the same connection.
    fn end_hop(&mut self) {
        let next = Phases::start(self.phases.origin());
        let phases = std::mem::replace(&mut self.phases, next);
        let index = self.hops.len();
        let (reused, peer) = (index > 0, phases.peer);
        let mut hop = phases.into_hop(format!("{}{}", self.label, self.step.place(index)));
        hop.reused = reused;
        let heard = self.answers.get(index).map_or(self.heard.round(), Vec::as_slice);
        let said = self.said.get(index).map(Vec::as_slice).unwrap_or_default();
        hop.exchange = octets::kept(self.detail, self.step.encoding, said, heard);
        self.hops.push(hop);
        if let Some(peer) = peer {
            self.phases.connected(peer);
        }
    }
}

impl Tcp {
    /// Which round it is, where there are several.
    fn place(&self, index: usize) -> String {
        if self.rounds.len() > 1 { format!(" (round {})", index + 1) } else { String::new() }
    }
}

/// What the server sent.
struct Said {
    /// All that the rounds heard.
    bytes: Vec<u8>,
    answers: Vec<Vec<u8>>,
    encoding: Encoding,
}

impl Evidence for Said {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> value::Reading<'a> {
        value::Reading::One(match subject {
            "response" => Value::Text(self.encoding.show(&self.bytes)),
            "responses" => {
                Value::List(self.answers.iter().map(|bytes| Value::Text(self.encoding.show(bytes))).collect())
            }
            "size" => Value::Int(i64::try_from(self.bytes.len()).unwrap_or(i64::MAX)),
            _ => return value::Reading::Absent,
        })
    }
}

/// The server sent more than was read.
struct Cut {
    limit: usize,
}

impl Evidence for Cut {
    fn read<'a>(&'a self, _: &str, _: &Selector) -> value::Reading<'a> {
        let limit = self.limit;
        let why = format!("the answer is longer than `read_limit` ({limit} bytes) and was truncated");
        value::Reading::Unreadable(why)
    }
}

/// Nothing was read, because nothing asked for it.
struct Unread;

impl Evidence for Unread {
    fn read<'a>(&'a self, _: &str, _: &Selector) -> value::Reading<'a> {
        let why = "nothing is read without `read_until`, `send`, `read: true` or an `expect` in `exchange`";
        value::Reading::Unreadable(why.to_owned())
    }
}
