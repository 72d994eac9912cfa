//! From sources to plans: all files in one go, all mistakes of all files at once.

mod controls;
mod follow;
mod joint;
mod naming;
mod parts;
mod reach;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::time::Timestamp;

use crate::assertion::Assertion;
use crate::bind::Binder;
use crate::cadence::CronCache;
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::file::{Surroundings, read};
use crate::kind::Kind;
use crate::maintenance::Context;
use crate::names::{Names, Own, Var, Vars};
use crate::own::Beside;
use crate::parsed::Ahead;
use crate::plan::Plan;
use crate::project::{Project, first_key};
use crate::reuse::{Assembled, Templates, unwrap};
use crate::slo::{self, JointSlo, Member};
use crate::source::{Source, Span};
use crate::step::{Implied, SharedAssertions};
use crate::tree::{Node, parse};
use crate::unused::Mentioned;
use crate::version::version;
use crate::waiver::{self, Waived};
use follow::Unread;
use naming::Former;
use parts::{Made, declared, effective};

/// The files of a project as text.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `prober.yaml`; without it scenarios run in the single region `local`.
    pub project: Option<Source>,
    /// The template files.
    pub templates: Vec<Source>,
    /// The scenario files.
    pub scenarios: Vec<Source>,
    /// Whether these are all files of the project: only then is it known what nothing uses.
    pub whole: bool,
    /// How other files are read that scenarios name and that must be there when they are compiled.
    pub beside: Beside,
    /// How the scenario files are parsed.
    pub ahead: Ahead,
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
    /// Whether the project file is only the part of `regions`, see [`crate::region_part`]: files are checked for no
    /// other region then, as what they would need of it is not there.
    pub alone: bool,
    /// Whether plans know of all replicas of their regions, as in a fleet; on one machine there is one.
    pub replicas: bool,
    /// The time, for warnings about what is over; none are made without it.
    pub now: Option<Timestamp>,
}

/// What came of compiling.
#[derive(Debug)]
pub struct Compiled<N: 'static> {
    /// One plan a scenario and region, of the files without an error.
    pub plans: Vec<Plan<N>>,
    /// The control targets: one plan a target and region, run by the server between the others.
    pub controls: Vec<Plan<N>>,
    /// What SLO files promise of several scenarios together, of the files without an error.
    pub joint_slos: Vec<JointSlo>,
    /// The project; of a wrong project file, what is right in it.
    pub project: Project,
    /// All mistakes, sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// The warnings that their authors have waived, with their reasons.
    pub waived: Vec<Waived>,
    /// The files in the order that spans count them: the project file first, if there is one, then the
    /// templates, then the scenarios.
    pub sources: Vec<Source>,
    /// Names of `--var` that no file knows, each with what was probably meant.
    pub unknown_vars: Vec<(String, Option<String>)>,
}

/// The most plans of one project: scenarios times instances times regions, each replica by itself.
pub const PLANS_MAX: usize = 100_000;

