//! Files of one JSON event a line: for `jq`, for loading elsewhere, and for replay.
//!
//! A file is called `….ndjson.part` while it grows and loses the `.part` when it is full or old. What is acknowledged is
//! on the disk (fsync). After a crash the last lines may come twice; the slot id tells. A torn last line is cut off at
//! the next start, and [`lines`] tolerates it. A file that somebody removed or moved away is followed by another one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::settings::{Key, KeyKind, Settings};
use crate::{BuildError, Exporter, ExporterKind, Surroundings};

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
        Key::required("directory", KeyKind::Folder, "where the files are"),
        Key::or("rotate_bytes", KeyKind::Bytes, "64MiB", "a file of this size is closed"),
        Key::or("rotate_after", KeyKind::Duration, "1h", "a file of this age is closed"),
        Key::or("keep_files", KeyKind::Count, "168", "closed files that stay"),
        Key::or("keep_bytes", KeyKind::Bytes, "1GiB", "bytes of closed files that stay"),
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

fn build(settings: &Settings, around: &Surroundings) -> Result<Box<dyn Exporter>, BuildError> {
    let rotation = Rotation {
        bytes: settings.bytes("rotate_bytes"),
        after: settings.duration("rotate_after"),
        keep_files: settings.count("keep_files"),
        keep_bytes: settings.bytes("keep_bytes"),
    };
    let path = settings.path("directory");
    let files = files::Files::open(&path, rotation, Arc::clone(&around.clock)).map_err(|source| {
        BuildError::Directory { exporter: KIND.name, path: Path::to_owned(&path), source }
    })?;
    Ok(Box::new(deliver::Ndjson::new(files)))
}
