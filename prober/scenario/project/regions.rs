//! `regions` of the project file: where scenarios run, each place with what is its own.

use std::sync::Arc;

use super::keys::{CRITICAL, REGION_KEYS, REPLICAS};
use super::{Project, control, map_of, network, read_vars};
use crate::bind::{Binder, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::Bound;
use crate::name;
use crate::names::{NOTHING, Names, RegionNames};
use crate::tree::{Node, ScalarKind};

impl Project {
    /// Regions, variables and secrets.
    pub(super) fn read_names(&mut self, root: &Node, report: &mut Report) {
        if let Some(node) = root.get("secrets") {
            self.shared.project.secrets = self.read_secrets(node, None, report);
        }
        let Some(node) = root.get("regions") else { return };
        let entries = map_of(node, "regions", report);
        if entries.is_empty() {
            report.push(
                Diagnostic::error("E104", node.span, "`regions` is empty")
                    .help("leave it out for a single region named `local`"),
            );
            return;
        }
        self.regions.clear();
        for (name, body) in entries {
            if let Err(problem) = name::public("region", &name.value, name.span) {
                report.push(problem);
            }
            let region: Arc<str> = name.value.as_str().into();
            self.regions.push(Arc::clone(&region));
            let names = self.read_region(&region, body, report);
            self.shared.regions.insert(region, names);
        }
        if let ([(_, only)], false) = (entries, self.critical.is_empty())
            && let Some(critical) = only.get(CRITICAL.name)
        {
            let problem = Diagnostic::warning("W307", critical.span, "there is no other region");
            let problem = problem.label("so its outage is one of all regions, which pages anyway");
            report.push(problem.help("leave it out"));
        }
    }

    fn read_region(&mut self, region: &Arc<str>, body: &Node, report: &mut Report) -> RegionNames {
        let mut names = RegionNames::default();
        if body.scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Null) {
            return names; // `eu:` with nothing in it
        }
        for (key, node) in map_of(body, region, report) {
            match key.value.as_str() {
                "vars" => names.vars = read_vars(node, report),
                "secrets" => names.secrets = self.read_secrets(node, Some(region), report),
                "network" => self.read_network(node, region, report),
                "control" => self.read_control(node, region, report),
                "critical" => self.read_critical(node, region, report),
                "replicas" => self.read_replicas(node, region, report),
                _ => {
                    report.push(Place::under("regions").unknown_key(key, REGION_KEYS));
                }
            }
        }
        names
    }

    /// A region's own policy stands in place of the project's, as a whole.
    fn read_network(&mut self, node: &Node, region: &Arc<str>, report: &mut Report) {
        let mut names = Names::new(&self.shared, &NOTHING, None);
        let mut binder = Binder { report, names: &mut names };
        let (fields, _) = binder.entries(node, node.span, network::NETWORK_KEYS, &Place::under("network"));
        self.networks.insert(Arc::clone(region), network::policy(fields, report));
    }

    /// A region's own control targets stand in place of the project's, as a whole.
    fn read_control(&mut self, node: &Node, region: &Arc<str>, report: &mut Report) {
        let mut names = Names::new(&self.shared, &NOTHING, None);
        let control = control::read(node, &mut Binder { report, names: &mut names });
        self.controls.insert(Arc::clone(region), control);
    }

    /// The outage of a critical region pages by itself.
    fn read_critical(&mut self, node: &Node, region: &Arc<str>, report: &mut Report) {
        let mut names = Names::new(&self.shared, &NOTHING, None);
        let mut binder = Binder { report, names: &mut names };
        if let Some(Bound::Bool(true)) = binder.value(node, &CRITICAL.value, CRITICAL.name) {
            self.critical.insert(Arc::clone(region));
        }
    }
    /// So many agents probe what is in the region.
    fn read_replicas(&mut self, node: &Node, region: &Arc<str>, report: &mut Report) {
        let mut names = Names::new(&self.shared, &NOTHING, None);
        let mut binder = Binder { report, names: &mut names };
        let Some(Bound::Int(count)) = binder.value(node, &REPLICAS.value, REPLICAS.name) else { return };
        // One is what a region has anyway.
        if let Some(count) = u16::try_from(count).ok().filter(|count| *count > 1) {
            self.replicas.insert(Arc::clone(region), count);
        }
    }
}
