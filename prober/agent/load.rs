//! From files to what the parts need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dashboard::Catalogue;
use model::event::Origin;
use model::time::{Clock as _, SystemClock};
use post::Client;
use probe::flow::Scenario;
use probe::{Canary, KINDS, Net, Shared};
use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::diagnostic::{Diagnostic, Severity};
use scenario::own::Beside;
use scenario::parsed::Ahead;
use scenario::plan::Plan;
use scenario::project::{CONTROL_EVERY, Project};
use scenario::redact::SECRET_BYTES_MIN;
use scenario::scope::Scope;
use scenario::source::Source;
use scenario::template::Secrets;
use schedule::distrust::mass::Target;
use schedule::entry::Entry;

use super::ahead::each_parsed;
use super::alerts::{self, RouteError, Routes};
use super::controls::{self, RegionControls};
use super::exporters;
use super::files::{Fault, FindError, Found, Patterns, Place, beside};
use super::promises::Promises;
use super::secrets::{MissingSecrets, Vault};
use crate::exit::{Exit, Stop};

mod made;

pub(crate) use made::cadence_text;

/// What probes on demand are made of: the files that are not scenarios, as they were last read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ground {
    pub(crate) project: Option<Source>,
    pub(crate) templates: Vec<Source>,
}

/// What is to be loaded, and from where; the same at the start and at every reload.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pub(crate) place: Place,
    pub(crate) options: Options,
    pub(crate) vault: Arc<Vault>,
    pub(crate) shared: Arc<Shared>,
    /// Whether scenarios are probed here; where they are only judged their secrets are not needed.
    pub(crate) probes: bool,
}

/// Files that were read and compiled, with all their mistakes.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) root: PathBuf,
    /// The files that are not scenarios.
    pub(crate) ground: Ground,
    pub(crate) compiled: Compiled<Net>,
    /// The files that scenarios name and that were read with them: path below the root, and text.
    pub(crate) beside: BTreeMap<String, String>,
}

/// Everything that follows from files without an error.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) project: Project,
    pub(crate) root: PathBuf,
    pub(crate) entries: Vec<Entry>,
    pub(crate) catalogue: Catalogue,
    pub(crate) exporters: Vec<exporters::Planned>,
    /// Warnings, as the terminal shows them.
    pub(crate) warnings: String,
    /// What is looked at, region by region, to know of the prober's own health.
    pub(crate) controls: controls::Current,
    /// What may turn bad together.
    targets: Vec<Target>,
    /// What is promised.
    pub(crate) promises: Promises,
    /// The routes that alerts name.
    pub(crate) routes_used: BTreeSet<Arc<str>>,
    /// The routes that can be used; filled when it is loaded to be served.
    pub(crate) routes: Routes,
    /// What probes on demand are made of.
    pub(crate) ground: Ground,
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Find(#[from] FindError),
    #[error("{0}")]
    Mistakes(String),
    #[error(transparent)]
    Secrets(#[from] MissingSecrets),
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error("there is no region `{wanted}` in this project; it has {known}")]
    Region { wanted: String, known: String },
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Self {
        let exit = match error {
            LoadError::Find(_) | LoadError::Mistakes(_) => Exit::File,
            LoadError::Secrets(_) | LoadError::Route(_) | LoadError::Region { .. } => Exit::Environment,
        };
        Self { exit, message: error.to_string() }
    }
}

/// Reads and compiles the files; mistakes are part of the answer.
pub(crate) fn check(place: &Place, options: &Options) -> Result<Checked, FindError> {
    let Read { root, mut sources, unmatched, faults, warnings } = sources(place)?;
    let noted = Noted::default();
    sources.beside = noted.note(sources.beside);
    // What is over is so by the day of this reading, not of the start.
    let options = Options { now: Some(SystemClock.now()), ..options.clone() };
    let ground = Ground { project: sources.project.clone(), templates: sources.templates.clone() };
    let mut compiled = compile(sources, &KINDS, &options);
    let (_, mistakes) = exporters::plan(&compiled.project, &root);
    compiled.diagnostics.extend(mistakes);
    compiled.diagnostics.extend(warnings);
    for (path, fault) in faults {
        let Some(file) = compiled.sources.iter().position(|source| source.path == path) else { continue };
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        // What the compiler says of letters that nobody wrote is of no use.
        compiled.diagnostics.retain(|one| one.span.file != file);
        compiled.diagnostics.push(fault.diagnostic(file));
    }
    compiled.diagnostics.sort_by_key(|diagnostic| (diagnostic.span, diagnostic.code));
    // A mistake in the project file comes first: it may be why no file is found.
    if let Some(patterns) = unmatched.filter(|_| !compiled.has_errors()) {
        return Err(FindError::NoScenarios(patterns));
    }
    if let Some((name, near)) = compiled.unknown_vars.first().filter(|_| !compiled.has_errors()) {
        let hint = near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(FindError::UnknownVar { name: name.clone(), hint });
    }
    Ok(Checked { root, ground, compiled, beside: noted.take() })
}

