//! Files of one JSON event a line: for `jq`, for loading elsewhere, and for replay.
//!
//! A file is called `….ndjson.part` while it grows and loses the `.part` when it is full or old. What is acknowledged is
//! on the disk (fsync). After a crash the last lines may come twice; the slot id tells. A torn last line is cut off at
//! the next start, and [`lines`] tolerates it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::time::Clock;

use crate::settings::{Key, KeyKind, Settings};
use crate::{BuildError, Exporter, ExporterKind};

mod deliver;
mod files;

#[cfg(test)]
mod tests;

pub use files::lines;

/// The line in the table of exporters.
pub const KIND: ExporterKind = ExporterKind {
    name: "ndjson",
    summary: "files of one JSON event a line, rotated by size and age",
    keys: &[
        Key { name: "directory", summary: "where the files are", kind: KeyKind::Path, default: None },
        Key {
            name: "rotate_bytes",
            summary: "a file of this size is closed",
            kind: KeyKind::Bytes,
            default: Some("64MiB"),
        },
        Key {
            name: "rotate_after",
            summary: "a file of this age is closed",
            kind: KeyKind::Duration,
            default: Some("1h"),
        },
        Key {
            name: "keep_files",
            summary: "closed files that stay",
            kind: KeyKind::Count,
            default: Some("168"),
        },
        Key {
            name: "keep_bytes",
            summary: "bytes of closed files that stay",
            kind: KeyKind::Bytes,
            default: Some("1GiB"),
        },
    ],
    build,
};

/// When files are closed and how many stay.
#[derive(Clone, Debug)]
struct Rotation {
    bytes: u64,
    after: Duration,
    keep_files: usize,
    keep_bytes: u64,
}

fn build(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Box<dyn Exporter>, BuildError> {
    let rotation = Rotation {
        bytes: settings.bytes("rotate_bytes"),
        after: settings.duration("rotate_after"),
        keep_files: settings.count("keep_files"),
        keep_bytes: settings.bytes("keep_bytes"),
    };
    let path = settings.path("directory");
    let files = files::Files::open(&path, rotation, clock).map_err(|source| BuildError::Directory {
        exporter: KIND.name,
        path: Path::to_owned(&path),
        source,
    })?;
    Ok(Box::new(deliver::Ndjson::new(files)))
}
