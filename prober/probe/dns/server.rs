//! A server that can be asked, and one question to it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use model::outcome::Failure;
use scenario::kind::{Endpoint, StepContext};

use super::answer::Source;
use super::exchange::{self, Reply, To};
use super::https::{self, Https};
use super::question::Question;
use super::secured::{self, Secured};
use super::system;
use crate::net::phases::Phases;
use crate::net::shared::Shared;

/// What a question needs beside server and words.
#[derive(Copy, Clone, Debug)]
pub(super) struct Asking<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) step: &'a StepContext<'a>,
}

impl Asking<'_> {
    /// When the step must have ended.
    pub(super) const fn deadline(&self) -> Instant {
        self.step.deadline
    }
}

/// A server that can be asked.
#[derive(Clone, Debug)]
pub(super) enum Server {
    /// Over UDP, and over TCP if the reply is cut off.
    Udp(SocketAddr),
    /// Over TCP alone.
    Tcp(SocketAddr),
    /// Over TLS (RFC 7858).
    Tls(Arc<Secured>),
    /// Over HTTPS (RFC 8484).
    Https(Arc<Https>),
    /// Over QUIC (RFC 9250).
    #[cfg(feature = "doq")]
    Quic(Arc<Secured>),
    /// The system's resolver as applications use it.
    System,
    /// One of a zone's name servers, with its name: over UDP as [`Server::Udp`], or over TCP alone.
    Named { shown: Arc<str>, address: SocketAddr, over_tcp: bool },
}

impl Server {
    /// Whether a reply may be cut off, and the question is then asked again over TCP.
    pub(super) fn may_cut_off(&self) -> Option<To<'_>> {
        match self {
            Self::Udp(address) | Self::Named { address, over_tcp: false, .. } => Some(self.at(*address)),
            _ => None,
        }
    }

    /// The address with the name that this server is known by.
    fn at(&self, address: SocketAddr) -> To<'_> {
        match self {
            Self::Named { shown, .. } => To { address, shown: Some(shown) },
            _ => address.into(),
        }
    }

    /// Where it is asked, if the file says that.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Udp(address) | Self::Tcp(address) => {
                Some(Endpoint { host: address.ip().to_string(), port: address.port() })
            }
            Self::Tls(secured) => Some(secured.address.endpoint()),
            Self::Https(https) => Some(https.target.address.endpoint()),
            #[cfg(feature = "doq")]
            Self::Quic(secured) => Some(secured.address.endpoint()),
            Self::System | Self::Named { .. } => None,
        }
    }

    /// Who answers, for messages.
    pub(super) fn source(&self) -> Source {
        match self {
            Self::Udp(address) | Self::Tcp(address) => Source::Address(*address),
            Self::Tls(secured) => Source::Named(Arc::clone(&secured.shown)),
            Self::Https(https) => Source::Named(Arc::clone(&https.shown)),
            #[cfg(feature = "doq")]
            Self::Quic(secured) => Source::Named(Arc::clone(&secured.shown)),
            Self::System => Source::System,
            Self::Named { shown, .. } => Source::Named(Arc::clone(shown)),
        }
    }

    /// The transport in OpenTelemetry's words.
    pub(super) const fn transport(&self) -> &'static str {
        match self {
            Self::Udp(_) | Self::Named { over_tcp: false, .. } => "udp",
            #[cfg(feature = "doq")]
            Self::Quic(_) => "quic",
            _ => "tcp",
        }
    }

    /// One question and its reply; `phases` has the address once it is known.
    ///
    /// # Errors
    /// There is no connection, nobody answered, or the answer is not a DNS message.
    pub(super) async fn exchange(
        &self,
        question: &Question,
        asking: Asking<'_>,
        phases: &mut Phases,
    ) -> Result<Reply, Failure> {
        let deadline = asking.deadline();
        // All but UDP boxed: their states are large, and the plain way should not carry them while it waits.
        match self {
            Self::Udp(address) | Self::Named { address, over_tcp: false, .. } => {
                asking.shared.may_ask(*address)?;
                phases.peer = Some(*address);
                exchange::over_udp(self.at(*address), &question.ask(), deadline, phases).await
            }
            Self::Tcp(address) | Self::Named { address, .. } => {
                asking.shared.may_ask(*address)?;
                phases.peer = Some(*address);
                Box::pin(exchange::over_tcp(self.at(*address), &question.ask(), deadline, phases)).await
            }
            Self::System => {
                let looked_up = Box::pin(system::look_up(question.name(), question.kind(), asking, phases));
                Ok(Reply { message: looked_up.await?, bytes: 0, ignored: 0 })
            }
            Self::Tls(secured) => Box::pin(secured::over_tls(secured, &question.ask(), asking, phases)).await,
            Self::Https(https) => {
                Box::pin(https::over_https(https, &question.ask_without_id(), asking, phases)).await
            }
            #[cfg(feature = "doq")]
            Self::Quic(secured) => {
                Box::pin(super::quic::over_quic(secured, &question.ask_without_id(), asking, phases)).await
            }
        }
    }

    /// Asks a question whose phases nobody sees, over TCP again if the reply over UDP is cut off.
    ///
    /// # Errors
    /// As [`Server::exchange`].
    pub(super) async fn look_up(&self, question: &Question, asking: Asking<'_>) -> Result<Reply, Failure> {
        let mut unseen = Phases::start(asking.step.began);
        let reply = self.exchange(question, asking, &mut unseen).await?;
        match self.may_cut_off() {
            Some(to) if reply.message.metadata.truncation => {
                let mut unseen = Phases::start(asking.step.began);
                exchange::over_tcp(to, &question.ask(), asking.deadline(), &mut unseen).await
            }
            _ => Ok(reply),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(out)
    }
}

/// Whether this machine has a way to `address` at all; no packet is sent.
///
/// A machine without IPv6 must not call every IPv6 address of a zone dead.
pub(super) fn has_way_to(address: IpAddr) -> bool {
    let connected = exchange::open(SocketAddr::new(address, 53));
    !connected.is_err_and(|error| {
        error.kind() == std::io::ErrorKind::NetworkUnreachable
            || crate::net::fault::local(&error).is_some_and(|failure| failure.error_type == "local.family")
    })
}
