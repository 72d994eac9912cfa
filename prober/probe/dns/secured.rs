//! One question and its reply over TLS (RFC 7858), with the server's certificate verified.

use std::sync::Arc;

use model::outcome::Failure;

use super::exchange::{self, Reply, converse, timed_out};
use super::question::Asked;
use super::server::Asking;
use crate::net::address::{Host, HostPort};
use crate::net::dial::dial;
use crate::net::fault::within;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::tls::{Before, TlsChoice, server_name};

/// A server behind a handshake that proves who it is.
#[derive(Debug)]
pub(super) struct Secured {
    /// As the file names it.
    pub(super) shown: Arc<str>,
    pub(super) address: HostPort,
    /// The name that the certificate must be for; the address's host if `None`.
    pub(super) name: Option<Host>,
    pub(super) choice: TlsChoice,
    /// Which addresses of its host are tried.
    pub(super) family: Family,
}

/// Asks over TLS.
///
/// # Errors
/// There is no connection, the certificate does not hold, nobody answered, or the answer is not a DNS message.
pub(super) async fn over_tls(
    server: &Secured,
    asked: &Asked<'_>,
    asking: Asking<'_>,
    phases: &mut Phases,
) -> Result<Reply, Failure> {
    let conversation = async {
        let name = server_name(server.name.as_ref().unwrap_or(&server.address.host))?;
        // Files are read before anything is measured.
        let setup = asking.shared.tls(&server.choice).await?;
        let stream = dial(asking.shared, &server.address, server.family, phases).await?;
        let (stream, _) = setup.connect(stream, &name, Before::Nothing, phases).await;
        let mut stream = stream?;
        let bytes = converse(&mut stream, asked, phases).await;
        bytes.map_err(|error| exchange::io_failure(&server.shown, &error))
    };
    match within(asking.deadline(), conversation).await {
        Some(bytes) => exchange::read(&server.shown, asked, &bytes?),
        None => Err(timed_out(&server.shown, asking.deadline(), phases, 0)),
    }
}
