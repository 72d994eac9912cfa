//! From sources to plans: all files in one go, all mistakes of all files at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::event::Origin;
use model::slot::Stream;
use model::step::Part;

use crate::assertion::{Assertion, LATENCY};
use crate::bind::Binder;
use crate::cadence::CronCache;
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::file::{ScenarioFile, StepNode, Surroundings, read};
use crate::kind::Kind;
use crate::names::{Capture, Names, Var, Vars};
use crate::operators::Subjects;
use crate::plan::{About, Plan};
use crate::project::Project;
use crate::source::{Source, Span};
use crate::step::{Implied, SharedAssertions};
use crate::tree::{Node, parse};
use crate::version::version;

/// The files of a project as text.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `prober.yaml`; without it scenarios run in the single region `local`.
    pub project: Option<Source>,
    /// The scenario files.
    pub scenarios: Vec<Source>,
}

/// What the command line adds.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--var NAME=VALUE`, stronger than every file.
    pub vars: Vec<(String, String)>,
    /// Which prober the events come from.
    pub prober: String,
    /// The regions that plans are made for; all if `None`. Files are checked for all regions anyway.
    pub regions: Option<Vec<String>>,
}

/// What came of compiling.
#[derive(Debug)]
pub struct Compiled<N: 'static> {
    /// One plan a scenario and region, of the files without an error.
    pub plans: Vec<Plan<N>>,
    /// The project; of a wrong project file, what is right in it.
    pub project: Project,
    /// All mistakes, sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// The files in the order that spans count them: the project file first, if there is one.
    pub sources: Vec<Source>,
}

impl<N> Compiled<N> {
    /// Whether any mistake is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Compiles a project.
pub fn compile<N>(sources: Sources, kinds: &'static [Kind<N>], options: &Options) -> Compiled<N> {
    let has_project = sources.project.is_some();
    let files: Vec<Source> = sources.project.into_iter().chain(sources.scenarios).collect();
    let mut report = Report::default();
    let project = read_project(has_project.then(|| &files[0]), options, &mut report);
    let mut compiler = Compiler {
        around: Surroundings { project: &project, kinds, cron: CronCache::default() },
        implied: Implied::of(kinds),
        options,
        texts: HashSet::new(),
        seen: HashMap::new(),
    };
    let mut plans = Vec::new();
    for (index, source) in files.iter().enumerate().skip(usize::from(has_project)) {
        let mut file_report = Report::default();
        let made = compiler.file(index, source, &mut file_report);
        if !file_report.has_errors() {
            plans.extend(made);
        }
        report.append(file_report);
    }
    Compiled { plans, diagnostics: report.finish(), project, sources: files }
}

fn read_project(source: Option<&Source>, options: &Options, report: &mut Report) -> Project {
    let given: Vars = options.vars.iter().map(|(name, text)| (name.clone(), Var::from_text(text))).collect();
    match source.and_then(|source| parse(0, &source.text, report)) {
        Some(root) => Project::read(&root, given, report),
        None => Project::empty(given),
    }
}

struct Compiler<'a, N: 'static> {
    around: Surroundings<'a, N>,
    implied: Implied,
    options: &'a Options,
    /// Texts that many plans share: owners, labels, kinds.
    texts: HashSet<Arc<str>>,
    /// Names of scenarios and where they stand.
    seen: HashMap<String, Span>,
}

impl<N> Compiler<'_, N> {
    fn file(&mut self, index: usize, source: &Source, report: &mut Report) -> Vec<Plan<N>> {
        let file = u32::try_from(index).unwrap_or(u32::MAX);
        let Some(root) = parse(file, &source.text, report) else { return Vec::new() };
        let Some(scenario) = read(&root, &mut self.around, report) else { return Vec::new() };
        self.unique(&scenario, report);
        let shared = self.shared_parts(&scenario, source);
        let captures = declared(&scenario.steps, report);
        let mut assertions = SharedAssertions::default();
        let mut plans = Vec::with_capacity(scenario.regions.len());
        let mut unused = None;
        for region in &scenario.regions {
            let project = self.around.project;
            let mut names = Names::new(&project.shared, &scenario.vars, Some(Arc::clone(region)));
            names.declare(captures.clone());
            let mut binder = Binder { report, names: &mut names };
            let made = self.plan(&scenario, &mut assertions, &mut binder);
            unused = Some(names.captures().to_vec());
            let Some(parts) = made else { continue };
            if self
                .options
                .regions
                .as_ref()
                .is_none_or(|wanted| wanted.iter().any(|wanted| **wanted == **region))
            {
                let secrets = names.secrets_used().iter().cloned().collect();
                let version = version(&root, &effective(&scenario, &shared), &mut names);
                plans.push(self.finish(
                    &scenario,
                    &shared,
                    Made { parts, version, secrets, region: Arc::clone(region) },
                ));
            }
        }
        // After a mistake the use may be what could not be read.
        let unused = unused.filter(|_| !report.has_errors());
        for capture in unused.iter().flatten().filter(|capture| !capture.used) {
            let message = format!("nothing uses the capture `{}`", capture.name);
            report.push(Diagnostic::warning("W301", capture.span, message));
        }
        plans
    }

