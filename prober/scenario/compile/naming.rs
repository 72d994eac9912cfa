//! Names of scenarios: one for each, and former ones that no other has.

use std::collections::HashMap;
use std::sync::Arc;

use super::Compiler;
use crate::diagnostic::{Diagnostic, Report};
use crate::file::ScenarioFile;
use crate::source::Spanned;
use crate::tree::Node;

/// A name that a scenario had before.
pub(super) struct Former {
    pub(super) name: Spanned<String>,
    pub(super) now: Arc<str>,
}

impl<N> Compiler<'_, N> {
    /// The name that all instances of a matrix share is taken too: commands choose all of them by it.
    pub(super) fn base_name(&mut self, root: &Node, report: &mut Report) {
        let Some(node) = root.get("name") else { return };
        let Some(scalar) = node.scalar() else { return };
        self.take_name(&Spanned::new(scalar.text.to_string(), node.span), report);
    }

    pub(super) fn unique(&mut self, scenario: &ScenarioFile<'_, N>, report: &mut Report) {
        self.take_name(&scenario.name, report);
    }

    fn take_name(&mut self, name: &Spanned<String>, report: &mut Report) {
        if name.value.is_empty() {
            return;
        }
        if let Some(first) = self.seen.get(&name.value) {
            let problem =
                Diagnostic::error("E108", name.span, format!("two scenarios are named `{}`", name.value));
            report.push(
                problem
                    .label("the second one")
                    .other(*first, "the first one")
                    .help("the name is the key of its history: give each its own"),
            );
            return;
        }
        self.seen.insert(name.value.clone(), name.span);
    }

    /// Former names that are still taken, or claimed by two.
    pub(super) fn former_names(&self, report: &mut Report) {
        let mut claimed: HashMap<&str, &Former> = HashMap::with_capacity(self.former.len());
        for former in &self.former {
            let name = former.name.value.as_str();
            if let Some(place) = self.seen.get(name) {
                let problem = Diagnostic::error(
                    "E159",
                    former.name.span,
                    format!("there is still a scenario named `{name}`"),
                );
                let problem = problem.other(*place, "it is here");
                report.push(problem.help(if *name == *former.now {
                    "a scenario's own name is none that it had before: leave it out"
                } else {
                    "two scenarios cannot share a history: remove or rename the other one"
                }));
            } else if let Some(first) = claimed.insert(name, former) {
                let message = format!("`{name}` is claimed by two scenarios");
                let problem = Diagnostic::error("E159", former.name.span, message);
                report.push(
                    problem
                        .other(first.name.span, format!("`{}` claims it too", first.now))
                        .help("a history goes on under one name: leave it out in one of them"),
                );
            }
        }
    }
}
