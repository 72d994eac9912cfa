//! Variables that nothing mentions. By their names in the texts, so that a mistake elsewhere hides no use.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Report};
use crate::interpolate::paths;
use crate::names::{Shared, Vars};
use crate::reuse::{Arguments, Assembled};
use crate::source::Span;
use crate::tree::Node;

/// The variables that files mention.
#[derive(Default)]
pub(crate) struct Mentioned(HashSet<String>);

impl Mentioned {
    /// Notes what is mentioned below the node.
    pub(crate) fn note(&mut self, node: &Node) {
        paths(node, &mut |path, _, _| {
            if let Some(name) = path.strip_prefix("vars.").filter(|name| !self.0.contains(*name)) {
                self.0.insert(name.to_owned());
            }
        });
    }

    /// Warns of the scenario's own variables that neither it nor its template mentions.
    pub(crate) fn of_scenario(assembled: &Assembled<'_>, report: &mut Report) {
        if assembled.vars.is_empty() {
            return;
        }
        let mut here = Self::default();
        here.note(&assembled.whole);
        for (_, node, _) in assembled.arguments.iter().flat_map(Arguments::all) {
            here.note(node);
        }
        here.warn(&assembled.vars, "nothing in this scenario uses", report);
    }

    /// Warns of the project's variables that no file mentions, or that every region replaces.
    pub(crate) fn of_project(&self, shared: &Shared, report: &mut Report) {
        self.warn(&shared.project.vars, "no scenario uses", report);
        for names in shared.regions.values() {
            // One that the project has too is reported there.
            let own = names.vars.iter().filter(|(name, _)| !shared.project.vars.contains_key(*name));
            self.warn_each(own.map(|(name, var)| (name.as_str(), var.span)), "no scenario uses", report);
        }
        let replaced = |name: &str| {
            !shared.regions.is_empty() && shared.regions.values().all(|names| names.vars.contains_key(name))
        };
        for (name, var) in
            shared.project.vars.iter().filter(|(name, _)| self.0.contains(*name) && replaced(name))
        {
            let Some(span) = var.span else { continue };
            let message = format!("every region has its own `{name}`, so this value is never used");
            report.push(Diagnostic::warning("W352", span, message));
        }
    }

    /// The names of `--var` that are neither mentioned nor defined anywhere.
    pub(crate) fn unknown_given(&self, shared: &Shared) -> Vec<String> {
        let elsewhere = |name: &str| {
            shared.project.vars.contains_key(name)
                || shared.regions.values().any(|names| names.vars.contains_key(name))
        };
        shared.given.keys().filter(|name| !self.0.contains(*name) && !elsewhere(name)).cloned().collect()
    }

    /// The names, for suggestions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn warn(&self, vars: &Vars, words: &str, report: &mut Report) {
        // A wrong one has a mistake of its own.
        let sound = vars.iter().filter(|(_, var)| !var.is_wrong);
        self.warn_each(sound.map(|(name, var)| (name.as_str(), var.span)), words, report);
    }

    fn warn_each<'v>(
        &self,
        vars: impl Iterator<Item = (&'v str, Option<Span>)>,
        words: &str,
        report: &mut Report,
    ) {
        for (name, span) in vars.filter(|(name, _)| !self.0.contains(*name)) {
            let Some(span) = span else { continue };
            report.push(Diagnostic::warning("W352", span, format!("{words} the variable `{name}`")));
        }
    }
}