    fn unique(&mut self, scenario: &ScenarioFile<'_, N>, report: &mut Report) {
        let name = &scenario.name;
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

    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    /// What is the same in all regions.
    fn shared_parts(&mut self, scenario: &ScenarioFile<'_, N>, source: &Source) -> SharedParts {
        let name: Arc<str> = scenario.name.value.as_str().into();
        let owner = match &scenario.owner {
            Some(owner) => self.intern(owner),
            None => self.around.project.defaults.owner.clone().unwrap_or_else(|| self.intern("")),
        };
        let labels: Vec<_> =
            scenario.labels.iter().map(|(name, value)| (self.intern(name), self.intern(value))).collect();
        let kind = match scenario.steps.as_slice() {
            [only] => only.kind.name,
            _ => "flow",
        };
        let service =
            labels.iter().find(|(name, _)| &**name == "service").map(|(_, value)| Arc::clone(value));
        let before = source.text.get(..scenario.name.span.start as usize).unwrap_or_default();
        let line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX);
        let about = About {
            title: scenario.title.as_deref().map_or_else(|| Arc::clone(&name), Arc::from),
            aim: scenario.aim.as_str().into(),
            owner: Arc::clone(&owner),
            runbook: self.intern(&scenario.runbook),
            path: source.path.as_str().into(),
            line,
        };
        SharedParts {
            about: Arc::new(about),
            kind: self.intern(kind),
            service: service.unwrap_or_else(|| Arc::clone(&name)),
            owner,
            name,
            labels,
            prober: self.intern(&self.options.prober),
        }
    }

    /// The steps and the SLI for the binder's region.
    fn plan(
        &self,
        scenario: &ScenarioFile<'_, N>,
        shared: &mut SharedAssertions,
        binder: &mut Binder<'_, '_>,
    ) -> Option<PlanParts<N>> {
        let steps: Vec<_> = scenario
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| step.bind(index, &self.implied, shared, binder))
            .collect();
        let after = scenario.steps.len();
        let good = scenario.good.map(|node| {
            let subjects = subjects_of_good(&scenario.steps);
            shared.get((after, Part::Good), node, &subjects, binder)
        });
        let ineligible = scenario.ineligible.iter().enumerate().map(|(index, node)| {
            let subjects = subjects_of_clause(&scenario.steps, node);
            shared.get((after + index, Part::Ineligible), node, &subjects, binder)
        });
        let ineligible: Vec<_> = ineligible.collect();
        let steps = steps.into_iter().collect::<Option<Vec<_>>>().filter(|steps| !steps.is_empty())?;
        Some(PlanParts { steps, good: good.unwrap_or_default(), ineligible })
    }

    fn finish(&mut self, scenario: &ScenarioFile<'_, N>, shared: &SharedParts, made: Made<N>) -> Plan<N> {
        let origin = Origin {
            stream: Stream::new(Arc::clone(&shared.name), self.intern(&made.region)),
            version: made.version.into(),
            kind: Arc::clone(&shared.kind),
            owner: Arc::clone(&shared.owner),
            service: Arc::clone(&shared.service),
            labels: shared.labels.clone(),
            prober: Arc::clone(&shared.prober),
        };
        Plan {
            origin: Arc::new(origin),
            about: Arc::clone(&shared.about),
            cadence: scenario.cadence.clone(),
            interval: scenario.interval.unwrap_or(Duration::from_mins(1)),
            timeout: scenario.timeout,
            steps: made.parts.steps.into(),
            good: made.parts.good.into(),
            ineligible: made.parts.ineligible.into(),
            continue_on_failure: scenario.continue_on_failure,
            secrets: made.secrets,
        }
    }
}

