//! `prober agent` and `prober hub`: the roles of a fleet.

use std::path::Path;

use fleet::manifest::Trust;

use super::args::{Agent, FleetPlace, Hub};
use super::engine::{place, replicas};
use super::out::Out;
use super::pages::pages;
use super::place::{env, host, runtime, vault};
use super::serve::{greet, systemd};
use crate::agent::fleet::Settings;
use crate::agent::fleet::hub::hub as keep_account;
use crate::agent::fleet::member::{AgentSettings, agent as probe_for_region};
use crate::agent::load::Loaded;
use crate::agent::telemetry;
use crate::exit::{Exit, Stop};

/// Probes for a region until a signal.
pub(crate) fn agent(args: &Agent, out: &Out) -> Result<Exit, Stop> {
    telemetry::start(env("PROBER_LOG").as_deref(), out.quiet, out.colour);
    if let Some(at) = args.peer_listen.filter(|at| at.ip().is_unspecified()) {
        // What it listens on is what it tells the others.
        return Err(Stop::file(format!("--peer-listen {at}: write the address that the other agents reach")));
    }
    let settings = settings(&args.fleet)?;
    let agent = AgentSettings {
        region: args.region.clone(),
        zone: args.zone.clone(),
        in_flight: args.in_flight,
        peer_listen: args.peer_listen,
    };
    let runtime = runtime(args.fleet.lasting.threads)?;
    let encrypted = settings.pages.tls.is_some();
    let started = |address, loaded: &Loaded| greet(out, (address, encrypted), loaded);
    let exit = runtime.block_on(probe_for_region(settings, agent, started));
    runtime.shutdown_background();
    exit
}

/// Keeps the account until a signal.
pub(crate) fn hub(args: &Hub, out: &Out) -> Result<Exit, Stop> {
    telemetry::start(env("PROBER_LOG").as_deref(), out.quiet, out.colour);
    let settings = settings(&args.fleet)?;
    let copies = args.replicas.unwrap_or_else(|| replicas(&settings.engine));
    if ![1, 3, 5].contains(&copies) {
        return Err(Stop::file(format!("--replicas {copies}: write 1, 3 or 5")));
    }
    let runtime = runtime(args.fleet.lasting.threads)?;
    let encrypted = settings.pages.tls.is_some();
    let started = |address, loaded: &Loaded| greet(out, (address, encrypted), loaded);
    let exit = runtime.block_on(keep_account(settings, copies, started));
    runtime.shutdown_background();
    exit
}

fn settings(args: &FleetPlace) -> Result<Settings, Stop> {
    let cannot = |error: String| Stop::file(format!("--trust {}: {error}", args.trust.display()));
    let keys = std::fs::read_to_string(&args.trust).map_err(|error| cannot(error.to_string()))?;
    let lasting = &args.lasting;
    let here = std::path::absolute(".").map_err(|error| Stop::environment(error.to_string()))?;
    Ok(Settings {
        engine: place(&args.engine)?,
        trust: Trust::read(&keys).map_err(|error| cannot(error.to_string()))?,
        // A set's folder becomes the current one, so what is relative is so from here.
        data: here.join(lasting.data.as_deref().unwrap_or(Path::new("prober-data"))),
        id: lasting.id.clone().unwrap_or_else(host),
        listen: lasting.listen,
        pages: pages(&lasting.pages)?,
        vault: vault(&here),
        systemd: systemd(),
    })
}
