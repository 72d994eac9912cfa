//! The action: one request and its redirects, each a hop.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Version};
use model::outcome::Failure;
use model::probe::{BoxFuture, Detail};
use model::step::{Exchange, Hop, Message};
use scenario::kind::{Action, Evidence, Nothing, StepContext, StepOutcome};

use super::body::Body;
use super::connect::Manner;
use super::evidence::HttpEvidence;
use super::exchange::exchange;
use super::facts::{self, TlsFacts};
use super::fault;
use super::record;
use super::redirect;
use super::request::{Ready, RequestPlan, TRACEPARENT, traceparent};
use super::session::{Connection, Session};
use super::target::Target;
use crate::net::fault::{timed_out, within};
use crate::net::phases::Phases;
use crate::net::shared::Net;

/// A step of the kind `http`.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) request: RequestPlan,
    pub(super) manner: Manner,
    /// How many redirects are followed.
    pub(super) follow: u32,
    pub(super) body_bytes_max: u64,
    /// Why the certificate need not hold; `None` if it must.
    pub(super) insecure: Option<String>,
}

/// What has happened so far; outlives the exchange when the deadline cuts it off.
pub(super) struct Trail {
    /// The step's start.
    began: Instant,
    /// The hop in progress.
    pub(super) phases: Phases,
    hops: Vec<Hop>,
    reused: bool,
    /// Where the first request went.
    pub(super) first: Option<Arc<Target>>,
    /// Method and target of the last request.
    pub(super) asked: Option<(Method, Arc<Target>)>,
    /// The last peer.
    pub(super) peer: Option<SocketAddr>,
    /// What the last handshake showed.
    pub(super) tls: Option<Arc<TlsFacts>>,
    /// The last answer, its body read as far as it came.
    pub(super) answer: Option<Answer>,
    /// How much of requests and answers is kept.
    detail: Detail,
    /// The last request, if it is kept.
    sent: Option<Message>,
}

/// The head of an answer, and its body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Trail {
    fn new(began: Instant, detail: Detail) -> Self {
        Self {
            began,
            phases: Phases::start(began),
            hops: Vec::with_capacity(1),
            reused: false,
            first: None,
            asked: None,
            peer: None,
            tls: None,
            answer: None,
            detail,
            sent: None,
        }
    }

    /// Starts the hop of a request to `ready`'s target.
    fn begin(&mut self, ready: &Ready) {
        self.phases = Phases::start(self.began);
        self.first.get_or_insert_with(|| Arc::clone(&ready.target));
        self.asked = Some((ready.method.clone(), Arc::clone(&ready.target)));
        (self.reused, self.peer, self.tls, self.answer, self.sent) = (false, None, None, None, None);
    }

    /// Ends the hop in progress, if there is one.
    fn end(&mut self) {
        let Some((method, target)) = &self.asked else { return };
        let phases = std::mem::replace(&mut self.phases, Phases::start(self.began));
        let mut hop = phases.into_hop(format!("{method} {}", target.shown));
        hop.reused = self.reused;
        hop.status = self.answer.as_ref().map(|answer| answer.status.as_str().to_owned());
        self.peer = hop.peer;
        hop.exchange = self.sent.take().map(|request| {
            let answer = self.answer.as_ref().map(|answer| record::answer(answer, self.detail));
            Box::new(Exchange { request, answer })
        });
        self.hops.push(hop);
    }
}

impl Action<Net> for Http {
    fn target(&self) -> String {
        format!("{} {}", self.request.method, self.request.url)
    }

    fn shows(&self, subject: &str) -> bool {
        self.request.method != Method::HEAD || !matches!(subject, "json" | "body" | "size")
    }

    fn run<'a>(&'a self, net: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            let mut trail = Trail::new(context.began, net.detail());
            let done = within(context.deadline, self.follow(net, context, &mut trail)).await;
            let timed_out_in = trail.phases.current();
            let failure = match done {
                Some(done) => done.err(),
                None => Some(timed_out(&trail.phases, context.deadline)),
            };
            let cut_off = if done_in_time(failure.as_ref()) { None } else { timed_out_in };
            trail.end();
            self.outcome(trail, failure, cut_off.map(model::step::Phase::as_str), context)
        })
    }
}

fn done_in_time(failure: Option<&Failure>) -> bool {
    failure.is_none_or(|failure| failure.class != model::outcome::FailureClass::Timeout)
}