/// Notes which files are read beside the scenarios.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted(Arc<Mutex<BTreeMap<String, String>>>);

impl Noted {
    /// Reads as `beside` does, and notes it.
    pub(crate) fn note(&self, beside: Beside) -> Beside {
        let noted = self.clone();
        Beside::new(move |path| {
            let text = beside.read(path)?;
            noted.0.lock().expect("nobody panics in it").insert(path.to_owned(), text.clone());
            Ok(text)
        })
    }

    /// What was read so far.
    pub(crate) fn take(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.0.lock().expect("nobody panics in it"))
    }
}

/// Every scenario of this name with what its variables are; see [`scenario::scope`].
pub(crate) fn scopes(place: &Place, options: &Options, name: &str) -> Result<Vec<Scope>, FindError> {
    Ok(scenario::scope::scopes(sources(place)?.sources, options, name))
}

/// The files of a place, ready to be compiled.
struct Read {
    root: PathBuf,
    sources: Sources,
    /// The patterns of scenario files, if no file matches them.
    unmatched: Option<String>,
    /// The files that cannot be used.
    faults: Vec<(String, Fault)>,
    /// What is wrong with the patterns.
    warnings: Vec<Diagnostic>,
}

fn sources(place: &Place) -> Result<Read, FindError> {
    let Found { root, project, templates, scenarios, whole, unmatched, faults, warnings } =
        place.read(patterns)?;
    let folder = root.clone();
    let beside = Beside::new(move |path| beside(&folder.join(path)));
    let sources = Sources { project, templates, scenarios, whole, beside, ahead: Ahead(each_parsed) };
    Ok(Read { root, sources, unmatched, faults, warnings })
}

/// The globs of a project file.
pub(crate) fn patterns(source: &Source) -> Patterns {
    let alone = Sources { project: Some(source.clone()), ..Sources::default() };
    let project = compile(alone, &KINDS, &Options::default()).project;
    let mut scenarios = project.scenarios;
    if scenarios.is_empty() {
        scenarios = Patterns::by_default("scenarios/**/*.yaml");
    }
    Patterns { scenarios, include: project.include }
}

