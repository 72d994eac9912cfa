//! Targets that break the rules of datagrams.

use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::runtime::{Tasks, handle};

/// The longest datagram over IPv4.
pub const LONGEST: usize = 65_507;
/// How long a flood goes on: nothing tells its sender that nobody listens any more.
const FLOOD: Duration = Duration::from_secs(2);

/// What a hostile target does with each datagram.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Says nothing.
    Silent,
    /// Sends it back so much later.
    Late(Duration),
    /// Sends only the first one back.
    OnceOnly,
    /// Answers with a datagram that has nothing in it.
    Empty,
    /// Answers with the longest datagram that there is.
    Longest,
    /// Answers from another port, which is another peer.
    Stranger,
    /// Answers with datagrams of so many bytes for two seconds.
    Flood(usize),
}

/// A running hostile target of datagrams; dropping it closes its port.
pub struct Datagrams {
    addr: SocketAddr,
    heard: Arc<AtomicUsize>,
    _tasks: Tasks,
}

impl Datagrams {
    /// Starts a target with `fault` on a free loopback port.
    pub fn start(fault: Fault) -> Self {
        let (socket, addr) = bind();
        let (heard, tasks) = (Arc::new(AtomicUsize::new(0)), Tasks::new());
        tasks.spawner().spawn(serve(socket, fault, Arc::clone(&heard)));
        Self { addr, heard, _tasks: tasks }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many datagrams came.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

fn bind() -> (UdpSocket, SocketAddr) {
    let socket = StdSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let addr = socket.local_addr().expect("a bound socket has an address");
    socket.set_nonblocking(true).expect("a socket can be made non-blocking");
    let _inside = handle().enter();
    (UdpSocket::from_std(socket).expect("the peers' runtime is running"), addr)
}

async fn serve(socket: UdpSocket, fault: Fault, heard: Arc<AtomicUsize>) {
    let mut buffer = vec![0; LONGEST];
    loop {
        // An error is a refusal of what was sent before; nobody has to hear it.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let before = heard.fetch_add(1, Ordering::SeqCst);
        let said = &buffer[..length];
        let _sent = match fault {
            Fault::Silent => continue,
            Fault::OnceOnly if before > 0 => continue,
            Fault::OnceOnly => socket.send_to(said, from).await,
            Fault::Late(pause) => {
                tokio::time::sleep(pause).await;
                socket.send_to(said, from).await
            }
            Fault::Empty => socket.send_to(&[], from).await,
            Fault::Longest => socket.send_to(&vec![b'x'; LONGEST], from).await,
            Fault::Stranger => bind().0.send_to(said, from).await,
            Fault::Flood(length) => {
                flood(&socket, &vec![b'x'; length], from).await;
                continue;
            }
        };
    }
}

async fn flood(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    let end = Instant::now() + FLOOD;
    while Instant::now() < end {
        // A full buffer drops it, as every router would.
        let _sent = socket.send_to(datagram, to).await;
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answers_as_it_says() {
        let client = StdSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut buffer = vec![0; 70_000];
        for (fault, length) in [
            (Fault::OnceOnly, 2),
            (Fault::Late(Duration::from_millis(5)), 2),
            (Fault::Empty, 0),
            (Fault::Longest, LONGEST),
            (Fault::Stranger, 2),
            (Fault::Flood(7), 7),
        ] {
            let target = Datagrams::start(fault);
            client.send_to(b"hi", target.addr()).unwrap();
            let (heard, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(heard, length, "{fault:?}");
            assert_eq!(from == target.addr(), fault != Fault::Stranger, "{fault:?}");
            assert_eq!(target.heard(), 1);
            drop(target);
            // What a flood has left behind is not the next one's.
            client.set_nonblocking(true).unwrap();
            while client.recv_from(&mut buffer).is_ok() {}
            client.set_nonblocking(false).unwrap();
        }
        let silent = Datagrams::start(Fault::Silent);
        client.send_to(b"hi", silent.addr()).unwrap();
        crate::wait::until_blocking("the datagram", Duration::from_mins(1), || silent.heard() == 1);
        client.set_nonblocking(true).unwrap();
        assert!(client.recv_from(&mut buffer).is_err());
    }
}
