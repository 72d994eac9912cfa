//! A DNS server that breaks the rules: it sends whatever bytes a script makes of the question.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::bind;
use crate::runtime::{Spawner, Tasks};

/// How the question came.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// In a datagram.
    Udp,
    /// On a stream.
    Tcp,
}

type Script = Arc<dyn Fn(&[u8], Over) -> Vec<Vec<u8>> + Send + Sync>;

/// A running liar; dropping it closes its port and its connections.
pub struct Liar {
    addr: SocketAddr,
    _tasks: Tasks,
}

impl Liar {
    /// Answers each question with the datagrams that `script` makes of it; over TCP with these bytes one after the
    /// other, without a length before them, on a connection that stays open.
    pub fn start(script: impl Fn(&[u8], Over) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::serve(Arc::new(script), false)
    }

    /// The same, but datagrams come from another port than the one that was asked.
    pub fn from_elsewhere(script: impl Fn(&[u8], Over) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::serve(Arc::new(script), true)
    }

    fn serve(script: Script, elsewhere: bool) -> Self {
        let ((tcp, udp, addr), tasks) = (bind(), Tasks::new());
        let spawner = tasks.spawner();
        spawner.spawn(answer_datagrams(udp, Arc::clone(&script), elsewhere));
        spawner.clone().spawn(answer_streams(tcp, script, spawner));
        Self { addr, _tasks: tasks }
    }

    /// Where it listens, UDP and TCP.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The question as a response that claims one answer, followed by `answer`; the asker's EDNS is left out.
    pub fn answered(question: &[u8], answer: &[u8]) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap_or_default() + 5;
        let mut reply = question[..end].to_vec();
        reply[2] |= 0x80;
        reply[7] = 1;
        (reply[10], reply[11]) = (0, 0);
        reply.extend_from_slice(answer);
        reply
    }
}

async fn answer_datagrams(socket: UdpSocket, script: Script, elsewhere: bool) {
    let mut buffer = vec![0; 65_536];
    let other = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        for reply in script(&buffer[..length], Over::Udp) {
            let sender = if elsewhere { &other } else { &socket };
            // An asker that has gone is no fault of the server.
            let _sent = sender.send_to(&reply, from).await;
        }
    }
}

async fn answer_streams(listener: TcpListener, script: Script, spawner: Spawner) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let script = Arc::clone(&script);
        spawner.spawn(async move {
            // The asker ends the connection; how it does so is its own affair.
            let _end = answer_stream(stream, &script).await;
        });
    }
}

async fn answer_stream(mut stream: TcpStream, script: &Script) -> std::io::Result<()> {
    let length = stream.read_u16().await?;
    let mut question = vec![0; usize::from(length)];
    stream.read_exact(&mut question).await?;
    for piece in script(&question, Over::Tcp) {
        stream.write_all(&piece).await?;
        stream.flush().await?;
    }
    // Until the asker has gone.
    stream.read_u8().await.map(drop)
}
