//! The parts of a serving prober while they run, and the order in which they end:
//! runner → store → evaluator → exporters → alerts → pages.

use std::sync::Arc;
use std::thread::JoinHandle;

use dashboard::{Catalogue, Readiness, ReloadState};
use export::prometheus::{Metrics, StreamInfo};
use export::pump::PumpStats;
use model::time::{Clock, SystemClock, Timestamp};
use post::Client;
use schedule::distrust::Doubts;
use schedule::entry::Entry;
use schedule::runner::{Command, Gauges, Stopped};
use store::{Store, WriterEnd};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::alerts::Routes;
use super::at_start::AtStart;
use super::controls;
use super::fleet::shown::Shown;
use super::load::{Ground, LoadError, Loaded, Loader};
use super::pumps::Pumps;
use super::slo::Judging;
use crate::exit::Stop;

/// A request to read the files again.
pub(crate) type ReloadRequest = oneshot::Sender<ReloadState>;

/// What the parts are told by.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) loader: Arc<Loader>,
    pub(crate) metrics: Metrics,
    pub(crate) streams: watch::Sender<Arc<[StreamInfo]>>,
    pub(crate) ground: watch::Sender<Arc<Ground>>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) doubts: Arc<Doubts>,
    pub(crate) controls: watch::Sender<controls::Current>,
    pub(crate) catalogue: watch::Sender<Arc<Catalogue>>,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) reload_state: watch::Sender<ReloadState>,
    pub(crate) at_start: AtStart,
    pub(crate) fleet: watch::Sender<Shown>,
    pub(crate) runner: JoinSet<Stopped>,
    pub(crate) runner_stop: CancellationToken,
    pub(crate) writer: JoinHandle<WriterEnd>,
    /// Counts for the metrics page.
    pub(crate) fold: JoinSet<PumpStats>,
    pub(crate) fold_stop: CancellationToken,
    pub(crate) pumps: Pumps,
    pub(crate) judging: Judging,
    /// The client of all receivers of alerts.
    pub(crate) client: Client,
    pub(crate) routes: watch::Sender<Routes>,
    pub(crate) alerts: JoinSet<()>,
    pub(crate) alerts_stop: CancellationToken,
    pub(crate) rest: JoinSet<()>,
    pub(crate) rest_stop: CancellationToken,
}

impl Parts {
    /// Makes what was loaded the plans that run; on an error the plans from before go on.
    pub(crate) async fn apply(&mut self, mut loaded: Loaded) -> Result<Timestamp, String> {
        let entries = std::mem::take(&mut loaded.entries);
        let streams = loaded.streams_of(&entries);
        self.doubts.watch_targets(loaded.targets(false));
        self.apply_parts(loaded, streams, Some((entries, None))).await
    }

    /// The same for a part of the entries, from some time on at the earliest; with `None` nothing is run here.
    pub(crate) async fn apply_entries(
        &mut self,
        loaded: Loaded,
        run: Option<(Vec<Entry>, Option<Timestamp>)>,
    ) -> Result<Timestamp, String> {
        let streams = loaded.streams();
        self.doubts.watch_targets(if run.is_some() { loaded.targets(true) } else { Vec::new() });
        self.apply_parts(loaded, streams, run).await
    }

    async fn apply_parts(
        &mut self,
        loaded: Loaded,
        streams: Vec<StreamInfo>,
        run: Option<(Vec<Entry>, Option<Timestamp>)>,
    ) -> Result<Timestamp, String> {
        // First what can still be refused.
        self.pumps.set(&loaded.exporters).await?;
        // Series are born before the first event of their stream.
        self.metrics.tell_as_blackbox(loaded.project.is_blackbox);
        self.metrics.set(&streams, &loaded.promises.joint);
        self.streams.send_replace(Arc::from(streams));
        // So are the doubts about the regions that streams run in.
        controls::watch(&self.doubts, &loaded.controls);
        self.controls.send_replace(loaded.controls);
        self.judging.promises.send_replace(loaded.promises);
        let at = match run {
            Some((entries, not_before)) => self.run(entries, not_before).await?,
            None => SystemClock.now(),
        };
        self.routes.send_if_modified(|routes| {
            let changed = *routes != loaded.routes;
            *routes = loaded.routes;
            changed
        });
        self.catalogue.send_replace(Arc::new(loaded.catalogue));
        self.ground.send_replace(Arc::new(loaded.ground));
        Ok(at)
    }

