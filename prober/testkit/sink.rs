//! Many targets that accept and never answer, at the cost of one listener.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::runtime::{Tasks, adopt};

/// A port on which every address of 127.0.0.0/8 accepts connections and never answers.
///
/// The listener is bound to the loopback device, so nothing outside this machine reaches it.
pub struct Sink {
    port: u16,
    accepted: Arc<AtomicUsize>,
    _tasks: Tasks,
}

/// The most targets one sink has: 127.64.0.0 up to 127.127.255.255.
const TARGETS_MAX: usize = 1 << 22;

impl Sink {
    /// Starts the listener.
    pub fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the system gives a socket");
        socket.bind_device(Some(b"lo")).expect("a socket may be bound to the loopback device");
        let any: SocketAddr = (Ipv4Addr::UNSPECIFIED, 0).into();
        socket.bind(&any.into()).expect("loopback has a free port");
        socket.listen(4096).expect("a bound socket listens");
        let (listener, addr) = adopt(StdListener::from(socket));
        let (accepted, tasks) = (Arc::new(AtomicUsize::new(0)), Tasks::new());
        tasks.spawner().spawn(hold(listener, Arc::clone(&accepted)));
        Self { port: addr.port(), accepted, _tasks: tasks }
    }

    /// The address of target `number`, each with an IP address of its own.
    pub fn target(&self, number: usize) -> SocketAddr {
        assert!(number < TARGETS_MAX, "a sink has {TARGETS_MAX} targets");
        let number = u32::try_from(number).expect("it is below the limit");
        let first = Ipv4Addr::new(127, 64, 0, 0).to_bits();
        (Ipv4Addr::from_bits(first + number), self.port).into()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Keeps every connection, so that no client sees an end; they go with the sink.
async fn hold(listener: TcpListener, accepted: Arc<AtomicUsize>) {
    let mut held: Vec<TcpStream> = Vec::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            accepted.fetch_add(1, Ordering::SeqCst);
        } else {
            // Out of descriptors: connections whose client is gone make room.
            held.retain(|stream| !gone(stream));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn gone(stream: &TcpStream) -> bool {
    let mut buffer = [0; 1024];
    matches!(stream.try_read(&mut buffer), Ok(0)) || stream.take_error().is_ok_and(|error| error.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read;

    #[test]
    fn a_thousand_targets_accept_and_stay_silent() {
        let sink = Sink::start();
        let mut clients: Vec<std::net::TcpStream> =
            (0..1000).map(|number| std::net::TcpStream::connect(sink.target(number)).unwrap()).collect();
        crate::wait::until_blocking("1,000 connections", Duration::from_mins(1), || {
            sink.connections() == 1000
        });
        clients[999].set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert_eq!(clients[999].read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        assert_ne!(sink.target(0), sink.target(999));
    }
}
