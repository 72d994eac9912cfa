//! The files that a pattern names, and what it names that cannot be read: nothing is left out without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::{FILES_MAX, FindError, PROJECT_FILE};

/// Folders within each other.
const DEPTH_MAX: usize = 32;
/// `*` stays within a folder, and does not match hidden files.
const MANNER: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// What patterns name.
#[derive(Debug, Default)]
pub(super) struct Finds {
    /// The files.
    pub(super) files: BTreeSet<PathBuf>,
    /// What is no file, or cannot be looked at, and why.
    pub(super) unread: BTreeMap<PathBuf, String>,
    /// Files that a pattern would name if they ended in `.yaml`.
    pub(super) other_ending: BTreeSet<PathBuf>,
}

/// Adds what `pattern`, below `root`, names; says whether that is anything.
///
/// # Errors
/// The pattern is none, or names too many files.
pub(super) fn collect(root: &Path, pattern: &str, finds: &mut Finds) -> Result<bool, FindError> {
    let wrong =
        |error: glob::PatternError| FindError::Pattern { pattern: pattern.to_owned(), message: error.msg };
    Pattern::new(pattern).map_err(wrong)?;
    // What has no `*` in it is a folder, which may lie outside of the project.
    let parts: Vec<&str> = pattern.split('/').filter(|part| *part != ".").collect();
    let plain = parts.iter().position(|part| part.contains(['*', '?', '[']));
    let (folders, rest) = parts.split_at(plain.unwrap_or(parts.len() - 1));
    let base = match folders {
        [""] => PathBuf::from("/"),
        _ => root.join(folders.join("/")),
    };
    let mut walk = Walk {
        pattern: Pattern::new(&rest.join("/")).map_err(wrong)?,
        depth: if rest.contains(&"**") { DEPTH_MAX } else { rest.len() },
        hidden: rest.iter().any(|part| part.starts_with('.')),
        finds,
        above: Vec::new(),
        is_any: false,
    };
    walk.folder(&base, "")?;
    Ok(walk.is_any)
}

struct Walk<'a> {
    pattern: Pattern,
    /// Folders that are looked into, one within the other.
    depth: usize,
    /// Whether hidden folders are meant.
    hidden: bool,
    finds: &'a mut Finds,
    /// The folders that this one is in, by their real names: a link back into one of them is a circle.
    above: Vec<PathBuf>,
    is_any: bool,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, below: &str) -> Result<(), FindError> {
        let real = std::fs::canonicalize(folder);
        let real = match real {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(real) if self.above.contains(&real) || self.above.len() >= self.depth => return Ok(()),
            real => real,
        };
        match real.and_then(|real| Ok((real, std::fs::read_dir(folder)?))) {
            Ok((real, entries)) => {
                self.above.push(real);
                for entry in entries {
                    match entry {
                        Ok(entry) => self.entry(&entry, below)?,
                        Err(error) => self.cannot(folder, &error),
                    }
                }
                self.above.pop();
            }
            // A pattern may name a folder that is a file: nothing is in it.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => self.cannot(folder, &error),
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, below: &str) -> Result<(), FindError> {
        let (path, name) = (entry.path(), entry.file_name());
        let shown = format!("{below}{}", name.to_string_lossy());
        let about = std::fs::metadata(&path);
        if about.as_ref().is_ok_and(Metadata::is_dir) {
            let is_meant = self.hidden || !name.as_encoded_bytes().starts_with(b".");
            return if is_meant { self.folder(&path, &format!("{shown}/")) } else { Ok(()) };
        }
        if name == PROJECT_FILE {
            return Ok(());
        }
        if !self.pattern.matches_with(&shown, MANNER) {
            if self.would_match(&shown) {
                self.finds.other_ending.insert(path);
            }
            return Ok(());
        }
        self.is_any = true;
        match about {
            _ if name.to_str().is_none() => self.tell(&path, "its name is not UTF-8 text"),
            Ok(about) if !about.is_file() => self.tell(&path, "it is neither a file nor a folder"),
            Err(error) => self.cannot(&path, &error),
            Ok(_) => drop(self.finds.files.insert(path)),
        }
        if self.finds.files.len() > FILES_MAX { Err(FindError::TooMany) } else { Ok(()) }
    }

    /// Whether only the ending is another one of the same meaning.
    fn would_match(&self, shown: &str) -> bool {
        let Some((stem, ending)) = shown.rsplit_once('.') else { return false };
        let is_yaml = ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml");
        is_yaml && self.pattern.matches_with(&format!("{stem}.yaml"), MANNER)
    }

    fn cannot(&mut self, path: &Path, error: &io::Error) {
        self.tell(path, &error.to_string());
    }

    fn tell(&mut self, path: &Path, why: &str) {
        self.finds.unread.insert(path.to_owned(), why.to_owned());
    }
}