    /// Hands entries to the runner; gives from when they run.
    pub(crate) async fn run(
        &self,
        entries: Vec<Entry>,
        not_before: Option<Timestamp>,
    ) -> Result<Timestamp, String> {
        let (reply, answer) = oneshot::channel();
        let gone = "the runner has ended";
        self.commands.send(Command { entries, reply, not_before }).await.map_err(|_| gone)?;
        answer.await.map_err(|_| gone)?
    }

    /// How many scenarios run, each region by itself.
    pub(crate) fn scenarios(&self) -> usize {
        self.catalogue.borrow().cards.len()
    }

    /// Reads the files again; wrong files keep the plans from before and say so.
    pub(crate) async fn reload(&mut self) -> ReloadState {
        let (loader, client) = (Arc::clone(&self.loader), self.client.clone());
        let loaded = tokio::task::spawn_blocking(move || loader.load_to_serve(&client)).await;
        let loaded = loaded.unwrap_or_else(|error| Err(LoadError::Mistakes(error.to_string())));
        let applied = match loaded {
            Ok(mut loaded) => {
                let changed = AtStart::of(&loaded.project);
                if let Some(waits) = self.at_start.waits_for_a_restart(&changed) {
                    tracing::warn!("{waits}");
                    loaded.catalogue.warnings.insert_str(0, &format!("{waits}\n\n"));
                }
                if !loaded.warnings.is_empty() {
                    tracing::warn!("warnings in the scenario files:\n{}", loaded.warnings);
                }
                self.apply(loaded).await
            }
            Err(error) => Err(error.to_string()),
        };
        let now = SystemClock.now();
        let state = match applied {
            Ok(_) => {
                tracing::info!(scenarios = self.scenarios(), "reloaded");
                ReloadState::Loaded { at: now }
            }
            Err(diagnostics) => {
                tracing::error!("not reloaded, the plans from before go on:\n{diagnostics}");
                ReloadState::Failed { at: now, diagnostics }
            }
        };
        self.reload_state.send_replace(state.clone());
        state
    }

    /// Ends the parts in their order; dropping the future leaves the rest to the next start's recovery.
    pub(crate) async fn stop(mut self) -> Result<(), Stop> {
        self.readiness.send_replace(Readiness::Draining);
        self.runner_stop.cancel();
        let stopped = joined(&mut self.runner).await;
        drop(self.commands);
        // The runner had the last way into the queue: the writer commits what is there and ends.
        let writer = self.writer;
        let end = tokio::task::spawn_blocking(move || writer.join()).await;
        let end = end.map_err(|error| Stop::environment(error.to_string()))?;
        let end = end.map_err(|_| Stop::environment("the store's writer ended unexpectedly"))?;
        if let Some(stopped) = stopped {
            tracing::info!(
                aborted = stopped.aborted,
                unsent = stopped.unsent,
                events = end.events,
                "drained"
            );
            let (store, at) = (self.store.clone(), stopped.at);
            let noted = tokio::task::spawn_blocking(move || store.mark_clean_stop(at)).await;
            if let Ok(Err(error)) = noted {
                tracing::error!("the clean stop could not be noted: {error}");
            }
        }
        // The last events are there: they are judged before those who deliver end.
        self.judging.stop.cancel();
        while self.judging.task.join_next().await.is_some() {}
        self.pumps.stop().await;
        self.fold_stop.cancel();
        while self.fold.join_next().await.is_some() {}
        // Whatever decides on alerts has ended: what it queued last may still go out.
        self.alerts_stop.cancel();
        while self.alerts.join_next().await.is_some() {}
        self.rest_stop.cancel();
        while self.rest.join_next().await.is_some() {}
        match end.error {
            Some(error) => Err(Stop::environment(format!("{error} ({} records lost)", end.lost_records))),
            None => Ok(()),
        }
    }
}

/// What the only task of a set gave.
async fn joined<T: 'static>(set: &mut JoinSet<T>) -> Option<T> {
    match set.join_next().await? {
        Ok(value) => Some(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}
