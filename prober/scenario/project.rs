//! `prober.yaml`: what all scenarios share.

mod control;
mod keys;
mod labels;
mod network;
mod policy;
mod regions;
pub mod routes;
mod secrets;

pub use control::{CanaryFile, ControlFile, EVERY_DEFAULT as CONTROL_EVERY};
pub use keys::{PROJECT_KEYS, REPLICAS_MAX};
pub use labels::{LABEL_BYTES_MAX, LABELS_MAX};
pub use policy::BudgetPolicyFile;
pub use secrets::SecretSource;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::maintenance::Maintenance;

use crate::adjustment::{self, ADJUSTMENTS, AdjustmentFile};
use crate::bind::{Binder, Elsewhere, Place};
use crate::cadence::check_every;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Key, KeyType};
use crate::file::check_version;
use crate::maintenance::{self, Context};
use crate::name;
use crate::names::{NOTHING, Names, Own, RegionNames, Shared, Var, Vars};
use crate::network::Policy;
use crate::source::{Span, Spanned};
use crate::tree::{Node, NodeValue, Scalar, ScalarKind};
use keys::{DEFAULTS_KEYS, SERVE_KEYS, STORE_KEYS};
pub(crate) use keys::{REGION_KEYS, SECRET_KEYS};
use policy::{BUDGET_POLICY, BUDGET_POLICY_KEYS};
use secrets::SecretKey;

/// The region of a project that names none.
pub const LOCAL: &str = "local";

/// A project: the validated `prober.yaml`, or the empty one.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The globs of the scenario files, relative to the project file.
    pub scenarios: Vec<Spanned<String>>,
    /// The globs of the template files, relative to the project file.
    pub include: Vec<Spanned<String>>,
    /// Planned maintenance of all scenarios.
    pub maintenance: Vec<Arc<Maintenance>>,
    /// Runs of the past that do not count.
    pub adjustments: Vec<Arc<AdjustmentFile>>,
    /// What the state of a budget asks for.
    pub budget_policy: BudgetPolicyFile,
    /// What holds for scenarios that say nothing else.
    pub defaults: Defaults,
    /// The exporters, in the file's order; their settings are checked by whoever knows the exporter.
    pub exporters: Vec<ExporterFile>,
    /// How much is kept.
    pub store: StoreFile,
    /// Where `serve` listens, `address:port`.
    pub listen: Option<Spanned<String>>,
    /// Whether the metrics page has the blackbox exporter's names, too.
    pub is_blackbox: bool,
    /// Where alerts go, in the file's order.
    pub routes: Vec<routes::Route>,
    regions: Vec<Arc<str>>,
    critical: BTreeSet<Arc<str>>,
    /// Of the regions that have more than one.
    replicas: BTreeMap<Arc<str>, u16>,
    network: Arc<Policy>,
    /// Of the regions that have one of their own.
    networks: BTreeMap<Arc<str>, Arc<Policy>>,
    control: Option<ControlFile>,
    /// Of the regions that have their own.
    controls: BTreeMap<Arc<str>, ControlFile>,
    secrets: BTreeMap<SecretKey, Spanned<SecretSource>>,
    pub(crate) shared: Shared,
}

/// What holds for scenarios that say nothing else.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The longest a run may take.
    pub timeout: Option<Duration>,
    /// The interval.
    pub every: Option<Duration>,
    /// The team.
    pub owner: Option<Arc<str>>,
    /// Labels of all scenarios.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
}

/// How much is kept.
#[derive(Clone, Debug, Default)]
pub struct StoreFile {
    /// The most bytes on disk.
    pub bytes_max: Option<u64>,
    /// How long events are kept.
    pub keep: Option<Duration>,
}

/// One exporter, as the file has it.
#[derive(Clone, Debug)]
pub struct ExporterFile {
    /// The exporter's name.
    pub name: Spanned<String>,
    /// Its settings.
    pub settings: Node,
}

impl Project {
    /// The regions in the file's order; the single region `local` if the project names none.
    pub fn regions(&self) -> &[Arc<str>] {
        &self.regions
    }

    /// Whether the region's outage alone is a page.
    pub fn is_critical(&self, region: &str) -> bool {
        self.critical.contains(region)
    }

    /// How many agents of a fleet probe each scenario of the region, from 1 to [`REPLICAS_MAX`].
    pub fn replicas(&self, region: &str) -> u16 {
        self.replicas.get(region).copied().unwrap_or(1)
    }

    /// The same of a scenario: one that has side effects is probed by one agent, for nothing may happen twice.
    pub(crate) fn replicas_of(&self, region: &str, side_effects: bool) -> u16 {
        if side_effects { 1 } else { self.replicas(region) }
    }

    /// Where probes of a region may connect to.
    pub fn network(&self, region: &str) -> &Arc<Policy> {
        self.networks.get(region).unwrap_or(&self.network)
    }

