//! `prober diff`: what the files here would change, against a commit, another folder or what runs.
//!
//! The resolved scenarios are compared, so a change of a variable, a default or a template is seen at every scenario that
//! it reaches; where both sides have files, so are their keys. Nothing is changed, and no target is asked.

mod compare;
mod git;
mod keys;
mod show;
mod side;

#[cfg(test)]
mod tests;

use std::path::Path;

use fleet::ConfigSource as _;
use fleet::publish::{PublishError, fetch};
use fleet::set::ALL_REGIONS;
use scenario::compile::Options;

use super::args::{Diff, FactsFormat, Global};
use super::engine;
use super::out::Out;
use super::pages::token;
use super::place::{checked, host, options, place, runtime};
use super::push::trusted;
use crate::agent::files::Place;
use crate::agent::sets;
use crate::exit::{Exit, Stop};
use side::Side;

/// Shows what would change; that something does is no error.
pub(crate) fn diff(global: &Global, args: &Diff, out: &Out) -> Result<Exit, Stop> {
    let place = place(global, &[])?;
    let options = options(&args.vars, &args.regions, host())?;
    let own = Side::of_checked("here", &place, &checked(&place, &options)?)?;
    let against = args.against.as_deref().unwrap_or("HEAD");
    let other = if args.against.is_none() && args.engine.fleet.is_some() {
        published(args, &options)?
    } else if against.contains("://") {
        let token = args.token_file.as_deref().map(token).transpose()?;
        side::running(against, token.as_deref())?
    } else if Path::new(against).exists() {
        let other =
            Place { project: Some(std::path::absolute(against).unwrap_or_default()), ..place.clone() };
        Side::of_checked(against, &other, &checked(&other, &options)?)?
    } else {
        let root = place.project_root().map_err(|error| Stop::file(error.to_string()))?;
        let files = git::files(&root, against).map_err(Stop::environment)?;
        Side::of_files(against, files, &options)?
    };
    let difference = compare::difference(&other, &own);
    match args.format {
        FactsFormat::Json => out.json(&show::json(&difference)),
        FactsFormat::Human => out.raw(show::human(&difference, out.look()).as_bytes()),
    }
    Ok(Exit::Good)
}

/// What the fleet runs: the set of all regions.
fn published(args: &Diff, options: &Options) -> Result<Side, Stop> {
    let trust = trusted(&args.trust)?;
    let runtime = runtime(Some(1))?;
    let found = runtime.block_on(async {
        let source = engine::connect(&args.engine).await?;
        let reads = format!("$JS.API.DIRECT.GET.KV_cfg.$KV.cfg.{ALL_REGIONS}.manifest");
        engine::allowed(&source, &reads, "read the sets of all regions", "push").await?;
        if !engine::is_made(&source).await? {
            return Ok(None);
        }
        let wrong = |error: PublishError| Stop::environment(error.to_string());
        let stored = source.manifest(ALL_REGIONS).await.map_err(|fault| wrong(fault.into()))?;
        let Some(stored) = stored else { return Ok(None) };
        fetch(&source, &trust, ALL_REGIONS, &stored, None).await.map(Some).map_err(wrong)
    })?;
    match found {
        Some((manifest, set)) => {
            Side::of_sources(&format!("version {}", manifest.version), sets::sources(&set), options)
        }
        None => Ok(Side { label: "the fleet, which has nothing yet".to_owned(), ..Side::default() }),
    }
}
