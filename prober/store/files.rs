//! Names and places of the store's files, and the lock on their directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;

/// Where everything lies under one data directory.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) dir: PathBuf,
}

/// The name of one part file; the order of names is the order of their events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartName {
    /// The UTC day of recording, `2026-03-01`.
    pub(crate) day: String,
    /// Which part of that day.
    pub(crate) index: u32,
}

impl PartName {
    pub(crate) fn file(&self) -> String {
        match self.index {
            0 => format!("events-{}.db", self.day),
            index => format!("events-{}.{index}.db", self.day),
        }
    }

    pub(crate) fn parse(file: &str) -> Option<Self> {
        let rest = file.strip_prefix("events-")?.strip_suffix(".db")?;
        let (day, index) = match rest.split_once('.') {
            Some((day, index)) => (day, index.parse().ok().filter(|index| *index > 0)?),
            None => (rest, 0),
        };
        let shaped = day.len() == 10
            && day.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let name = Self { day: day.to_owned(), index };
        (shaped && name.file() == file).then_some(name)
    }
}

impl Files {
    pub(crate) fn meta(&self) -> PathBuf {
        self.dir.join("meta.db")
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.dir.join("events")
    }

    pub(crate) fn part(&self, name: &PartName) -> PathBuf {
        self.events().join(name.file())
    }

    /// The names of all part files, oldest first; foreign files are left alone.
    pub(crate) fn parts(&self) -> io::Result<Vec<PartName>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.events())? {
            names.extend(entry?.file_name().to_str().and_then(PartName::parse));
        }
        names.sort();
        Ok(names)
    }

    /// Removes files whose making was cut off; they were never part of the store.
    pub(crate) fn remove_unfinished(&self) -> io::Result<()> {
        for dir in [self.dir.clone(), self.events()] {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if UNFINISHED.iter().any(|end| name.ends_with(end)) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// The ends of names that only unfinished files have.
const UNFINISHED: [&str; 3] = [".db.new", ".db.new-wal", ".db.new-shm"];

/// The name under which a database is made before it is renamed.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    with_suffix(path, ".new")
}

/// The path with `suffix` after its whole name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes a renamed or removed name in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Bytes of a database with what SQLite keeps beside it; 0 for a file that is gone.
pub(crate) fn bytes_with_wal(path: &Path) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    size(path) + size(&with_suffix(path, "-wal"))
}

/// Device and number of the file at `path`; `None` if there is none.
pub(crate) fn number(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Removes a database and what SQLite keeps beside it.
pub(crate) fn remove_database(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(with_suffix(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The exclusive right to a data directory; given back when dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
}

/// Why a directory could not be locked.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it; its id if it was readable.
    Held(String),
    Io(io::Error),
}

impl LockError {
    /// What is said of it where `dir` was to be locked.
    pub(crate) fn told_of(self, dir: &Path) -> OpenError {
        match self {
            Self::Held(id) => {
                let holder = if id.is_empty() { id } else { format!(" (process {id})") };
                OpenError::Locked { dir: dir.to_owned(), holder }
            }
            Self::Io(error) => OpenError::io(&dir.join("lock"), error),
        }
    }
}

impl DirectoryLock {
    /// Locks `<dir>/lock` without waiting.
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(LockError::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = (&file).take(32).read_to_string(&mut holder);
                return Err(LockError::Held(holder.trim().to_owned()));
            }
            Err(errno) => return Err(LockError::Io(errno.into())),
        }
        // The process id is for people only, so a disk too full for it does not matter.
        let _ = file.set_len(0);
        let _ = file.rewind();
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { file })
    }

    /// Takes the directory again if the locked file is no longer in it: whoever removed that may have let another in.
    pub(crate) fn renew(&mut self, dir: &Path) -> Result<(), LockError> {
        let held = self.file.metadata().map_err(LockError::Io)?;
        if number(&dir.join("lock")) != Some((held.dev(), held.ino())) {
            *self = Self::take(dir)?;
        }
        Ok(())
    }
}

impl Drop for DirectoryLock {
    /// Unlocks by name: closing alone leaves it locked for as long as a child that another thread has just forked has
    /// a copy of the descriptor (flock(2)), which it has until it executes its program.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_sort() {
        let names = [
            "events-2026-02-28.db",
            "events-2026-03-01.db",
            "events-2026-03-01.2.db",
            "events-2026-03-01.10.db",
        ];
        let parsed: Vec<_> = names.iter().map(|name| PartName::parse(name).unwrap()).collect();
        assert!(parsed.is_sorted());
        assert_eq!(parsed.iter().map(PartName::file).collect::<Vec<_>>(), names);
        for foreign in [
            "events-2026-03-01.db-wal",
            "events-2026-03-01.0.db",
            "events-x.db",
            "meta.db",
            "events-2026-03-01.01.db",
        ] {
            assert_eq!(PartName::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_directory_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(dir.path()).unwrap();
        match DirectoryLock::take(dir.path()) {
            Err(LockError::Held(holder)) => assert_eq!(holder, std::process::id().to_string()),
            other => panic!("{other:?}"),
        }
        let copied_by_a_fork = held.file.try_clone().unwrap();
        drop(held);
        DirectoryLock::take(dir.path()).unwrap();
        drop(copied_by_a_fork);
    }
}