    /// What the server looks at, in a region, to know of its own health.
    pub fn control(&self, region: &str) -> Option<&ControlFile> {
        self.controls.get(region).or(self.control.as_ref())
    }

    /// The settings of an exporter bound to its table of keys; mistakes go to the report.
    pub fn exporter_fields(
        &self,
        exporter: &ExporterFile,
        keys: &'static [Key],
        report: &mut Report,
    ) -> Option<Fields> {
        let mut names = Names::new(&self.shared, &NOTHING, None);
        let place = Place::under(&exporter.name.value);
        Binder { report, names: &mut names }.record(&exporter.settings, exporter.name.span, keys, &place)
    }

    /// A project without a file.
    pub(crate) fn empty(given: Vars) -> Self {
        let shared = Shared { given, ..Shared::default() };
        Self { regions: vec![LOCAL.into()], shared, ..Self::default() }
    }

    /// The project of a tree; what is wrong is left out and reported.
    pub(crate) fn read(root: &Node, given: Vars, context: Context<'_>, report: &mut Report) -> Self {
        let mut project = Self::empty(given);
        let vars = root.get("vars").map(|node| read_vars(node, report)).unwrap_or_default();
        project.shared.project.vars = vars;
        let shared = Shared {
            project: RegionNames { vars: project.shared.project.vars.clone(), ..RegionNames::default() },
            ..Shared::default()
        };
        let mut names = Names::new(&shared, &NOTHING, None);
        let mut binder = Binder { report, names: &mut names };
        let elsewhere = |typed: &str| {
            let scenario =
                ["name", "aim", "title", "http", "dns", "tls", "tcp", "steps", "expect", "cron", "runbook"];
            let default = ["timeout", "every", "owner", "labels"];
            if default.contains(&typed) {
                return Some(Elsewhere::Under("defaults".to_owned()));
            }
            scenario
                .contains(&typed)
                .then(|| Elsewhere::Hint(format!("`{typed}` belongs in a scenario file")))
        };
        let place = Place { words: "in prober.yaml".to_owned(), other: Vec::new(), elsewhere: &elsewhere };
        let at = first_key(root);
        let (fields, _) = binder.entries(root, at, PROJECT_KEYS, &place);
        let labels = root.get("defaults").and_then(|node| node.get("labels"));
        project.defaults.labels = labels.map(|node| binder.labels(node)).unwrap_or_default();
        // A second look at the sections: a mistake in one of their keys must not hide those of others.
        // What is found twice is reported once.
        let mut section = |name: &str, keys: &'static [Key]| {
            let node = root.get(name).filter(|node| node.map().is_some())?;
            Some(binder.entries(node, node.span, keys, &Place::under(name)).0)
        };
        let sections =
            [section("defaults", DEFAULTS_KEYS), section("store", STORE_KEYS), section("serve", SERVE_KEYS)];
        let network = section("network", network::NETWORK_KEYS);
        let policy = section(BUDGET_POLICY.name, BUDGET_POLICY_KEYS);
        let control = root.get("control").filter(|node| node.map().is_some());
        project.control = control.map(|node| control::read(node, &mut binder));
        let now = context.now;
        project.maintenance = maintenance::read(root.get("maintenance"), context, &mut binder);
        project.adjustments = adjustment::read(root.get(ADJUSTMENTS.name), now, &mut binder);
        project.take_fields(fields, report);
        project.take_sections(sections, report);
        project.budget_policy = policy.map(|fields| policy::read(fields, report)).unwrap_or_default();
        if let Some(network) = network {
            project.network = network::policy(network, report);
        }
        project.read_names(root, report);
        if let Some(node) = root.get("exporters") {
            project.read_exporters(node, report);
            crate::lint::written_down("exporters", node, report);
        }
        if let Some(node) = root.get("routes") {
            project.routes = routes::read(node, &project.shared, report);
        }
        project
    }

    fn take_fields(&mut self, mut fields: Fields, report: &mut Report) {
        check_version(&mut fields, report);
        let mut texts = |key: &str| {
            let list = fields.list(key).map(|list| list.value).unwrap_or_default();
            list.into_iter().filter_map(text).collect()
        };
        self.scenarios = texts("scenarios");
        self.include = texts("include");
    }

    fn take_sections(&mut self, [defaults, store, serve]: [Option<Fields>; 3], report: &mut Report) {
        if let Some(defaults) = defaults {
            self.take_defaults(defaults, report);
        }
        if let Some(mut store) = store {
            self.store.bytes_max = store.size("max_bytes").map(|size| size.value);
            self.store.keep = store.duration("keep").map(|keep| keep.value);
        }
        if let Some(mut serve) = serve {
            self.listen = serve.text("listen");
            self.is_blackbox = serve.choice("compat").is_some_and(|compat| compat.value == "blackbox");
            let wrong =
                self.listen.as_ref().filter(|listen| listen.value.parse::<std::net::SocketAddr>().is_err());
            if let Some(listen) = wrong {
                let message = format!("`{}` is not an address and a port", listen.value);
                report.push(
                    Diagnostic::error("E123", listen.span, message).help("write listen: \"127.0.0.1:9899\""),
                );
            }
        }
    }

    fn take_defaults(&mut self, mut fields: Fields, report: &mut Report) {
        let timeout = fields.duration("timeout");
        if let Some(zero) = timeout.as_ref().filter(|timeout| timeout.value.is_zero()) {
            report.push(Diagnostic::error("E104", zero.span, "a timeout of zero lets nothing finish"));
        }
        self.defaults.timeout = timeout.map(|timeout| timeout.value);
        self.defaults.every = fields.duration("every").and_then(|every| match check_every(&every) {
            Ok(_) => Some(every.value),
            Err(problem) => {
                report.push(problem);
                None
            }
        });
        self.defaults.owner = fields.text("owner").map(|owner| owner.value.into());
    }

    fn read_exporters(&mut self, node: &Node, report: &mut Report) {
        let Some(items) = node.list() else {
            let message = format!("expected a list of exporters, found {}", node.describe());
            report.push(
                Diagnostic::error("E103", node.span, message)
                    .help("write exporters: [ndjson: { directory: events }]"),
            );
            return;
        };
        for item in items {
            if let Some([(name, settings)]) = item.map() {
                self.exporters.push(ExporterFile { name: name.clone(), settings: settings.clone() });
            } else {
                let message =
                    format!("expected one exporter's name and its settings, found {}", item.describe());
                report.push(
                    Diagnostic::error("E103", item.span, message)
                        .help("write - ndjson: { directory: events }"),
                );
            }
        }
    }
}

