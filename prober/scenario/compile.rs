//! From sources to plans: all files in one go, all mistakes of all files at once.

mod parts;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::bind::Binder;
use crate::cadence::CronCache;
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::file::{ScenarioFile, Surroundings, read};
use crate::kind::Kind;
use crate::names::{Names, Var, Vars};
use crate::plan::Plan;
use crate::project::Project;
use crate::source::{Source, Span};
use crate::step::{Implied, SharedAssertions};
use crate::tree::parse;
use crate::version::version;
use crate::waiver::{self, Waived};
use parts::{Made, declared, effective};

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
    /// The warnings that their authors have waived, with their reasons.
    pub waived: Vec<Waived>,
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
    report.append(twice(&plans));
    let (left, waived) = waiver::apply(report.finish(), &files);
    let diagnostics = left.into_iter().collect::<Report>().finish();
    Compiled { plans, diagnostics, waived, project, sources: files }
}

/// Scenarios that do the same in the same region: probably one was copied and not changed.
///
/// One warning for all that do the same, however many they are.
fn twice<N>(plans: &[Plan<N>]) -> Report {
    let mut seen: HashMap<_, Vec<(Span, &Plan<N>)>> = HashMap::new();
    for plan in plans {
        let steps = plan.steps().iter().map(|step| format!("{:?} {:?}", step.action, step.expect));
        let does = format!("{} {}", plan.cadence(), steps.collect::<String>());
        let same = seen.entry((Arc::clone(&plan.stream().region), does)).or_default();
        if same.last().is_none_or(|(last, _)| *last != plan.name_at) {
            same.push((plan.name_at, plan));
        }
    }
    let pairs = seen.values().filter_map(|same| match same.as_slice() {
        [(first, _), (second, plan), more @ ..] => Some((*first, *second, plan, more.len())),
        _ => None,
    });
    let warning = |(first, second, plan, more): (Span, Span, &&Plan<N>, usize)| {
        let targets = model::outcome::cut(plan.targets().join(", "), 80);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        let message = format!("this scenario does what another one does{more}: {targets}");
        let problem = Diagnostic::warning("W349", second, message).other(first, "the other one");
        problem.help("leave one of them out, or change what it probes or expects")
    };
    pairs.map(warning).collect()
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
}
