//! Every variable that a scenario can name: its value in each region, where it comes from, what it hides.
//!
//! For `prober explain vars NAME`. Values of secrets are not here, only where they are read from.

use crate::compile::{Options, Read, Sources};
use crate::diagnostic::Report;
use crate::interpolate::spelled;
use crate::names::{Meaning, Names, Own, Shared, Vars};
use crate::project::{Project, SecretSource, regions_of};
use crate::render::locate;
use crate::reuse::{Assembled, base_name, suffix, unwrap};
use crate::source::{Source, Span};
use crate::tree::{Node, parse};

/// The scope of one scenario, or of one instance of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The scenario's name, that of the instance if there is a matrix.
    pub name: String,
    /// Its regions.
    pub regions: Vec<RegionScope>,
}

/// The scope in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionScope {
    /// The region.
    pub region: String,
    /// Variables, parameters, matrix and secrets, in this order and each sorted by name.
    pub bindings: Vec<Binding>,
}

/// What one name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name as files write it: `vars.shop`.
    pub name: String,
    /// What it is, and where that stands.
    pub winner: Layer,
    /// What it hides, the strongest first.
    pub hidden: Vec<Layer>,
}

/// One place that gives a name a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The value; for a secret where it is read from: `env PROBE_PASSWORD`.
    pub value: String,
    /// `--var`, `matrix`, `scenario`, `template`, `region` or `project`; `with` or `default` for a parameter.
    pub origin: &'static str,
    /// File and line, counted from 1; `None` for the command line.
    pub place: Option<(String, usize)>,
}

/// The scopes of the scenario of this name, of all its instances for the name that they share; empty if there
/// is no such scenario.
pub fn scopes(sources: Sources, options: &Options, name: &str) -> Vec<Scope> {
    let mut report = Report::default();
    let read = Read::of(sources, options, &mut report);
    let mut found = Vec::new();
    for (index, source) in read.files.iter().enumerate().skip(read.scenarios_from) {
        let file = u32::try_from(index).unwrap_or(u32::MAX);
        // Most files are of other scenarios, and need not be read to know that.
        if !source.text.contains(base_name(name)) {
            continue;
        }
        let Some(root) = parse(file, &source.text, &mut report) else { continue };
        let root = unwrap(root, &mut report);
        let Some(base) = root.get("name").and_then(Node::scalar).map(|scalar| scalar.text.to_string()) else {
            continue;
        };
        if base != base_name(name) {
            continue;
        }
        let assembled = Assembled::read(&root, &read.templates, &mut report);
        for cells in assembled.instances() {
            let own = assembled.own(cells);
            let full = format!("{base}{}", suffix(&own.matrix));
            if full == name || base == name {
                found.push(Scope { name: full, regions: regions(&assembled, &own, &read) });
            }
        }
    }
    found
}

fn regions(assembled: &Assembled<'_>, own: &Own<'_>, read: &Read) -> Vec<RegionScope> {
    let project = &read.project;
    let wanted = regions_of(&assembled.whole, project, own);
    let regions = wanted.iter().map(|region| {
        let looker = Looker { project, own, files: &read.files, region };
        RegionScope { region: region.to_string(), bindings: looker.bindings() }
    });
    regions.collect()
}

struct Looker<'a> {
    project: &'a Project,
    own: &'a Own<'a>,
    files: &'a [Source],
    region: &'a std::sync::Arc<str>,
}

