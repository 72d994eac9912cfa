//! Servers in this process whose answers are known: what the prober tests itself against.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use model::time::{Clock as _, SystemClock, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long the slow page waits before it answers.
pub(super) const SLOW: Duration = Duration::from_millis(60);
/// The name that is there; every other one is not.
pub(super) const NAME: &str = "here.self.test";
/// What every page says that is as it should be.
pub(super) const WORDS: &str = "it works";
/// Connections of one listener at once: who is not of this process is sent away.
const CONNECTIONS_MAX: usize = 32;
/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

const DAY: Duration = Duration::from_hours(24);

/// Servers that run until this is dropped.
pub(super) struct Targets {
    pub(super) http: SocketAddr,
    pub(super) dns: SocketAddr,
    /// A certificate by [`Targets::root`].
    pub(super) tls: SocketAddr,
    /// One by it that has ended.
    pub(super) expired: SocketAddr,
    /// One by somebody else.
    pub(super) untrusted: SocketAddr,
    pub(super) root: CertificateDer<'static>,
    _tasks: JoinSet<()>,
}

impl Targets {
    /// Takes ports of loopback and serves.
    pub(super) async fn start() -> Result<Self, String> {
        let made = tokio::task::spawn_blocking(|| certificates(SystemClock.now())).await;
        let made = made.map_err(|error| error.to_string())?;
        let Certificates { root, good, expired, untrusted } = made.map_err(|error| error.to_string())?;
        let mut tasks = JoinSet::new();
        let mut addresses = Vec::new();
        for config in [None, Some(good), Some(expired), Some(untrusted)] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(told)?;
            addresses.push(listener.local_addr().map_err(told)?);
            tasks.spawn(serve(listener, config.map(TlsAcceptor::from)));
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(told)?;
        let dns = socket.local_addr().map_err(told)?;
        tasks.spawn(serve_names(socket));
        let [http, tls, expired, untrusted] = addresses[..] else { unreachable!("one for each listener") };
        Ok(Self { http, dns, tls, expired, untrusted, root, _tasks: tasks })
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) if open.len() < CONNECTIONS_MAX => {
                let tls = tls.clone();
                open.spawn(async move {
                    // A client that hangs up is gone; there is nothing to clean up.
                    let _end = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer(stream).await,
                            Err(error) => Err(error),
                        },
                        None => answer(stream).await,
                    };
                });
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Answers one request.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut request = Vec::with_capacity(1_024);
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if request.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let path = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let (status, promised, body) = match path {
        b"/good" | b"/slow" => ("200 OK", WORDS.len(), WORDS),
        b"/wrong" => ("200 OK", 4, "else"),
        b"/cut" => ("200 OK", 1_000, WORDS),
        b"/silent" => {
            // Until the client gives up.
            while stream.read_buf(&mut request).await? > 0 && request.len() < REQUEST_BYTES_MAX {}
            return Ok(());
        }
        _ => ("500 Internal Server Error", 0, ""),
    };
    if path == b"/slow" {
        tokio::time::sleep(SLOW).await;
    }
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {promised}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    stream.shutdown().await
}

async fn serve_names(socket: UdpSocket) {
    let mut packet = [0; 1_500];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
        if let Some(reply) = named(&packet[..length]) {
            // Who does not hear it asks again.
            drop(socket.send_to(&reply, from).await);
        }
    }
}

/// The answer to a question; `None` if it is none.
fn named(packet: &[u8]) -> Option<Vec<u8>> {
    let query = Message::from_vec(packet).ok()?;
    let [question] = &query.queries[..] else { return None };
    if query.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_query(question.clone());
    let is_here = question.name().to_ascii().trim_end_matches('.').eq_ignore_ascii_case(NAME);
    if !is_here {
        reply.metadata.response_code = ResponseCode::NXDomain;
    } else if question.query_type() == RecordType::A {
        let data = RData::A(A(Ipv4Addr::LOCALHOST));
        reply.add_answer(Record::from_rdata(question.name().clone(), 60, data));
    }
    reply.to_vec().ok()
}

struct Certificates {
    root: CertificateDer<'static>,
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    untrusted: Arc<ServerConfig>,
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error("{0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

fn certificates(now: Timestamp) -> Result<Certificates, MakeError> {
    let (ours, other) = (authority("Self Test Root", now)?, authority("Self Test Stranger", now)?);
    let lives = (now.minus(DAY), now.plus(DAY * 30));
    Ok(Certificates {
        root: ours.der().clone(),
        good: config(&ours, lives)?,
        expired: config(&ours, (now.minus(DAY * 30), now.minus(DAY)))?,
        untrusted: config(&other, lives)?,
    })
}

fn authority(name: &str, now: Timestamp) -> Result<CertifiedIssuer<'static, KeyPair>, MakeError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    lives(&mut params, (now.minus(DAY * 60), now.plus(DAY * 60)));
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn config(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    (from, to): (Timestamp, Timestamp),
) -> Result<Arc<ServerConfig>, MakeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([NAME.to_owned(), Ipv4Addr::LOCALHOST.to_string()])?;
    params.distinguished_name.push(DnType::CommonName, NAME);
    lives(&mut params, (from, to));
    let leaf = params.signed_by(&key, issuer)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    Ok(Arc::new(config))
}

fn lives(params: &mut CertificateParams, (from, to): (Timestamp, Timestamp)) {
    let day = |at: Timestamp| {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.since(Timestamp::default()).as_secs())
    };
    params.not_before = day(from);
    params.not_after = day(to);
}
