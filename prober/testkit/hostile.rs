//! Targets that break the rules of TCP, TLS and HTTP, as raw sockets.
//!
//! | stage | faults |
//! | --- | --- |
//! | connecting | [`Unconnectable`] |
//! | connecting late | [`SlowToConnect`] |
//! | connected | [`Fault::HalfOpen`], [`Fault::CloseOnAccept`], [`Fault::ResetOnAccept`], [`Fault::Trickle`], [`Fault::Flood`], [`Fault::Answer`] |
//! | TLS | [`Fault::TlsStall`], [`Fault::TlsGarbage`], [`Fault::ResetAfterTls`], [`Fault::SilentAfterTls`] |
//! | HTTP/2 | [`Fault::Http2`], made with [`http2`] |
//! | WebSocket | [`Fault::WebSocket`], and any of the others behind it |
//! | HTTP | all others |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::runtime::{Spawner, Tasks, adopt, listen};

pub mod datagrams;
pub mod http2;
mod websocket;

/// What a hostile target does with each connection.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Accepts, reads nothing, answers nothing, never closes.
    HalfOpen,
    /// Accepts and closes in good order.
    CloseOnAccept,
    /// Accepts and resets.
    ResetOnAccept,
    /// Reads the request and resets.
    ResetAfterRequest,
    /// Reads the request and closes in good order without a byte.
    CloseAfterRequest,
    /// Reads the client's TLS hello and answers the first half of a record header, then nothing.
    TlsStall,
    /// Answers the client's TLS hello with something that is not TLS.
    TlsGarbage,
    /// Completes the TLS handshake, then resets.
    ResetAfterTls(Arc<ServerConfig>),
    /// Completes the TLS handshake, then never answers.
    SilentAfterTls(Arc<ServerConfig>),
    /// Sends a correct answer of 1,000 body bytes one byte at a time, with this pause before each.
    Drip(Duration),
    /// Sends header lines for ever.
    EndlessHeaders,
    /// Sends one header line that never ends.
    EndlessHeaderLine,
    /// Sends 100-Continue for ever.
    EndlessContinue,
    /// Sends a chunked body for ever.
    EndlessBody,
    /// Announces 1,000 bytes of body, sends 10 and closes.
    ShortBody,
    /// Announces 10 bytes of body, sends 1,000 and closes.
    LongBody,
    /// Sends half a chunk of a chunked body and closes.
    MidBodyClose,
    /// Sends half a chunk of a chunked body and resets.
    MidBodyReset,
    /// Announces two different body lengths.
    TwoLengths,
    /// Sends bytes that are not HTTP.
    Garbage,
    /// Sends exactly these bytes after the request, then closes.
    Raw(Vec<u8>),
    /// Sends these bytes one at a time as soon as it is connected, with this pause before each, then nothing.
    Trickle(Vec<u8>, Duration),
    /// Sends these bytes again and again for ever as soon as it is connected, whatever the client says.
    Flood(Vec<u8>),
    /// Answers whatever comes first with exactly these bytes, then says nothing more and never closes.
    Answer(Vec<u8>),
    /// Reads an HTTP/2 client's first frames and sends these; then the second ones for ever, or nothing if there
    /// are none.
    Http2(Vec<u8>, Vec<u8>),
    /// Opens a WebSocket as it should, and is hostile like this from then on.
    WebSocket(Box<Fault>),
}

/// A running hostile target; dropping it closes its port and its connections.
pub struct Hostile {
    addr: SocketAddr,
    count: Arc<Count>,
    _tasks: Tasks,
}

/// What a target has seen so far.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) accepted: AtomicUsize,
    open: AtomicUsize,
    /// Bytes that went out on connections whose fault has no end.
    pub(crate) poured: AtomicU64,
}

impl Hostile {
    /// Starts a target with `fault` on a free loopback port.
    pub fn start(fault: Fault) -> Self {
        let (listener, addr) = listen();
        let (count, tasks) = (Arc::new(Count::default()), Tasks::new());
        let spawner = tasks.spawner();
        spawner.clone().spawn(accept(listener, fault, Arc::clone(&count), spawner));
        Self { addr, count, _tasks: tasks }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.count.accepted.load(Ordering::SeqCst)
    }