impl Looker<'_> {
    fn bindings(&self) -> Vec<Binding> {
        let mut all = self.vars();
        all.extend(self.params());
        let cells = self.own.matrix.iter();
        all.extend(cells.map(|cell| Binding {
            name: format!("matrix.{}", cell.key),
            winner: self.layer(&cell.value.text, "matrix", Some(cell.span)),
            hidden: Vec::new(),
        }));
        all.extend(self.secrets());
        all
    }

    fn layer(&self, value: &str, origin: &'static str, span: Option<Span>) -> Layer {
        let place = span.map(|span| {
            let (path, at) = locate(span, self.files);
            (path.to_owned(), at.line)
        });
        Layer { value: value.to_owned(), origin, place }
    }

    /// The layers of variables, the strongest first; the order is the one of [`Names`].
    fn vars(&self) -> Vec<Binding> {
        let shared: &Shared = &self.project.shared;
        let regional = shared.regions.get(self.region).map(|names| &names.vars);
        let none = Vars::new();
        let layers: [(&'static str, &Vars); 5] = [
            ("--var", &shared.given),
            ("scenario", self.own.vars),
            ("template", self.own.template_vars),
            ("region", regional.unwrap_or(&none)),
            ("project", &shared.project.vars),
        ];
        let mut names: Vec<&str> =
            layers.iter().flat_map(|(_, vars)| vars.keys().map(String::as_str)).collect();
        names.extend(self.own.matrix.iter().map(|cell| cell.key));
        names.sort_unstable();
        names.dedup();
        let binding = |name: &str| {
            let mut found: Vec<Layer> = Vec::new();
            for (origin, vars) in layers {
                if let Some(var) = vars.get(name) {
                    found.push(self.layer(&var.value.text, origin, var.span));
                }
                let cell = self.own.matrix.iter().find(|cell| origin == "--var" && cell.key == name);
                found.extend(cell.map(|cell| self.layer(&cell.value.text, "matrix", Some(cell.span))));
            }
            let mut found = found.into_iter();
            let winner = found.next()?;
            Some(Binding { name: format!("vars.{name}"), winner, hidden: found.collect() })
        };
        names.into_iter().filter_map(binding).collect()
    }

    /// The parameters with what they are given, else their defaults.
    fn params(&self) -> Vec<Binding> {
        let Some(arguments) = self.own.arguments else { return Vec::new() };
        let mut names = Names::new(&self.project.shared, self.own, Some(std::sync::Arc::clone(self.region)));
        let mut all: Vec<_> = arguments.all().collect();
        all.sort_by(|a, b| a.0.name.value.cmp(&b.0.name.value));
        let mut bound = Vec::with_capacity(all.len());
        for (param, node, is_given) in all {
            let value = match names.read_argument(param, node, &mut Report::default()) {
                Some(Meaning::Constant(scalar)) => scalar.text.to_string(),
                Some(Meaning::Parts(template)) => spelled(&template),
                _ => "wrong; `prober validate` says why".to_owned(),
            };
            let origin = if is_given { "with" } else { "default" };
            let default = param.default.as_ref().filter(|_| is_given);
            let hidden = default.map(|node| {
                let text = node.scalar().map_or("", |scalar| &*scalar.text);
                self.layer(text, "default", Some(node.span))
            });
            bound.push(Binding {
                name: format!("params.{}", param.name.value),
                winner: self.layer(&value, origin, Some(node.span)),
                hidden: hidden.into_iter().collect(),
            });
        }
        bound
    }

    fn secrets(&self) -> Vec<Binding> {
        let shared = &self.project.shared;
        let regional = shared.regions.get(self.region).map(|names| &names.secrets);
        let mut names: Vec<_> = regional.into_iter().flatten().chain(&shared.project.secrets).collect();
        names.sort_unstable();
        names.dedup();
        let binding = |name: &std::sync::Arc<str>| {
            let layers = [("region", Some(self.region)), ("project", None)];
            let mut found = layers.into_iter().filter_map(|(origin, region)| {
                let (source, span) = self.project.secret(region, name)?;
                let text = match source {
                    SecretSource::Env(variable) => format!("env {variable}"),
                    SecretSource::File(path) => format!("file {path}"),
                };
                Some(self.layer(&text, origin, Some(span)))
            });
            let winner = found.next()?;
            Some(Binding { name: format!("secrets.{name}"), winner, hidden: found.collect() })
        };
        names.into_iter().filter_map(binding).collect()
    }
}
