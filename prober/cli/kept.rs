//! The latest runs by hand, for `prober explain`: files in the user's cache, since the store has one writer and
//! holds what schedules made.
//!
//! Bounded, readable by the user only, without requests and answers; losing them costs nothing, so no error
//! here stops anybody.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use model::event::SliEvent;

use super::place::env;

/// The most runs that are kept.
const RUNS_MAX: usize = 200;

/// The largest file that is read.
const BYTES_MAX: u64 = 4 << 20;

/// The fewest digits that name a run.
const DIGITS_MIN: usize = 4;

/// Where runs are kept.
#[derive(Debug)]
pub(crate) struct KeptRuns(PathBuf);

impl KeptRuns {
    /// The place in this user's cache; `None` for users without a home.
    pub(crate) fn here() -> Option<Self> {
        let given = env("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = given.or_else(|| env("HOME").map(|home| Path::new(&home).join(".cache")))?;
        Some(Self(cache.join("prober/runs")))
    }

    /// Keeps a run; the oldest ones go.
    pub(crate) fn keep(&self, event: &SliEvent) {
        let mut event = event.clone();
        for hop in event.outcome.steps.iter_mut().flat_map(|step| &mut step.hops) {
            hop.exchange = None;
        }
        let path = self.0.join(format!("{}.json", event.slot.id));
        let written = fs::create_dir_all(&self.0)
            .and_then(|()| {
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)
            })
            .and_then(|mut file| file.write_all(event.to_json().as_bytes()));
        if written.is_ok() {
            self.prune();
        }
    }

    fn prune(&self) {
        let mut files = self.files();
        if files.len() <= RUNS_MAX {
            return;
        }
        files.sort_by_key(|path| fs::metadata(path).and_then(|facts| facts.modified()).ok());
        for path in &files[..files.len() - RUNS_MAX] {
            drop(fs::remove_file(path));
        }
    }

    /// The run whose id begins so; `None` if there is none, or more than one.
    pub(crate) fn find(&self, prefix: &str) -> Option<SliEvent> {
        if prefix.len() < DIGITS_MIN || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let prefix = prefix.to_ascii_lowercase();
        let named =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        let found: Vec<_> = self.files().into_iter().filter(named).collect();
        let [only] = found.as_slice() else { return None };
        let small = fs::metadata(only).is_ok_and(|facts| facts.is_file() && facts.len() <= BYTES_MAX);
        SliEvent::from_json(&fs::read_to_string(only).ok().filter(|_| small)?).ok()
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::tests::all;

    #[test]
    fn runs_are_found_by_their_first_digits() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptRuns(folder.path().join("runs"));
        let [event, ..] = all();
        let id = event.slot.id.to_string();
        assert_eq!(kept.find(&id), None);
        kept.keep(&event);
        kept.keep(&event);
        assert_eq!(kept.find(&id[..8]), Some(event.clone()));
        assert_eq!(kept.find(&id[..3]), None, "too few digits");
        assert_eq!(kept.find("../../etc"), None);
        fs::write(folder.path().join("runs").join(format!("{}0.json", &id[..8])), "{").unwrap();
        assert_eq!(kept.find(&id[..8]), None, "two begin so");
        assert_eq!(kept.find(&id), Some(event));
    }
}