struct SharedParts {
    about: Arc<About>,
    name: Arc<str>,
    kind: Arc<str>,
    owner: Arc<str>,
    service: Arc<str>,
    labels: Vec<(Arc<str>, Arc<str>)>,
    prober: Arc<str>,
}

/// A plan's own parts in one region.
struct Made<N: 'static> {
    parts: PlanParts<N>,
    version: String,
    secrets: Arc<[Arc<str>]>,
    region: Arc<str>,
}

struct PlanParts<N: 'static> {
    steps: Vec<crate::plan::StepPlan<N>>,
    good: Vec<Assertion>,
    ineligible: Vec<Vec<Assertion>>,
}

/// What defaults decide about a scenario, for its version.
fn effective<N>(scenario: &ScenarioFile<'_, N>, shared: &SharedParts) -> String {
    let labels: BTreeMap<_, _> = shared.labels.iter().cloned().collect();
    format!("{} {:?} {} {labels:?}", scenario.cadence, scenario.timeout, shared.owner)
}

/// All captures of a scenario in the order of its steps.
fn declared<N>(steps: &[StepNode<'_, N>], report: &mut Report) -> Vec<Capture> {
    let mut all: Vec<Capture> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        for (name, _) in step.capture.and_then(Node::map).unwrap_or_default() {
            if let Err(problem) = crate::name::private("capture", &name.value, name.span) {
                report.push(problem);
            }
            if ["region", "run", "vars", "secrets", "params", "matrix"].contains(&name.value.as_str()) {
                let message = format!("`{}` has a meaning of its own in `${{…}}`", name.value);
                report.push(Diagnostic::error("E107", name.span, message).help("choose another name"));
            }
            if let Some(first) = all.iter().find(|known| *known.name == *name.value) {
                let message = format!("`{}` is captured twice", name.value);
                let problem =
                    Diagnostic::warning("W305", name.span, message).other(first.span, "the first one");
                report.push(problem.help("steps after this one see only the later value"));
            }
            all.push(Capture {
                name: name.value.as_str().into(),
                span: name.span,
                step: index,
                step_name: Arc::clone(&step.name),
                used: false,
            });
        }
    }
    all
}

/// `sli.good` looks at the only step, or at the duration of a flow.
fn subjects_of_good<N>(steps: &[StepNode<'_, N>]) -> Subjects {
    match steps {
        [only] => Subjects::of(only.kind),
        _ => Subjects::flow(),
    }
}

/// A clause of `sli.ineligible` looks at the first kind of step that shows all it asks for.
fn subjects_of_clause<N>(steps: &[StepNode<'_, N>], clause: &Node) -> Subjects {
    let asked: Vec<&str> =
        clause.map().unwrap_or_default().iter().map(|(key, _)| key.value.as_str()).collect();
    let shows = |step: &&StepNode<'_, N>| {
        asked
            .iter()
            .all(|asked| *asked == LATENCY || step.kind.subjects.iter().any(|subject| subject.name == *asked))
    };
    let step = steps.iter().find(shows).or(steps.first());
    step.map_or_else(Subjects::flow, |step| Subjects::of(step.kind))
}
