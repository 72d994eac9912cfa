//! One question and its reply over UDP, TCP or any stream, on a socket of its own.
//!
//! The query is written once. A UDP reply that does not belong to the question is counted and ignored until
//! the deadline, so nobody but the server can end the run. The source port is the kernel's random choice.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_proto::op::Message;
use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, Ready};
use tokio::net::UdpSocket;

use super::question::{Asked, QUESTION_BYTES_MAX, Room};
use crate::net::fault::{self, within};
use crate::net::phases::Phases;

/// The most bytes of a datagram that are looked at, and the most that a file can offer to the server.
pub(super) const DATAGRAM_BYTES_MAX: usize = 4096;

/// Who is asked: an address, and the name that it is known by, if it has one.
#[derive(Copy, Clone, Debug)]
pub(super) struct To<'a> {
    pub(super) address: SocketAddr,
    pub(super) shown: Option<&'a str>,
}

impl From<SocketAddr> for To<'_> {
    fn from(address: SocketAddr) -> Self {
        Self { address, shown: None }
    }
}

impl Display for To<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown {
            Some(shown) => out.write_str(shown),
            None => self.address.fmt(out),
        }
    }
}

impl To<'_> {
    /// The failure of an error at this server: ours, if this machine has no way to it.
    fn failure(self, error: &io::Error) -> Failure {
        fault::on_the_way(error, self.address).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::PermissionDenied => fault::of_attempt(error, self),
            _ => io_failure(self, error),
        })
    }

    /// The failure of a connection to it that cannot be made.
    fn unconnected(self, error: &io::Error) -> Failure {
        fault::on_the_way(error, self.address).unwrap_or_else(|| fault::of_attempt(error, self))
    }
}

/// A decoded reply.
#[derive(Debug)]
pub(super) struct Reply {
    /// The reply.
    pub(super) message: Message,
    /// Its size in bytes.
    pub(super) bytes: usize,
    /// How many datagrams were ignored before it.
    pub(super) ignored: u32,
}

/// Asks over UDP.
///
/// # Errors
/// Nobody answered, or the answer is not a DNS message.
pub(super) async fn over_udp(
    server: To<'_>,
    asked: &Asked<'_>,
    deadline: Instant,
    phases: &mut Phases,
) -> Result<Reply, Failure> {
    phases.enter(Phase::Send);
    let socket = open(server.address).map_err(|error| server.failure(&error))?;
    send(&socket, asked).map_err(|error| server.failure(&error))?;
    phases.enter(Phase::Wait);
    let socket = UdpSocket::from_std(socket).map_err(|error| server.failure(&error))?;
    let mut ignored = 0;
    loop {
        // A refusal by ICMP makes the socket ready for an error only, not for reading.
        let Some(ready) = within(deadline, socket.ready(Interest::READABLE | Interest::ERROR)).await else {
            return Err(timed_out(server, deadline, phases, ignored));
        };
        let received = ready.and_then(|ready| receive(&socket, ready, asked));
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(server.failure(&error)),
            Ok(Some(Err(why))) => return Err(malformed(server, &why)),
            Ok(Some(Ok((message, bytes)))) => return Ok(Reply { message, bytes, ignored }),
            Ok(None) => {
                ignored += 1;
                // A flood of strangers' datagrams must not keep the thread, nor outlive the deadline.
                tokio::task::yield_now().await;
                if Instant::now() >= deadline {
                    return Err(timed_out(server, deadline, phases, ignored));
                }
            }
        }
    }
}

