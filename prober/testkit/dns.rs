//! A scriptable DNS server on one loopback port, UDP and TCP, that counts its packets.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

use crate::runtime::{Spawner, Tasks, adopt, handle, lock};

mod liar;
mod reply;

pub use liar::{Liar, Over};
pub use reply::Reply;

/// One query as it arrived.
#[derive(Clone, Debug)]
pub struct Query {
    /// The name, with its final dot, in the letters that were sent.
    pub name: String,
    /// The record type: `A`, `SOA`.
    pub kind: String,
    /// Whether it came over TCP.
    pub tcp: bool,
    /// When it arrived.
    pub at: Instant,
    /// The address and port it came from.
    pub from: SocketAddr,
    /// Whether recursion was desired.
    pub recursion: bool,
    /// The size of answer that the asker takes over UDP, in bytes.
    pub payload_max: u16,
    /// The question as it came.
    pub message: Message,
}

/// A running server; dropping it closes its port.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: Tasks,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<(Name, RecordType), Reply>>,
    otherwise: Mutex<Option<Reply>>,
    log: Mutex<Vec<Query>>,
    udp: AtomicU64,
    tcp: AtomicU64,
}

impl Server {
    /// Starts a server that answers NXDOMAIN to everything.
    pub fn start() -> Self {
        Self::serve(bind(), None)
    }

    /// The same at this address and port, which must be free.
    pub fn start_at(ip: IpAddr, port: u16) -> Self {
        let listener = StdListener::bind((ip, port)).expect("the script's port is free");
        Self::serve(bind_beside(listener).expect("the script's port is free for UDP"), None)
    }

    /// The same whose streams begin with a TLS handshake, as RFC 7858 has it.
    pub fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::serve(bind(), Some(TlsAcceptor::from(config)))
    }

    fn serve((tcp, udp, addr): (TcpListener, UdpSocket, SocketAddr), tls: Option<TlsAcceptor>) -> Self {
        let (shared, tasks) = (Arc::new(Shared::default()), Tasks::new());
        let spawner = tasks.spawner();
        spawner.spawn(serve_udp(Arc::new(udp), Arc::clone(&shared), spawner.clone()));
        spawner.clone().spawn(serve_tcp(tcp, tls, Arc::clone(&shared), spawner));
        Self { addr, shared, _tasks: tasks }
    }

    /// Answers questions for `name` and type `kind` (`A`, `TXT`) with `reply`, from now on.
    pub fn on(&self, name: &str, kind: &str, reply: Reply) {
        let kind = kind.parse().expect("the script's record type is known");
        lock(&self.shared.replies).insert((reply::name(name), kind), reply);
    }

    /// Answers all other questions with `reply` instead of NXDOMAIN.
    pub fn otherwise(&self, reply: Reply) {
        *lock(&self.shared.otherwise) = Some(reply);
    }

    /// Where it listens, UDP and TCP.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many UDP packets arrived, readable or not.
    pub fn udp_packets(&self) -> u64 {
        self.shared.udp.load(Ordering::SeqCst)
    }

    /// How many queries arrived over TCP, readable or not.
    pub fn tcp_queries(&self) -> u64 {
        self.shared.tcp.load(Ordering::SeqCst)
    }

    /// Every readable query so far, at most [`crate::http::LOG_MAX`].
    pub fn queries(&self) -> Vec<Query> {
        lock(&self.shared.log).clone()
    }
}

impl Shared {
    /// The packets to send for `packet`, and what to wait before that; `None` for silence.
    async fn answer(&self, packet: &[u8], from: SocketAddr, tcp: bool) -> Option<Vec<u8>> {
        let message = Message::from_vec(packet).ok()?;
        let question = message.queries.first()?;
        let (name, kind) = (question.name().clone(), question.query_type());
        self.log(Query {
            name: name.to_string(),
            kind: kind.to_string(),
            tcp,
            at: Instant::now(),
            from,
            recursion: message.metadata.recursion_desired,
            payload_max: message.max_payload(),
            message: message.clone(),
        });
        // Names are equal whatever the case of their letters.
        let reply = lock(&self.replies).get(&(name.to_lowercase(), kind)).cloned();
        let reply = reply.or_else(|| lock(&self.otherwise).clone());
        let reply = reply.unwrap_or_else(|| Reply::rcode(ResponseCode::NXDomain.low().into()));
        tokio::time::sleep(reply.delay()).await;
        reply.packet(&message, tcp)
    }

    fn log(&self, query: Query) {
        let mut log = lock(&self.log);
        if log.len() < crate::http::LOG_MAX {
            log.push(query);
        }
    }
}

/// One port for both protocols; the second may be taken, then another pair is tried.
fn bind() -> (TcpListener, UdpSocket, SocketAddr) {
    for _ in 0..100 {
        let listener = StdListener::bind("127.0.0.1:0").expect("loopback has a free port");
        if let Some(bound) = bind_beside(listener) {
            return bound;
        }
    }
    panic!("no loopback port is free for both TCP and UDP");
}

/// The same port for UDP, if it is free.
fn bind_beside(listener: StdListener) -> Option<(TcpListener, UdpSocket, SocketAddr)> {
    let addr = listener.local_addr().expect("a bound listener has an address");
    let udp = StdUdp::bind(addr).ok()?;
    udp.set_nonblocking(true).expect("a socket can be made non-blocking");
    let (tcp, addr) = adopt(listener);
    let _inside = handle().enter();
    Some((tcp, UdpSocket::from_std(udp).expect("the peers' runtime is running"), addr))
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>, spawner: Spawner) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        shared.udp.fetch_add(1, Ordering::SeqCst);
        let packet = buffer[..length].to_vec();
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
        spawner.spawn(async move {
            if let Some(answer) = shared.answer(&packet, from, false).await {
                // An asker that has gone is no fault of the server.
                let _sent = socket.send_to(&answer, from).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>, spawner: Spawner) {
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        spawner.spawn(async move {
            // The asker ends the connection; how it does so is its own affair.
            let _end = match tls {
                None => converse(stream, from, &shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => converse(stream, from, &shared).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

async fn converse<S>(mut stream: S, from: SocketAddr, shared: &Shared) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let length = stream.read_u16().await?;
        let mut packet = vec![0; usize::from(length)];
        stream.read_exact(&mut packet).await?;
        shared.tcp.fetch_add(1, Ordering::SeqCst);
        if let Some(answer) = shared.answer(&packet, from, true).await {
            let length = u16::try_from(answer.len()).expect("a script's answer fits a DNS message");
            let mut framed = length.to_be_bytes().to_vec();
            framed.extend_from_slice(&answer);
            stream.write_all(&framed).await?;
            stream.flush().await?;
        }
    }
}

#[cfg(test)]
mod tests;
