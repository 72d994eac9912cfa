//! The engine of a fleet as commands reach it: servers of NATS, with a login of the command line, the environment or a file.

use std::path::Path;

use fleet::Fault;
use fleet::access::covers;
use fleet::manifest::KEYS_BYTES_MAX;
use fleet::nats::Nats;

use super::args::Engine;
use super::place::host;
use crate::agent::fleet::engine::{self, Place};
use crate::exit::Stop;

/// A client that is connected to a server which a fleet can be built on.
pub(crate) async fn connect(named: &Engine) -> Result<Nats, Stop> {
    let source = connect_any(named).await?;
    match engine::too_old(&source) {
        Some(why) => Err(Stop::environment(why)),
        None => Ok(source),
    }
}

/// A client that is connected to any server, for whoever says what is wrong with it.
pub(crate) async fn connect_any(named: &Engine) -> Result<Nats, Stop> {
    engine::connect_now(&place(named)?, &host()).await
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

/// Whether the bucket of scenario sets is there.
pub(crate) async fn is_made(source: &Nats) -> Result<bool, Stop> {
    let answer = source.ask("$JS.API.STREAM.INFO.KV_cfg").await.map_err(|fault| stop(&fault))?;
    match answer["error"]["code"].as_u64() {
        None => Ok(true),
        Some(404) => Ok(false),
        Some(_) => Err(Stop::environment(format!(
            "the fleet's servers cannot say what they have: {}",
            answer["error"]["description"].as_str().unwrap_or_default()
        ))),
    }
}

/// Makes the buckets and the stream, in three copies where there are as many servers.
pub(crate) async fn make(source: &Nats, named: &Engine) -> Result<(), Stop> {
    source.prepare(replicas(&place(named)?)).await.map_err(|fault| stop(&fault))
}

/// How many copies of everything the servers of a login can keep.
pub(crate) fn replicas(place: &Place) -> usize {
    if place.urls.split(',').count() >= 3 { 3 } else { 1 }
}

/// Refuses at once what the servers would refuse with silence: they do not answer what a login may not ask.
///
/// `work` is what `subject` is for, and `login` the one that may, both for people.
pub(crate) async fn allowed(source: &Nats, subject: &str, work: &str, login: &str) -> Result<(), Stop> {
    match may(source, subject).await {
        Ok(()) => Ok(()),
        Err(user) => Err(Stop::environment(format!(
            "the login `{user}` may not {work}; take one that may, such as --fleet fleet/login/{login}"
        ))),
    }
}

/// Whether the login may publish to the subject, as far as the servers say.
///
/// # Errors
/// It may not; whose it is.
pub(crate) async fn may(source: &Nats, subject: &str) -> Result<(), String> {
    let answer = source.ask("$SYS.REQ.USER.INFO").await.unwrap_or_default();
    // Without a list, or without an answer, the servers have to say it themselves.
    let Some(list) = answer["data"]["permissions"]["publish"]["allow"].as_array() else { return Ok(()) };
    if list.iter().filter_map(serde_json::Value::as_str).any(|pattern| covers(pattern, subject)) {
        return Ok(());
    }
    Err(answer["data"]["user"].as_str().unwrap_or_default().to_owned())
}

fn stop(fault: &Fault) -> Stop {
    Stop::environment(fault.to_string())
}