impl<N> Compiled<N> {
    /// Whether any mistake is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Compiles a project.
pub fn compile<N>(sources: Sources, kinds: &'static [Kind<N>], options: &Options) -> Compiled<N> {
    let mut report = Report::default();
    let (is_whole, ahead) = (sources.whole, sources.ahead);
    let Read { project, templates, files, scenarios_from, mentioned, unread } =
        Read::of(sources, options, &mut report);
    let mut compiler = Compiler {
        around: Surroundings { project: &project, kinds, cron: CronCache::default(), now: options.now },
        templates: &templates,
        implied: Implied::of(kinds),
        options,
        texts: HashSet::new(),
        assertions: HashMap::new(),
        seen: HashMap::new(),
        former: Vec::new(),
        used: HashSet::new(),
        mentioned,
        plans: 0,
        // Only SLO files ask for them.
        members: files.iter().any(|source| slo::looks_like_slo_file(&source.text)).then(Vec::new),
        slo_files: Vec::new(),
        objectives: HashMap::new(),
    };
    let mut plans = Vec::new();
    ahead.0(&files, scenarios_from, &mut |index, source, parsed| {
        let mut file_report = parsed.report;
        let made = parsed.root.map(|root| compiler.file(index, source, root, &mut file_report));
        if !file_report.has_errors() {
            plans.extend(made.into_iter().flatten());
        }
        report.append(file_report);
    });
    let joint_slos = compiler.joint_slos(&files, is_whole, &mut report);
    compiler.adjustments(is_whole, &mut report);
    let controls = compiler.controls(&mut report);
    compiler.former_names(&mut report);
    let unknown_vars = compiler.unused(is_whole, &mut report);
    report.append(twice(&plans));
    let found = unread.without_what_follows(report.finish(), files.len() > 1);
    let (left, waived) = waiver::apply(found, &files);
    let diagnostics = left.into_iter().collect::<Report>().finish();
    Compiled { plans, controls, joint_slos, diagnostics, waived, project, sources: files, unknown_vars }
}

/// Scenarios that do the same in the same region: probably one was copied and not changed.
///
/// One warning for all that do the same, however many they are.
fn twice<N>(plans: &[Plan<N>]) -> Report {
    // With each place how many instances of a matrix there do the same.
    let mut seen: HashMap<_, Vec<(Span, &Plan<N>, usize)>> = HashMap::new();
    for plan in plans {
        let steps = plan.steps().iter().map(|step| format!("{:?} {:?}", step.action, step.expect));
        let does = format!("{} {}", plan.cadence(), steps.collect::<String>());
        // The text of each of ten thousand plans would be more than the plans themselves.
        let does = blake3::hash(does.as_bytes());
        let same = seen.entry((Arc::clone(&plan.stream().region), does)).or_default();
        match same.last_mut() {
            Some((last, _, instances)) if *last == plan.name_at => *instances += 1,
            _ => same.push((plan.name_at, plan, 1)),
        }
    }
    let shown = |plan: &Plan<N>| model::outcome::cut(plan.targets().join(", "), 80);
    let instances = seen.values().flatten().filter(|(.., instances)| *instances > 1);
    let instances = instances.map(|(at, plan, instances)| {
        let message = format!("{instances} instances of this matrix do the same: {}", shown(plan));
        let problem = Diagnostic::warning("W349", *at, message);
        problem.help("write ${matrix.KEY} where they differ, or leave the key out")
    });
    let pairs = seen.values().filter_map(|same| match same.as_slice() {
        [(first, ..), (second, plan, _), more @ ..] => Some((*first, *second, plan, more.len())),
        _ => None,
    });
    let warning = |(first, second, plan, more): (Span, Span, &&Plan<N>, usize)| {
        let targets = shown(plan);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        let message = format!("this scenario does what another one does{more}: {targets}");
        let problem = Diagnostic::warning("W349", second, message).other(first, "the other one");
        problem.help("leave one of them out, or change what it probes or expects")
    };
    pairs.map(warning).chain(instances).collect()
}

/// Everything that is read before the scenarios.
pub(crate) struct Read {
    pub(crate) project: Project,
    pub(crate) templates: Templates,
    /// All files, in the order that spans count them.
    pub(crate) files: Vec<Source>,
    /// The index of the first scenario file.
    pub(crate) scenarios_from: usize,
    pub(crate) mentioned: Mentioned,
    unread: Unread,
}

impl Read {
    pub(crate) fn of(sources: Sources, options: &Options, report: &mut Report) -> Self {
        let mut mentioned = Mentioned::default();
        let read = read_project(sources.project.as_ref(), options, &mut mentioned, report);
        let is_unread = read.is_none() && sources.project.is_some();
        let mut project = read.unwrap_or_else(|| Project::empty(given(options)));
        project.shared.beside = sources.beside;
        let templates_from = usize::from(sources.project.is_some());
        let templates = Templates::read(templates_from, &sources.templates, report);
        templates.nodes().for_each(|node| mentioned.note(node));
        let unread = Unread { project: is_unread, template: templates.is_incomplete() };
        let scenarios_from = templates_from + sources.templates.len();
        let files = sources.project.into_iter().chain(sources.templates).chain(sources.scenarios);
        Self { project, templates, files: files.collect(), scenarios_from, mentioned, unread }
    }
}

fn read_project(
    source: Option<&Source>,
    options: &Options,
    mentioned: &mut Mentioned,
    report: &mut Report,
) -> Option<Project> {
    let root = parse(0, &source?.text, report)?;
    mentioned.note(&root);
    let mut cron = CronCache::default();
    Some(Project::read(&root, given(options), Context { cron: &mut cron, now: options.now }, report))
}

/// The variables of the command line.
fn given(options: &Options) -> Vars {
    options.vars.iter().map(|(name, text)| (name.clone(), Var::from_text(text))).collect()
}

struct Compiler<'a, N: 'static> {
    around: Surroundings<'a, N>,
    templates: &'a Templates,
    implied: Implied,
    options: &'a Options,
    /// Texts that many plans share: owners, labels, kinds.
    texts: HashSet<Arc<str>>,
    /// Assertions that many plans share, by what they say.
    assertions: HashMap<String, Assertion>,
    /// Names of scenarios, of their instances too, and where they stand.
    seen: HashMap<String, Span>,
    /// Names that scenarios had before.
    former: Vec<Former>,
    /// The files of templates that are used.
    used: HashSet<u32>,
    mentioned: Mentioned,
    plans: usize,
    /// The scenarios as SLO files see them; `None` if there is no such file.
    members: Option<Vec<Member>>,
    /// The SLO files with their indices.
    slo_files: Vec<(usize, Node)>,
    /// Names of objectives and where they stand.
    objectives: HashMap<Arc<str>, Span>,
}

impl<N> Compiler<'_, N> {
    fn file(&mut self, index: usize, source: &Source, root: Node, report: &mut Report) -> Vec<Plan<N>> {
        let root = unwrap(root, report);
        if slo::is_slo_file(&root) {
            self.mentioned.note(&root);
            self.slo_files.push((index, root));
            return Vec::new();
        }
        let assembled = Assembled::read(&root, self.templates, report);
        self.mentioned.note(&root);
        assembled.shadowing(&self.around.project.shared, report);
        let mut assertions = SharedAssertions::default();
        let mut plans = Vec::new();
        for cells in assembled.instances() {
            assertions.next_instance();
            let own = assembled.own(cells);
            let made = self.instance((&assembled.whole, source), &own, &mut assertions, report);
            self.plans += made.iter().map(|plan| usize::from(self.replicas(plan))).sum::<usize>();
            plans.extend(made);
            if self.plans > PLANS_MAX {
                let message = format!("the project has more than {PLANS_MAX} plans");
                let problem = Diagnostic::error("E117", first_key(&root), message);
                report.push(
                    problem.help(
                        "a plan is one scenario in one region, each instance and each replica by itself",
                    ),
                );
                break;
            }
        }
        if assembled.has_matrix() {
            self.base_name(&root, report);
        }
        Mentioned::of_scenario(&assembled, report);
        if let Some(arguments) = &assembled.arguments {
            self.used.insert(arguments.template.file);
            report.point(arguments.template.file, arguments.at, "used here");
        }
        plans
    }