impl Http {
    /// Asks, and follows redirects; the last hop is left in `trail`, to be ended by the caller.
    async fn follow(
        &self,
        net: &mut Net,
        context: &StepContext<'_>,
        trail: &mut Trail,
    ) -> Result<(), Failure> {
        let mut ready = self.request.ready(context.scope)?;
        for left in (0..=self.follow).rev() {
            trail.begin(&ready);
            let connection = self.ask(net, context, &ready, trail).await?;
            let answer = trail.answer.as_ref().expect("an exchange that did not fail left its answer");
            let to = match self.follow {
                0 => None,
                _ => redirect::destination(answer.status, &answer.headers, &ready.target)?,
            };
            let more = to.is_some() || net.more_to_come();
            if more {
                carry_on(net, connection, &ready, trail).await;
            }
            let Some(to) = to else { return Ok(()) };
            if left == 0 {
                return Err(redirect::too_many(self.follow, &to));
            }
            let status = answer_status(trail);
            ready = Arc::new(redirect::follow(&ready, status, to, self.request.private_headers()));
            trail.end();
        }
        Ok(())
    }

    /// Sends the request and reads the answer, on a connection that is then free again.
    ///
    /// A connection that was open before may have been closed by the server just now. If not a byte of an
    /// answer came and the request may be sent twice, it is sent once more on a fresh one, and the hop says so.
    async fn ask(
        &self,
        net: &mut Net,
        context: &StepContext<'_>,
        ready: &Ready,
        trail: &mut Trail,
    ) -> Result<Connection, Failure> {
        let (mut connection, reused) = self.manner.connect(net, &ready.target, trail).await?;
        trail.reused = reused;
        let mut headers = ready.headers.clone();
        if ready.traced {
            headers.insert(TRACEPARENT, traceparent(context.scope.run));
        }
        if let Some(session) = net.carried::<Session>() {
            session.add_cookies(&ready.target.url, &mut headers);
        }
        if trail.detail > Detail::Facts {
            trail.sent = Some(record::request(ready, &headers, connection.speaker.is_h2(), trail.detail));
        }
        let again = if reused && ready.method.is_idempotent() { Some(headers.clone()) } else { None };
        let request = ready.to_request(headers, connection.speaker.is_h2())?;
        let mut answered = exchange(&mut connection, request, &mut trail.phases).await;
        if let (Err(error), Some(headers)) = (&answered, again)
            && fault::is_gone(error)
            && connection.marks.first_read().is_none()
        {
            trail.phases.tried_in_vain(connection.peer, "connect.closed");
            trail.reused = false;
            let fresh = self.manner.fresh(net.shared(), &ready.target, connection.key, trail);
            connection = Box::pin(fresh).await?;
            let request = ready.to_request(headers, connection.speaker.is_h2())?;
            answered = exchange(&mut connection, request, &mut trail.phases).await;
        }
        let begun = connection.marks.first_read().is_some();
        let answer = answered.map_err(|error| fault::of_exchange(&error, begun))?;
        let (head, incoming) = answer.into_parts();
        let answer = trail.answer.insert(Answer {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body: Body::default(),
        });
        let read = answer.body.read(&mut connection.speaker, incoming, self.body_bytes_max).await;
        trail.phases.finish();
        read.map_err(|error| fault::of_exchange(&error, true))?;
        Ok(connection)
    }

    fn outcome(
        &self,
        mut trail: Trail,
        failure: Option<Failure>,
        cut_off: Option<&'static str>,
        context: &StepContext<'_>,
    ) -> StepOutcome {
        let mut attributes = facts::attributes(&trail);
        if let Some(phase) = cut_off {
            attributes.set("timeout.phase", phase);
        }
        if let Some(why) = &self.insecure {
            attributes.set("prober.tls.insecure", why.as_str());
        }
        let evidence: Box<dyn Evidence> = match (trail.answer.take(), trail.asked.take()) {
            (Some(answer), Some((_, target))) if failure.is_none() => {
                let run = context.scope.run;
                let leaf = trail.tls.as_ref().and_then(|tls| tls.leaf.as_ref());
                // Good enough for days: the time at the run's start.
                let certificate = leaf.map(|leaf| (leaf.not_after, run.started_at));
                let redirects = trail.hops.len() - 1;
                Box::new(HttpEvidence { answer, target, redirects, certificate, json: OnceCell::new() })
            }
            _ => Box::new(Nothing),
        };
        StepOutcome { hops: trail.hops, attributes, failure, evidence }
    }
}

/// Keeps what later requests of the run may use.
async fn carry_on(net: &mut Net, mut connection: Connection, ready: &Ready, trail: &Trail) {
    let Some(answer) = &trail.answer else { return };
    // A body that was not read to its end is still on the connection, and a server may have said that it
    // closes the connection.
    let open = answer.body.cut_at().is_none() && connection.speaker.is_open().await;
    let session = net.carry::<Session>();
    session.note_cookies(&ready.target.url, &answer.headers);
    if open {
        session.keep(connection);
    }
}

fn answer_status(trail: &Trail) -> StatusCode {
    trail.answer.as_ref().map_or(StatusCode::OK, |answer| answer.status)
}
