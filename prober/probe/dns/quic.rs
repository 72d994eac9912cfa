//! One question and its reply over QUIC (RFC 9250), on a connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ConnectionError, Endpoint, ReadExactError, RecvStream};

use super::exchange::{self, Reply, malformed, timed_out};
use super::question::{Asked, QUESTION_BYTES_MAX, Room};
use super::secured::Secured;
use super::server::Asking;
use crate::net::address::Host;
use crate::net::fault::{self, within};
use crate::net::phases::Phases;
use crate::net::quic;
use crate::net::tls::{Watch, server_name, words};

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(50);

/// The code that says that nothing was wrong (RFC 9250, section 4.3).
const NO_ERROR: u32 = 0;

/// Asks over QUIC.
///
/// # Errors
/// There is no connection, the certificate does not hold, nobody answered, or the answer is not a DNS message.
pub(super) async fn over_quic(
    server: &Secured,
    asked: &Asked<'_>,
    asking: Asking<'_>,
    phases: &mut Phases,
) -> Result<Reply, Failure> {
    let mut endpoint = None;
    let answered = within(asking.deadline(), server.converse(asked, asking, phases, &mut endpoint)).await;
    let answered = answered.unwrap_or_else(|| Err(timed_out(&server.shown, asking.deadline(), phases, 0)));
    phases.finish();
    if let Some(endpoint) = endpoint {
        endpoint.close(NO_ERROR.into(), b"");
        // A server that does not want to hear the goodbye has answered all the same.
        let until = asking.deadline().min(Instant::now() + GOODBYE);
        let _heard = within(until, endpoint.wait_idle()).await;
    }
    exchange::read(&server.shown, asked, &answered?)
}

impl Secured {
    async fn converse(
        &self,
        asked: &Asked<'_>,
        asking: Asking<'_>,
        phases: &mut Phases,
        kept: &mut Option<Endpoint>,
    ) -> Result<Vec<u8>, Failure> {
        let name = server_name(self.name.as_ref().unwrap_or(&self.address.host))?;
        let setup = asking.shared.tls(&self.choice).await?;
        let peer = self.address_of(asking, phases).await?;
        phases.peer = Some(peer);
        phases.enter(Phase::Handshake);
        let (tls, watch) = setup.for_quic();
        let tls = QuicClientConfig::try_from(tls)
            .map_err(|error| fault::config(format!("QUIC cannot be set up: {error}")))?;
        let config = quinn::ClientConfig::new(Arc::new(tls));
        let broken = |error: ConnectionError| self.broken(&error, &watch);
        let connection = match quic::connect(peer, config, &name.to_str(), kept).await {
            Ok(connection) => connection,
            Err(quic::Broken::Failed(failure)) => return Err(failure),
            Err(quic::Broken::Quic(error)) => {
                let refused = self.broken(&error, &watch);
                phases.settle(Some(&refused));
                let again = setup.look_again_over_quic(peer, &name, (&error, watch.met()));
                return Err(Box::pin(again).await.map_or(refused, |(known, _)| known));
            }
        };
        phases.enter(Phase::Send);
        let (mut send, mut receive) = connection.open_bi().await.map_err(broken)?;
        let mut room: Room = [0; 2 + QUESTION_BYTES_MAX];
        let sent = send.write_all(asked.write_framed(&mut room)).await;
        sent.map_err(|error| self.protocol(&error.to_string()))?;
        // The end of the stream is the end of the question.
        send.finish().map_err(|error| self.protocol(&error.to_string()))?;
        phases.enter(Phase::Wait);
        self.read(&mut receive, phases).await
    }

    async fn read(&self, receive: &mut RecvStream, phases: &mut Phases) -> Result<Vec<u8>, Failure> {
        let wrong = |error: ReadExactError| match error {
            ReadExactError::FinishedEarly(_) => {
                malformed(&self.shown, "the stream ended before the reply was whole")
            }
            ReadExactError::ReadError(error) => self.protocol(&error.to_string()),
        };
        let mut length = [0; 2];
        receive.read_exact(&mut length).await.map_err(wrong)?;
        phases.enter(Phase::Receive);
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        receive.read_exact(&mut reply).await.map_err(wrong)?;
        Ok(reply)
    }

    /// The first address of the server.
    async fn address_of(&self, asking: Asking<'_>, phases: &mut Phases) -> Result<SocketAddr, Failure> {
        let ip = match &self.address.host {
            Host::Ip(ip) => {
                asking.shared.may_reach(&self.address.host, SocketAddr::new(*ip, self.address.port))?;
                *ip
            }
            Host::Name(name) => {
                asking.shared.may_look_up(&self.address)?;
                let found = asking.shared.resolver().addresses(name, self.family, phases).await?;
                let found = asking.shared.reachable(&self.address, found, phases)?;
                let first = found.first().copied();
                first.ok_or_else(|| fault::config(format!("{name} has no address")))?
            }
        };
        Ok(SocketAddr::new(ip, self.address.port))
    }

    fn broken(&self, error: &ConnectionError, watch: &Watch) -> Failure {
        if let Some(defect) = watch.defect() {
            return defect;
        }
        match error {
            // Codes of TLS alerts (RFC 9001, section 4.8).
            ConnectionError::TransportError(error) if (0x100..0x200).contains(&u64::from(error.code)) => {
                let message =
                    format!("{}: the TLS handshake failed: {}", self.shown, words::plainly(&error.reason));
                Failure::new(FailureClass::Tls, "tls.handshake", message)
            }
            ConnectionError::ConnectionClosed(close)
                if (0x100..0x200).contains(&u64::from(close.error_code)) =>
            {
                let alert = words::of_alert_number(close.error_code.into());
                let message = format!("{} ended the TLS handshake with the alert {alert}", self.shown);
                Failure::new(FailureClass::Tls, "tls.handshake", message)
            }
            other => self.protocol(&other.to_string()),
        }
    }

    fn protocol(&self, why: &str) -> Failure {
        let message = format!("{}: the QUIC connection broke: {why}", self.shown);
        Failure::new(FailureClass::Protocol, "dns.quic", message)
    }
}
