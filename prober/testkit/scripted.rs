//! A server that says its lines whatever the client does: for protocols that begin in plaintext.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::hostile::{Count, Fault, endless, misbehave};
use crate::runtime::{Spawner, Tasks, listen, lock};

/// One move of a scripted server.
#[derive(Clone, Debug)]
pub enum Move {
    /// Sends these bytes at once.
    Say(Vec<u8>),
    /// Reads until the client has sent these bytes.
    Hear(&'static str),
    /// Reads so many bytes of the client and not one more.
    HearBytes(usize),
    /// Sends these bytes for ever.
    Endlessly(&'static str),
    /// Is hostile from then on.
    Misbehave(Fault),
    /// Does a TLS handshake as the server, and is silent from then on.
    Tls(Arc<ServerConfig>),
    /// Reads and says nothing until the client hangs up.
    Hang,
}

/// Sends this text.
pub fn say(text: impl Into<String>) -> Move {
    Move::Say(text.into().into_bytes())
}

/// A running scripted server; after the last move it closes the connection. Dropping it closes everything.
pub struct Scripted {
    addr: SocketAddr,
    seen: Arc<Seen>,
    _tasks: Tasks,
}

#[derive(Default)]
struct Seen {
    heard: Mutex<Vec<u8>>,
    count: Count,
}

impl Scripted {
    /// Starts a server that makes `moves` in every connection.
    pub fn start(moves: Vec<Move>) -> Self {
        let (listener, addr) = listen();
        let (seen, tasks) = (Arc::default(), Tasks::new());
        let spawner = tasks.spawner();
        spawner.clone().spawn(accept(listener, moves.into(), Arc::clone(&seen), spawner));
        Self { addr, seen, _tasks: tasks }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything that clients sent before TLS, one after the other.
    pub fn heard(&self) -> Vec<u8> {
        lock(&self.seen.heard).clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.seen.count.accepted.load(Ordering::SeqCst)
    }

    /// How many bytes of what has no end the client and the systems between have taken.
    pub fn poured(&self) -> u64 {
        self.seen.count.poured.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, moves: Arc<[Move]>, seen: Arc<Seen>, spawner: Spawner) {
    while let Ok((stream, _)) = listener.accept().await {
        seen.count.accepted.fetch_add(1, Ordering::SeqCst);
        let (moves, seen) = (Arc::clone(&moves), Arc::clone(&seen));
        spawner.spawn(async move {
            // The client may hang up at any point.
            let _end = play(stream, &moves, &seen).await;
        });
    }
}

async fn play(mut stream: TcpStream, moves: &[Move], seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let heard = &seen.heard;
    let mut here = Vec::new();
    for one in moves {
        match one {
            Move::Say(bytes) => stream.write_all(bytes).await?,
            Move::Hear(text) => {
                let has = |here: &[u8]| here.windows(text.len()).any(|part| part == text.as_bytes());
                read_until(&mut stream, &mut here, heard, |here| if has(here) { 0 } else { CHUNK }).await?;
            }
            Move::HearBytes(count) => {
                // What comes behind them may be the beginning of TLS, which is another one's to read.
                read_until(&mut stream, &mut here, heard, |here| count - here.len()).await?;
            }
            Move::Endlessly(text) => {
                return endless(&mut stream, b"", text.as_bytes(), &seen.count).await;
            }
            Move::Misbehave(fault) => return misbehave(stream, fault.clone(), &seen.count).await,
            Move::Tls(config) => {
                let mut stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                return hang(&mut stream).await;
            }
            Move::Hang => return hang(&mut stream).await,
        }
    }
    Ok(())
}

/// The most that is read at once, in bytes.
const CHUNK: usize = 1024;

/// Reads until nothing of what came since the last move that read is `missing`, and at most that at once.
async fn read_until(
    stream: &mut TcpStream,
    here: &mut Vec<u8>,
    heard: &Mutex<Vec<u8>>,
    missing: impl Fn(&[u8]) -> usize,
) -> std::io::Result<()> {
    here.clear();
    let mut chunk = [0; CHUNK];
    loop {
        let most = missing(here).min(CHUNK);
        if most == 0 {
            return Ok(());
        }
        let count = stream.read(&mut chunk[..most]).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        here.extend_from_slice(&chunk[..count]);
        lock(heard).extend_from_slice(&chunk[..count]);
    }
}

async fn hang(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut chunk = [0; 1024];
    while stream.read(&mut chunk).await? > 0 {}
    Ok(())
}
