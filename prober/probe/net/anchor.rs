//! A control target of our own on loopback: if it cannot be reached, it is not the network's fault.
//!
//! It is reached as every target is, by [`dial`], and its answer read within a deadline.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::net::address::{Host, HostPort};
use crate::net::dial::dial;
use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::Shared;

/// What the anchor says to everybody.
const WORD: &[u8; 6] = b"prober";

/// A listener on loopback that says one word.
#[derive(Debug)]
pub struct Anchor {
    listener: TcpListener,
    at: SocketAddr,
}

impl Anchor {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// The machine gives no port.
    pub async fn listen() -> io::Result<Self> {
        Self::listen_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Listens where others can reach it.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub async fn listen_at(at: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let at = listener.local_addr()?;
        Ok(Self { listener, at })
    }

    /// Where it listens.
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    /// Answers for ever; dropping the future closes the port.
    pub async fn serve(self) {
        loop {
            match self.listener.accept().await {
                // Six bytes always fit a fresh socket's buffer; who does not read them is none of ours.
                Ok((mut stream, _)) => drop(stream.write_all(WORD).await),
                Err(error) => {
                    tracing::debug!(%error, "the own control target could not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Shared {
    /// Reaches the anchor at `at` and reads its word.
    ///
    /// # Errors
    /// Why that did not succeed within `patience`, in words.
    pub async fn reach_anchor(&self, at: SocketAddr, patience: Duration) -> Result<(), String> {
        let began = Instant::now();
        let target = HostPort { host: Host::Ip(at.ip()), port: at.port() };
        let mut phases = Phases::start(began);
        let reach = async {
            let mut stream =
                dial(self, &target, Family::Any, &mut phases).await.map_err(|failure| failure.message)?;
            let mut word = [0; WORD.len()];
            stream
                .read_exact(&mut word)
                .await
                .map_err(|error| fault::of_io(&error, "reading its word").message)?;
            if word == *WORD { Ok(()) } else { Err("somebody else answered".to_owned()) }
        };
        let reached = fault::within(began + patience, reach).await;
        reached.unwrap_or_else(|| Err(format!("no answer within {patience:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::shared::NetConfig;

    #[tokio::test]
    async fn the_anchor_is_reached_while_it_serves() {
        let shared = Shared::new(NetConfig::default());
        let anchor = Anchor::listen().await.unwrap();
        let (at, patience) = (anchor.at(), Duration::from_secs(5));
        let asked = async {
            for _ in 0..3 {
                shared.reach_anchor(at, patience).await?;
            }
            Ok::<_, String>(())
        };
        tokio::select! {
            () = anchor.serve() => unreachable!("it serves for ever"),
            asked = asked => assert_eq!(asked, Ok(())),
        }
        // Its port is closed now.
        assert!(shared.reach_anchor(at, patience).await.unwrap_err().contains("refused"));
    }
}
