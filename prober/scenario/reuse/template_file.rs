//! Template files: read once, used by any number of scenarios.

use std::collections::{HashMap, HashSet};

use super::envelope::unwrap;
use super::keys::TEMPLATE_KEYS;
use super::params::{self, Param};
use crate::bind::{Binder, Elsewhere, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::file::check_version;
use crate::interpolate::paths;
use crate::name;
use crate::names::{NOTHING, Names, Shared, Vars};
use crate::project::{first_key, read_vars};
use crate::source::{Source, Span, Spanned};
use crate::suggest::nearest;
use crate::tree::{Node, parse};

/// Keys that belong to a scenario and so cannot stand in a body.
pub(crate) const SCENARIO_ONLY: [&str; 5] = ["name", "use", "with", "matrix", "was"];

/// All templates of a project.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    list: Vec<TemplateFile>,
    by_name: HashMap<String, usize>,
    /// Whether a file is left out that could not be read as a template.
    incomplete: bool,
}

/// One template.
#[derive(Debug)]
pub(crate) struct TemplateFile {
    pub(crate) name: Spanned<String>,
    /// The index of its file; what stands in it sees its parameters.
    pub(crate) file: u32,
    pub(crate) params: Vec<Param>,
    pub(crate) body: Node,
    pub(crate) vars: Vars,
}

impl Templates {
    /// Reads the files that begin at index `first`; what is wrong is left out and reported.
    pub(crate) fn read(first: usize, sources: &[Source], report: &mut Report) -> Self {
        let mut templates = Self::default();
        for (index, source) in (first..).zip(sources) {
            let file = u32::try_from(index).unwrap_or(u32::MAX);
            let template = parse(file, &source.text, report)
                .and_then(|root| TemplateFile::read(&unwrap(root, report), file, report));
            match template {
                Some(template) => templates.add(template, report),
                None => templates.incomplete = true,
            }
        }
        templates
    }

    /// Whether a template may be missing because its file could not be read.
    pub(crate) const fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    fn add(&mut self, template: TemplateFile, report: &mut Report) {
        let name = &template.name;
        if let Some(first) = self.find(&name.value) {
            let problem =
                Diagnostic::error("E108", name.span, format!("two templates are named `{}`", name.value));
            report.push(
                problem
                    .label("the second one")
                    .other(first.name.span, "the first one")
                    .help("scenarios name it in `use`: give each its own name"),
            );
            return;
        }
        self.by_name.insert(name.value.clone(), self.list.len());
        self.list.push(template);
    }

    pub(crate) fn find(&self, name: &str) -> Option<&TemplateFile> {
        self.by_name.get(name).map(|index| &self.list[*index])
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.list.iter().map(|template| template.name.value.as_str())
    }

    /// Warns of templates that no scenario uses.
    pub(crate) fn unused(&self, used: &HashSet<u32>, report: &mut Report) {
        for template in self.list.iter().filter(|template| !used.contains(&template.file)) {
            let name = &template.name;
            let message = format!("no scenario uses the template `{}`", name.value);
            report.push(
                Diagnostic::warning("W353", name.span, message)
                    .help("its body is checked only where it is used; remove the file, or use it"),
            );
        }
    }

    /// The bodies and the defaults, for what they mention.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.list.iter().flat_map(|template| {
            let defaults = template.params.iter().filter_map(|param| param.default.as_ref());
            std::iter::once(&template.body).chain(defaults)
        })
    }
}

impl TemplateFile {
    fn read(root: &Node, file: u32, report: &mut Report) -> Option<Self> {
        if root.map().is_none() {
            let message = format!("expected a template, a map of keys, found {}", root.describe());
            report
                .push(Diagnostic::error("E103", root.span, message).help("begin with template: my-template"));
            return None;
        }
        let shared = Shared::default();
        let mut names = Names::new(&shared, &NOTHING, None);
        let elsewhere = |typed: &str| match typed {
            "name" if root.get("template").is_none() => Some(Elsewhere::Hint(
                "this looks like a scenario; files under `include` are templates".to_owned(),
            )),
            "use" | "with" | "matrix" | "was" | "name" => {
                Some(Elsewhere::Hint(format!("`{typed}` belongs in a scenario")))
            }
            "parameters" | "args" | "inputs" => Some(Elsewhere::Hint("write `params`".to_owned())),
            "default" | "type" => Some(Elsewhere::Under("params".to_owned())),
            _ => Some(Elsewhere::Under("body".to_owned())),
        };
        let place = Place { words: "in a template".to_owned(), other: Vec::new(), elsewhere: &elsewhere };
        let at = first_key(root);
        let (mut fields, _) = Binder { report, names: &mut names }.entries(root, at, TEMPLATE_KEYS, &place);
        check_version(&mut fields, report);
        let params = root.get("params").map(|node| params::read(node, report)).unwrap_or_default();
        let body = body(root, at, report);
        let name = fields.text("template")?;
        if let Err(problem) = name::public("template", &name.value, name.span) {
            report.push(problem);
        }
        let body = body?;
        check_params(&params, &body, root, report);
        let vars = body.get("vars").map(|node| read_vars(node, report)).unwrap_or_default();
        Some(Self { name, file, params, body, vars })
    }

    pub(crate) fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name.value == name)
    }
}

fn body(root: &Node, at: Span, report: &mut Report) -> Option<Node> {
    let Some(body) = root.get("body") else {
        let problem = Diagnostic::error("E101", at, "the key `body` is missing in a template");
        report.push(problem.help("add body:, and under it what scenarios share, such as every: 1m"));
        return None;
    };
    let Some(entries) = body.map() else {
        let message = format!("expected the keys of a scenario under `body`, found {}", body.describe());
        report.push(Diagnostic::error("E103", body.span, message));
        return None;
    };
    for (key, _) in entries.iter().filter(|(key, _)| SCENARIO_ONLY.contains(&key.value.as_str())) {
        let problem = match key.value.as_str() {
            "use" | "with" => Diagnostic::error("E156", key.span, "a template cannot use another template")
                .help("write the keys out; a scenario uses one template"),
            other => Diagnostic::error("E156", key.span, format!("`{other}` belongs to each scenario"))
                .help(format!("write `{other}` beside `use` in the scenarios")),
        };
        report.push(problem);
    }
    Some(body.clone())
}

/// Parameters that the body asks for and are not declared, and declared ones that it never asks for.
fn check_params(params: &[Param], body: &Node, root: &Node, report: &mut Report) {
    let mut asked: HashSet<&str> = HashSet::new();
    let names = || params.iter().map(|param| param.name.value.as_str());
    let whole = root.get("body").unwrap_or(body);
    paths(whole, &mut |path, node, range| {
        let Some(name) = path.strip_prefix("params.") else { return };
        if names().any(|known| known == name) {
            asked.insert(name);
            return;
        }
        let span = node.part(range.start, range.end);
        let problem = Diagnostic::error("E152", span, format!("this template has no parameter `{name}`"));
        report.push(match nearest(name, names()) {
            Some(near) => problem.label(format!("did you mean `params.{near}`?")),
            None => problem.help(format!("declare it: params: {{ {name}: {{ type: text }} }}")),
        });
    });
    for param in params.iter().filter(|param| !asked.contains(param.name.value.as_str())) {
        let message = format!("nothing in the body uses the parameter `{}`", param.name.value);
        report.push(Diagnostic::warning("W350", param.name.span, message));
    }
}
