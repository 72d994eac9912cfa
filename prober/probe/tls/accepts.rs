//! Which versions of the protocol a server accepts: one connection for each, and no more than a hello on it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use model::attribute::Text;
use model::outcome::Failure;
use model::step::{Hop, Phase};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::hello::{ANSWER_MAX, Answer, Version, answer, client_hello};
use crate::net::address::{Host, HostPort};
use crate::net::dial::dial;
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::Shared;
use crate::net::starttls::{self, Protocol};

/// The longest that one version may take.
const EACH_MAX: Duration = Duration::from_secs(5);

/// Who is asked.
#[derive(Copy, Clone)]
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    /// The address that the main handshake was made with.
    pub(super) peer: SocketAddr,
    pub(super) name: &'a ServerName<'static>,
    pub(super) starttls: Option<Protocol>,
    /// The step's start.
    pub(super) origin: Instant,
    /// When the step must have ended.
    pub(super) deadline: Instant,
}

/// What asking came to.
#[derive(Debug)]
pub(super) struct Accepted {
    /// The versions that are accepted, the oldest first; or why that cannot be told.
    pub(super) versions: Result<Vec<&'static str>, String>,
    /// The exchange for each version that was asked for.
    pub(super) hops: Vec<Hop>,
}

/// Asks for every version but `known`, which the main handshake came to.
pub(super) async fn ask(asked: Asked<'_>, known: Option<Version>) -> Accepted {
    let (mut versions, mut hops) = (Vec::new(), Vec::new());
    for version in Version::ALL {
        if known == Some(version) {
            versions.push(version.word());
            continue;
        }
        let mut phases = Phases::start(asked.origin);
        let until = asked.deadline.min(Instant::now() + EACH_MAX);
        let found = within(until, asked.accepts(version, &mut phases)).await;
        let found = found.unwrap_or_else(|| Err(fault::timed_out(&phases, until)));
        let mut hop = phases.into_hop(format!("{} at {}", version.word(), asked.peer));
        let word = |accepts: &bool| if *accepts { "accepted" } else { "refused" };
        hop.status = found.as_ref().ok().map(word).map(Text::const_new);
        hops.push(hop);
        match found {
            Ok(true) => versions.push(version.word()),
            Ok(false) => {}
            Err(failure) => {
                let why =
                    format!("whether {} is accepted cannot be told: {}", version.word(), failure.message);
                return Accepted { versions: Err(why), hops };
            }
        }
    }
    Accepted { versions: Ok(versions), hops }
}

impl Asked<'_> {
    /// Whether the server goes on with exactly `version`.
    ///
    /// # Errors
    /// There is no connection, or the server says nothing at all: both may have other reasons.
    async fn accepts(&self, version: Version, phases: &mut Phases) -> Result<bool, Failure> {
        let address = HostPort { host: Host::Ip(self.peer.ip()), port: self.peer.port() };
        let mut stream = dial(self.shared, &address, Family::Any, phases).await?;
        if let Some(protocol) = self.starttls {
            phases.enter(Phase::Wait);
            starttls::upgrade(protocol, &mut stream, self.name).await?;
        }
        phases.enter(Phase::Tls);
        let mut random = [0; 96];
        let filled = self.shared.random().fill(&mut random);
        filled.map_err(|_| fault::config("the system gives no random numbers"))?;
        let sent = stream.write_all(&client_hello(version, self.name, &random)).await;
        let accepts = match sent {
            Ok(()) => heard(&mut stream, version).await,
            // Who hangs up at the hello refuses it.
            Err(_) => Ok(false),
        };
        phases.finish();
        accepts
    }
}

async fn heard(stream: &mut TcpStream, version: Version) -> Result<bool, Failure> {
    let mut bytes = Vec::with_capacity(512);
    let mut chunk = [0; 1024];
    while bytes.len() <= 2 * ANSWER_MAX {
        match stream.read(&mut chunk).await {
            Ok(0) => return Ok(false),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) => return fault::local(&error).map_or(Ok(false), Err),
        }
        if let Some(answer) = answer(&bytes) {
            return Ok(answer == Answer::Agreed(version.code()));
        }
    }
    Ok(false)
}
