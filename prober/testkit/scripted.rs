//! A server that says its lines whatever the client does: for protocols that begin in plaintext.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::runtime::{Spawner, Tasks, listen, lock};

/// One move of a scripted server.
#[derive(Clone, Debug)]
pub enum Move {
    /// Sends these bytes at once.
    Say(Vec<u8>),
    /// Reads until the client has sent these bytes.
    Hear(&'static str),
    /// Reads until the client has sent so many bytes.
    HearBytes(usize),
    /// Sends these bytes for ever.
    Endlessly(&'static str),
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
    heard: Arc<Mutex<Vec<u8>>>,
    _tasks: Tasks,
}

impl Scripted {
    /// Starts a server that makes `moves` in every connection.
    pub fn start(moves: Vec<Move>) -> Self {
        let (listener, addr) = listen();
        let (heard, tasks) = (Arc::default(), Tasks::new());
        let spawner = tasks.spawner();
        spawner.clone().spawn(accept(listener, moves.into(), Arc::clone(&heard), spawner));
        Self { addr, heard, _tasks: tasks }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything that clients sent before TLS, one after the other.
    pub fn heard(&self) -> Vec<u8> {
        lock(&self.heard).clone()
    }
}

async fn accept(listener: TcpListener, moves: Arc<[Move]>, heard: Arc<Mutex<Vec<u8>>>, spawner: Spawner) {
    while let Ok((stream, _)) = listener.accept().await {
        let (moves, heard) = (Arc::clone(&moves), Arc::clone(&heard));
        spawner.spawn(async move {
            // The client may hang up at any point.
            let _end = play(stream, &moves, &heard).await;
        });
    }
}

async fn play(mut stream: TcpStream, moves: &[Move], heard: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut here = Vec::new();
    for one in moves {
        match one {
            Move::Say(bytes) => stream.write_all(bytes).await?,
            Move::Hear(text) => {
                let has = |here: &[u8]| here.windows(text.len()).any(|part| part == text.as_bytes());
                read_until(&mut stream, &mut here, heard, has).await?;
            }
            Move::HearBytes(count) => {
                read_until(&mut stream, &mut here, heard, |here| here.len() >= *count).await?;
            }
            Move::Endlessly(text) => {
                let block = text.repeat(64);
                loop {
                    stream.write_all(block.as_bytes()).await?;
                }
            }
            Move::Tls(config) => {
                let mut stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                return hang(&mut stream).await;
            }
            Move::Hang => return hang(&mut stream).await,
        }
    }
    Ok(())
}

/// Reads until `enough` of what came since the last move that read.
async fn read_until(
    stream: &mut TcpStream,
    here: &mut Vec<u8>,
    heard: &Mutex<Vec<u8>>,
    enough: impl Fn(&[u8]) -> bool,
) -> std::io::Result<()> {
    here.clear();
    let mut chunk = [0; 1024];
    while !enough(here) {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        here.extend_from_slice(&chunk[..count]);
        lock(heard).extend_from_slice(&chunk[..count]);
    }
    Ok(())
}

async fn hang(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut chunk = [0; 1024];
    while stream.read(&mut chunk).await? > 0 {}
    Ok(())
}
