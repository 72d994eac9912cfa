//! From URLs to a client of the engine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fleet::Fault;
use fleet::access::{SERVER_MIN, is_new_enough};
use fleet::nats::{Nats, Settings};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::exit::Stop;

/// How long a role that starts waits for a connection: it goes on without one.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// Where the engine is.
#[derive(Clone)]
pub(crate) struct Place {
    /// URLs with commas between them; they may carry a password and are never shown.
    pub(crate) urls: String,
    /// A file of authorities beside the system's.
    pub(crate) authorities: Option<PathBuf>,
}

/// A client; it connects when the engine is there.
///
/// # Errors
/// A URL or the file of authorities is wrong.
pub(crate) async fn connect(place: &Place, name: &str) -> Result<Nats, Stop> {
    Nats::connect(settings(place, name)?).await.map_err(|fault| stop(&fault))
}

/// A client that is connected, for a command that asks and goes.
///
/// # Errors
/// A URL or the file of authorities is wrong; no server is there, or it does not let this login in.
pub(crate) async fn connect_now(place: &Place, name: &str) -> Result<Nats, Stop> {
    Nats::connect_now(settings(place, name)?).await.map_err(|fault| stop(&fault))
}

/// Waits a moment for the connection, and refuses servers that a fleet cannot be built on. Without a connection nothing is
/// refused: whoever knows what to do goes on without the servers.
///
/// # Errors
/// The server is too old.
pub(super) async fn refuse_old(nats: &Nats) -> Result<(), Stop> {
    let until = Instant::now() + CONNECT_WAIT;
    while nats.server_version().is_none() && Instant::now() < until {
        tokio::time::sleep(CONNECT_WAIT / 20).await;
    }
    too_old(nats).map_or(Ok(()), |why| Err(Stop::environment(format!("--fleet: {why}"))))
}

/// Why the server that answers is too old, with what to do; `None` if it is not, or if none has answered.
pub(crate) fn too_old(nats: &Nats) -> Option<String> {
    let old = nats.server_version().filter(|version| !is_new_enough(version))?;
    let [major, minor, patch] = SERVER_MIN;
    Some(format!("nats-server {old} is too old for a fleet; install {major}.{minor}.{patch} or newer"))
}

fn stop(fault: &Fault) -> Stop {
    Stop::environment(format!("--fleet: {fault}"))
}

fn settings(place: &Place, name: &str) -> Result<Settings, Stop> {
    let servers: Vec<_> = place.urls.split(',').map(|url| url.trim().to_owned()).collect();
    if servers.iter().any(|url| !["nats://", "tls://"].iter().any(|scheme| url.starts_with(scheme))) {
        return Err(Stop::file("--fleet: write nats://HOST:4222 or tls://HOST:4222, several with commas"));
    }
    let authorities = match &place.authorities {
        None => Vec::new(),
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| Stop::environment(format!("{}: {error}", path.display())))?,
    };
    Ok(Settings { servers, login: None, authorities, name: format!("prober {name}") })
}
