//! The files of a project: where they are, and their texts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use scenario::diagnostic::Diagnostic;
use scenario::own::BESIDE_BYTES_MAX;
use scenario::source::{Source, Span, Spanned};

use walk::{Finds, collect};

mod walk;

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
    /// The files that cannot be used as they are, by their shown path.
    pub(crate) faults: Vec<(String, Fault)>,
    /// What is told of the patterns, at their places in the project file.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Why a file cannot be used; it is an empty one then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not UTF-8, from this byte on.
    NotText(usize),
    /// It cannot be read.
    Unread(String),
}

impl Fault {
    /// The same as a mistake of the file with this number.
    pub(crate) fn diagnostic(&self, file: u32) -> Diagnostic {
        match self {
            Self::NotText(at) => scenario::tree::not_utf8(file, *at),
            Self::Unread(why) => {
                let place = Span { file, start: 0, end: 0 };
                Diagnostic::error("E020", place, format!("this file cannot be read: {why}"))
                    .help("make it a file that can be read, or take it out of the folder")
            }
        }
    }
}

/// The file patterns of a project file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    pub(crate) scenarios: Vec<Spanned<String>>,
    /// Files that these match are templates, whatever else matches them.
    pub(crate) include: Vec<Spanned<String>>,
}

impl Patterns {
    /// Where scenario files are if nobody says.
    pub(crate) fn by_default(pattern: &str) -> Vec<Spanned<String>> {
        vec![Spanned::new(pattern.to_owned(), Span::default())]
    }
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
    #[error("{} has no scenario file in it: they end in .yaml or .yml", .0.display())]
    Nothing(PathBuf),
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
        let mut faults = Vec::new();
        let project = project_path.as_deref().map(|path| self.project_file(path, &mut faults)).transpose()?;
        let alone = || Patterns { scenarios: Patterns::by_default("*.yaml"), include: Vec::new() };
        let patterns = project.as_ref().map_or_else(alone, patterns);
        let mut chosen = Chosen::default();
        let templates = chosen.take(&root, &patterns.include, true)?;
        let (whole, mut unmatched) = (self.whole_project(), None);
        let mut paths = Finds::default();
        if whole {
            paths = chosen.take(&root, &patterns.scenarios, false)?;
            let none = paths.files.is_empty() && paths.unread.is_empty();
            let texts = || patterns.scenarios.iter().map(|pattern| &*pattern.value).collect::<Vec<_>>();
            unmatched = none.then(|| texts().join(", "));
            // One word for all of them then.
            chosen.idle.retain(|idle| idle.are_templates || !none);
        }
        self.collect_named(&mut paths)?;
        if paths.files.len() > FILES_MAX {
            return Err(FindError::TooMany);
        }
        paths.files.retain(|path| !templates.files.contains(path));
        let warnings = chosen.warnings(&root, [&templates, &paths]).filter(|_| whole && project.is_some());
        let warnings = warnings.collect();
        let scenarios = self.read_all(paths, &mut faults);
        // Of a few files it matters only what they use.
        let needed = whole || scenarios.iter().any(|scenario| scenario.text.contains("use:"));
        let templates = if needed { self.read_all(templates, &mut faults) } else { Vec::new() };
        Ok(Found { root, project, templates, scenarios, whole, unmatched, faults, warnings })
    }

    /// Every file that was named, whatever it is; if that is the project, then all of its files.
    ///
    /// Files that cannot be used come with the reason.
    pub(crate) fn each(
        &self,
        patterns: impl Fn(&Source) -> Patterns,
    ) -> Result<Vec<(Source, Option<Fault>)>, FindError> {
        let Found { project, templates, scenarios, whole, mut faults, .. } = self.read(patterns)?;
        let mut sources: Vec<Source> = Vec::new();
        // Without names, or with only the project's, everything is wanted.
        if self.paths.is_empty() || self.paths.iter().any(|path| is_project(path)) {
            sources.extend(project);
        }
        if whole {
            sources.extend(templates);
        }
        sources.extend(scenarios);
        let mut named = Finds::default();
        self.collect_named(&mut named)?;
        for more in self.read_all(named, &mut faults) {
            // A template that was named is no scenario.
            if sources.iter().all(|source| source.path != more.path) {
                sources.push(more);
            }
        }
        let fault = |path: &str| faults.iter().find(|(of, _)| of == path).map(|(_, fault)| fault.clone());
        Ok(sources
            .into_iter()
            .map(|source| {
                let fault = fault(&source.path);
                (source, fault)
            })
            .collect())
    }

    /// The files below the paths that were named, but for the project's.
    fn collect_named(&self, paths: &mut Finds) -> Result<(), FindError> {
        for path in self.paths.iter().filter(|path| !is_project(path)) {
            if path.is_dir() {
                // Both endings are looked for, whatever the first one finds.
                let any = [collect(path, "**/*.yaml", paths)?, collect(path, "**/*.yml", paths)?];
                if !any.contains(&true) {
                    return Err(FindError::Nothing(path.clone()));
                }
            } else {
                paths.files.insert(path.clone());
            }
        }
        Ok(())
    }

    /// The project file; without it nothing can be said of the others.
    fn project_file(&self, path: &Path, faults: &mut Vec<(String, Fault)>) -> Result<Source, FindError> {
        self.read_file(path, faults).map_err(|source| FindError::Read { path: path.to_owned(), source })
    }

    /// The texts of files; those that cannot be read are empty, and among the faults.
    fn read_all(&self, finds: Finds, faults: &mut Vec<(String, Fault)>) -> Vec<Source> {
        let Finds { files, mut unread, .. } = finds;
        let mut sources = Vec::with_capacity(files.len());
        for path in files {
            match self.read_file(&path, faults) {
                Ok(source) => sources.push(source),
                Err(error) => drop(unread.insert(path, error.to_string())),
            }
        }
        for (path, why) in unread {
            let path = self.shown(&path);
            faults.push((path.clone(), Fault::Unread(why)));
            sources.push(Source { path, text: String::new() });
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    fn read_file(&self, path: &Path, faults: &mut Vec<(String, Fault)>) -> std::io::Result<Source> {
        let mut bytes = Vec::new();
        File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        let shown = self.shown(path);
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            // At the limit only the cut is not text; the compiler refuses the length.
            let cut = error.as_bytes().len() as u64 > BYTES_MAX && error.utf8_error().error_len().is_none();
            if !cut {
                faults.push((shown.clone(), Fault::NotText(error.utf8_error().valid_up_to())));
            }
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        Ok(Source { path: shown, text })
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.base).unwrap_or(path).to_string_lossy().into_owned()
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

/// What patterns chose, and what is to be said of them.
#[derive(Debug, Default)]
struct Chosen {
    /// Patterns that name nothing.
    idle: Vec<Idle>,
    /// Files that a pattern would name if they ended as it does.
    overlooked: BTreeMap<PathBuf, Span>,
}

/// A pattern that names nothing.
#[derive(Debug)]
struct Idle {
    span: Span,
    pattern: String,
    are_templates: bool,
}

impl Chosen {
    fn take(
        &mut self,
        root: &Path,
        patterns: &[Spanned<String>],
        are_templates: bool,
    ) -> Result<Finds, FindError> {
        let mut all = Finds::default();
        for Spanned { value: pattern, span } in patterns {
            let mut finds = Finds::default();
            if !collect(root, pattern, &mut finds)? {
                self.idle.push(Idle { span: *span, pattern: pattern.clone(), are_templates });
            }
            self.overlooked.extend(finds.other_ending.into_iter().map(|path| (path, *span)));
            all.files.extend(finds.files);
            all.unread.extend(finds.unread);
            if all.files.len() > FILES_MAX {
                return Err(FindError::TooMany);
            }
        }
        Ok(all)
    }

    /// What is wrong with the patterns, in the project file; `read` is what others of them name.
    fn warnings<'a>(self, root: &'a Path, read: [&'a Finds; 2]) -> impl Iterator<Item = Diagnostic> + 'a {
        let idle = self.idle.into_iter().map(|Idle { span, pattern, are_templates }| {
            let what = if are_templates { "template" } else { "scenario" };
            Diagnostic::warning("W357", span, format!("no {what} file matches {pattern}"))
                .help("mend the pattern, or leave it out")
        });
        let is_read = move |path: &PathBuf| read.iter().any(|finds| finds.files.contains(path));
        let overlooked = self.overlooked.into_iter().filter(move |(path, _)| !is_read(path));
        let overlooked = overlooked.map(move |(path, span)| {
            let shown = path.strip_prefix(root).unwrap_or(&path).display();
            let better = path.with_extension("yaml");
            let better = better.file_name().unwrap_or_default().display();
            Diagnostic::warning("W358", span, format!("{shown} is not read: no pattern names it"))
                .help(format!("call it {better}, or add a pattern for it"))
        });
        idle.chain(overlooked)
    }
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
