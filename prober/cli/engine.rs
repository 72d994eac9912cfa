//! The engine of a fleet as commands reach it: servers of NATS, with a login of the command line, the environment or a file.

use std::path::Path;

use fleet::manifest::KEYS_BYTES_MAX;
use fleet::nats::Nats;

use super::args::Engine;
use super::place::host;
use crate::agent::fleet::engine::{self, Place};
use crate::exit::Stop;

/// A client of the servers; it connects when it is first asked.
pub(crate) async fn connect(named: &Engine) -> Result<Nats, Stop> {
    engine::connect(&place(named)?, &host()).await
}

/// Where the servers are, and who we are to them.
pub(crate) fn place(named: &Engine) -> Result<Place, Stop> {
    let Some(fleet) = &named.fleet else {
        return Err(Stop::environment(
            "no fleet is named: write --fleet FILE with a login that `prober fleet init` made, or set PROBER_FLEET",
        ));
    };
    let urls = if fleet.contains("://") { fleet.clone() } else { login(Path::new(fleet))? };
    Ok(Place { urls, authorities: named.ca.clone() })
}

/// What a file of a login says.
fn login(path: &Path) -> Result<String, Stop> {
    let cannot = |error: std::io::Error| Stop::environment(format!("--fleet {}: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(cannot)?.len();
    let is_short = size <= KEYS_BYTES_MAX as u64;
    let text = if is_short { std::fs::read_to_string(path).map_err(cannot)? } else { String::new() };
    let text = text.trim();
    if text.contains("://") && text.lines().count() == 1 {
        return Ok(text.to_owned());
    }
    Err(Stop::file(format!("--fleet {}: this is no login; `prober fleet init` makes them", path.display())))
}

/// Sees to it that the buckets are there; those that are stay as they are.
pub(crate) async fn made(source: &Nats, named: &Engine) -> Result<(), Stop> {
    let stop = |fault: fleet::Fault| Stop::environment(fault.to_string());
    let answer = source.ask("$JS.API.STREAM.INFO.KV_cfg").await.map_err(stop)?;
    match answer["error"]["code"].as_u64() {
        None => Ok(()),
        Some(404) => {
            let servers = place(named)?.urls.split(',').count();
            source.prepare(if servers >= 3 { 3 } else { 1 }).await.map_err(stop)
        }
        Some(_) => Err(Stop::environment(answer["error"]["description"].as_str().unwrap_or_default())),
    }
}
