//! The targets: HTTP, HTTPS and DNS servers that do as little as they can, each a process of its own.
//!
//! They listen on several addresses of 127.7.0.0/24, because one address and port has only 28,000 others to
//! talk to. HTTP targets log when each path was asked for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use testkit::pki::{Flaw, Identity, Pki};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::delay::Delays;
use super::log::{ANSWER, Log};
use super::process::{Role, play};

/// Over how many addresses a target spreads.
const SPREAD: u8 = 32;
/// The address in every DNS answer.
pub(crate) const DNS_ANSWER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// The name that is asked for.
pub(crate) const DNS_NAME: &str = "www.bench.test";

/// A target's process.
pub(crate) struct Target {
    pub(crate) role: Role,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What a path's number was asked for, in ns since the epoch.
pub(crate) type Arrival = (u32, i64);

impl Target {
    /// Starts the target `kind` (`http`, `https`, `dns`, `hang` or `delay`); `https` with the chain of `identity`.
    pub(crate) fn start(kind: &str, identity: Option<&Identity>) -> Self {
        let paths = identity.map(|identity| (text(&identity.cert_file), text(&identity.key_file)));
        let mut arguments = vec!["target", kind];
        if let Some((chain, key)) = paths {
            arguments.extend([chain, key]);
        }
        let role = Role::start(&arguments);
        let addresses = addresses(&role.greeting);
        Self { role, addresses }
    }

    /// The arrivals since the last call, through the file `path`.
    pub(crate) fn arrivals(&mut self, path: &Path) -> Vec<Arrival> {
        assert_eq!(self.role.ask(&format!("arrivals {}", text(path))), "written");
        let bytes = std::fs::read(path).expect("the target has written it");
        let arrival = |entry: &[u8]| {
            let number = u32::from_le_bytes(entry[..4].try_into().expect("four bytes"));
            (number, i64::from_le_bytes(entry[4..].try_into().expect("eight bytes")))
        };
        bytes.chunks_exact(12).map(arrival).collect()
    }
}

/// A PKI and a chain for every address that a target has.
pub(crate) fn identity() -> (Pki, Identity) {
    let pki = Pki::new();
    let names: Vec<String> = (1..=SPREAD).map(|last| format!("127.7.0.{last}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let identity = pki.identity(&names, Flaw::None);
    (pki, identity)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// Addresses as a role is told them.
pub(crate) fn addresses(list: &str) -> Vec<SocketAddr> {
    list.split(',').map(|one| one.parse().expect("a list of addresses")).collect()
}

/// Addresses as a role is told them.
pub(crate) fn listed(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}

/// Plays the role of a target.
pub(crate) fn serve(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let (log, mut delays) = (Log::default(), Delays::default());
    let mut tasks = JoinSet::new();
    let guard = runtime.enter();
    let addresses: Vec<_> = match arguments[0].as_str() {
        "dns" => spread(|address| {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            let socket = UdpSocket::from_std(socket)?;
            let bound = socket.local_addr();
            tasks.spawn(answer_dns(socket));
            bound
        }),
        "hang" => spread(|address| {
            let listener = listen(address)?;
            let bound = listener.local_addr();
            tasks.spawn(keep(listener));
            bound
        }),
        "delay" => spread(|address| {
            let listener = std::net::TcpListener::bind(address)?;
            let bound = listener.local_addr();
            delays.serve(listener, log.clone());
            bound
        }),
        kind => {
            let tls = (kind == "https").then(|| acceptor(&arguments[1], &arguments[2]));
            spread(|address| {
                let listener = listen(address)?;
                let bound = listener.local_addr();
                tasks.spawn(accept(listener, tls.clone(), log.clone()));
                bound
            })
        }
    };
    drop(guard);
    play(&listed(&addresses), |line| match line.split_once(' ') {
        Some(("arrivals", path)) => {
            std::fs::write(path, log.take()).expect("the bench's folder takes a file");
            "written".to_owned()
        }
        None if line == "lateness" => delays.lateness_p99_ms().to_string(),
        _ => "what?".to_owned(),
    });
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(address)?;
    socket.listen(4_096)
}

/// Accepts, and never says a word; a connection ends when its peer ends it.
async fn keep(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move { drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await) });
    }
}

fn spread(mut bind: impl FnMut(SocketAddr) -> io::Result<SocketAddr>) -> Vec<SocketAddr> {
    let bound = (1..=SPREAD).map(|last| bind(SocketAddr::from(([127, 7, 0, last], 0))));
    bound.collect::<io::Result<_>>().expect("loopback has free ports")
}

fn acceptor(chain: &str, key: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(chain).expect("the chain is there");
    let chain = chain.collect::<Result<_, _>>().expect("the chain is PEM");
    let key = PrivateKeyDer::from_pem_file(key).expect("the key is PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3");
    let config = config.with_no_client_auth().with_single_cert(chain, key).expect("the key fits");
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, log: Log) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        // Who closes without a word is no fault of a target's.
        drop(stream.set_nodelay(true));
        let (tls, log) = (tls.clone(), log.clone());
        connections.spawn(async move {
            match tls {
                None => drop(answer_http(stream, &log).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        drop(answer_http(stream, &log).await);
                    }
                }
            }
        });
    }
}

async fn answer_http(mut stream: impl AsyncRead + AsyncWrite + Unpin, log: &Log) -> io::Result<()> {
    let mut buffer = [0; 2048];
    let mut filled = 0;
    loop {
        let more = stream.read(&mut buffer[filled..]).await?;
        if more == 0 {
            return Ok(());
        }
        filled += more;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            log.note_request(&buffer[..filled]);
            stream.write_all(ANSWER).await?;
            filled = 0;
        }
    }
}

/// Answers every question with one address: the question, and a record that points back at it.
async fn answer_dns(socket: UdpSocket) {
    let mut buffer = [0; 512];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(end) = buffer.get(12..length).and_then(|name| name.iter().position(|byte| *byte == 0))
        else {
            continue;
        };
        let question = 12 + end + 5;
        let mut reply = buffer[..question.min(length)].to_vec();
        // Response, authoritative, recursion as asked; one question, one answer, nothing else.
        reply[2] = 0x84 | (reply[2] & 1);
        reply[3] = 0;
        reply[4..12].copy_from_slice(&[0, 1, 0, 1, 0, 0, 0, 0]);
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend_from_slice(&DNS_ANSWER.octets());
        drop(socket.send_to(&reply, from).await);
    }
}
