//! Delivery of batches to the files.

use std::io;
use std::sync::Arc;

use model::event::SliEvent;
use model::probe::BoxFuture;
use tokio::task::{JoinHandle, spawn_blocking};

use super::files::Files;
use crate::{Delivery, Exporter};

/// The exporter; the files are with the blocking task while one runs.
pub(super) struct Ndjson {
    files: Option<Files>,
    /// A write whose waiter may have given up; joined before anything else is done.
    running: Option<JoinHandle<(Files, io::Result<()>)>>,
}

impl Ndjson {
    pub(super) fn new(files: Files) -> Self {
        Self { files: Some(files), running: None }
    }

    async fn blocking(
        &mut self,
        work: impl FnOnce(&mut Files) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        // An earlier write that was not waited for: its batch comes again, which is allowed.
        let _ = self.join().await;
        let mut files = self.files.take().expect("joined above");
        self.running = Some(spawn_blocking(move || {
            let made = work(&mut files);
            (files, made)
        }));
        self.join().await
    }

    async fn join(&mut self) -> io::Result<()> {
        let Some(running) = &mut self.running else { return Ok(()) };
        // Dropped while waiting, the handle is still there for the next call.
        let (files, made) = running.await.expect("writing does not panic and nobody aborts it");
        self.running = None;
        self.files = Some(files);
        made
    }
}

impl Exporter for Ndjson {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            let events = batch.to_vec();
            let written = self.blocking(move |files| {
                let mut lines = Vec::with_capacity(events.len() * 1_536);
                for event in &events {
                    event.write_json(&mut lines);
                    lines.push(b'\n');
                }
                files.append(&lines)
            });
            match written.await {
                Ok(()) => Delivery::Done,
                Err(error) => Delivery::Retry { after: None, why: error.to_string() },
            }
        })
    }

    fn idle(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.blocking(Files::rotate).await {
                tracing::warn!(%error, "an ndjson file could not be closed");
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.blocking(Files::close).await {
                tracing::warn!(%error, "an ndjson file could not be closed");
            }
        })
    }
}
