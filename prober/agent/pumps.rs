//! The pumps of the exporters while they run; a reload exchanges those whose settings have changed.
//!
//! An exporter that is exchanged keeps its place in the store, and its counters go on. What it had not delivered its
//! successor delivers: at least once, as over a restart. Exporters whose settings stay are not touched.

use std::sync::Arc;

use export::pump::{Pump, PumpConfig, PumpStats, SinkStats};
use export::{Exporter, Surroundings};
use store::Store;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::exporters::Planned;
use super::fleet::publish;
use super::slo;

/// The counters of each exporter, by its name.
pub(crate) type Sinks = Arc<[(String, Arc<SinkStats>)]>;

/// The exporters that run, and how to make more of them.
pub(crate) struct Pumps {
    store: Store,
    around: Surroundings,
    running: Vec<Running>,
    /// Whether the store was told who its readers are.
    is_told: bool,
    sinks: watch::Sender<Sinks>,
}

/// One exporter with its pump.
struct Running {
    planned: Planned,
    stats: Arc<SinkStats>,
    /// Asks it to leave what is not delivered to its successor.
    leave: CancellationToken,
    /// The one task of the pump.
    task: JoinSet<PumpStats>,
    stop: CancellationToken,
}

/// An exporter that is ready to run.
struct Built {
    planned: Planned,
    exporter: Box<dyn Exporter>,
}

impl Pumps {
    /// No exporter yet.
    pub(crate) fn new(store: &Store, around: Surroundings) -> Self {
        Self {
            store: store.clone(),
            around,
            running: Vec::new(),
            is_told: false,
            sinks: watch::Sender::new(Sinks::default()),
        }
    }

    /// Where the counters are, whichever exporters run.
    pub(crate) fn sinks(&self) -> watch::Receiver<Sinks> {
        self.sinks.subscribe()
    }

    /// Makes `wanted` the exporters that run: those of before with the same settings go on, others are exchanged.
    ///
    /// # Errors
    /// One of them cannot be built: nothing has changed then. Or the store does not give it its place.
    pub(crate) async fn set(&mut self, wanted: &[Planned]) -> Result<(), String> {
        let is_running = |planned: &Planned| self.running.iter().any(|running| running.planned == *planned);
        let (same, new): (Vec<_>, Vec<_>) = wanted.iter().cloned().partition(is_running);
        if self.is_told && new.is_empty() && same.len() == self.running.len() {
            return Ok(());
        }
        // All of them before any of the old ones ends: what cannot be built changes nothing.
        let built = self.build(new).await?;
        let stays = |running: &Running| same.contains(&running.planned);
        let (stay, leave): (Vec<_>, Vec<_>) = std::mem::take(&mut self.running).into_iter().partition(stays);
        self.running = stay;
        let left = left(leave).await;
        let names = same.iter().chain(built.iter().map(|built| &built.planned));
        let names: Vec<String> = names.map(|planned| planned.sink.clone()).collect();
        let mut failed = self.keep_cursors(names).await.err();
        self.is_told = failed.is_none();
        for one in built {
            let before = left.iter().find(|(sink, _)| *sink == one.planned.sink);
            let started = self.start(one, before.map(|(_, stats)| Arc::clone(stats))).await;
            failed = failed.or(started.err());
        }
        self.running.sort_by_key(|running| running.planned.place);
        let stats = |running: &Running| (running.planned.sink.clone(), Arc::clone(&running.stats));
        self.sinks.send_replace(self.running.iter().map(stats).collect());
        failed.map_or(Ok(()), Err)
    }

    /// Builds exporters where blocking is allowed.
    async fn build(&self, planned: Vec<Planned>) -> Result<Vec<Built>, String> {
        let around = self.around.clone();
        let built = spawn_blocking(move || {
            let build = |planned: Planned| match planned.build(&around) {
                Ok(exporter) => Ok(Built { planned, exporter }),
                Err(error) => Err(error.to_string()),
            };
            planned.into_iter().map(build).collect()
        });
        built.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Readers that are no longer configured hold no events back.
    async fn keep_cursors(&self, names: Vec<String>) -> Result<(), String> {
        let store = self.store.clone();
        let kept = spawn_blocking(move || {
            let own = [slo::NAME, publish::CURSOR];
            let names: Vec<_> = names.iter().map(String::as_str).chain(own).collect();
            store.keep_cursors(&names)
        });
        kept.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn start(&mut self, built: Built, before: Option<Arc<SinkStats>>) -> Result<(), String> {
        let Built { planned, exporter } = built;
        let (store, name) = (self.store.clone(), planned.sink.clone());
        let cursor = spawn_blocking(move || store.cursor(&name)).await.map_err(|error| error.to_string())?;
        let cursor = cursor.map_err(|error| format!("exporter `{}`: {error}", planned.sink))?;
        let clock = Arc::clone(&self.around.clock);
        let pump =
            Pump::new(planned.sink.clone(), (&self.store, cursor), exporter, clock, PumpConfig::default());
        let pump = match before {
            Some(stats) => pump.counting_on(stats),
            None => pump,
        };
        let (stop, leave, stats) = (CancellationToken::new(), CancellationToken::new(), pump.stats());
        let mut task = JoinSet::new();
        task.spawn(pump.run_until(stop.clone(), leave.clone()));
        self.running.push(Running { planned, stats, leave, task, stop });
        Ok(())
    }

    /// Lets every pump deliver what is left within its grace; ends when all have.
    pub(crate) async fn stop(&mut self) {
        for running in &self.running {
            running.stop.cancel();
        }
        for running in &mut self.running {
            while running.task.join_next().await.is_some() {}
        }
    }
}

/// Ends pumps, all at once, and leaves what they have not delivered; gives their counters.
async fn left(mut leaving: Vec<Running>) -> Vec<(String, Arc<SinkStats>)> {
    for running in &leaving {
        running.leave.cancel();
    }
    for running in &mut leaving {
        while running.task.join_next().await.is_some() {}
        tracing::info!(sink = running.planned.sink, left = running.stats.queue_length(), "exporter ended");
    }
    leaving.into_iter().map(|running| (running.planned.sink, running.stats)).collect()
}