fn text(item: Spanned<Bound>) -> Option<Spanned<String>> {
    match item.value {
        Bound::Text(text) => Some(Spanned::new(text, item.span)),
        _ => None,
    }
}

/// The regions that a scenario's tree names, or all; mistakes in it are reported elsewhere.
pub(crate) fn regions_of(root: &Node, project: &Project, own: &Own<'_>) -> Vec<Arc<str>> {
    let Some(node) = root.get("regions") else { return project.regions().to_vec() };
    let mut report = Report::default();
    let mut names = Names::new(&project.shared, own, None);
    let mut binder = Binder { report: &mut report, names: &mut names };
    let bound = binder.value(node, &KeyType::OneOrMany(&KeyType::Text), "regions");
    let Some(Bound::List(items)) = bound else { return project.regions().to_vec() };
    let wanted: Vec<String> = items.into_iter().filter_map(text).map(|item| item.value).collect();
    let regions = project.regions().iter().filter(|region| wanted.iter().any(|wanted| **wanted == ***region));
    regions.cloned().collect()
}

/// The place of the first key, where what is missing is reported.
pub(crate) fn first_key(root: &Node) -> Span {
    match root.map() {
        Some([(first, _), ..]) => first.span,
        _ => Span { end: root.span.start, ..root.span },
    }
}

/// The entries of a map of the author's own names.
pub(crate) fn map_of<'n>(node: &'n Node, key: &str, report: &mut Report) -> &'n [(Spanned<String>, Node)] {
    if let NodeValue::Map(entries) = &node.value {
        return entries;
    }
    let message = format!("expected a map of names under `{key}`, found {}", node.describe());
    report.push(Diagnostic::error("E103", node.span, message));
    &[]
}

/// The variables of a `vars` map: constants only.
pub(crate) fn read_vars(node: &Node, report: &mut Report) -> Vars {
    crate::lint::vars(node, report);
    let mut vars = Vars::new();
    for (name, value) in map_of(node, "vars", report) {
        if let Err(problem) = name::private("variable", &name.value, name.span) {
            report.push(problem);
        }
        match value.scalar() {
            // Put into a URL it would be the text `null`, or nothing at all.
            Some(scalar) if scalar.kind == ScalarKind::Null => {
                let message =
                    format!("a variable is a text, number or yes-no value, found {}", value.describe());
                let help = format!("write {}: \"\" for an empty text", name.value);
                report.push(Diagnostic::error("E210", value.span, message).help(help));
                vars.insert(name.value.clone(), Var::wrong(name.span));
            }
            Some(scalar) if !scalar.text.contains("${") => {
                vars.insert(
                    name.value.clone(),
                    Var::defined(Scalar { verbatim: None, ..scalar.clone() }, name.span),
                );
            }
            Some(_) => {
                let problem =
                    Diagnostic::error("E210", value.span, "a variable's value cannot have `${…}` in it");
                report.push(problem.help("put the parts together where they are used"));
                vars.insert(name.value.clone(), Var::wrong(name.span));
            }
            None => {
                let message =
                    format!("a variable is a text, number or yes-no value, found {}", value.describe());
                report.push(Diagnostic::error("E210", value.span, message));
                vars.insert(name.value.clone(), Var::wrong(name.span));
            }
        }
    }
    vars
}
