//! `prober doctor`: what this machine has for a prober, and what to do about what it lacks.
//!
//! [`CHECKS`] is the one table. A check looks, changes nothing (but a test file that it removes), and ends by
//! itself within seconds. Secrets are named, never shown.

mod fleet;
mod health;
mod machine;
mod network;
mod project;
mod routes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use probe::{Net, Shared};
use scenario::plan::Plan;
use scenario::project::Project;
use serde_json::json;

use super::args::{Doctor, FactsFormat, Global};
use super::out::Out;
use super::place::{env, host, options, place, runtime, vault};
use super::show::{Finding, FindingState, findings_table};
use crate::agent::files::FindError;
use crate::agent::load::{Checked, check};
use crate::agent::secrets::Vault;
use crate::agent::serve::LISTEN;
use crate::exit::{Exit, Stop};

/// What is looked at.
struct Patient {
    /// The files; an error if there are none.
    files: Result<Checked, FindError>,
    /// The control targets of the files, if nothing is wrong with them.
    controls: Vec<Arc<Plan<Net>>>,
    data: PathBuf,
    listen: SocketAddr,
    vault: Vault,
    shared: Arc<Shared>,
    runtime: tokio::runtime::Runtime,
}

impl Patient {
    fn project(&self) -> Option<&Project> {
        self.files.as_ref().ok().map(|checked| &checked.compiled.project)
    }
}

/// Every check, in the order people read them.
const CHECKS: &[fn(&Patient) -> Finding] = &[
    project::files,
    project::secrets,
    project::exporters,
    project::data_folder,
    project::store,
    network::port,
    health::policy,
    network::name_servers,
    health::canary,
    health::route,
    network::ipv6,
    health::anchor,
    health::controls,
    network::authorities,
    routes::routes,
    network::icmp,
    machine::clock,
    machine::open_files,
    machine::cpu,
    machine::memory,
    health::processor,
];

/// Looks at everything, or only asks a running server.
pub(crate) fn doctor(global: &Global, args: &Doctor, out: &Out) -> Result<Exit, Stop> {
    let findings = if args.live {
        vec![network::live(listen(args, None)?)]
    } else {
        let patient = patient(global, args)?;
        let mut findings: Vec<_> = CHECKS.iter().map(|check| check(&patient)).collect();
        if args.engine.fleet.is_some() {
            findings.extend(fleet::findings(&args.engine, &args.monitor, &patient.runtime)?);
        }
        findings
    };
    let fails = findings.iter().any(|finding| finding.state == FindingState::Fail);
    if args.format == FactsFormat::Json {
        let one = |finding: &Finding| json!({ "check": finding.name, "state": finding.state.as_str(), "seen": finding.seen, "remedy": finding.remedy });
        out.json(&findings.iter().map(one).collect());
    } else {
        let shown: Vec<_> =
            findings.into_iter().filter(|finding| !out.quiet || finding.state != FindingState::Ok).collect();
        if !(out.quiet && shown.is_empty()) {
            out.raw(findings_table(&shown, out.look()).as_bytes());
        }
    }
    Ok(if fails { Exit::Environment } else { Exit::Good })
}

fn patient(global: &Global, args: &Doctor) -> Result<Patient, Stop> {
    let place = place(global, &[])?;
    let serve = &args.serve;
    let options = options(&serve.vars, &serve.regions, serve.lasting.id.clone().unwrap_or_else(host))?;
    let mut files = check(&place, &options);
    let controls = files.as_mut().map(|checked| std::mem::take(&mut checked.compiled.controls));
    let controls = controls.unwrap_or_default().into_iter().map(Arc::new).collect();
    let root = place.project_root_or_base();
    let listen = listen(args, files.as_ref().ok())?;
    Ok(Patient {
        data: serve.lasting.data.clone().unwrap_or_else(|| root.join("prober-data")),
        vault: vault(&root),
        shared: Arc::new(Shared::new(probe::NetConfig::default())),
        runtime: runtime(Some(1))?,
        files,
        controls,
        listen,
    })
}

/// The address that a server would have: the flag's, the project's or the default.
fn listen(args: &Doctor, files: Option<&Checked>) -> Result<SocketAddr, Stop> {
    if let Some(address) = args.serve.lasting.listen {
        return Ok(address);
    }
    let in_file = files.and_then(|checked| checked.compiled.project.listen.as_ref());
    let text = in_file.map_or(LISTEN, |listen| listen.value.as_str());
    text.parse().map_err(|_| Stop::file(format!("`{text}` is not an address like {LISTEN}")))
}

fn ok(name: &'static str, seen: impl Into<String>) -> Finding {
    Finding { name, state: FindingState::Ok, seen: seen.into(), remedy: String::new() }
}

fn warn(name: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, state: FindingState::Warn, seen: seen.into(), remedy: remedy.into() }
}

fn fail(name: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, state: FindingState::Fail, seen: seen.into(), remedy: remedy.into() }
}

/// A variable of the environment that only says something, such as the name of a folder.
fn said(name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}
