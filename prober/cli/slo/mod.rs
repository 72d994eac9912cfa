//! `prober slo`: what is promised, what it means in runs, and how it stands.
//!
//! | module | command |
//! | --- | --- |
//! | `show` | `slo`, `slo NAME` |
//! | `check` | `slo check` |
//! | `adjust` | `slo adjust` |
//! | `simulate` | `slo simulate` |
//! | `export`, `import` | `slo export`, `slo import` |
//! | `standings` | the stored events, judged again |

mod adjust;
mod check;
mod export;
mod import;
mod show;
mod simulate;
pub(super) mod standings;

use std::collections::BTreeSet;
use std::time::Duration;

use model::time::{Clock as _, SystemClock};
use scenario::slo::Slo;
use slo::promise::Promise;

use super::args::{self, Global, SloCommand};
use super::out::Out;
use super::place::{checked, host, options, place};
use crate::agent::load::Checked;
use crate::agent::promises::Promises;
use crate::exit::{Exit, Stop};

/// Calls the command.
pub(crate) fn slo(global: &Global, args: &args::Slo, out: &Out) -> Result<Exit, Stop> {
    match &args.command {
        None => show::show(global, args, out),
        Some(SloCommand::Check(args)) => check::check(global, args, out),
        Some(SloCommand::Simulate(args)) => simulate::simulate(global, args, out),
        Some(SloCommand::Adjust(args)) => adjust::adjust(global, args, out),
        Some(SloCommand::Export(args)) => export::export(global, args, out),
        Some(SloCommand::Import(args)) => import::import(args, out),
    }
}

/// The project's files with everything that they promise; wrong files are an error.
pub(super) fn promised(global: &Global) -> Result<(Checked, Vec<Promise>), Stop> {
    let checked = checked(&place(global, &[])?, &options(&[], &[], host())?)?;
    let compiled = &checked.compiled;
    if compiled.has_errors() {
        let style = scenario::render::Style::PLAIN;
        return Err(Stop::file(scenario::render::human(&compiled.diagnostics, &compiled.sources, &style)));
    }
    let promises = Promises::of(compiled, SystemClock.now()).all;
    Ok((checked, promises))
}

/// Those that are named, by their own name or that of a scenario; all if none is.
fn named(promises: Vec<Promise>, names: &[String]) -> Result<Vec<Promise>, Stop> {
    if names.is_empty() {
        return Ok(promises);
    }
    let is_of = |promise: &Promise, name: &str| {
        *promise.name == *name || (scenarios(promise).len() == 1 && *promise.feeds[0].scenario == *name)
    };
    for name in names {
        if promises.iter().any(|promise| is_of(promise, name)) {
            continue;
        }
        let known = promises.iter().map(|promise| &*promise.name);
        let help = match scenario::suggest::nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if promises.is_empty() => {
                "nothing is promised: add slo: { objective: 99.9% } to a scenario".to_owned()
            }
            None => "`prober slo` shows all".to_owned(),
        };
        return Err(Stop::file(format!("there is no objective `{name}`: {help}")));
    }
    Ok(promises.into_iter().filter(|promise| names.iter().any(|name| is_of(promise, name))).collect())
}

/// The scenarios that a promise is about.
pub(super) fn scenarios(promise: &Promise) -> BTreeSet<&str> {
    promise.feeds.iter().map(|feed| &*feed.scenario).collect()
}

/// The promise as its author's file has it.
pub(super) fn as_slo(promise: &Promise) -> Slo {
    Slo {
        objective: promise.objective.clone(),
        page: promise.page.clone(),
        ticket: promise.ticket.clone(),
        quorum: promise.quorum,
        regions: promise.policy().regions,
        interval: promise.interval,
    }
}

/// Digits that matter, then the sign.
fn percent(share: f64) -> String {
    let text = format!("{:.*}", if share.abs() < 0.1 { 3 } else { 1 }, share * 100.0);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// The largest two units, or less than a minute in seconds.
fn rough(duration: Duration) -> String {
    super::show::distance(duration)
}
