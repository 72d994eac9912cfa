//! HTTP/3: one request on a QUIC connection of its own.
//!
//! QUIC joins what TCP and TLS do one after the other, so there is one phase for both: `handshake`. Deliberately
//! absent: connections that are kept, 0-RTT, pushes.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use h3::client::RequestStream;
use h3::error::{ConnectionError, StreamError};
use http::{HeaderMap, Method, Request, Response, Version};
use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use quinn::crypto::rustls::QuicClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};

use super::body::Body;
use super::connect::Manner;
use super::facts::TlsFacts;
use super::fault;
use super::length::check_length;
use super::request::{Form, Ready};
use super::speaker::HEAD_BYTES_MAX;
use super::trail::{Answer, Trail};
use crate::net::each;
use crate::net::fault::{weight, within};
use crate::net::phases::Phases;
use crate::net::quic;
use crate::net::shared::Shared;
use crate::net::tls::{Handshake, TlsSetup, server_name, words};

/// How long an address is waited for while there are others.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(50);
/// The code that says that nothing was wrong (RFC 9114, section 8.1).
const NO_ERROR: u32 = 0x100;

/// The most interim answers, such as 103, before the one that counts.
const INTERIM_MAX: usize = 64;

type Stream = RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// Sends the request and reads the answer, which is left in `trail`.
///
/// # Errors
/// There is no connection to be had, it broke, or the answer is not HTTP.
pub(super) async fn ask(
    manner: &Manner,
    shared: &Arc<Shared>,
    (ready, headers): (&Ready, HeaderMap),
    body_bytes_max: u64,
    trail: &mut Trail,
) -> Result<(), Failure> {
    if !ready.target.secure {
        return Err(fault::protocol("HTTP/3 is spoken only to https".to_owned()));
    }
    let setup = shared.tls(&manner.tls).await?;
    let name = server_name(manner.name.as_ref().unwrap_or(&ready.target.address.host))?;
    let to = manner.connect_to.as_ref().unwrap_or(&ready.target.address);
    let found = each::addresses(shared, to, manner.family, &mut trail.phases).await?;
    let (endpoint, connection) = connect(&found.peers, &setup, &name, (shared, trail)).await?;
    let asked = exchange(connection, (ready, headers), body_bytes_max, trail).await;
    trail.phases.finish();
    endpoint.close(NO_ERROR.into(), b"");
    // A server that does not want to hear the goodbye has answered all the same.
    let _heard = within(Instant::now() + GOODBYE, endpoint.wait_idle()).await;
    asked?;
    let answer = trail.answer.as_mut().expect("an exchange that did not fail left its answer");
    answer.body.unpack((&answer.headers, answer.version), body_bytes_max).await
}

/// A connection to the first of `peers` that answers; those in vain are noted.
async fn connect(
    peers: &[SocketAddr],
    setup: &TlsSetup,
    name: &ServerName<'static>,
    (shared, trail): (&Arc<Shared>, &mut Trail),
) -> Result<(quinn::Endpoint, quinn::Connection), Failure> {
    trail.phases.enter(Phase::Handshake);
    let mut last = None;
    for (index, peer) in peers.iter().enumerate() {
        trail.phases.try_peer(*peer);
        let (config, watch) = setup.for_quic();
        let attempt = handshake(*peer, config, name);
        let attempted = if index + 1 == peers.len() {
            attempt.await
        } else {
            let silent = || Err(Broken::Silent(PATIENCE));
            within(Instant::now() + PATIENCE, attempt).await.unwrap_or_else(silent)
        };
        let shown = watch.shown();
        match attempted {
            Ok((endpoint, connection)) => {
                trail.phases.connected(*peer);
                trail.tls = Some(Arc::new(facts(&connection, shown, shared)));
                return Ok((endpoint, connection));
            }
            Err(broken) => {
                let (failure, shown) =
                    explained(broken, shown, (setup, *peer, name, &mut trail.phases)).await;
                trail.tls = Some(Arc::new(TlsFacts::new(&shown, shared)));
                trail.phases.tried_in_vain(*peer, failure.error_type.clone());
                if last.as_ref().is_none_or(|last| weight(&failure) >= weight(last)) {
                    last = Some(failure);
                }
            }
        }
    }
    Err(last.unwrap_or_else(|| fault::protocol("the name has no address".to_owned())))
}

