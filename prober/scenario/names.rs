//! What `${…}` may name: variables, parameters, secrets, captures and the facts of a run.

mod capture;
mod reuse;

pub(crate) use capture::Capture;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::lint::is_secret_variable;
use crate::own::Beside;
use crate::pattern::Patterns;
use crate::reuse::{Arguments, Cell};
use crate::source::Span;
use crate::suggest::nearest;
use crate::template::{Filter, Hole, Secrets, Template};
use crate::tree::{Scalar, ScalarKind, core_schema};

/// Variables by name.
pub(crate) type Vars = BTreeMap<String, Var>;

/// One variable: its value, and where it is defined (`--var` has no place).
#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub(crate) value: Scalar,
    pub(crate) span: Option<Span>,
    /// Whether its value was reported as a mistake: its uses are none of their own.
    pub(crate) is_wrong: bool,
}

impl Var {
    /// A variable that a file defines.
    pub(crate) const fn defined(value: Scalar, at: Span) -> Self {
        Self { value, span: Some(at), is_wrong: false }
    }

    /// One that a file defines with a value that cannot be.
    pub(crate) fn wrong(at: Span) -> Self {
        Self { is_wrong: true, ..Self::defined(Scalar::empty(), at) }
    }

    /// A variable whose value was given on the command line.
    pub(crate) fn from_text(text: &str) -> Self {
        Self {
            value: Scalar { text: text.into(), kind: core_schema(text), verbatim: None, is_block: false },
            span: None,
            is_wrong: false,
        }
    }
}

/// The variables and secrets of one region.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionNames {
    pub(crate) vars: Vars,
    pub(crate) secrets: BTreeSet<Arc<str>>,
}

/// Everything that is the same for all scenarios.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    /// From `--var`.
    pub(crate) given: Vars,
    pub(crate) project: RegionNames,
    pub(crate) regions: BTreeMap<Arc<str>, RegionNames>,
    /// How files are read that scenarios name.
    pub(crate) beside: Beside,
    /// The patterns compiled so far.
    pub(crate) patterns: Arc<Patterns>,
}

/// What belongs to one scenario, or to one instance of it.
pub(crate) struct Own<'a> {
    /// The `vars` of the scenario's file.
    pub(crate) vars: &'a Vars,
    /// The `vars` in the body of its template.
    pub(crate) template_vars: &'a Vars,
    /// The instance's value of each key of the matrix.
    pub(crate) matrix: Vec<Cell<'a>>,
    /// There is a matrix, and what is wrong with it is reported.
    pub(crate) matrix_is_wrong: bool,
    /// The template that it uses, with what it is given.
    pub(crate) arguments: Option<&'a Arguments<'a>>,
}

/// Nothing of its own: what belongs to the project.
pub(crate) static NOTHING: Own<'static> = Own {
    vars: &NO_VARS,
    template_vars: &NO_VARS,
    matrix: Vec::new(),
    matrix_is_wrong: false,
    arguments: None,
};

/// No variables.
pub(crate) static NO_VARS: Vars = Vars::new();

/// What is in scope at one place of one scenario in one region.
pub(crate) struct Names<'a> {
    shared: &'a Shared,
    own: &'a Own<'a>,
    /// `None` where the value is the same in all regions.
    region: Option<Arc<str>>,
    captures: Vec<Capture>,
    /// The step that is being read; its captures and later ones cannot be used.
    step: usize,
    step_name: Arc<str>,
    secrets_used: BTreeSet<Arc<str>>,
    /// Variables that were looked up and should have been secrets.
    unnamed_secrets: Secrets,
    /// Filters that values are put through, more than one after another.
    chains: Vec<(Hole, Vec<Filter>)>,
    /// Whether something was looked up that may differ between regions.
    regional: bool,
    /// Whether something was looked up that may differ between instances of a matrix.
    instanced: bool,
    /// Whether the value of a parameter is being read.
    in_argument: bool,
}

/// What a name stands for.
pub(crate) enum Meaning {
    /// Known when the file is compiled.
    Constant(Scalar),
    /// Known in the run.
    Hole(Hole),
    /// Put together in the run: an argument with holes of its own.
    Parts(Template),
    /// Nothing: what is wrong with it is reported where it stands.
    Reported,
}

const RUN_FACTS: [&str; 3] = ["run.id", "run.started_at", "run.attempt"];

impl<'a> Names<'a> {
    pub(crate) fn new(shared: &'a Shared, own: &'a Own<'a>, region: Option<Arc<str>>) -> Self {
        Self {
            shared,
            own,
            region,
            captures: Vec::new(),
            step: 0,
            step_name: "".into(),
            secrets_used: BTreeSet::new(),
            unnamed_secrets: Secrets::default(),
            chains: Vec::new(),
            regional: false,
            instanced: false,
            in_argument: false,
        }
    }

