//! QUIC connections: the socket below one, and what ICMP says of its peer.
//!
//! quinn hears no ICMP: its socket hears everybody. Here it is connected to the one peer, so that a machine without a way
//! there is told from a silent target, and a closed port is known at once and not at the deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use model::outcome::Failure;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, TokioRuntime};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::net::datagram;
use crate::net::fault;

/// Why there is no connection.
pub(crate) enum Broken {
    /// The socket, or the way to the peer.
    Failed(Failure),
    /// QUIC, or TLS in it.
    Quic(ConnectionError),
}

/// A connection to `peer`, which is told `name`; what it hangs on is left in `kept`.
///
/// # Errors
/// This machine has no way there, nobody listens, or the handshake failed.
pub(crate) async fn connect(
    peer: SocketAddr,
    config: ClientConfig,
    name: &str,
    kept: &mut Option<Endpoint>,
) -> Result<Connection, Broken> {
    let of_socket = |error: io::Error| Broken::Failed(fault::of_datagram(&error, peer));
    let watched = datagram::udp(peer).map_err(of_socket)?;
    let socket = rustix::io::dup(&watched).map_err(|error| of_socket(error.into()))?;
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket.into(), Arc::new(TokioRuntime));
    let endpoint = kept.insert(endpoint.map_err(of_socket)?);
    let connecting = endpoint.connect_with(config, peer, name);
    let connecting = connecting
        .map_err(|error| Broken::Failed(fault::config(format!("QUIC cannot be set up: {error}"))))?;
    tokio::select! {
        biased;
        connected = connecting => connected.map_err(Broken::Quic),
        error = refusal(&watched) => Err(of_socket(error)),
    }
}

/// The error that ICMP brings, if ever.
async fn refusal(socket: &UdpSocket) -> io::Error {
    loop {
        if let Err(error) = socket.ready(Interest::ERROR).await {
            return error;
        }
        match socket.take_error() {
            Err(error) => return error,
            // A router tells of smaller packets than were sent; QUIC finds its own size (RFC 9000, section 14).
            Ok(Some(error)) if error.raw_os_error() != Some(Errno::MSGSIZE.raw_os_error()) => return error,
            Ok(_) => {}
        }
        // Says that the error has been looked at.
        let _none = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}
