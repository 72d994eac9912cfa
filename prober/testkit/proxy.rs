//! A TCP proxy in front of a real server, whose faults are switched while it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::runtime::{Spawner, Tasks, listen};

/// What the proxy does to the connections that pass through it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything on.
    #[default]
    None,
    /// Passes everything on, each piece this much later.
    Delay(Duration),
    /// Passes this many bytes of the server's answer on, then closes both sides.
    CutAfter(u64),
    /// Keeps connections open and passes nothing on, as after a power cut.
    HalfOpen,
    /// Resets connections, the open ones included.
    Reset,
}

/// A running proxy; dropping it closes its port and its connections.
pub struct Proxy {
    addr: SocketAddr,
    fault: watch::Sender<Fault>,
    count: Arc<Count>,
    _tasks: Tasks,
}

#[derive(Default)]
struct Count {
    connections: AtomicUsize,
    answered: AtomicU64,
}

impl Proxy {
    /// Starts a faultless proxy before `server`.
    pub fn start(server: SocketAddr) -> Self {
        let (listener, addr) = listen();
        let (fault, watching) = watch::channel(Fault::None);
        let (count, tasks) = (Arc::new(Count::default()), Tasks::new());
        let spawner = tasks.spawner();
        let line = Line { server, fault: watching, count: Arc::clone(&count) };
        spawner.clone().spawn(accept(listener, line, spawner));
        Self { addr, fault, count, _tasks: tasks }
    }

    /// Switches to `fault` for open and later connections.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Where clients connect.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.count.connections.load(Ordering::SeqCst)
    }

    /// How many bytes of answers were passed on.
    pub fn answered_bytes(&self) -> u64 {
        self.count.answered.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Line {
    server: SocketAddr,
    fault: watch::Receiver<Fault>,
    count: Arc<Count>,
}

async fn accept(listener: TcpListener, line: Line, spawner: Spawner) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        line.count.connections.fetch_add(1, Ordering::SeqCst);
        let line = line.clone();
        spawner.spawn(async move {
            // Either side may end the connection at any time; the other side sees it.
            let _end = line.carry(client).await;
        });
    }
}

/// How a line came to its end.
enum End {
    Closed,
    Reset,
}

impl Line {
    async fn carry(mut self, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        if self.wait_for_passage().await {
            return reset(&client);
        }
        let mut server = TcpStream::connect(self.server).await?;
        server.set_nodelay(true)?;
        let end = {
            // Borrowed halves: owned ones would send an end of their own before the reset.
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::select! {
                end = self.clone().pump(from_client, to_server, false) => end?,
                end = self.clone().pump(from_server, to_client, true) => end?,
            }
        };
        if matches!(end, End::Reset) {
            reset(&client)?;
            reset(&server)?;
        }
        Ok(())
    }

    /// Waits while the line is half open; whether it is to be reset.
    async fn wait_for_passage(&mut self) -> bool {
        // The sender goes only together with this task.
        let passage = self.fault.wait_for(|fault| *fault != Fault::HalfOpen).await;
        passage.is_ok_and(|fault| *fault == Fault::Reset)
    }

    /// Passes bytes on in one direction until an end or a fault; `answer` is the server's direction.
    async fn pump(
        mut self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        answer: bool,
    ) -> std::io::Result<End> {
        let (mut buffer, mut passed) = (vec![0; 16_384], 0);
        loop {
            let length = tokio::select! {
                length = from.read(&mut buffer) => length?,
                _ = self.fault.wait_for(|fault| *fault == Fault::Reset) => return Ok(End::Reset),
            };
            if self.wait_for_passage().await {
                return Ok(End::Reset);
            }
            let fault = *self.fault.borrow();
            if let Fault::Delay(delay) = fault {
                tokio::time::sleep(delay).await;
            }
            if length == 0 {
                to.shutdown().await?;
                // A half-closed connection still carries the other direction.
                if answer {
                    return Ok(End::Closed);
                }
                std::future::pending::<()>().await;
            }
            let left = match fault {
                Fault::CutAfter(limit) if answer => limit.saturating_sub(passed),
                _ => u64::MAX,
            };
            let piece = &buffer[..length.min(usize::try_from(left).unwrap_or(usize::MAX))];
            to.write_all(piece).await?;
            passed += piece.len() as u64;
            if answer {
                self.count.answered.fetch_add(piece.len() as u64, Ordering::SeqCst);
            }
            if left <= length as u64 {
                to.shutdown().await?;
                return Ok(End::Closed);
            }
        }
    }
}

/// Makes the coming close of `stream` a reset.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests;
