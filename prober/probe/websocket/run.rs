//! The action of a `websocket` step.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use http::header::HeaderName;
use model::address_text::ip_text;
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass};
use model::probe::{BoxFuture, Detail};
use model::step::{Hop, Phase};
use regex::bytes::Regex;
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Endpoint, Evidence, Nothing, StepContext, StepOutcome};
use scenario::template::Template;

use super::evidence::WebSocketEvidence;
use super::handshake::{Opened, Opening};
use super::talk::{Heard, Talk};
use super::url;
use crate::http::facts::TlsFacts;
use crate::http::target::Target;
use crate::http::wire::{Marks, Stream, Wire};
use crate::net::dial::dial;
use crate::net::fault::{self, timed_out, unusable, within};
use crate::net::named;
use crate::net::phases::Phases;
use crate::net::reach;
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::tls::{Before, TlsChoice, server_name};
use crate::octets::{self, Encoding, Payload};

/// The most messages that one step waits for, and the most that it takes.
pub(super) const MESSAGES_MAX: i64 = 1000;

/// A `websocket` step, ready to be run.
#[derive(Debug)]
pub(super) struct WebSocket {
    pub(super) url: Template,
    pub(super) headers: Vec<(HeaderName, Template)>,
    /// What is offered, most wanted first.
    pub(super) subprotocols: Vec<String>,
    /// At least one.
    pub(super) rounds: Vec<Round>,
    pub(super) encoding: Encoding,
    /// Whether the server is to close by itself.
    pub(super) wait_close: bool,
    /// The longest message, in bytes.
    pub(super) message_bytes_max: usize,
    pub(super) tls: TlsChoice,
    pub(super) family: Family,
    /// Why the certificate need not hold; `None` if it must.
    pub(super) insecure: Option<String>,
}

/// What is said, and what is heard of it.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) send: Vec<Payload>,
    pub(super) until: Until,
}

/// What is waited for in a round.
#[derive(Debug)]
pub(super) enum Until {
    /// So many messages.
    Count(usize),
    /// A message that matches.
    Match(Regex),
}

/// The messages that are sent in each round.
type Said = Vec<Vec<Vec<u8>>>;

/// One run of the step.
struct Run<'a> {
    step: &'a WebSocket,
    /// What is sent in each round.
    said: Said,
    shown: String,
    hops: Vec<Hop>,
    phases: Phases,
    detail: Detail,
    attributes: Attributes,
    opened: Option<Opened>,
    heard: Heard,
    /// The round in progress, and with which message it begins.
    round: Option<(usize, usize)>,
}

impl Action<Net> for WebSocket {
    fn target(&self) -> String {
        self.url.to_string()
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let target = self.url.constant().and_then(|text| url::parse(text).ok());
        target.iter().map(|target| target.address.endpoint()).collect()
    }

    fn form(&self, subject: &str, value: &str, extent: Extent) -> Form {
        match subject {
            "message" | "messages" => self.encoding.form(value, extent),
            _ => Form::Fits,
        }
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(
            async move { named::hold_outcome(&self.url, self.go(net.shared(), net.detail(), context).await) },
        )
    }
}

impl WebSocket {
    async fn go(&self, shared: &Arc<Shared>, detail: Detail, context: &StepContext<'_>) -> StepOutcome {
        let (target, opening, said) = match self.prepare(context) {
            Ok(prepared) => prepared,
            Err(failure) => return StepOutcome::failed(failure),
        };
        let shown = url::shown(&target);
        let mut attributes = reach::facts(&target.address, "tcp");
        attributes.set("url.full", shown.clone());
        attributes.set("network.protocol.name", "websocket");
        if let Some(why) = &self.insecure {
            attributes.set("prober.tls.insecure", why.clone());
        }
        let mut run = Run {
            step: self,
            said,
            shown,
            hops: Vec::with_capacity(1 + self.rounds.len()),
            phases: Phases::start(context.began),
            detail,
            attributes,
            opened: None,
            heard: Heard::default(),
            round: None,
        };
        let mut talk = None;
        let held = run.hold(shared, (&target, opening), &mut talk, context);
        let failure = match within(context.deadline, held).await {
            Some(done) => done.err(),
            None => Some(run.timed_out(talk.as_ref(), context.deadline)),
        };
        run.conclude(failure)
    }

    fn prepare(&self, context: &StepContext<'_>) -> Result<(Target, Opening, Said), Failure> {
        let text = self.url.render(context.scope).map_err(|error| fault::unresolved(&error))?;
        let target = url::parse(&text).map_err(|error| unusable(&self.url, &error.to_string()))?;
        named::check_family(&self.url, &target.address.host, self.family)?;
        let opening = Opening::new(self, &target, context.scope)?;
        let said = self.rounds.iter().map(|round| {
            let payloads = round.send.iter().map(|payload| payload.render(context.scope));
            payloads.collect::<Result<Vec<_>, _>>()
        });
        Ok((target, opening, said.collect::<Result<_, _>>()?))
    }

    /// Which round it is, where there are several.
    fn place(&self, index: usize) -> String {
        if self.rounds.len() > 1 { format!(" (round {})", index + 1) } else { String::new() }
    }
}