    /// How many connections the target still holds; a client that hung up shows only where it is read from.
    pub fn open_connections(&self) -> usize {
        self.count.open.load(Ordering::SeqCst)
    }

    /// How many bytes of a fault without end the client and the systems between have taken.
    pub fn poured(&self) -> u64 {
        self.count.poured.load(Ordering::SeqCst)
    }
}

struct Held(Arc<Count>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, fault: Fault, count: Arc<Count>, spawner: Spawner) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        count.accepted.fetch_add(1, Ordering::SeqCst);
        count.open.fetch_add(1, Ordering::SeqCst);
        let held = Held(Arc::clone(&count));
        let fault = fault.clone();
        spawner.spawn(async move {
            // The client may hang up at any point; that is what these targets provoke.
            let _end = misbehave(stream, fault, &held.0).await;
            drop(held);
        });
    }
}

/// Is hostile like `fault` on `stream`, until the client hangs up or the fault is done.
pub(crate) async fn misbehave(mut stream: TcpStream, fault: Fault, count: &Count) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match fault {
        Fault::HalfOpen => std::future::pending().await,
        Fault::CloseOnAccept => Ok(()),
        Fault::ResetOnAccept => reset(&stream),
        Fault::TlsStall => {
            some_bytes(&mut stream).await?;
            stream.write_all(&[0x16, 0x03]).await?;
            hang(&mut stream).await
        }
        Fault::TlsGarbage => {
            some_bytes(&mut stream).await?;
            stream.write_all(b"220 this is not TLS\r\n").await
        }
        Fault::ResetAfterTls(config) => {
            let stream = TlsAcceptor::from(config).accept(stream).await?;
            reset(stream.get_ref().0)
        }
        Fault::SilentAfterTls(config) => {
            let mut stream = TlsAcceptor::from(config).accept(stream).await?;
            hang(&mut stream).await
        }
        Fault::Trickle(bytes, pause) => {
            trickle(&mut stream, &bytes, pause).await?;
            hang(&mut stream).await
        }
        Fault::Flood(bytes) => endless(&mut stream, b"", &bytes, count).await,
        Fault::Answer(bytes) => {
            some_bytes(&mut stream).await?;
            stream.write_all(&bytes).await?;
            hang(&mut stream).await
        }
        Fault::Http2(first, ever) => {
            http2::opening(&mut stream).await?;
            stream.write_all(&first).await?;
            if ever.is_empty() {
                hang(&mut stream).await
            } else {
                endless(&mut stream, b"", &ever, count).await
            }
        }
        Fault::WebSocket(then) => {
            websocket::open(&mut stream).await?;
            Box::pin(misbehave(stream, *then, count)).await
        }
        fault => {
            request(&mut stream).await?;
            answer(&mut stream, fault, count).await
        }
    }
}

