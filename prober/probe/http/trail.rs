//! What has happened in a step so far, hop by hop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Version};
use model::outcome::{Failure, FailureClass};
use model::probe::Detail;
use model::step::{Exchange, Hop, Message};

use super::body::Body;
use super::facts::TlsFacts;
use super::record;
use super::request::Ready;
use super::target::Target;
use crate::net::fault::timed_out;
use crate::net::phases::Phases;
use crate::net::proxy::Proxy;

/// What has happened so far; outlives the exchange when the deadline cuts it off.
pub(crate) struct Trail {
    /// The step's start.
    began: Instant,
    /// The hop in progress.
    pub(crate) phases: Phases,
    pub(crate) hops: Vec<Hop>,
    pub(super) reused: bool,
    /// How many redirects were followed.
    pub(super) redirects: usize,
    /// What the hop in progress is, while it is the way through a proxy and not the request.
    tunnel: Option<String>,
    /// The proxy, while it is what is waited for and the target was not asked yet.
    at_proxy: Option<String>,
    /// Whether the hop in progress is for a token.
    pub(super) fetching_token: bool,
    /// Where the first request went.
    pub(super) first: Option<Arc<Target>>,
    /// Method and target of the last request.
    pub(crate) asked: Option<(Method, Arc<Target>)>,
    /// The last peer.
    pub(super) peer: Option<SocketAddr>,
    /// What the last handshake showed.
    pub(super) tls: Option<Arc<TlsFacts>>,
    /// The last answer, its body read as far as it came.
    pub(crate) answer: Option<Answer>,
    /// How much of requests and answers is kept.
    pub(super) detail: Detail,
    /// The last request, if it is kept.
    pub(super) sent: Option<Message>,
}

/// The head of an answer, and its body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Trail {
    /// Nothing yet, of a step that began at `began` and keeps `detail` of its requests and answers.
    pub(crate) fn new(began: Instant, detail: Detail) -> Self {
        Self {
            began,
            phases: Phases::start(began),
            hops: Vec::with_capacity(1),
            reused: false,
            redirects: 0,
            tunnel: None,
            at_proxy: None,
            fetching_token: false,
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
    pub(crate) fn begin(&mut self, ready: &Ready) {
        self.phases = Phases::start(self.began);
        self.first.get_or_insert_with(|| Arc::clone(&ready.target));
        self.asked = Some((ready.method.clone(), Arc::clone(&ready.target)));
        (self.reused, self.peer, self.tls, self.answer, self.sent) = (false, None, None, None, None);
        self.at_proxy = None;
    }

    /// Says that the hop in progress is the way through a proxy.
    pub(super) fn begin_tunnel(&mut self, label: String) {
        self.tunnel = Some(label);
    }

    /// Says that from now on `proxy` is waited for.
    pub(super) fn wait_for_proxy(&mut self, proxy: &Proxy) {
        self.at_proxy = Some(proxy.to_string());
    }

    /// Whether what happens now is between the proxy and us.
    pub(super) const fn is_at_proxy(&self) -> bool {
        self.at_proxy.is_some()
    }

    /// Says that the proxy did its part.
    pub(super) fn leave_proxy(&mut self) {
        self.at_proxy = None;
    }

    /// The failure of a `deadline` that passed; it says so if that was at a proxy, or while a token was fetched.
    pub(crate) fn late(&self, deadline: Instant) -> Failure {
        let failure = timed_out(&self.phases, deadline);
        if let Some(proxy) = &self.at_proxy {
            let message = match &self.tunnel {
                Some(way) => format!("{way}: {}", failure.message),
                None => format!("the proxy {proxy} cannot be reached: {}", failure.message),
            };
            return Failure::new(FailureClass::Connect, "connect.proxy", message);
        }
        if !self.fetching_token {
            return failure;
        }
        let message = format!("no token: {}", failure.message);
        Failure::new(failure.class, failure.error_type, message)
    }

    /// Ends the hop of the way through a proxy; the request's own begins, with the same peer.
    pub(super) fn end_tunnel(&mut self) {
        self.leave_proxy();
        let Some(label) = self.tunnel.take() else { return };
        let phases = std::mem::replace(&mut self.phases, Phases::start(self.began));
        if let Some(peer) = phases.peer {
            self.phases.connected(peer);
        }
        self.hops.push(phases.into_hop(label));
    }

    /// Whether a request to `target` goes to where the step went first.
    pub(super) fn at_home(&self, target: &Target) -> bool {
        self.first.as_ref().is_none_or(|first| first.same_origin(target))
    }

    /// Ends the hop in progress, if there is one.
    pub(crate) fn end(&mut self) {
        let Some((method, target)) = &self.asked else { return };
        let phases = std::mem::replace(&mut self.phases, Phases::start(self.began));
        let label = self.tunnel.take().unwrap_or_else(|| format!("{method} {}", target.shown));
        let mut hop = phases.into_hop(label);
        hop.reused = self.reused;
        hop.status = self.answer.as_ref().map(|answer| answer.status.as_str().to_owned().into());
        self.peer = hop.peer;
        hop.exchange = self.sent.take().map(|request| {
            let answer = self.answer.as_ref().map(|answer| record::answer(answer, self.detail));
            Box::new(Exchange { request, answer })
        });
        self.hops.push(hop);
    }
}
