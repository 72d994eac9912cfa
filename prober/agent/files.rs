//! The files of a project: where they are, and their texts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use scenario::own::BESIDE_BYTES_MAX;
use scenario::source::Source;

/// The name of a project file.
pub(crate) const PROJECT_FILE: &str = "prober.yaml";

/// Files longer than this are refused by the compiler; no more than one byte beyond it is read.
const BYTES_MAX: u64 = 1 << 20;
/// The most scenario files of one project.
const FILES_MAX: usize = 20_000;

/// What was asked for: a project, or single files of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The project's folder or file, if it was named.
    pub(crate) project: Option<PathBuf>,
    /// Files and folders, if only these are wanted.
    pub(crate) paths: Vec<PathBuf>,
    /// The folder that paths are shown from; reading works from anywhere once paths are absolute.
    pub(crate) base: PathBuf,
}

/// A project's files as they are on disk now.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The folder of the project file, or where the search began.
    pub(crate) root: PathBuf,
    /// The project file, if there is one.
    pub(crate) project: Option<Source>,
    /// The template files.
    pub(crate) templates: Vec<Source>,
    /// The scenario files.
    pub(crate) scenarios: Vec<Source>,
    /// Whether these are all scenario files of the project.
    pub(crate) whole: bool,
    /// The patterns of scenario files, if no file matches them.
    pub(crate) unmatched: Option<String>,
    /// The files that are not UTF-8, by their shown path, and their first wrong byte.
    pub(crate) not_text: Vec<(String, usize)>,
}

/// The file patterns of a project file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    pub(crate) scenarios: Vec<String>,
    /// Files that these match are templates, whatever else matches them.
    pub(crate) include: Vec<String>,
}

/// Why files could not be found or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    #[error(
        "there is no {PROJECT_FILE} here or in a folder above; make one with `prober init`, or name a project with -C DIR or scenario files"
    )]
    NoProject,
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    #[error("{} has no {PROJECT_FILE}", .0.display())]
    NotAProject(PathBuf),
    #[error("{} could not be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{pattern}` in {PROJECT_FILE} is not a file pattern: {message}")]
    Pattern { pattern: String, message: &'static str },
    #[error("more than {FILES_MAX} scenario files")]
    TooMany,
    #[error("no scenario file matches {0}; `scenarios:` in {PROJECT_FILE} says where they are")]
    NoScenarios(String),
    #[error("--var {name}: no file uses `vars.{name}`{hint}")]
    UnknownVar { name: String, hint: String },
}

impl Place {
    /// The place that was named on the command line, with absolute paths.
    pub(crate) fn new(project: Option<&Path>, paths: &[PathBuf]) -> std::io::Result<Self> {
        let paths = paths.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
        let project = project.map(std::path::absolute).transpose()?;
        Ok(Self { project, paths, base: std::path::absolute(".")? })
    }

    /// The folder of the project file.
    pub(crate) fn project_root(&self) -> Result<PathBuf, FindError> {
        let file = self.project_path()?.ok_or(FindError::NoProject)?;
        Ok(file.parent().map_or_else(|| self.base.clone(), Path::to_owned))
    }

    /// The folder of the project file, or the one where paths begin.
    pub(crate) fn project_root_or_base(&self) -> PathBuf {
        self.project_root().unwrap_or_else(|_| self.base.clone())
    }