impl Run<'_> {
    async fn hold(
        &mut self,
        shared: &Arc<Shared>,
        (target, opening): (&Target, Opening),
        talk: &mut Option<Talk>,
        context: &StepContext<'_>,
    ) -> Result<(), Failure> {
        let marks = Arc::new(Marks::new());
        let stream = self.connect(shared, target).await?;
        let wire = Wire::new(stream, Arc::clone(&marks));
        let offered = (&*marks, self.step.subprotocols.as_slice());
        let (wire, read, opened) = opening.open(wire, offered, &mut self.phases).await?;
        self.opened = Some(opened);
        self.end_hop(None);
        let bounds = (marks, self.step.encoding, self.step.message_bytes_max);
        let talk = talk.insert(Talk::new(wire, &read, bounds).await);
        let talked = self.talk(talk).await;
        if talked.is_ok() && !self.step.wait_close {
            talk.close(context.deadline).await;
        }
        self.heard = std::mem::take(&mut talk.heard);
        talked
    }

    async fn connect(&mut self, shared: &Arc<Shared>, target: &Target) -> Result<Stream, Failure> {
        // Files are read before anything is measured.
        let setup = if target.secure { Some(shared.tls(&self.step.tls).await?) } else { None };
        let tcp = dial(shared, &target.address, self.step.family, &mut self.phases).await?;
        let Some(setup) = setup else { return Ok(Stream::Plain(tcp)) };
        let name = server_name(&target.address.host)?;
        let (stream, shown) = setup.connect(tcp, &name, Before::Nothing, &mut self.phases).await;
        TlsFacts::new(&shown, shared).note(&mut self.attributes);
        Ok(Stream::Tls(Box::new(stream?)))
    }

    async fn talk(&mut self, talk: &mut Talk) -> Result<(), Failure> {
        for (index, round) in self.step.rounds.iter().enumerate() {
            let from = talk.heard.messages.len();
            let last = index + 1 == self.step.rounds.len();
            let quiet = round.send.is_empty() && matches!(round.until, Until::Count(0));
            if quiet && !(last && self.step.wait_close) {
                continue;
            }
            self.round = Some((index, from));
            let done = self.round(index, from, talk).await;
            if done.is_ok() && last && self.step.wait_close {
                talk.until_closed().await?;
            }
            done?;
            self.end_hop(Some((index, &talk.heard.messages[from..])));
        }
        Ok(())
    }

    async fn round(&mut self, index: usize, from: usize, talk: &mut Talk) -> Result<(), Failure> {
        let round = &self.step.rounds[index];
        if !round.send.is_empty() {
            self.phases.enter(Phase::Send);
            for message in &self.said[index] {
                talk.say(message).await?;
            }
        }
        match talk.sent().filter(|_| !round.send.is_empty()) {
            Some(at) => self.phases.enter_at(Phase::Wait, at),
            None => self.phases.enter(Phase::Wait),
        }
        talk.hear(&round.until, from, &mut self.phases).await
    }

    /// The failure of a run that took too long: in a round with what was waited for, and what came in place of it.
    fn timed_out(&self, talk: Option<&Talk>, deadline: Instant) -> Failure {
        let failure = timed_out(&self.phases, deadline);
        let (Some(talk), Some((index, from))) = (talk, self.round) else { return failure };
        let listens = matches!(self.phases.current(), Some(Phase::Wait | Phase::Receive));
        if !listens || failure.class != FailureClass::Timeout {
            return failure;
        }
        let came = &talk.heard.messages[from..];
        let wanted = match &self.step.rounds[index].until {
            Until::Match(wanted) if self.hops.len() <= index + 1 => {
                let said = came.last().map_or_else(String::new, |last| {
                    format!("; the last that came is {}", self.step.encoding.quote(last))
                });
                format!("a message that matches `{}`{}{said}", wanted.as_str(), self.step.place(index))
            }
            Until::Count(count) if came.len() < *count => {
                format!("message {} of {count}{}", came.len() + 1, self.step.place(index))
            }
            _ => "the server's close".to_owned(),
        };
        let message = format!("{} for {wanted}", failure.message);
        Failure::new(failure.class, failure.error_type, message)
    }

    /// Ends the hop in progress: the handshake, or a round with what was heard in it.
    fn end_hop(&mut self, round: Option<(usize, &[Vec<u8>])>) {
        let next = Phases::start(self.phases.origin());
        let phases = std::mem::replace(&mut self.phases, next);
        let peer = phases.peer;
        let first = self.hops.is_empty();
        let label = match round {
            None => self.shown.clone(),
            Some((index, _)) => format!("messages on {}{}", self.shown, self.step.place(index)),
        };
        let mut hop = phases.into_hop(label);
        hop.reused = !first;
        if first && self.opened.is_some() {
            hop.status = Some("101".into());
        }
        if let Some((index, heard)) = round {
            hop.exchange =
                octets::kept(self.detail, self.step.encoding, &self.said[index].concat(), &heard.concat());
        }
        self.hops.push(hop);
        if let Some(peer) = peer {
            self.phases.connected(peer);
            self.attributes.set("network.peer.address", ip_text(peer.ip()));
        }
    }

    fn conclude(mut self, failure: Option<Failure>) -> StepOutcome {
        if failure.is_some() {
            // The handshake, or the round that failed.
            let round = self.hops.len().checked_sub(1);
            self.end_hop(round.map(|index| (index.min(self.step.rounds.len() - 1), &[][..])));
        }
        let evidence: Box<dyn Evidence> = match (&failure, self.opened) {
            (None, Some(opened)) => Box::new(WebSocketEvidence {
                opened,
                heard: self.heard,
                encoding: self.step.encoding,
                json: OnceCell::new(),
            }),
            _ => Box::new(Nothing),
        };
        StepOutcome { hops: self.hops, attributes: self.attributes, failure, evidence }
    }
}