async fn answer(stream: &mut TcpStream, fault: Fault, count: &Count) -> std::io::Result<()> {
    match fault {
        Fault::ResetAfterRequest => reset(stream),
        Fault::Drip(pause) => drip(stream, pause).await,
        Fault::EndlessHeaders => {
            endless(stream, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n", count).await
        }
        Fault::EndlessHeaderLine => {
            endless(stream, b"HTTP/1.1 200 OK\r\nX-Long: ", b"aaaaaaaaaaaaaaaa", count).await
        }
        Fault::EndlessContinue => endless(stream, b"", b"HTTP/1.1 100 Continue\r\n\r\n", count).await,
        Fault::EndlessBody => endless(stream, CHUNKED.as_bytes(), b"10\r\n0123456789abcdef\r\n", count).await,
        Fault::ShortBody => send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789").await,
        Fault::LongBody => {
            let body = "x".repeat(1000);
            send(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{body}")).await
        }
        Fault::MidBodyClose => send(stream, &format!("{CHUNKED}20\r\nhalf of thirty-two")).await,
        Fault::MidBodyReset => {
            send(stream, &format!("{CHUNKED}20\r\nhalf of thirty-two")).await?;
            // A reset throws away what is still in the buffers, so the client gets a moment to read it.
            tokio::time::sleep(Duration::from_millis(50)).await;
            reset(stream)
        }
        Fault::TwoLengths => {
            send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nabcdefg").await
        }
        Fault::Garbage => send(stream, "\u{0}\u{1}\u{2} SSH-2.0-not-http\r\n\r\n").await,
        Fault::Raw(bytes) => stream.write_all(&bytes).await,
        _ => Ok(()),
    }
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn send(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await
}

async fn drip(stream: &mut TcpStream, pause: Duration) -> std::io::Result<()> {
    let body = "d".repeat(1000);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{body}");
    trickle(stream, answer.as_bytes(), pause).await
}

/// Sends `bytes` one at a time, with `pause` before each.
async fn trickle(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    for byte in bytes {
        tokio::time::sleep(pause).await;
        stream.write_all(&[*byte]).await?;
    }
    Ok(())
}

/// Sends `start`, then `piece` for ever, in blocks, until the client hangs up.
pub(crate) async fn endless(
    stream: &mut TcpStream,
    start: &[u8],
    piece: &[u8],
    count: &Count,
) -> std::io::Result<()> {
    stream.write_all(start).await?;
    let block = piece.repeat((2048 / piece.len()).max(1));
    loop {
        stream.write_all(&block).await?;
        count.poured.fetch_add(block.len() as u64, Ordering::SeqCst);
    }
}

/// Reads and drops whatever comes until the client hangs up, and answers nothing.
async fn hang(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn some_bytes(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    stream.read(&mut buffer).await.map(drop)
}

/// Reads until the end of the request's head, and gives it.
async fn request(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut buffer).await?;
        if length == 0 || head.len() > 65_536 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&buffer[..length]);
    }
    Ok(head)
}

/// Makes the coming close of `stream` a reset.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// A loopback port where nobody ever gets a connection: its queue is full, so the kernel ignores new clients.
pub struct Unconnectable {
    addr: SocketAddr,
    _listener: Socket,
    _fillers: Vec<Socket>,
}

impl Unconnectable {
    /// Takes a free port and fills its queue.
    pub fn start() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the system gives a socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).expect("loopback has a free port");
        listener.listen(0).expect("a bound socket listens");
        let addr = listener.local_addr().expect("it is bound");
        let fillers = (0..8).filter_map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the system gives a socket");
            filler.connect_timeout(&addr, Duration::from_millis(50)).is_ok().then_some(filler)
        });
        let fillers = fillers.collect();
        let addr = addr.as_socket().expect("an IPv4 address");
        Self { addr, _listener: listener, _fillers: fillers }
    }

    /// Where nobody gets a connection.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A loopback port whose queue is full until it is [`SlowToConnect::release`]d, and that then takes everybody.
///
/// A client that began before is let in when its kernel knocks again: one second after the first time (RFC 6298).
pub struct SlowToConnect {
    addr: SocketAddr,
    listener: Option<Socket>,
    fillers: Vec<Socket>,
    tasks: Tasks,
}

impl SlowToConnect {
    /// Takes a free port and fills its queue.
    pub fn start() -> Self {
        let Unconnectable { addr, _listener: listener, _fillers: fillers } = Unconnectable::start();
        Self { addr, listener: Some(listener), fillers, tasks: Tasks::new() }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes room; from now on every connection is answered with `answer` after its first bytes.
    pub fn release(&mut self, answer: &'static [u8]) {
        let Some(listener) = self.listener.take() else { return };
        let (listener, _) = adopt(listener.into());
        let spawner = self.tasks.spawner();
        self.fillers.clear();
        spawner.clone().spawn(accept(listener, Fault::Raw(answer.to_vec()), Arc::default(), spawner));
    }
}

#[cfg(test)]
mod tests;
