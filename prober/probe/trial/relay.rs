//! One port at two addresses, as two machines behind one name have it.

use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The same port at two addresses of loopback, each passed on to a server of its own.
pub(crate) struct Relay {
    pub(crate) port: u16,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// The first at 127.0.0.1, the second at 127.0.0.2.
    pub(crate) fn start(first: SocketAddr, second: SocketAddr) -> Self {
        let mut tasks = JoinSet::new();
        let listen = |ip: &str, port: u16| {
            let listener = StdListener::bind((ip, port))?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let (one, two, port) = (0..100)
            .find_map(|_| {
                let one = listen("127.0.0.1", 0).ok()?;
                let port = one.local_addr().ok()?.port();
                Some((one, listen("127.0.0.2", port).ok()?, port))
            })
            .expect("loopback has a port that is free at two addresses");
        for (listener, to) in [(one, first), (two, second)] {
            tasks.spawn(async move {
                while let Ok((mut from, _)) = listener.accept().await {
                    let Ok(mut to) = TcpStream::connect(to).await else { continue };
                    // Either side may end it; one connection at a time is enough here.
                    let _end = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
        Self { port, _tasks: tasks }
    }
}
