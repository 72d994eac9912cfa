//! From the store to elsewhere: the exporter pump and its exporters.
//!
//! An exporter delivers a batch, or says *retry* or *reject*; nothing else. Cursor, batching, back-off, counters and
//! shutdown come from [`pump`]. A new exporter is a folder here and one line in [`EXPORTERS`].
//!
//! [`prometheus`] is the exception that proves the rule: it has no destination and is always there, so it is not in the
//! table, but it is fed by the same pump.

use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::probe::BoxFuture;
use model::time::Clock;

use crate::settings::{Fault, Key, Settings};

pub mod ndjson;
pub mod prometheus;
pub mod pump;
pub mod settings;

/// Every exporter that a project file can name, in the order of their names.
pub static EXPORTERS: &[ExporterKind] = &[ndjson::KIND];

/// What came of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The destination has the whole batch.
    Done,
    /// Nothing is wrong with the batch; it may work later.
    Retry {
        /// How long the destination asks to be left alone.
        after: Option<Duration>,
        /// For people.
        why: String,
    },
    /// The destination will never take this batch.
    Reject {
        /// For people.
        why: String,
    },
}

/// Delivers batches of events to one destination; no queue, no back-off, no cursor inside.
pub trait Exporter: Send {
    /// Delivers the batch once. The same events may come again after a crash or a time-out.
    ///
    /// Dropping the future must leave the exporter usable.
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery>;

    /// Called now and then while there is nothing to deliver.
    fn idle(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Called once, after the last delivery.
    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// One line of [`EXPORTERS`].
#[derive(Copy, Clone, Debug)]
pub struct ExporterKind {
    /// The word in the project file.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What can be set.
    pub keys: &'static [Key],
    /// Makes one from settings that were compiled with `keys`.
    pub build: Build,
}

/// Makes an exporter; this is where a destination that cannot be used is found out.
pub type Build = fn(&Settings, Arc<dyn Clock>) -> Result<Box<dyn Exporter>, BuildError>;

impl ExporterKind {
    /// The kind called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        EXPORTERS.iter().find(|kind| kind.name == name)
    }

    /// Checks what a project file gives and fills in the defaults; touches nothing outside.
    ///
    /// # Errors
    /// All faults at once: unknown, missing and malformed values.
    pub fn compile<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Settings, Vec<Fault>> {
        Settings::compile(self.keys, given)
    }
}

/// Why an exporter could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The directory cannot be used.
    #[error("directory {} of exporter `{exporter}` cannot be used: {source}", path.display())]
    Directory {
        /// Which exporter.
        exporter: &'static str,
        /// The directory.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_defaults_are_valid() {
        assert!(EXPORTERS.is_sorted_by_key(|kind| kind.name));
        for kind in EXPORTERS {
            assert!(std::ptr::eq(ExporterKind::named(kind.name).unwrap(), kind));
            assert!(!kind.summary.is_empty());
            for key in kind.keys {
                let shown = key.default.map_or(Ok(()), |default| key.kind.check(default));
                assert_eq!(shown, Ok(()), "{}.{}", kind.name, key.name);
            }
        }
        assert!(ExporterKind::named("carrier-pigeon").is_none());
    }
}