    /// One scenario in all its regions.
    fn instance(
        &mut self,
        (root, source): (&Node, &Source),
        own: &Own<'_>,
        assertions: &mut SharedAssertions,
        report: &mut Report,
    ) -> Vec<Plan<N>> {
        let Some(scenario) = read(root, &mut self.around, own, report) else { return Vec::new() };
        self.unique(&scenario, report);
        let shared = self.shared_parts(&scenario, source);
        self.promised(&scenario, &shared, report);
        self.former.extend(
            scenario.was.iter().map(|name| Former { name: name.clone(), now: Arc::clone(&shared.name) }),
        );
        let captures = declared(scenario.steps.iter().chain(&scenario.teardown), report);
        let mut plans = Vec::with_capacity(scenario.regions.len());
        let mut unused = None;
        for region in &scenario.regions {
            if !self.is_known(region) {
                continue;
            }
            let project = self.around.project;
            let mut names = Names::new(&project.shared, own, Some(Arc::clone(region)));
            if let Some(arguments) = own.arguments {
                arguments.check(&mut names, report);
            }
            names.declare(captures.clone());
            let mut binder = Binder { report, names: &mut names };
            let made = self.plan(&scenario, assertions, &mut binder);
            unused = Some(names.captures().to_vec());
            let Some(parts) = made else { continue };
            reach::check(&scenario, &parts, project.network(region), report);
            if self.is_wanted(region) {
                let secrets: Vec<_> = names.secrets_used().iter().cloned().collect();
                let secrets = if secrets.is_empty() { Arc::default() } else { secrets.into() };
                let chains = names.chains().into();
                let unnamed_secrets = names.unnamed_secrets().clone();
                let decides = effective(&scenario, &shared) + &parts.rules();
                let version = version(root, &decides, &mut names);
                plans.push(self.finish(
                    &scenario,
                    &shared,
                    Made { parts, version, secrets, unnamed_secrets, chains, region: Arc::clone(region) },
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

    /// How many agents of a fleet probe the plan.
    fn replicas(&self, plan: &Plan<N>) -> u16 {
        self.around.project.replicas_of(&plan.stream().region, plan.side_effects())
    }

    fn is_wanted(&self, region: &str) -> bool {
        let wanted = self.options.regions.as_ref();
        wanted.is_none_or(|wanted| wanted.iter().any(|wanted| **wanted == *region))
    }

    /// Whether what is said of the region is there.
    fn is_known(&self, region: &str) -> bool {
        !self.options.alone || self.is_wanted(region)
    }

    /// Warns of what nothing uses; gives the names of `--var` that nothing knows.
    fn unused(&self, is_whole: bool, report: &mut Report) -> Vec<(String, Option<String>)> {
        if report.has_errors() {
            return Vec::new();
        }
        let shared = &self.around.project.shared;
        if is_whole {
            self.mentioned.of_project(shared, report);
            self.templates.unused(&self.used, report);
        }
        let near = |name: &str| crate::suggest::nearest(name, self.mentioned.names()).map(str::to_owned);
        let unknown = self.mentioned.unknown_given(shared);
        unknown.into_iter().map(|name| (near(&name), name)).map(|(near, name)| (name, near)).collect()
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
