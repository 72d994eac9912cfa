//! From a connection to a WebSocket (RFC 6455, section 4), with each phase an await of ours.

use std::future::poll_fn;
use std::pin::pin;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, UPGRADE, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::outcome::{Failure, FailureClass, cut};
use model::step::Phase;
use scenario::template::Scope;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::run::WebSocket;
use crate::http::exchange::{HEAD_READ_MAX, advance};
use crate::http::fault as http_fault;
use crate::http::given;
use crate::http::request::{TRACEPARENT, traceparent, user_agent};
use crate::http::target::Target;
use crate::http::wire::{Marks, Wire};
use crate::net::phases::Phases;

/// The longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
const EXTENSIONS: HeaderName = HeaderName::from_static("sec-websocket-extensions");

/// What a server answered to the request that opens a WebSocket.
#[derive(Debug)]
pub(super) struct Opened {
    /// The head of the answer.
    pub(super) headers: HeaderMap,
    /// What the server chose of the subprotocols that were offered.
    pub(super) subprotocol: Option<String>,
}

/// A request that opens a WebSocket, and the key that the answer must prove to have seen.
pub(super) struct Opening {
    request: Request<Empty<Bytes>>,
    key: String,
}

impl Opening {
    /// The request of this run.
    ///
    /// # Errors
    /// A hole cannot be filled, or what filled it cannot stand there.
    pub(super) fn new(step: &WebSocket, target: &Target, scope: &Scope<'_>) -> Result<Self, Failure> {
        let key = generate_key();
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = target.path.clone().into();
        let headers = request.headers_mut();
        headers.insert(HOST, target.authority());
        headers.insert(USER_AGENT, user_agent(scope.run));
        headers.insert(TRACEPARENT, traceparent(scope.run));
        // What the author gives takes the place of a default of the same name.
        headers.extend(given::filled(&step.headers, scope)?);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(VERSION, HeaderValue::from_static("13"));
        headers.insert(KEY, HeaderValue::from_str(&key).expect("Base64 may stand in a header"));
        if !step.subprotocols.is_empty() {
            let offer = HeaderValue::try_from(step.subprotocols.join(", "));
            headers.insert(PROTOCOL, offer.expect("tokens may stand in a header"));
        }
        Ok(Self { request, key })
    }

    /// Sends the request on `wire` and waits for the answer's head; the wire comes back with what was read beyond it.
    ///
    /// Takes the phases `send`, `wait` and `receive`.
    ///
    /// # Errors
    /// The connection broke, or the server does not open a WebSocket.
    pub(super) async fn open(
        self,
        wire: Wire,
        (marks, offered): (&Marks, &[String]),
        phases: &mut Phases,
    ) -> Result<(Wire, Bytes, Opened), Failure> {
        let mut builder = http1::Builder::new();
        builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(2 * HEAD_BYTES_MAX);
        let broke = |error: hyper::Error| http_fault::of_head(&error, marks.first_read().is_some(), marks);
        let (mut sender, mut connection) = builder.handshake(TokioIo::new(wire)).await.map_err(broke)?;
        marks.reset();
        marks.limit(HEAD_READ_MAX);
        phases.enter(Phase::Send);
        let mut ended = false;
        let mut answer = pin!(sender.send_request(self.request));
        let answered = poll_fn(|context| {
            // An error also reaches whoever waits for the answer, with more to say.
            ended = ended || connection.poll_without_shutdown(context).is_ready();
            advance(phases, marks, false);
            answer.as_mut().poll(context)
        })
        .await;
        let answer = answered.map_err(broke)?;
        let opened = check(answer.status(), answer.headers(), &self.key, offered)?;
        if !ended {
            poll_fn(|context| connection.poll_without_shutdown(context)).await.map_err(broke)?;
        }
        phases.finish();
        let parts = connection.into_parts();
        Ok((parts.io.into_inner(), parts.read_buf, opened))
    }
}

/// Whether the answer opens the WebSocket that was asked for.
fn check(status: StatusCode, headers: &HeaderMap, key: &str, offered: &[String]) -> Result<Opened, Failure> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let message = format!("the server opens no WebSocket: it answered with {status}");
        return Err(Failure::new(FailureClass::Protocol, status.as_str().to_owned(), message));
    }
    let says = |name: &HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !says(&UPGRADE, "websocket") || !says(&CONNECTION, "upgrade") {
        return Err(wrong("the server switches to another protocol than WebSocket"));
    }
    let proof = headers.get(&ACCEPT).map(HeaderValue::as_bytes);
    if proof != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(wrong("the server's Sec-WebSocket-Accept does not belong to this handshake"));
    }
    if headers.contains_key(&EXTENSIONS) {
        return Err(wrong("the server uses an extension that was not offered"));
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let subprotocol = headers.get(&PROTOCOL).map(text);
    match &subprotocol {
        Some(chosen) if !offered.contains(chosen) => {
            let chosen = cut(chosen.clone(), 60);
            Err(wrong(&format!("the server chose the subprotocol {chosen:?}, which was not offered")))
        }
        _ => Ok(Opened { headers: headers.clone(), subprotocol }),
    }
}

fn wrong(why: &str) -> Failure {
    Failure::new(FailureClass::Protocol, "websocket.handshake", why)
}