/// The failure of an attempt that broke, with what the server showed; it is asked once more if its key may be why.
async fn explained(
    broken: Broken,
    shown: Handshake,
    (setup, peer, name, phases): (&TlsSetup, SocketAddr, &ServerName<'static>, &mut Phases),
) -> (Failure, Handshake) {
    if let Some(defect) = shown.defect() {
        return (defect, shown);
    }
    let Broken::Quic(error) = broken else { return (broken.failure(peer), shown) };
    let failure = of_quic(&error, peer);
    phases.settle(Some(&failure));
    let again = Box::pin(setup.look_again_over_quic(peer, name, (&error, shown.met))).await;
    // The next address may be another server's.
    phases.settle(None);
    again.unwrap_or((failure, shown))
}

/// Why there is no connection.
enum Broken {
    Silent(Duration),
    Failed(Failure),
    Quic(quinn::ConnectionError),
}

impl Broken {
    fn failure(self, peer: SocketAddr) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Silent(patience) => {
                let message = format!("{peer} did not answer over QUIC within {patience:?}");
                Failure::new(FailureClass::Connect, "connect.timeout", message)
            }
            Self::Quic(error) => of_quic(&error, peer),
        }
    }
}

async fn handshake(
    peer: SocketAddr,
    config: rustls::ClientConfig,
    name: &ServerName<'static>,
) -> Result<(quinn::Endpoint, quinn::Connection), Broken> {
    let config = QuicClientConfig::try_from(config).map_err(|error| {
        Broken::Failed(crate::net::fault::config(format!("QUIC cannot be set up: {error}")))
    })?;
    let (config, mut endpoint) = (quinn::ClientConfig::new(Arc::new(config)), None);
    let connected = quic::connect(peer, config, &name.to_str(), &mut endpoint).await;
    let connection = connected.map_err(|broken| match broken {
        quic::Broken::Failed(failure) => Broken::Failed(failure),
        quic::Broken::Quic(error) => Broken::Quic(error),
    })?;
    Ok((endpoint.expect("a connection hangs on its endpoint"), connection))
}

fn of_quic(error: &quinn::ConnectionError, peer: SocketAddr) -> Failure {
    // Codes of TLS alerts (RFC 9001, section 4.8).
    let is_alert = |code: u64| (0x100..0x200).contains(&code);
    match error {
        quinn::ConnectionError::TransportError(error) if is_alert(error.code.into()) => {
            let message = format!("the TLS handshake failed: {}", words::plainly(&error.reason));
            Failure::new(FailureClass::Tls, "tls.handshake", message)
        }
        quinn::ConnectionError::ConnectionClosed(close) if is_alert(close.error_code.into()) => {
            let alert = words::of_alert_number(close.error_code.into());
            let message = format!("the server ended the TLS handshake with the alert {alert}");
            Failure::new(FailureClass::Tls, "tls.handshake", message)
        }
        quinn::ConnectionError::TimedOut => Failure::new(
            FailureClass::Connect,
            "connect.timeout",
            format!("{peer} stopped answering over QUIC"),
        ),
        quinn::ConnectionError::Reset => {
            Failure::new(FailureClass::Connect, "connect.reset", format!("{peer} reset the QUIC connection"))
        }
        other => fault::protocol(format!("the QUIC connection broke: {other}")),
    }
}

