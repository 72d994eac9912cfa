//! Datagrams to one peer: its address, a socket that hears nobody else, and errors that ICMP brings.
//!
//! Of several addresses the first is used: a datagram that is not answered says nothing of the others, and
//! trying them one after the other would be a retry in disguise.

use std::io;
use std::net::SocketAddr;

use model::outcome::Failure;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::net::address::{Host, HostPort};
use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::Shared;

/// The first of `target`'s addresses that may be reached.
///
/// Takes the phase `dns`, which is left open; none for an IP address.
///
/// # Errors
/// Class `dns`, and `local` for an address of the other family or one that may not be reached.
pub(crate) async fn peer(
    shared: &Shared,
    target: &HostPort,
    family: Family,
    phases: &mut Phases,
) -> Result<SocketAddr, Failure> {
    let ip = match &target.host {
        Host::Ip(ip) if family.has(*ip) => {
            shared.may_reach(&target.host, SocketAddr::new(*ip, target.port))?;
            *ip
        }
        Host::Ip(ip) => {
            return Err(fault::config(format!("{ip} is not of the address family that `ip` asks for")));
        }
        Host::Name(name) => {
            shared.may_look_up(target)?;
            let resolver = shared.resolver();
            let found = Box::pin(resolver.addresses(name, family, phases)).await?;
            let found = shared.reachable(target, found, phases)?;
            *found.first().expect("a lookup that does not fail finds an address")
        }
    };
    Ok(SocketAddr::new(ip, target.port))
}

/// A socket for UDP to `peer` alone, on a random port.
///
/// # Errors
/// The system gives none.
pub(crate) fn udp(peer: SocketAddr) -> io::Result<UdpSocket> {
    connected(peer, Protocol::UDP)
}

/// A socket for ICMP echo to `peer` alone, which needs no privilege where `net.ipv4.ping_group_range` has a group of
/// this process.
///
/// # Errors
/// The system gives none.
pub(crate) fn ping(peer: SocketAddr) -> io::Result<UdpSocket> {
    connected(peer, if peer.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 })
}

/// Whether the system gives this process a ping socket.
///
/// # Errors
/// It does not.
pub(crate) fn may_ping() -> io::Result<()> {
    Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)).map(drop)
}

fn connected(peer: SocketAddr, protocol: Protocol) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM.nonblocking(), Some(protocol))?;
    // Connecting binds to a random port, filters by source, and makes ICMP errors show.
    socket.connect(&peer.into())?;
    UdpSocket::from_std(socket.into())
}

/// Waits for one datagram and copies as much of it into `buffer` as fits; gives that length.
///
/// Dropping the future loses nothing.
///
/// # Errors
/// The system's, or one that ICMP brought from the peer or from the way to it.
pub(crate) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
    receive_from(socket, buffer).await.map(|(length, _)| length)
}

/// The same, and who sent it.
pub(crate) async fn receive_from(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    loop {
        // A refusal by ICMP makes the socket ready for an error only, not for reading.
        let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
        if ready.is_error() {
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
            // Says that the error has been looked at.
            let _none = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
        match socket.try_recv_from(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return received,
        }
    }
}
