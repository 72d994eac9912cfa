//! `prober serve`: scheduler, store, page, API and metrics in one process.

use std::net::SocketAddr;

use super::args::{Global, Serve};
use super::out::Out;
use super::pages::pages;
use super::place::{env, host, options, place, runtime, vault};
use crate::agent::files::Place;
use crate::agent::load::Loaded;
use crate::agent::notify::Systemd;
use crate::agent::serve::{Settings, serve as serve_agent};
use crate::agent::telemetry;
use crate::exit::{Exit, Stop};

/// Serves until a signal.
pub(crate) fn serve(global: &Global, args: &Serve, out: &Out) -> Result<Exit, Stop> {
    let place = place(global, &[])?;
    telemetry::start(env("PROBER_LOG").as_deref(), out.quiet, out.colour);
    let settings = settings(place, args)?;
    let runtime = runtime(args.lasting.threads)?;
    let encrypted = settings.pages.tls.is_some();
    let started = |address, loaded: &Loaded| greet(out, (address, encrypted), loaded);
    let exit = runtime.block_on(serve_agent(settings, started));
    runtime.shutdown_background();
    exit
}

/// What the arguments decide.
pub(crate) fn settings(place: Place, args: &Serve) -> Result<Settings, Stop> {
    let root = place.project_root().map_err(|error| Stop::file(error.to_string()))?;
    Ok(Settings {
        options: options(&args.vars, &args.regions, args.lasting.id.clone().unwrap_or_else(host))?,
        place,
        vault: vault(&root),
        data: args.lasting.data.clone(),
        listen: args.lasting.listen,
        in_flight: args.in_flight,
        pages: pages(&args.lasting.pages)?,
        systemd: systemd(),
    })
}

/// What the service manager that started the process wants to hear.
pub(crate) fn systemd() -> Systemd {
    Systemd {
        socket: env("NOTIFY_SOCKET"),
        watchdog_usec: env("WATCHDOG_USEC"),
        watchdog_pid: env("WATCHDOG_PID"),
    }
}

pub(crate) fn greet(out: &Out, (address, encrypted): (SocketAddr, bool), loaded: &Loaded) {
    out.note(&format!("prober {} runs {} scenarios", env!("CARGO_PKG_VERSION"), loaded.entries.len()));
    let scheme = if encrypted { "https" } else { "http" };
    for (what, path) in [("page", "/"), ("metrics", "/metrics"), ("API", "/api/v1/events")] {
        out.note(&format!("  {what:<8} {scheme}://{address}{path}"));
    }
}
