//! From the files of a project to the sets of a fleet's regions, and from a set to what the compiler takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use fleet::set::{ALL_REGIONS, Role, ScenarioSet, SetError, SetFile};
use probe::{KINDS, Net};
use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::own::Beside;
use scenario::parsed::Ahead;
use scenario::region_part::region_part;
use scenario::source::{Source, Spanned};

use super::ahead::each_parsed;
use super::files::{PROJECT_FILE, Patterns, Place};
use super::load::{Checked, Noted, patterns};

/// One region's set, or that of all regions.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The region, or [`ALL_REGIONS`].
    pub(crate) region: String,
    pub(crate) set: ScenarioSet,
    /// How many plans it has.
    pub(crate) plans: u64,
}

/// Why files cannot be cut into sets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    #[error(transparent)]
    Set(#[from] SetError),
    #[error(
        "region `{0}` cannot be in a fleet: the names of its regions have letters, digits, `-` and `_` only"
    )]
    Region(String),
    #[error(
        "the part of region {region} does not mean what the whole means; this is a fault of prober: {what}"
    )]
    Part { region: String, what: String },
}

/// The sets of files without an error: one a region in the project's order, and that of all regions first.
pub(crate) fn cut(place: &Place, checked: &Checked) -> Result<Vec<Cut>, CutError> {
    let compiled = &checked.compiled;
    let all = all_files(place, checked);
    let of_scenarios = regions_of(place, checked);
    let plans = compiled.plans.len() as u64;
    let mut cuts =
        vec![Cut { region: ALL_REGIONS.to_owned(), set: ScenarioSet::new(all.iter().cloned())?, plans }];
    for region in compiled.project.regions() {
        if !fleet::is_key_part(region) {
            return Err(CutError::Region(region.to_string()));
        }
        cuts.push(part(region, &all, &of_scenarios, compiled)?);
    }
    Ok(cuts)
}

/// The part of `all` that `region` needs: no scenario that runs elsewhere only, no file that only such a one reads, and of
/// the project file nothing about the others.
fn part(
    region: &Arc<str>,
    all: &[SetFile],
    of_scenarios: &BTreeMap<String, BTreeSet<Arc<str>>>,
    whole: &Compiled<Net>,
) -> Result<Cut, CutError> {
    let here = |file: &&SetFile| match file.role {
        Role::Scenario => of_scenarios.get(&file.path).is_some_and(|regions| regions.contains(region)),
        Role::Project | Role::Template => true,
        Role::Beside => false,
    };
    let of_region = |file: &SetFile| match file.role {
        Role::Project => SetFile {
            text: region_part(&file.text, region).unwrap_or_else(|| file.text.clone()),
            ..file.clone()
        },
        _ => file.clone(),
    };
    let mut files: Vec<_> = all.iter().filter(here).map(of_region).collect();
    let beside = all.iter().filter(|file| file.role == Role::Beside);
    let beside: BTreeMap<_, _> = beside.map(|file| (file.path.clone(), file.text.clone())).collect();
    let noted = Noted::default();
    let set = ScenarioSet::new(files.iter().cloned())?;
    let alone = compile_set(&set, noted.note(texts(beside)), &region_options(region));
    let wrong = |what: String| CutError::Part { region: region.to_string(), what };
    if let Some(mistake) =
        alone.diagnostics.iter().find(|one| one.severity == scenario::diagnostic::Severity::Error)
    {
        return Err(wrong(mistake.message.clone()));
    }
    let plans = |compiled: &Compiled<Net>| -> BTreeSet<(Arc<str>, Arc<str>)> {
        let here = compiled.plans.iter().filter(|plan| plan.stream().region == *region);
        here.map(|plan| (Arc::clone(&plan.stream().scenario), Arc::clone(&plan.origin().version))).collect()
    };
    let (wanted, found) = (plans(whole), plans(&alone));
    if let Some((name, _)) = wanted.symmetric_difference(&found).next() {
        return Err(wrong(format!("scenario `{name}` is another one")));
    }
    let read = noted.take().into_iter();
    files.extend(read.map(|(path, text)| SetFile { role: Role::Beside, path, text }));
    Ok(Cut { region: region.to_string(), set: ScenarioSet::new(files)?, plans: found.len() as u64 })
}

/// How a region's own set is compiled.
pub(crate) fn region_options(region: &str) -> Options {
    Options { regions: Some(vec![region.to_owned()]), alone: true, ..Options::default() }
}

