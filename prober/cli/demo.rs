//! `prober demo`: a shop that is slow and fails on a schedule, and scenarios that notice.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use demo::{Config, PORTS, Shop, project};
use model::time::SystemClock;

use super::args::{Demo, Lasting, Serve};
use super::out::Out;
use super::place::{env, runtime};
use super::serve::{greet, settings};
use crate::agent::files::{PROJECT_FILE, Place};
use crate::agent::serve::serve as serve_agent;
use crate::agent::telemetry;
use crate::exit::{Exit, Stop};

/// The shop's own folder inside the demo project.
const SHOP: &str = "shop";

/// Writes the project if it is not there, starts the shop, and serves.
pub(crate) fn demo(args: &Demo, out: &Out) -> Result<Exit, Stop> {
    telemetry::start(env("PROBER_LOG").as_deref(), out.quiet, out.colour);
    let runtime = runtime(None)?;
    let exit = runtime.block_on(run(args, out));
    runtime.shutdown_background();
    exit
}

async fn run(args: &Demo, out: &Out) -> Result<Exit, Stop> {
    // Absolute: serving enters the project folder.
    let folder =
        std::path::absolute(args.dir.join(SHOP)).map_err(|error| Stop::environment(error.to_string()))?;
    let config = Config { clock: Arc::new(SystemClock), ports: PORTS, folder };
    let shop = Shop::start(config).await.map_err(|error| Stop::environment(with_source(&error)))?;
    let written = write(&args.dir, &shop)?;
    out.note(&format!(
        "{} the demo project in {}/",
        if written { "wrote" } else { "kept" },
        args.dir.display()
    ));
    // The files say where the shop was when they were written; it may have found other ports today.
    let vars =
        project::vars(shop.addresses(), SHOP).into_iter().map(|(name, value)| format!("{name}={value}"));
    let serve = Serve {
        regions: Vec::new(),
        vars: if written { Vec::new() } else { vars.collect() },
        in_flight: None,
        lasting: Lasting { listen: Some(args.listen), ..Lasting::default() },
    };
    let place = Place::new(Some(&args.dir), &[]).map_err(|error| Stop::environment(error.to_string()))?;
    let served = serve_agent(settings(place, &serve)?, |address, loaded| {
        greet(out, (address, false), loaded);
        out.note(
            "The shop breaks on a schedule: the first failure comes within half a minute. Ctrl-C ends it.",
        );
        out.note(&format!(
            "  look at a failure:  prober -C {} events verdict=bad    prober -C {} explain ID",
            args.dir.display(),
            args.dir.display()
        ));
    });
    let exit = Box::pin(served).await;
    shop.stop().await;
    exit
}

/// Writes the project's files, unless there is a project already.
fn write(dir: &Path, shop: &Shop) -> Result<bool, Stop> {
    if dir.join(PROJECT_FILE).exists() {
        return Ok(false);
    }
    for (path, text) in project::files(shop.addresses(), SHOP) {
        let path = dir.join(path);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        made.map_err(|error| Stop::environment(format!("{} could not be written: {error}", path.display())))?;
    }
    Ok(true)
}

fn with_source(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