/// A socket that takes datagrams of `server` only, on a random port.
///
/// # Errors
/// This machine has no socket to give, or no way to the server.
pub(super) fn open(server: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(server), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    // Connecting binds to a random port, filters by source, and makes ICMP errors show.
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// A fresh socket always has room, so this is one system call and no turn of the event loop.
fn send(socket: &std::net::UdpSocket, asked: &Asked<'_>) -> io::Result<()> {
    socket.send(asked.write(&mut [0; 2 + QUESTION_BYTES_MAX])).map(drop)
}

thread_local! {
    /// Where a thread receives one datagram after the other; to clear it for each costs more than to decode most.
    ///
    /// One byte more than is taken tells a longer datagram.
    static BUFFER: RefCell<[u8; DATAGRAM_BYTES_MAX + 1]> = const { RefCell::new([0; DATAGRAM_BYTES_MAX + 1]) };
}

/// A decoded message with its size, or why it is none.
type Decoded = Result<(Message, usize), String>;

/// Takes one datagram; `None` if it does not belong to the question.
fn receive(socket: &UdpSocket, ready: Ready, asked: &Asked<'_>) -> io::Result<Option<Decoded>> {
    if ready.is_error() {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // Says that the error has been looked at.
        let _none = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
    BUFFER.with_borrow_mut(|buffer| {
        let length = socket.try_recv(buffer)?;
        let datagram = &buffer[..length];
        if !asked.is_answered_by(datagram) {
            return Ok(None);
        }
        if length > DATAGRAM_BYTES_MAX {
            return Ok(Some(Err(format!("the reply is longer than {DATAGRAM_BYTES_MAX} bytes"))));
        }
        Ok(Some(decode(datagram)))
    })
}

fn decode(reply: &[u8]) -> Decoded {
    Message::from_vec(reply).map(|message| (message, reply.len())).map_err(|error| error.to_string())
}

/// The reply in `bytes`, which came over a connection.
///
/// # Errors
/// It is not a DNS message, or answers another question.
pub(super) fn read(server: impl Display, asked: &Asked<'_>, bytes: &[u8]) -> Result<Reply, Failure> {
    if !asked.is_answered_by(bytes) {
        let why = match bytes.len() {
            0..12 => "the reply is shorter than the head of a message",
            _ => "the reply belongs to another question",
        };
        return Err(malformed(server, why));
    }
    let (message, bytes) = decode(bytes).map_err(|why| malformed(server, &why))?;
    Ok(Reply { message, bytes, ignored: 0 })
}

/// Asks over TCP.
///
/// # Errors
/// There is no connection, nobody answered, or the answer is not a DNS message.
pub(super) async fn over_tcp(
    server: To<'_>,
    asked: &Asked<'_>,
    deadline: Instant,
    phases: &mut Phases,
) -> Result<Reply, Failure> {
    let conversation = async {
        phases.enter(Phase::Connect);
        let mut stream = tokio::net::TcpStream::connect(server.address).await?;
        stream.set_nodelay(true)?;
        converse(&mut stream, asked, phases).await
    };
    let Some(outcome) = within(deadline, conversation).await else {
        return Err(timed_out(server, deadline, phases, 0));
    };
    let bytes = outcome.map_err(|error| match phases.current() {
        Some(Phase::Connect) => server.unconnected(&error),
        _ => io_failure(server, &error),
    })?;
    read(server, asked, &bytes)
}

/// Writes the question and reads one reply of at most 64 KiB.
///
/// # Errors
/// The connection broke, or ended before the reply was whole.
pub(super) async fn converse<S>(stream: &mut S, asked: &Asked<'_>, phases: &mut Phases) -> io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    phases.enter(Phase::Send);
    let mut room: Room = [0; 2 + QUESTION_BYTES_MAX];
    stream.write_all(asked.write_framed(&mut room)).await?;
    stream.flush().await?;
    phases.enter(Phase::Wait);
    let mut length = [0; 2];
    stream.read_exact(&mut length[..1]).await?;
    phases.enter(Phase::Receive);
    stream.read_exact(&mut length[1..]).await?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

/// The failure of a deadline that passed in `phases`' current phase.
pub(super) fn timed_out(server: impl Display, deadline: Instant, phases: &Phases, ignored: u32) -> Failure {
    if phases.current() == Some(Phase::Dns) || phases.settled().is_some() {
        // Who was looked up is the server itself; nothing was asked of it yet.
        return fault::timed_out(phases, deadline);
    }
    let limit = deadline.saturating_duration_since(phases.origin());
    // Fractions below a millisecond come from the clock, not from the file.
    let limit = limit + Duration::from_micros(500);
    let limit = Duration::from_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let what = match phases.current() {
        Some(Phase::Connect) => "did not accept the connection",
        Some(Phase::Tls | Phase::Handshake) => "did not end the TLS handshake",
        Some(Phase::Receive) => "did not send the whole answer",
        _ => "did not answer",
    };
    let strangers = match ignored {
        0 => String::new(),
        1 => "; one reply that did not belong to the question was ignored".to_owned(),
        more => format!("; {more} replies that did not belong to the question were ignored"),
    };
    Failure::new(FailureClass::Dns, "dns.timeout", format!("{server} {what} within {limit:?}{strangers}"))
}

/// The failure of a reply that is no DNS message.
pub(super) fn malformed(server: impl Display, why: &str) -> Failure {
    let message = format!("{server} answered with something that is not a DNS message: {why}");
    Failure::new(FailureClass::Protocol, "dns.malformed", message)
}

/// The failure of a socket or stream.
pub(super) fn io_failure(server: impl Display, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            let message = format!("{server} closed the connection before its answer was whole");
            Failure::new(FailureClass::Protocol, "dns.truncated", message)
        }
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => fault::of_attempt(error, server),
        _ => fault::of_io(error, &format!("asking {server}")),
    }
}
