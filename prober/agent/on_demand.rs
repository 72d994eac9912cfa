//! Probes on demand: `/probe?module=…&target=…`, as the blackbox exporter has it.
//!
//! A module is a template of the project with a parameter `target`, or a kind of step with its defaults. The scenario
//! is made anew for each request and compiled like one in a file, so that whatever may not stand in a file is refused,
//! and the project's `network` says where it may connect to. Nothing is stored and no SLI hears of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashboard::{ProbeAnswer, ProbeRequest};
use export::prometheus::blackbox;
use model::outcome::Outcome;
use model::probe::{Probe as _, RunContext};
use model::time::{Clock as _, SystemClock};
use probe::flow::Scenario;
use probe::{KINDS, Net};
use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::diagnostic::Severity;
use scenario::source::Source;
use scenario::template::Secrets;
use tokio::sync::{Semaphore, watch};

use super::load::{Ground, Loader};

/// Runs probes on demand.
pub(crate) struct OnDemand {
    loader: Arc<Loader>,
    ground: watch::Receiver<Arc<Ground>>,
    /// Probes at once.
    places: Semaphore,
}

/// Probes at once; a scraper asks for one a target and interval.
const PLACES: usize = 16;
/// How long a probe may take if the scraper does not say.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a probe may take at most, and at least.
const TIMEOUTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_mins(2)];
/// What is left of a scraper's patience for the answer's way.
const RESERVE: Duration = Duration::from_millis(500);
/// The longest name of a module, and the longest target.
const TEXT_BYTES_MAX: usize = 2_048;
/// The blackbox exporter's own names of modules, the kinds that they are, and what a bare target begins with.
const ALIASES: [(&str, &str, &str); 2] = [("http_2xx", "http", "http://"), ("tcp_connect", "tcp", "")];

impl OnDemand {
    pub(crate) fn new(loader: Arc<Loader>, ground: watch::Receiver<Arc<Ground>>) -> Self {
        Self { loader, ground, places: Semaphore::new(PLACES) }
    }

    /// Runs one probe. Dropping the future ends it.
    pub(crate) async fn probe(self: Arc<Self>, request: ProbeRequest) -> ProbeAnswer {
        let Ok(_place) = self.places.try_acquire() else { return ProbeAnswer::Busy };
        let timeout = request.timeout.map_or(TIMEOUT, |scraper| scraper.saturating_sub(RESERVE));
        let timeout = timeout.clamp(TIMEOUTS[0], TIMEOUTS[1]);
        let made = {
            let own = Arc::clone(&self);
            tokio::task::spawn_blocking(move || own.scenario(&request, timeout)).await
        };
        match made {
            Ok(Ok(scenario)) => ProbeAnswer::Metrics(blackbox::page(&run(&scenario, timeout).await)),
            Ok(Err(why)) => ProbeAnswer::Refused(why),
            Err(error) => ProbeAnswer::Refused(format!("the module was not compiled: {error}")),
        }
    }

    fn scenario(&self, request: &ProbeRequest, timeout: Duration) -> Result<Scenario, String> {
        let ProbeRequest { module, target, .. } = request;
        if target.is_empty() || target.len() > TEXT_BYTES_MAX || module.len() > TEXT_BYTES_MAX {
            return Err("`target` is missing or too long".to_owned());
        }
        let ground = Arc::clone(&self.ground.borrow());
        let module = if module.is_empty() { ALIASES[0].0 } else { module };
        let template = self.compiled(&ground, &template(module, target, timeout));
        let unknown = |compiled: &Compiled<Net>| {
            compiled.diagnostics.iter().any(|one| ["E151", "E107"].contains(&one.code))
        };
        let (compiled, is_kind) = if unknown(&template) {
            let kind =
                kind(module, target, timeout).ok_or_else(|| format!("there is no module `{module}`"))?;
            (self.compiled(&ground, &kind), true)
        } else {
            (template, false)
        };
        let wrong = compiled.diagnostics.iter().find(|one| one.severity == Severity::Error);
        if let Some(wrong) = wrong {
            let label = if wrong.label.is_empty() { String::new() } else { format!(": {}", wrong.label) };
            return Err(format!("{}{label}", wrong.message));
        }
        let plan = compiled.plans.into_iter().next().ok_or("the project has no region")?;
        if is_kind && plan.steps().iter().all(|step| step.action.endpoints().is_empty()) {
            return Err(format!("a module `{module}` connects to nothing; make a template of it"));
        }
        let secrets = self.loader.vault.open(&compiled.project, &plan.stream().region, plan.secrets_used());
        let secrets: Secrets = secrets.map_err(|missing| missing.to_string())?;
        Ok(Scenario::new(Arc::new(plan), Arc::clone(&self.loader.shared), Arc::new(secrets)))
    }

    fn compiled(&self, ground: &Ground, text: &str) -> Compiled<Net> {
        let source = Source { path: "on-demand.yaml".to_owned(), text: text.to_owned() };
        let sources = Sources {
            project: ground.project.clone(),
            templates: ground.templates.clone(),
            scenarios: vec![source],
            ..Sources::default()
        };
        let options = Options { now: None, ..self.loader.options.clone() };
        compile(sources, &KINDS, &options)
    }
}

/// A text as YAML takes it whatever is in it: as JSON, and nothing in it is filled in.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace("${", "$${")).to_string()
}

fn head(timeout: Duration) -> String {
    format!("name: on-demand\nevery: 1h\ntimeout: {}ms\n", timeout.as_millis())
}

/// A scenario that uses the template `module`.
fn template(module: &str, target: &str, timeout: Duration) -> String {
    format!("{}use: {}\nwith: {{ target: {} }}\n", head(timeout), quoted(module), quoted(target))
}

/// A scenario of one step of the kind `module`, which takes its target in the short form.
fn kind(module: &str, target: &str, timeout: Duration) -> Option<String> {
    let alias = ALIASES.iter().find(|(alias, ..)| *alias == module);
    let (name, start) = alias.map_or((module, ""), |(_, kind, start)| (*kind, *start));
    let kind = KINDS.iter().find(|kind| kind.name == name && kind.short.is_some())?;
    let start = if target.contains("://") { "" } else { start };
    Some(format!("{}{}: {}\n", head(timeout), kind.name, quoted(&format!("{start}{target}"))))
}

async fn run(scenario: &Scenario, timeout: Duration) -> Outcome {
    let (started, began) = (SystemClock.now(), Instant::now());
    let slot = scenario.plan().stream().slot(started);
    scenario.run(&RunContext::new(slot, started, (began, began + timeout))).await
}