    /// Reads the files; `patterns` gives the project file's lists.
    pub(crate) fn read(&self, patterns: impl Fn(&Source) -> Patterns) -> Result<Found, FindError> {
        let project_path = self.project_path()?;
        let root = match &project_path {
            Some(path) => path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned),
            None => self.base.clone(),
        };
        let mut not_text = Vec::new();
        let project = project_path.as_deref().map(|path| self.read_file(path, &mut not_text)).transpose()?;
        let alone = || Patterns { scenarios: vec!["*.yaml".to_owned()], include: Vec::new() };
        let patterns = project.as_ref().map_or_else(alone, patterns);
        let (mut paths, mut unmatched, mut templates) = (BTreeSet::new(), None, BTreeSet::new());
        for pattern in &patterns.include {
            collect(&root, pattern, &mut templates)?;
        }
        let whole = self.whole_project();
        if whole {
            for pattern in &patterns.scenarios {
                collect(&root, pattern, &mut paths)?;
            }
            paths.retain(|path| !templates.contains(path));
            unmatched = paths.is_empty().then(|| patterns.scenarios.join(", "));
        }
        self.collect_named(&mut paths)?;
        if paths.len() > FILES_MAX {
            return Err(FindError::TooMany);
        }
        paths.retain(|path| !templates.contains(path));
        let mut read = |paths: &BTreeSet<PathBuf>| {
            paths.iter().map(|path| self.read_file(path, &mut not_text)).collect::<Result<Vec<_>, _>>()
        };
        let scenarios = read(&paths)?;
        // Of a few files it matters only what they use.
        let needed = whole || scenarios.iter().any(|scenario| scenario.text.contains("use:"));
        let templates = if needed { read(&templates)? } else { Vec::new() };
        Ok(Found { root, project, templates, scenarios, whole, unmatched, not_text })
    }

    /// Every file that was named, whatever it is; if that is the project, then all of its files.
    ///
    /// Files that are not UTF-8 come with their first wrong byte.
    pub(crate) fn each(
        &self,
        patterns: impl Fn(&Source) -> Patterns,
    ) -> Result<Vec<(Source, Option<usize>)>, FindError> {
        let Found { project, templates, scenarios, whole, mut not_text, .. } = self.read(patterns)?;
        let mut sources: Vec<Source> = Vec::new();
        // Without names, or with only the project's, everything is wanted.
        if self.paths.is_empty() || self.paths.iter().any(|path| is_project(path)) {
            sources.extend(project);
        }
        if whole {
            sources.extend(templates);
        }
        sources.extend(scenarios);
        let mut named = BTreeSet::new();
        self.collect_named(&mut named)?;
        for path in named {
            let more = self.read_file(&path, &mut not_text)?;
            // A template that was named is no scenario.
            if sources.iter().all(|source| source.path != more.path) {
                sources.push(more);
            }
        }
        let wrong =
            |source: &Source| not_text.iter().find(|(path, _)| *path == source.path).map(|(_, at)| *at);
        Ok(sources
            .into_iter()
            .map(|source| (wrong(&source), source))
            .map(|(at, source)| (source, at))
            .collect())
    }

    /// The files below the paths that were named, but for the project's.
    fn collect_named(&self, paths: &mut BTreeSet<PathBuf>) -> Result<(), FindError> {
        for path in self.paths.iter().filter(|path| !is_project(path)) {
            if path.is_dir() {
                collect(path, "**/*.yaml", paths)?;
                collect(path, "**/*.yml", paths)?;
            } else {
                paths.insert(path.clone());
            }
        }
        Ok(())
    }

    fn read_file(&self, path: &Path, not_text: &mut Vec<(String, usize)>) -> Result<Source, FindError> {
        let cannot = |source| FindError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(cannot)?;
        let shown = path.strip_prefix(&self.base).unwrap_or(path).to_string_lossy().into_owned();
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            // At the limit only the cut is not text; the compiler refuses the length.
            let cut = error.as_bytes().len() as u64 > BYTES_MAX && error.utf8_error().error_len().is_none();
            if !cut {
                not_text.push((shown.clone(), error.utf8_error().valid_up_to()));
            }
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        Ok(Source { path: shown, text })
    }

    /// Whether all files of the project are wanted.
    fn whole_project(&self) -> bool {
        self.paths.is_empty() || self.paths.iter().all(|path| is_project(path))
    }

    fn project_path(&self) -> Result<Option<PathBuf>, FindError> {
        if let Some(missing) = self.paths.iter().find(|path| !path.exists()) {
            return Err(FindError::Missing(missing.clone()));
        }
        if let Some(named) = &self.project {
            let file = if named.is_dir() { named.join(PROJECT_FILE) } else { named.clone() };
            return match (file.is_file(), named.exists()) {
                (true, _) => Ok(Some(file)),
                (false, true) => Err(FindError::NotAProject(named.clone())),
                (false, false) => Err(FindError::Missing(named.clone())),
            };
        }
        let begin = self.paths.first().unwrap_or(&self.base).clone();
        if is_project(&begin) {
            let file = if begin.is_dir() { begin.join(PROJECT_FILE) } else { begin };
            return Ok(Some(file));
        }
        let found = above(&begin);
        if found.is_none() && self.paths.is_empty() { Err(FindError::NoProject) } else { Ok(found) }
    }
}

/// Whether the path is a project file or a folder that holds one.
fn is_project(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == PROJECT_FILE) || path.join(PROJECT_FILE).is_file()
}

/// The nearest project file in the folder of `begin` or above it.
fn above(begin: &Path) -> Option<PathBuf> {
    begin.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|file| file.is_file())
}

fn collect(root: &Path, pattern: &str, paths: &mut BTreeSet<PathBuf>) -> Result<(), FindError> {
    let wrong =
        |error: glob::PatternError| FindError::Pattern { pattern: pattern.to_owned(), message: error.msg };
    let prefix = glob::Pattern::escape(&root.to_string_lossy());
    let full =
        if prefix.is_empty() || prefix == "." { pattern.to_owned() } else { format!("{prefix}/{pattern}") };
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    for entry in glob::glob_with(&full, options).map_err(wrong)? {
        let path = entry.map_err(|error| FindError::Read {
            path: error.path().to_owned(),
            source: again(error.error()),
        })?;
        if path.is_file() && path.file_name().is_some_and(|name| name != PROJECT_FILE) {
            paths.insert(path);
        }
        if paths.len() > FILES_MAX {
            return Err(FindError::TooMany);
        }
    }
    Ok(())
}

/// The same error, which only lends itself.
fn again(error: &std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}

/// The text of a file that a scenario names and that is read with it.
///
/// # Errors
/// There is none, it is no file (reading might never end), too long, or no text; for people.
pub(crate) fn beside(path: &Path) -> Result<String, String> {
    // Asked before it is opened: opening a pipe waits for somebody to write.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    file.take(BESIDE_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > BESIDE_BYTES_MAX {
        return Err(format!("it is longer than {} KiB", BESIDE_BYTES_MAX >> 10));
    }
    String::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())
}
