//! `use` and `with`: the template of a scenario, and what it is given.

use super::params::Param;
use super::template_file::{TemplateFile, Templates};
use crate::diagnostic::{Diagnostic, Report};
use crate::names::Names;
use crate::source::{Span, Spanned};
use crate::suggest::nearest;
use crate::tree::{Node, ScalarKind};

/// A template with its arguments.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    pub(crate) template: &'a TemplateFile,
    given: Vec<(&'a Param, &'a Node)>,
    /// The template's name in the scenario.
    pub(crate) at: Span,
}

impl<'a> Arguments<'a> {
    /// The template that the scenario uses; `None` if it uses none, or one that is not known.
    pub(crate) fn read(root: &'a Node, templates: &'a Templates, report: &mut Report) -> Option<Self> {
        let key = |name: &str| root.map()?.iter().find(|(key, _)| key.value == name);
        let Some((_, node)) = key("use") else {
            if let Some((with, _)) = key("with") {
                let problem =
                    Diagnostic::error("E101", with.span, "`with` belongs to `use`, and there is none");
                report.push(problem.help("add use: NAME, the template that gets these values"));
            }
            return None;
        };
        let Some(name) = node.scalar().filter(|scalar| !matches!(scalar.kind, ScalarKind::Null)) else {
            let message = format!("expected the name of a template, found {}", node.describe());
            report.push(Diagnostic::error("E103", node.span, message).help("write use: rest-health"));
            return None;
        };
        if name.text.contains("${") {
            let problem =
                Diagnostic::error("E207", node.span, "the name of a template cannot have `${…}` in it");
            report.push(problem.help("write a scenario for each template"));
            return None;
        }
        let Some(template) = templates.find(&name.text) else {
            report.push(unknown(&name.text, node.span, templates));
            return None;
        };
        let mut arguments = Self { template, given: Vec::new(), at: node.span };
        if let Some((_, with)) = key("with") {
            arguments.take(with, report);
        }
        arguments.missing(report);
        Some(arguments)
    }

    fn take(&mut self, with: &'a Node, report: &mut Report) {
        let Some(entries) = with.map() else {
            let message = format!("expected a map of arguments, found {}", with.describe());
            report.push(
                Diagnostic::error("E103", with.span, message)
                    .help("write with: { url: https://shop.example/ }"),
            );
            return;
        };
        for (name, node) in entries {
            match self.template.param(&name.value) {
                // A wrong one is given all the same: it is not missing.
                Some(param) if node.scalar().is_none() => {
                    report.push(param.not_single(node));
                    self.given.push((param, node));
                }
                Some(param) => self.given.push((param, node)),
                None => report.push(self.unknown_param(name)),
            }
        }
    }

    fn unknown_param(&self, name: &Spanned<String>) -> Diagnostic {
        let template = self.template;
        let message = format!("the template `{}` has no parameter `{}`", template.name.value, name.value);
        let problem = Diagnostic::error("E152", name.span, message);
        let names = || template.params.iter().map(|param| param.name.value.as_str());
        let problem = problem.other(template.name.span, "the template is here");
        match nearest(&name.value, names()) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None if template.params.is_empty() => problem.help("it has no parameters; leave out `with`"),
            None => problem.help(format!("its parameters are: {}", names().collect::<Vec<_>>().join(", "))),
        }
    }

    fn missing(&self, report: &mut Report) {
        let is_given = |param: &Param| self.given.iter().any(|(given, _)| given.name == param.name);
        for param in self.template.params.iter().filter(|param| param.default.is_none() && !is_given(param)) {
            let name = &param.name.value;
            let message = format!("the template `{}` needs `{name}`", self.template.name.value);
            let help = match param.doc.as_str() {
                "" => format!("add with: {{ {name}: … }}"),
                doc => format!("add with: {{ {name}: … }} – {doc}"),
            };
            let problem = Diagnostic::error("E153", self.at, message);
            report.push(problem.other(param.name.span, "declared here, without a default").help(help));
        }
    }

    /// Whether the place is inside the template's file.
    pub(crate) fn is_in_template(&self, place: Span) -> bool {
        self.template.file == place.file
    }

    /// The parameter of this name with its argument or default; `None` if it is not declared or missing,
    /// which is reported elsewhere.
    pub(crate) fn value(&self, name: &str) -> Option<(&'a Param, &'a Node)> {
        let given = self.given.iter().find(|(param, _)| param.name.value == name).copied();
        given.or_else(|| {
            let param = self.template.param(name)?;
            Some((param, param.default.as_ref()?))
        })
    }

    /// All parameters with their values, and whether it was the scenario that gave it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a Param, &'a Node, bool)> + '_ {
        self.template.params.iter().filter_map(|param| {
            let (param, node) = self.value(&param.name.value)?;
            Some((param, node, self.given.iter().any(|(given, _)| std::ptr::eq(*given, param))))
        })
    }

    /// Checks every argument, also those whose use the scenario has replaced.
    pub(crate) fn check(&self, names: &mut Names<'_>, report: &mut Report) {
        for (param, node) in self.given.iter().filter(|(_, node)| node.scalar().is_some()) {
            names.read_argument(param, node, report);
        }
    }
}

fn unknown(name: &str, span: Span, templates: &Templates) -> Diagnostic {
    let shown = model::outcome::cut(name.to_owned(), 60);
    let problem = Diagnostic::error("E151", span, format!("there is no template `{shown}`"));
    let known: Vec<&str> = templates.names().take(10).collect();
    match nearest(name, templates.names()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None if known.is_empty() => {
            problem.help("name the template files in prober.yaml: include: [\"templates/*.yaml\"]")
        }
        None => problem.help(format!("templates of this project: {}", known.join(", "))),
    }
}
