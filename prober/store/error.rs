//! Why something could not be opened, read or noted, and what kind of trouble SQLite has.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a data directory could not be opened; nothing in it was changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is something else.
    #[error("data directory {} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// There is none to be read.
    #[error("there are no events yet: no data directory {}; `prober serve` makes it, --data names another one", .0.display())]
    Missing(PathBuf),
    /// Another prober has it.
    #[error("data directory {} is in use by another prober{holder}; stop it or choose another directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// ` (process 123)`, or empty.
        holder: String,
    },
    /// A file is damaged or is not ours.
    #[error("store file {} cannot be used: {detail}; move it away to start without it", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file was written by a newer version.
    #[error("store file {} has format {found}, the newest this version knows is {known}; use a newer prober", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// There is no space left.
    #[error("no space left to open {}", .0.display())]
    Full(PathBuf),
    /// The system refused.
    #[error("{} could not be opened: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("store file {} could not be opened: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        // SQLite says on several lines which database it means; the last one says what is wrong.
        let detail: String = detail.into();
        let detail = detail.trim_end().lines().last().unwrap_or_default().to_owned();
        Self::Corrupt { path: path.to_owned(), detail }
    }

    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        match trouble(&source) {
            Trouble::Full => Self::Full(path.to_owned()),
            Trouble::Corrupt => Self::corrupt(path, source.to_string()),
            Trouble::Other => Self::Sqlite { path: path.to_owned(), source },
        }
    }
}

/// Why stored events, plans or cursors could not be read or noted.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file is damaged.
    #[error("store file {} is damaged: {detail}; stop the prober and move it away", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// SQLite refused.
    #[error("store file {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The directory could not be listed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ReadError {
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        match trouble(&source) {
            Trouble::Corrupt => Self::Corrupt { path: path.to_owned(), detail: source.to_string() },
            _ => Self::Sqlite { path: path.to_owned(), source },
        }
    }
}

/// What kind of trouble an error of SQLite is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Full,
    Corrupt,
    Other,
}

/// Sorts an error of SQLite.
pub(crate) fn trouble(error: &rusqlite::Error) -> Trouble {
    match error {
        // A value of the wrong type or text that is not UTF-8 is damage, not a mistake of the caller.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => Trouble::Corrupt,
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Trouble::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Corrupt,
            _ => Trouble::Other,
        },
    }
}
