//! From the store to elsewhere: the exporter pump and its exporters.
//!
//! An exporter delivers a batch, or says *retry* or *reject*; nothing else. Cursor, batching, back-off, counters and
//! shutdown come from [`pump`]. A new exporter is a folder here and one line in [`EXPORTERS`].
//!
//! [`prometheus`] is the exception that proves the rule: it has no destination and is always there, so it is not in the
//! table, but it is fed by the same pump.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::probe::BoxFuture;
use model::time::Clock;
use tokio::sync::watch;

use crate::prometheus::StreamInfo;
use crate::settings::{Fault, Key, Settings};

pub mod kafka;
pub mod nats;
pub mod ndjson;
pub mod otlp;
pub mod prometheus;
pub mod pump;
pub mod remote_write;
pub mod settings;
pub mod webhook;

mod cloud_event;
mod proto;
mod quiet;
mod receiver;
mod sampler;
mod socket;

/// Every exporter that a project file can name, in the order of their names.
pub static EXPORTERS: &[ExporterKind] =
    &[kafka::KIND, nats::KIND, ndjson::KIND, otlp::KIND, remote_write::KIND, webhook::KIND];

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
    /// The destination has what it will take of the batch, and will never take the rest.
    Part {
        /// Events of the batch that will never be delivered.
        dropped: u64,
        /// Samples, points, records or spans that the destination refused.
        refused: u64,
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

    /// How long events are gathered before a batch that is not full is delivered.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }

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

/// Makes an exporter; this is where a destination that cannot be used is found out. May block.
///
/// One of the same settings may still be running, which ends before the new one delivers anything: what belongs to that
/// one is not touched here.
pub type Build = fn(&Settings, &Surroundings) -> Result<Box<dyn Exporter>, BuildError>;

/// What an exporter knows of the prober that it is part of.
#[derive(Clone)]
pub struct Surroundings {
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The prober's name.
    pub prober: Arc<str>,
    /// The prober's version.
    pub version: Arc<str>,
    /// The streams that run; their holder tells of every reload.
    pub streams: watch::Receiver<Arc<[StreamInfo]>>,
    /// The metrics of the process itself.
    pub own: OwnMetrics,
}

/// Gives the metrics of the process itself in OpenMetrics text, those of streams left out; may block.
pub type OwnMetrics = Arc<dyn Fn() -> String + Send + Sync>;

impl fmt::Debug for Surroundings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Surroundings").field("prober", &self.prober).finish_non_exhaustive()
    }
}

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
    /// The settings cannot be used together, or not here.
    #[error("exporter `{exporter}`: {why}")]
    Unusable {
        /// Which exporter.
        exporter: &'static str,
        /// For people; never a secret.
        why: String,
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
                let settings::Need::Default(default) = key.need else { continue };
                assert_eq!(key.kind.check(default), Ok(()), "{}.{}", kind.name, key.name);
            }
        }
        assert!(ExporterKind::named("carrier-pigeon").is_none());
    }
}