/// What the handshake showed.
fn facts(connection: &quinn::Connection, mut shown: Handshake, shared: &Shared) -> TlsFacts {
    let chain = connection.peer_identity().and_then(|identity| identity.downcast().ok());
    shown.chain = chain.map(|chain: Box<Vec<CertificateDer<'static>>>| *chain).unwrap_or_default();
    // QUIC knows no other (RFC 9001, section 4.2).
    shown.protocol = Some(rustls::ProtocolVersion::TLSv1_3);
    TlsFacts::new(&shown, shared)
}

/// The request and its answer, driven together with the connection.
async fn exchange(
    connection: quinn::Connection,
    (ready, headers): (&Ready, HeaderMap),
    body_bytes_max: u64,
    trail: &mut Trail,
) -> Result<(), Failure> {
    trail.phases.enter(Phase::Send);
    let mut builder = h3::client::builder();
    builder.max_field_section_size(HEAD_BYTES_MAX as u64);
    let opened = builder.build(h3_quinn::Connection::new(connection)).await;
    let (mut driver, mut sender) = opened.map_err(|error| of_connection(&error))?;
    let (head, body) = ready.to_request(headers, Form::H2)?.into_parts();
    drop(body);
    let mut request = Request::from_parts(head, ());
    *request.version_mut() = Version::HTTP_3;
    let asked = async {
        let mut stream = sender.send_request(request).await.map_err(|error| of_stream(&error))?;
        if !ready.body.is_empty() {
            stream.send_data(ready.body.clone()).await.map_err(|error| of_stream(&error))?;
        }
        stream.finish().await.map_err(|error| of_stream(&error))?;
        trail.phases.enter(Phase::Wait);
        receive(&mut stream, (&ready.method, body_bytes_max), trail).await
    };
    tokio::select! {
        biased;
        asked = asked => asked,
        broken = poll_fn(|context| driver.poll_close(context)) => Err(of_connection(&broken)),
    }
}

async fn receive(
    stream: &mut Stream,
    (method, body_bytes_max): (&Method, u64),
    trail: &mut Trail,
) -> Result<(), Failure> {
    let (head, ()) = final_head(stream).await?.into_parts();
    trail.phases.enter(Phase::Receive);
    let answer = trail.answer.insert(Answer {
        status: head.status,
        version: Version::HTTP_3,
        headers: head.headers,
        body: Body::default(),
    });
    while let Some(mut piece) = stream.recv_data().await.map_err(|error| of_stream(&error))? {
        let piece = piece.copy_to_bytes(piece.remaining());
        if !answer.body.take(piece, body_bytes_max) {
            return Ok(());
        }
    }
    check_length(method, answer)?;
    answer.body.end();
    Ok(())
}

/// The head of the answer, after those that only announce it (RFC 9110, section 15.2).
async fn final_head(stream: &mut Stream) -> Result<Response<()>, Failure> {
    for _ in 0..=INTERIM_MAX {
        let head = stream.recv_response().await.map_err(|error| of_stream(&error))?;
        if !head.status().is_informational() {
            return Ok(head);
        }
    }
    Err(fault::protocol("the server sends interim answers without end".to_owned()))
}

fn of_connection(error: &ConnectionError) -> Failure {
    fault::protocol(format!("the HTTP/3 connection broke: {}", in_words(&error.to_string())))
}

fn of_stream(error: &StreamError) -> Failure {
    fault::protocol(format!("the HTTP/3 exchange broke: {}", in_words(&error.to_string())))
}

/// What h3 says, in plain words; the variants that have it are not ours to look into, and some show theirs as they are.
fn in_words(text: &str) -> String {
    const WRAPPINGS: [&str; 4] =
        ["Connection error: ", "Remote error: ", "Local error: ", "Error undefined by h3: "];
    let text = WRAPPINGS.iter().fold(text, |text, wrapping| text.strip_prefix(wrapping).unwrap_or(text));
    if let Some(code) = text.strip_prefix("ApplicationClose: ") {
        return format!("the server closed it with {code}");
    }
    if let Some(code) = text.strip_prefix("Remote reset: ") {
        return format!("the server ended the stream with {code}");
    }
    let rules = text.strip_prefix("Application { code: ").or_else(|| text.strip_prefix("Stream error: "));
    if let Some(rest) = rules {
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        let why = rest[end..].trim_start_matches(", reason: ").trim_start_matches(" - ");
        let why = why.trim_end_matches(" }").trim_matches('"');
        return format!("the server broke the rules of HTTP/3 ({}: {})", &rest[..end], words::plainly(why));
    }
    if text == "Timeout" { "the server stopped answering".to_owned() } else { words::plainly(text) }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn no_variant_is_shown() {
        for (text, expected) in [
            (
                "Local error: Application { code: H3_FRAME_UNEXPECTED, reason: \"a frame\" }",
                "the server broke the rules of HTTP/3 (H3_FRAME_UNEXPECTED: a frame)",
            ),
            (
                "Connection error: Remote error: ApplicationClose: H3_NO_ERROR",
                "the server closed it with H3_NO_ERROR",
            ),
            ("Connection error: Remote error: Timeout", "the server stopped answering"),
            (
                "Stream error: H3_MESSAGE_ERROR - bad",
                "the server broke the rules of HTTP/3 (H3_MESSAGE_ERROR: bad)",
            ),
            ("Remote reset: H3_REQUEST_CANCELLED", "the server ended the stream with H3_REQUEST_CANCELLED"),
            ("Remote error: Error undefined by h3: reset by peer", "reset by peer"),
            ("Local error: Closing", "Closing"),
        ] {
            assert_eq!(in_words(text), expected);
        }
    }
}