impl Loader {
    /// Reads, compiles and prepares everything.
    ///
    /// # Errors
    /// A file, a secret or a region; nothing has changed then.
    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        self.load_with_secrets(|_| true)
    }

    /// The same, with the secrets of those scenarios alone that are `run`: nobody has those of the others at hand who tries
    /// one. The others are loaded, too, and are not to be run.
    ///
    /// # Errors
    /// A file, a region, or a secret of what is run.
    pub(crate) fn load_with_secrets(&self, run: impl Fn(&Origin) -> bool) -> Result<Loaded, LoadError> {
        let Checked { root, ground, compiled, .. } = check(&self.place, &self.options)?;
        let shown = scenario::render::human(
            &compiled.diagnostics,
            &compiled.sources,
            &scenario::render::Style::PLAIN,
        );
        if compiled.has_errors() {
            return Err(LoadError::Mistakes(shown));
        }
        self.known_regions(&compiled.project)?;
        let secrets = if self.probes { self.secrets(&compiled, run)? } else { BTreeMap::new() };
        let (planned, _) = exporters::plan(&compiled.project, &root);
        let promises = Promises::of(&compiled, SystemClock.now());
        let mut loaded = Loaded {
            entries: Vec::with_capacity(compiled.plans.len()),
            catalogue: Catalogue {
                project: project_name(&root),
                prober: self.options.prober.clone(),
                cards: Vec::with_capacity(compiled.plans.len()),
                warnings: shown.clone() + &short(&secrets),
            },
            exporters: planned,
            warnings: shown + &short(&secrets),
            routes_used: promises.routes_used(),
            promises,
            routes: Routes::default(),
            controls: self.controls(&compiled.project, compiled.controls, &secrets),
            targets: Vec::new(),
            ground,
            root,
            project: compiled.project,
        };
        for plan in compiled.plans {
            let region = Arc::clone(&plan.stream().region);
            let secrets = secrets.get(&region).cloned().unwrap_or_default();
            loaded.add(&Arc::new(plan), &self.shared, secrets);
        }
        loaded.tell_cards(&compiled.sources);
        Ok(loaded)
    }

    /// The same, with exporters that have their secrets and the routes of alerts, each of which can be built.
    ///
    /// # Errors
    /// A file, a secret, a region or a route; nothing has changed then.
    pub(crate) fn load_to_serve(&self, client: &Client) -> Result<Loaded, LoadError> {
        let mut loaded = self.load()?;
        self.equip(&mut loaded, client)?;
        Ok(loaded)
    }

    /// Adds the secrets of exporters and the routes of alerts to what was loaded.
    ///
    /// # Errors
    /// A route, an exporter, or a secret of theirs.
    pub(crate) fn equip(&self, loaded: &mut Loaded, client: &Client) -> Result<(), LoadError> {
        exporters::fill(&mut loaded.exporters, &loaded.project, &self.vault)?;
        let regions: Vec<_> = match &self.options.regions {
            Some(named) => named.iter().map(|region| Arc::from(region.as_str())).collect(),
            None => loaded.project.regions().to_vec(),
        };
        let planned = alerts::plan(&loaded.project, &loaded.routes_used, &regions, &self.vault)?;
        for route in &planned {
            route.build(client)?;
        }
        loaded.routes = planned.into();
        Ok(())
    }

    /// The control targets of every region that runs here; a region without any has the own anchor.
    fn controls(
        &self,
        project: &Project,
        plans: Vec<Plan<Net>>,
        secrets: &BTreeMap<Arc<str>, Arc<Secrets>>,
    ) -> controls::Current {
        let wanted = |region: &&Arc<str>| {
            let named = self.options.regions.as_ref();
            named.is_none_or(|named| named.iter().any(|name| **name == ***region))
        };
        let mut targets: BTreeMap<Arc<str>, Vec<Arc<Scenario>>> = BTreeMap::new();
        for plan in plans {
            let region = Arc::clone(&plan.stream().region);
            let secrets = secrets.get(&region).cloned().unwrap_or_default();
            let scenario = Scenario::new(Arc::new(plan), Arc::clone(&self.shared), secrets);
            targets.entry(region).or_default().push(Arc::new(scenario));
        }
        let of_region = |region: &Arc<str>| {
            let file = project.control(region);
            let every = file.map_or(CONTROL_EVERY, |file| file.every);
            let canary = file.and_then(|file| file.canary.as_ref()).map(|canary| Canary {
                name: canary.name.clone(),
                second: canary.resolver,
                answers: canary.answers.clone(),
            });
            Arc::new(RegionControls {
                region: Arc::clone(region),
                every,
                timeout: file.map_or(every / 2, |file| file.timeout),
                targets: targets.remove(region).unwrap_or_default(),
                canary,
            })
        };
        project.regions().iter().filter(wanted).map(of_region).collect()
    }

    fn known_regions(&self, project: &Project) -> Result<(), LoadError> {
        let known = project.regions();
        let unknown = self
            .options
            .regions
            .iter()
            .flatten()
            .find(|wanted| known.iter().all(|region| **region != ***wanted));
        unknown.map_or(Ok(()), |wanted| {
            let known = known.iter().map(|region| format!("`{region}`")).collect::<Vec<_>>().join(", ");
            Err(LoadError::Region { wanted: wanted.clone(), known })
        })
    }

    /// The secrets of what is `run`, by region; all that are missing in one error.
    fn secrets(
        &self,
        compiled: &Compiled<Net>,
        run: impl Fn(&Origin) -> bool,
    ) -> Result<BTreeMap<Arc<str>, Arc<Secrets>>, MissingSecrets> {
        let mut names: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
        let plans = compiled.plans.iter().chain(&compiled.controls);
        for plan in plans.filter(|plan| run(plan.origin())) {
            names
                .entry(Arc::clone(&plan.stream().region))
                .or_default()
                .extend(plan.secrets_used().iter().cloned());
        }
        let mut opened = BTreeMap::new();
        let mut missing = Vec::new();
        for (region, mut names) in names {
            names.sort_unstable();
            names.dedup();
            match self.vault.open(&compiled.project, &region, &names) {
                Ok(secrets) => drop(opened.insert(region, Arc::new(secrets))),
                Err(MissingSecrets(more)) => missing.extend(more),
            }
        }
        if missing.is_empty() { Ok(opened) } else { Err(MissingSecrets(missing)) }
    }
}

/// Warnings about secrets that are too short to be kept out of everything.
fn short(secrets: &BTreeMap<Arc<str>, Arc<Secrets>>) -> String {
    let all = secrets.iter().flat_map(|(region, secrets)| secrets.iter().map(move |secret| (region, secret)));
    let short = all.filter(|(_, (_, value))| value.len() < SECRET_BYTES_MIN);
    let line = |(region, (name, _)): (&Arc<str>, (&str, &str))| {
        format!(
            "warning: the secret `{name}` (region {region}) has fewer than {SECRET_BYTES_MIN} bytes; so short a value is masked \
             only where it stands as a word of its own\n"
        )
    };
    short.map(line).collect()
}

fn project_name(root: &Path) -> String {
    let absolute = std::path::absolute(root).unwrap_or_default();
    absolute.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// How many errors and warnings there are.
pub(crate) fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}
