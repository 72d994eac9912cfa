//! Sending one request the way a step wants it: what every kind that speaks HTTP has in common.

use std::sync::Arc;

use http::header::{HeaderValue, PROXY_AUTHORIZATION};
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::body::Incoming;
use model::outcome::Failure;
use model::probe::Detail;
use scenario::template::RunFacts;

use super::body::Body;
use super::connect::Manner;
use super::exchange::exchange;
use super::fault;
use super::length::check_length;
use super::record;
use super::repeat::{Anew, Repeat};
use super::request::{Form, Ready, TRACEPARENT, Version, traceparent};
use super::session::{Connection, Session};
use super::trail::{Answer, Trail};
use crate::net::proxy::Proxy;
use crate::net::shared::Net;

/// How the requests of one step are sent, and how much of an answer is read.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) manner: Manner,
    pub(crate) body_bytes_max: u64,
}

impl Client {
    /// The same for a server that is asked beside the target, such as one that gives tokens.
    pub(super) fn beside(&self, body_bytes_max: u64) -> Self {
        Self { manner: self.manner.abroad(), body_bytes_max }
    }

    /// Sends the request and reads the answer, on a connection that is then free again; none is left of HTTP/3.
    ///
    /// A connection that was open before may have been closed by the server just now. If not a byte of an
    /// answer came and the request may be sent twice, or if the server says that it did nothing with it, it is sent
    /// once more on a fresh one, and the hop says so. So it is if the server wants HTTP/1.1 for it and may be asked so.
    ///
    /// # Errors
    /// There is no connection to be had, it broke, or the answer is not HTTP; what came is left in `trail`.
    pub(crate) async fn ask(
        &self,
        net: &mut Net,
        run: &RunFacts,
        ready: &Ready,
        trail: &mut Trail,
    ) -> Result<Option<Connection>, Failure> {
        let abroad = (!trail.at_home(&ready.target)).then(|| self.manner.abroad());
        let manner = abroad.as_ref().unwrap_or(&self.manner);
        #[cfg(feature = "http3")]
        if manner.version == Version::H3 {
            let headers = headers(net, run, ready);
            if trail.detail > Detail::Facts {
                trail.sent = Some(record::request(ready, &headers, "3", trail.detail));
            }
            let asked = super::quic::ask(manner, net.shared(), (ready, headers), self.body_bytes_max, trail);
            return Box::pin(asked).await.map(|()| None);
        }
        let (mut connection, reused) = manner.connect(net, &ready.target, trail).await?;
        trail.reused = reused;
        let mut headers = headers(net, run, ready);
        keep_sent(trail, ready, &headers, &connection);
        let through = manner.plain_proxy(&ready.target);
        if let Some(value) = through.and_then(|proxy| proxy.authorization()) {
            headers.insert(PROXY_AUTHORIZATION, sensitive(&value));
        }
        let form = match (connection.speaker.is_h2(), through) {
            (true, _) => Form::H2,
            (false, None) => Form::Path,
            (false, Some(_)) => Form::Whole(manner.connect_to.as_ref()),
        };
        let repeat = Repeat::of((&*net, ready), manner, (&connection, reused));
        let again = repeat.map(|repeat| (repeat, headers.clone()));
        let mut answered =
            exchange(&mut connection, ready.to_request(headers, form)?, &mut trail.phases).await;
        if let (Err(error), Some((repeat, headers))) = (&answered, again)
            && let Some(anew) = repeat.after(error, &connection)
        {
            let in_h1;
            let (manner, form) = match anew {
                Anew::Alike => (manner, form),
                Anew::InH1 => {
                    in_h1 = manner.in_h1();
                    (&in_h1, Form::Path)
                }
            };
            trail.phases.tried_in_vain(connection.peer, anew.ended_by());
            trail.reused = false;
            let fresh = manner.fresh(net.shared(), &ready.target, connection.key, trail);
            connection = Box::pin(fresh).await?;
            keep_sent(trail, ready, &headers, &connection);
            answered = exchange(&mut connection, ready.to_request(headers, form)?, &mut trail.phases).await;
        }
        // What comes first over HTTP/2 are settings, and no part of an answer.
        let begun = !connection.speaker.is_h2() && connection.marks.first_read().is_some();
        let answer = answered.map_err(|error| {
            let failure = fault::of_head(&error, begun, &connection.marks);
            trail.tls.iter().fold(failure, |failure, tls| tls.explain(failure))
        })?;
        passed_on(through, answer.status())?;
        self.read(&mut connection, answer, &ready.method, trail).await?;
        Ok(Some(connection))
    }

    /// Takes over an answer's head, and reads its body to the end.
    async fn read(
        &self,
        connection: &mut Connection,
        answer: Response<Incoming>,
        method: &Method,
        trail: &mut Trail,
    ) -> Result<(), Failure> {
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
        if connection.speaker.is_h2() && answer.body.cut_at().is_none() {
            if !answer.body.is_whole() {
                return Err(fault::truncated(true));
            }
            check_length(method, answer)?;
        }
        answer.body.unpack((&answer.headers, answer.version), self.body_bytes_max).await
    }
}

/// Keeps what is sent on `connection`, if the run wants to show it.
fn keep_sent(trail: &mut Trail, ready: &Ready, headers: &HeaderMap, connection: &Connection) {
    if trail.detail > Detail::Facts {
        let version = if connection.speaker.is_h2() { "2" } else { "1.1" };
        trail.sent = Some(record::request(ready, headers, version, trail.detail));
    }
}

/// Whether a proxy has passed a request on: only a proxy may say 407 (RFC 9110, section 15.5.8), and then the target was
/// never asked.
fn passed_on(through: Option<&Arc<Proxy>>, status: StatusCode) -> Result<(), Failure> {
    match through {
        Some(proxy) if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(proxy.refused("it answered 407 and wants to know who asks"))
        }
        _ => Ok(()),
    }
}

/// The headers of this request in this run.
fn headers(net: &mut Net, run: &RunFacts, ready: &Ready) -> HeaderMap {
    let mut headers = ready.headers.clone();
    if ready.traced {
        headers.insert(TRACEPARENT, traceparent(run));
    }
    if let Some(session) = net.carried::<Session>() {
        session.add_cookies(&ready.target.url, &mut headers);
    }
    headers
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("Base64 may stand in a header");
    value.set_sensitive(true);
    value
}

/// Keeps what later requests of the run may use.
pub(crate) async fn carry_on(net: &mut Net, connection: Option<Connection>, ready: &Ready, trail: &Trail) {
    let Some(answer) = &trail.answer else { return };
    let session = net.carry::<Session>();
    session.note_cookies(&ready.target.url, &answer.headers);
    let Some(mut connection) = connection else { return };
    // A body that was not read to its end is still on the connection, and a server may have said that it
    // closes the connection.
    if answer.body.cut_at().is_none() && connection.speaker.is_open().await {
        session.keep(connection);
    }
}
