//! The TCP connection: several addresses are raced, 250 ms apart (Happy Eyeballs, RFC 8305).

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use model::outcome::Failure;
use model::probe::BoxFuture;
use model::step::Phase;
use tokio::net::{TcpSocket, TcpStream};

use crate::net::address::{Host, HostPort};
use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::Shared;

/// The distance between two attempts (RFC 8305, section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// From where connections are made.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Start {
    /// Which of the target's addresses are tried.
    pub(crate) family: Family,
    /// The address of this machine; the system chooses if `None`.
    pub(crate) source: Option<IpAddr>,
}

impl From<Family> for Start {
    fn from(family: Family) -> Self {
        Self { family, source: None }
    }
}

/// Finds `target`'s addresses and connects to one of them that may be reached.
///
/// Takes the phases `dns` (none for an IP address) and `connect`, which is left open: the next phase begins
/// where it ends. The peer is then in `phases`, and so are the addresses tried in vain. The caller holds the
/// deadline ([`fault::within`]); dropping the future closes every attempt.
///
/// # Errors
/// Classes `dns`, `connect`, and `local` for what this machine lacks or may not reach.
pub(crate) async fn dial(
    shared: &Shared,
    target: &HostPort,
    start: impl Into<Start>,
    phases: &mut Phases,
) -> Result<TcpStream, Failure> {
    let stream = reach(shared, target, start.into(), phases).await?;
    // What was asked for was judged; this is what we have.
    let peer = stream.peer_addr().map_err(|error| fault::of_io(&error, "connecting"))?;
    shared.may_reach(&target.host, peer)?;
    Ok(stream)
}

async fn reach(
    shared: &Shared,
    target: &HostPort,
    Start { family, source }: Start,
    phases: &mut Phases,
) -> Result<TcpStream, Failure> {
    let name = match &target.host {
        Host::Ip(ip) if family.has(*ip) => {
            shared.may_reach(&target.host, SocketAddr::new(*ip, target.port))?;
            phases.enter(Phase::Connect);
            return one(SocketAddr::new(*ip, target.port), source, phases).await;
        }
        Host::Ip(ip) => {
            return Err(fault::config(format!("{ip} is not of the address family that `ip` asks for")));
        }
        Host::Name(name) => name,
    };
    shared.may_look_up(target)?;
    // Boxed: most targets of a busy prober need it, but none should carry its buffers while it waits.
    let resolver = shared.resolver();
    let found = Box::pin(resolver.addresses(name, family, phases)).await?;
    let found = shared.reachable(target, found, phases)?;
    phases.enter(Phase::Connect);
    match found.as_slice() {
        [ip] => one(SocketAddr::new(*ip, target.port), source, phases).await,
        ips => {
            let peers = ips.iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(*ip, target.port)).collect();
            Box::pin(race(peers, source, phases)).await
        }
    }
}

async fn one(peer: SocketAddr, source: Option<IpAddr>, phases: &mut Phases) -> Result<TcpStream, Failure> {
    phases.try_peer(peer);
    match connect(peer, source).await {
        Ok(stream) => {
            phases.connected(peer);
            Ok(stream)
        }
        Err(error) => {
            let failure = fault::of_connect(&error, peer);
            phases.tried_in_vain(peer, failure.error_type.clone());
            Err(failure)
        }
    }
}

async fn connect(peer: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.connect(peer).await
}

/// One more connection to `peer`, which may be reached and was a moment ago, from the same address of this machine.
///
/// # Errors
/// There is none this time.
pub(crate) async fn again(peer: SocketAddr, source: IpAddr) -> io::Result<TcpStream> {
    connect(peer, Some(source)).await
}

/// Connection attempts under way; at most [`ADDRESSES_MAX`].
struct Race {
    under_way: Vec<(SocketAddr, BoxFuture<'static, io::Result<TcpStream>>)>,
}

impl Race {
    /// The next attempt that ends, whichever it is.
    async fn next(&mut self) -> (SocketAddr, io::Result<TcpStream>) {
        poll_fn(|context| {
            for (index, (peer, attempt)) in self.under_way.iter_mut().enumerate() {
                if let Poll::Ready(ended) = attempt.as_mut().poll(context) {
                    let peer = *peer;
                    drop(self.under_way.swap_remove(index));
                    return Poll::Ready((peer, ended));
                }
            }
            Poll::Pending
        })
        .await
    }
}

async fn race(
    peers: Vec<SocketAddr>,
    source: Option<IpAddr>,
    phases: &mut Phases,
) -> Result<TcpStream, Failure> {
    let mut race = Race { under_way: Vec::with_capacity(peers.len()) };
    let mut waiting = peers.into_iter().peekable();
    let mut worst: Option<Failure> = None;
    loop {
        if let Some(peer) = waiting.next() {
            phases.try_peer(peer);
            race.under_way.push((peer, Box::pin(connect(peer, source))));
        }
        let ended = if waiting.peek().is_some() {
            let pause = pin!(tokio::time::sleep(ATTEMPT_DELAY));
            tokio::select! { biased; ended = race.next() => Some(ended), () = pause => None }
        } else {
            Some(race.next().await)
        };
        match ended {
            None => {}
            Some((peer, Ok(stream))) => {
                phases.connected(peer);
                return Ok(stream);
            }
            Some((peer, Err(error))) => {
                let failure = fault::of_connect(&error, peer);
                phases.tried_in_vain(peer, failure.error_type.clone());
                if worst.as_ref().is_none_or(|worst| fault::weight(&failure) > fault::weight(worst)) {
                    worst = Some(failure);
                }
            }
        }
        if race.under_way.is_empty() && waiting.peek().is_none() {
            return Err(worst.expect("the race ends in vain only after an attempt failed"));
        }
    }
}
