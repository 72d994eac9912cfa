//! What several commands need: the place that was named, variables, the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use probe::Net;
use scenario::compile::Options;
use scenario::plan::Plan;
use scenario::reuse::base_name;

use super::args::{Choice, Global};
use crate::agent::files::{FindError, Place};
use crate::agent::load::{Checked, check};
use crate::agent::secrets::Vault;
use crate::exit::Stop;

/// The place that the global flags and `paths` name.
pub(crate) fn place(global: &Global, paths: &[PathBuf]) -> Result<Place, Stop> {
    Place::new(global.project.as_deref(), paths).map_err(|error| Stop::environment(error.to_string()))
}

/// `NAME=VALUE` pairs.
pub(crate) fn pairs(flag: &str, texts: &[String]) -> Result<Vec<(String, String)>, Stop> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Stop::file(format!("--{flag} {text}: write --{flag} NAME=VALUE"))),
    };
    texts.iter().map(pair).collect()
}

/// What the command line adds to the files.
pub(crate) fn options(vars: &[String], regions: &[String], prober: String) -> Result<Options, Stop> {
    let regions = (!regions.is_empty()).then(|| regions.to_vec());
    Ok(Options { vars: pairs("var", vars)?, prober, regions, ..Options::default() })
}

/// Where secrets are looked for: the environment, and systemd's credentials folder or the project's own.
pub(crate) fn vault(root: &Path) -> Vault {
    let credentials = env("CREDENTIALS_DIRECTORY").map_or_else(|| root.to_owned(), PathBuf::from);
    Vault { env: Box::new(env), credentials }
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the command line is the one place that reads the environment")]
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether a step of GitHub Actions runs this.
pub(crate) fn is_github() -> bool {
    env("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// From the repository's root to `base`, with a `/` at the end; empty if they are the same or there is none.
pub(crate) fn prefix(base: &Path) -> String {
    let root = env("GITHUB_WORKSPACE").map(PathBuf::from).filter(|root| base.starts_with(root));
    let root =
        root.or_else(|| base.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned));
    let below = root.and_then(|root| base.strip_prefix(root).ok().map(Path::to_owned)).unwrap_or_default();
    if below.as_os_str().is_empty() { String::new() } else { format!("{}/", below.display()) }
}

/// The name of this prober in events: the host's.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Splits `[NAMES|PATHS]`: what exists or looks like a file is a path, everything else a scenario's name.
pub(crate) fn split(which: &[String]) -> (Vec<PathBuf>, Vec<String>) {
    let is_path = |text: &&String| {
        let path = Path::new(text);
        path.exists()
            || text.contains('/')
            || path.extension().is_some_and(|end| end == "yaml" || end == "yml")
    };
    let (paths, names): (Vec<_>, Vec<_>) = which.iter().partition(is_path);
    (paths.into_iter().map(PathBuf::from).collect(), names.into_iter().cloned().collect())
}

/// Reads and compiles what `choice` names, and says which scenarios of it are wanted.
pub(crate) fn chosen(global: &Global, choice: &Choice) -> Result<(Place, Options, Wanted), Stop> {
    let (paths, names) = split(&choice.which);
    let place = place(global, &paths)?;
    let options = options(&choice.vars, &choice.regions, host())?;
    Ok((place, options, Wanted { names, labels: pairs("label", &choice.labels)? }))
}

/// Which scenarios of a project are wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    names: Vec<String>,
    labels: Vec<(String, String)>,
}

impl Wanted {
    /// Whether the scenario is wanted.
    pub(crate) fn takes(&self, origin: &model::event::Origin) -> bool {
        let scenario = &*origin.stream.scenario;
        let is_named = |name: &String| **name == *scenario || **name == *base_name(scenario);
        let named = self.names.is_empty() || self.names.iter().any(is_named);
        let has = |(name, value): &(String, String)| {
            origin.labels.iter().any(|(key, held)| **key == **name && **held == **value)
        };
        named && self.labels.iter().all(has)
    }

    /// The mistake of labels that no scenario has, with the nearest ones there are.
    pub(crate) fn none_has_the_labels<'a>(
        &self,
        origins: &(impl Iterator<Item = &'a model::event::Origin> + Clone),
    ) -> Stop {
        let labels = || origins.clone().flat_map(|origin| &origin.labels);
        let hint = self.labels.iter().find_map(|(name, value)| {
            let values = || labels().filter(|(key, _)| **key == **name).map(|(_, held)| &**held);
            if values().next().is_none() {
                let near = scenario::suggest::nearest(name, labels().map(|(key, _)| &**key));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Some(format!("no scenario has a label `{name}`{near}"));
            }
            if values().any(|held| *held == **value) {
                return None;
            }
            let known: std::collections::BTreeSet<_> = values().take(1_000).collect();
            let near = scenario::suggest::nearest(value, known.iter().copied());
            let near = near.map_or_else(
                || format!("there are {}", known.iter().copied().take(10).collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            Some(format!("no scenario has the label `{name}={value}`; {near}"))
        });
        Stop::file(
            hint.unwrap_or_else(|| "no scenario has all these labels; `prober list` shows all".to_owned()),
        )
    }

    /// Refuses names that no scenario has, with the nearest ones there are.
    pub(crate) fn all_known<'a>(&self, known: impl Iterator<Item = &'a str> + Clone) -> Result<(), Stop> {
        // The name that the instances of a matrix share stands for all of them.
        let known = known.flat_map(|name| [name, base_name(name)]);
        let Some(unknown) = self.names.iter().find(|name| known.clone().all(|known| known != **name)) else {
            return Ok(());
        };
        let near = scenario::suggest::nearest(unknown, known);
        let help = near
            .map_or_else(|| "`prober list` shows all".to_owned(), |near| format!("did you mean `{near}`?"));
        Err(Stop::file(format!("there is no scenario `{unknown}`: {help}")))
    }
}

/// Reads and compiles without stopping at mistakes.
pub(crate) fn checked(place: &Place, options: &Options) -> Result<Checked, Stop> {
    check(place, options).map_err(|error: FindError| Stop::file(error.to_string()))
}

/// The plans that are wanted; wrong files are an error.
pub(crate) fn wanted_plans(
    place: &Place,
    options: &Options,
    wanted: &Wanted,
) -> Result<Vec<Plan<Net>>, Stop> {
    let compiled = checked(place, options)?.compiled;
    if compiled.has_errors() {
        let text = scenario::render::human(
            &compiled.diagnostics,
            &compiled.sources,
            &scenario::render::Style::PLAIN,
        );
        return Err(Stop::file(text));
    }
    wanted.all_known(compiled.plans.iter().map(|plan| &*plan.stream().scenario))?;
    let origins = compiled.plans.iter().map(|plan| &**plan.origin());
    if !wanted.labels.is_empty() && !origins.clone().any(|origin| wanted.takes(origin)) {
        return Err(wanted.none_has_the_labels(&origins));
    }
    Ok(compiled.plans.into_iter().filter(|plan| wanted.takes(plan.origin())).collect())
}

/// The data directory: the flag's, or the one beside the project file.
pub(crate) fn data(global: &Global, flag: Option<&PathBuf>) -> Result<PathBuf, Stop> {
    if let Some(data) = flag {
        return Ok(data.clone());
    }
    let found = place(global, &[])?.project_root().map_err(|error| Stop::file(error.to_string()))?;
    Ok(found.join("prober-data"))
}

/// The most threads for files, the store and pages.
const BLOCKING_MAX: usize = 32;

/// A command's runtime: one thread is enough for what people wait for.
pub(crate) fn runtime(threads: Option<usize>) -> Result<tokio::runtime::Runtime, Stop> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = threads.unwrap_or_else(|| (cores / 2).clamp(1, 8)).max(1);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        // What hangs in a probe's own places leaves the others theirs.
        .max_blocking_threads(BLOCKING_MAX + probe::THREADS_MAX)
        .thread_keep_alive(Duration::from_secs(10))
        .enable_all();
    builder.build().map_err(|error| Stop::environment(format!("the runtime could not start: {error}")))
}