/// Every file of the project, by its path below the project's folder.
fn all_files(place: &Place, checked: &Checked) -> Vec<SetFile> {
    let sources = &checked.compiled.sources;
    let project = usize::from(checked.ground.project.is_some());
    let role = |index: usize| {
        if index < project {
            Role::Project
        } else if index < project + checked.ground.templates.len() {
            Role::Template
        } else {
            Role::Scenario
        }
    };
    let file = |(index, source): (usize, &Source)| SetFile {
        role: role(index),
        path: below(&checked.root, &place.base, &source.path),
        text: source.text.clone(),
    };
    let beside = checked.beside.iter().map(|(path, text)| SetFile {
        role: Role::Beside,
        path: path.clone(),
        text: text.clone(),
    });
    sources.iter().enumerate().map(file).chain(beside).collect()
}

/// In which regions the scenarios of each file run.
fn regions_of(place: &Place, checked: &Checked) -> BTreeMap<String, BTreeSet<Arc<str>>> {
    let mut regions: BTreeMap<String, BTreeSet<Arc<str>>> = BTreeMap::new();
    for plan in &checked.compiled.plans {
        let path = below(&checked.root, &place.base, &plan.about().path);
        regions.entry(path).or_default().insert(Arc::clone(&plan.stream().region));
    }
    regions
}

/// The path below `root` of what is shown as `path` from `base`; as it is if it lies elsewhere.
pub(crate) fn below(root: &Path, base: &Path, path: &str) -> String {
    let full = base.join(path);
    let below = full.strip_prefix(root).unwrap_or(&full);
    below.to_string_lossy().into_owned()
}

/// Compiles a set; files beside the scenarios come from `beside`.
fn compile_set(set: &ScenarioSet, beside: Beside, options: &Options) -> Compiled<Net> {
    compile(Sources { beside, ..sources(set) }, &KINDS, options)
}

/// What the compiler takes of a set.
pub(crate) fn sources(set: &ScenarioSet) -> Sources {
    let source = |(path, text): (&str, &str)| Source { path: path.to_owned(), text: text.to_owned() };
    let beside = set.of(Role::Beside).map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    Sources {
        project: set.of(Role::Project).next().map(source),
        templates: set.of(Role::Template).map(source).collect(),
        scenarios: set.of(Role::Scenario).map(source).collect(),
        ..in_memory(beside)
    }
}

/// No scenario yet, with files beside scenarios out of memory.
fn in_memory(beside: BTreeMap<String, String>) -> Sources {
    Sources { beside: texts(beside), ahead: Ahead(each_parsed), ..Sources::default() }
}

/// Reads files beside scenarios out of memory.
fn texts(files: BTreeMap<String, String>) -> Beside {
    Beside::new(move |path| files.get(path).cloned().ok_or_else(|| "there is no such file".to_owned()))
}

/// What the compiler takes of files by their paths below the project's folder: what the project file's patterns choose.
///
/// # Errors
/// There is no project file, or a pattern is none; for people.
pub(crate) fn from_files(mut files: BTreeMap<String, String>) -> Result<Sources, String> {
    let text = files.remove(PROJECT_FILE).ok_or_else(|| format!("there is no {PROJECT_FILE}"))?;
    let project = Source { path: PROJECT_FILE.to_owned(), text };
    let Patterns { scenarios, include } = patterns(&project);
    let is_project = |path: &str| path.rsplit('/').next() == Some(PROJECT_FILE);
    let (templates, scenarios) = (compiled_patterns(&include)?, compiled_patterns(&scenarios)?);
    let fits = |patterns: &[glob::Pattern], path: &str| {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::new()
        };
        patterns.iter().any(|pattern| pattern.matches_with(path, options)) && !is_project(path)
    };
    let chosen = |wanted: &dyn Fn(&str) -> bool| -> Vec<Source> {
        let chosen = files.iter().filter(|(path, _)| wanted(path));
        chosen.map(|(path, text)| Source { path: path.clone(), text: text.clone() }).collect()
    };
    Ok(Sources {
        templates: chosen(&|path| fits(&templates, path)),
        scenarios: chosen(&|path| fits(&scenarios, path) && !fits(&templates, path)),
        project: Some(project),
        whole: true,
        ..in_memory(files)
    })
}

fn compiled_patterns(patterns: &[Spanned<String>]) -> Result<Vec<glob::Pattern>, String> {
    let pattern = |text: &Spanned<String>| {
        let text = text.value.strip_prefix("./").unwrap_or(&text.value);
        glob::Pattern::new(text).map_err(|error| format!("`{text}` is not a file pattern: {}", error.msg))
    };
    patterns.iter().map(pattern).collect()
}