    /// How files are read that the scenario names.
    pub(crate) const fn beside(&self) -> &'a Beside {
        &self.shared.beside
    }

    /// The patterns compiled so far.
    pub(crate) fn patterns(&self) -> &'a Patterns {
        &self.shared.patterns
    }

    /// Says which step is read next.
    pub(crate) fn enter(&mut self, step: usize, name: &Arc<str>) {
        self.step = step;
        self.step_name = Arc::clone(name);
    }

    /// Forgets what was looked up.
    pub(crate) fn watch(&mut self) {
        (self.regional, self.instanced) = (false, false);
    }

    /// Whether anything was looked up since [`Self::watch`] that may differ between regions.
    pub(crate) fn is_regional(&self) -> bool {
        self.regional
    }

    /// Whether anything was looked up since [`Self::watch`] that may differ between instances.
    pub(crate) fn is_instanced(&self) -> bool {
        self.instanced
    }

    pub(crate) fn secrets_used(&self) -> &BTreeSet<Arc<str>> {
        &self.secrets_used
    }

    /// Variables that were looked up and look like secrets, by their paths.
    pub(crate) fn unnamed_secrets(&self) -> &Secrets {
        &self.unnamed_secrets
    }

    /// Notes that a value that is known only in the run is put through `filters`.
    pub(crate) fn note_filters(&mut self, hole: &Hole, filters: &[Filter]) {
        // What one filter makes of a secret is known without being told.
        let is_new = || self.chains.iter().all(|(known, through)| (known, &**through) != (hole, filters));
        if filters.len() > 1 && is_new() {
            self.chains.push((hole.clone(), filters.to_vec()));
        }
    }

    /// Values that are put through more than one filter, and through which.
    pub(crate) fn chains(&self) -> &[(Hole, Vec<Filter>)] {
        &self.chains
    }

    /// What `path` stands for.
    pub(crate) fn look_up(&mut self, path: &str, span: Span) -> Result<Meaning, Diagnostic> {
        match path.split_once('.') {
            None if path == "region" => self.region(span).map(Meaning::Constant),
            None if self.in_argument => Err(self.capture_in_argument(path, span)),
            None => self.capture(path, span).map(Meaning::Hole),
            Some(("vars", name)) if self.is_wrong(name) => Ok(Meaning::Reported),
            Some(("vars", name)) => {
                let value = self.var(name, span)?;
                if is_secret_variable(name, &value.text) {
                    self.unnamed_secrets.set(path, &*value.text);
                }
                Ok(Meaning::Constant(value))
            }
            Some(("secrets", name)) => self.secret(name, span).map(Meaning::Hole),
            Some(("run", _)) => run_fact(path, span).map(Meaning::Hole),
            Some(("params", name)) => self.param(name, span),
            Some(("matrix", name)) => self.matrix(name, span),
            Some(("region", name)) => {
                let message = format!("`region` is the region's name, and has no `{name}`");
                // A region's own variables are read like all others.
                let problem = Diagnostic::error("E204", span, message);
                Err(match name.strip_prefix("vars.").or_else(|| name.strip_prefix("secrets.")) {
                    Some(_) => {
                        problem.help(format!("write ${{{name}}}: it is the region's own where it has one"))
                    }
                    None => problem.help("write ${region}"),
                })
            }
            Some(("env", name)) => {
                Err(Diagnostic::error("E204", span, "the environment cannot be read here")
                    .help(format!("name it under `secrets` in prober.yaml: {name}: {{ env: {name} }}")))
            }
            Some((space, rest)) => {
                let spaces = ["vars", "secrets", "params", "matrix", "run", "region"];
                let problem = Diagnostic::error("E204", span, format!("nothing is named `{space}`"));
                Err(match nearest(space, spaces) {
                    Some(near) => problem.label(format!("did you mean `{near}.{rest}`?")),
                    None => problem.help("known are vars.NAME, secrets.NAME, region, run.id, run.started_at, run.attempt, and captures by name"),
                })
            }
        }
    }

    fn region(&mut self, span: Span) -> Result<Scalar, Diagnostic> {
        self.regional = true;
        let Some(region) = &self.region else {
            return Err(same_everywhere(span, "`region` differs between regions"));
        };
        Ok(Scalar { text: (&**region).into(), kind: ScalarKind::Quoted, verbatim: None, is_block: false })
    }

    fn region_names(&self) -> Option<&'a RegionNames> {
        self.shared.regions.get(self.region.as_deref()?)
    }

    fn var(&mut self, name: &str, span: Span) -> Result<Scalar, Diagnostic> {
        if let Some(value) = self.strong(name) {
            return Ok(value);
        }
        let somewhere = self.shared.regions.iter().find(|(_, names)| names.vars.contains_key(name));
        self.regional |= somewhere.is_some();
        if let (None, Some(_)) = (&self.region, somewhere) {
            return Err(same_everywhere(span, &format!("`vars.{name}` differs between regions")));
        }
        let regional = self.region_names().and_then(|names| names.vars.get(name));
        if let Some(var) = regional.or_else(|| self.shared.project.vars.get(name)) {
            return Ok(var.value.clone());
        }
        if let (Some((known, _)), Some(region)) = (somewhere, &self.region) {
            let message = format!("`vars.{name}` is not defined for the region `{region}`");
            return Err(Diagnostic::error("E208", span, message)
                .label(format!("the region `{known}` has it"))
                .help(format!("add it under `regions: {region}: vars:` in prober.yaml, or limit the scenario with `regions:`")));
        }
        let problem = Diagnostic::error("E202", span, format!("`vars.{name}` is not defined"));
        let known = self.known_vars();
        Err(match nearest(name, known.iter().copied()) {
            Some(near) => problem.label(format!("did you mean `vars.{near}`?")),
            None if known.is_empty() => {
                problem.help("define it under `vars` in prober.yaml, in the scenario, or with --var")
            }
            None => problem.help(format!("defined are: {}", first_words(&known))),
        })
    }

    /// Whether a file defines the variable with a value that was reported.
    fn is_wrong(&self, name: &str) -> bool {
        let layers =
            [Some(self.own.vars), Some(self.own.template_vars), self.region_names().map(|names| &names.vars)];
        let mut all = layers.into_iter().flatten().chain([&self.shared.project.vars]);
        all.any(|vars| vars.get(name).is_some_and(|var| var.is_wrong))
    }

    /// The value of a variable that the scenario or something stronger sets: the same in all regions.
    fn strong(&mut self, name: &str) -> Option<Scalar> {
        if let Some(var) = self.shared.given.get(name) {
            return Some(var.value.clone());
        }
        if let Some(cell) = self.own.matrix.iter().find(|cell| cell.key == name) {
            self.instanced = true;
            return Some(cell.value.clone());
        }
        let layers = [self.own.vars, self.own.template_vars];
        layers.into_iter().find_map(|vars| vars.get(name)).map(|var| var.value.clone())
    }

    fn known_vars(&self) -> Vec<&'a str> {
        let regional = self.region_names().map(|names| &names.vars);
        let own = self.own;
        let layers = [
            Some(&self.shared.given),
            Some(own.vars),
            Some(own.template_vars),
            regional,
            Some(&self.shared.project.vars),
        ];
        let names: BTreeSet<&str> =
            layers.into_iter().flatten().flat_map(|vars| vars.keys().map(String::as_str)).collect();
        names.into_iter().collect()
    }

    fn secret(&mut self, name: &str, span: Span) -> Result<Hole, Diagnostic> {
        let regional = self.region_names().and_then(|names| names.secrets.get(name));
        let known = regional.or_else(|| self.shared.project.secrets.get(name));
        if let Some(known) = known {
            self.secrets_used.insert(Arc::clone(known));
            return Ok(Hole::Secret(Arc::clone(known)));
        }
        let somewhere = self.shared.regions.iter().find(|(_, names)| names.secrets.contains(name));
        if let (Some((other, _)), Some(region)) = (somewhere, &self.region) {
            let message = format!("`secrets.{name}` is not defined for the region `{region}`");
            return Err(
                Diagnostic::error("E208", span, message).label(format!("the region `{other}` has it"))
            );
        }
        let mut names: Vec<&str> = self.shared.project.secrets.iter().map(|name| &**name).collect();
        names.extend(
            self.region_names().into_iter().flat_map(|region| region.secrets.iter().map(|name| &**name)),
        );
        let problem = Diagnostic::error("E203", span, format!("the secret `{name}` is not defined"));
        Err(match nearest(name, names.iter().copied()) {
            Some(near) => problem.label(format!("did you mean `secrets.{near}`?")),
            None => problem.help(format!(
                "name its source under `secrets` in prober.yaml: {name}: {{ env: {} }}",
                name.to_uppercase()
            )),
        })
    }
}

fn same_everywhere(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("E207", span, format!("{what}, but this value is the same in all of them"))
}

fn run_fact(path: &str, span: Span) -> Result<Hole, Diagnostic> {
    match path {
        "run.id" => Ok(Hole::RunId),
        "run.started_at" => Ok(Hole::RunStartedAt),
        "run.attempt" => Ok(Hole::RunAttempt),
        _ => {
            let problem =
                Diagnostic::error("E204", span, format!("a run has no `{}`", &path["run.".len()..]));
            Err(match nearest(path, RUN_FACTS) {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None => problem.help("known are run.id, run.started_at and run.attempt"),
            })
        }
    }
}

/// At most ten words.
fn first_words(words: &[&str]) -> String {
    let shown = words.iter().take(10).copied().collect::<Vec<_>>().join(", ");
    if words.len() > 10 { format!("{shown} and {} more", words.len() - 10) } else { shown }
}
