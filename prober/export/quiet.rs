//! What exporters of metrics do beside events: the process' own metrics now and then, and streams that were quiet again.

use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::probe::BoxFuture;
use model::time::{Clock, Timestamp};
use tokio::task::spawn_blocking;

use crate::prometheus::read::families;
use crate::sampler::{Sampler, Snapshot};
use crate::{Delivery, OwnMetrics, Surroundings};

/// Streams that are sampled again for one request.
const REFRESH_STREAMS: usize = 40;
/// Such requests after one batch.
const REFRESH_TURNS: usize = 25;
/// How often the process' own metrics are sampled.
const OWN_EVERY: Duration = Duration::from_secs(15);
/// Events younger than this are the present.
const PRESENT: Duration = Duration::from_secs(30);

/// The process' own metrics, sampled now and then.
pub(crate) struct Own {
    metrics: OwnMetrics,
    /// When they were sampled last.
    at: Timestamp,
    started: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Own {
    pub(crate) fn new(around: &Surroundings) -> Self {
        let clock = Arc::clone(&around.clock);
        Self { metrics: Arc::clone(&around.own), at: Timestamp::default(), started: clock.now(), clock }
    }

    /// A sample, if it is time for one.
    async fn sample(&mut self, now: Timestamp) -> Option<Snapshot> {
        if now.since(self.at) < OWN_EVERY {
            return None;
        }
        let metrics = Arc::clone(&self.metrics);
        let text = spawn_blocking(move || metrics()).await.ok()?;
        self.at = now;
        Some(Snapshot { at: now, born: self.started, families: families(&text), gone: Vec::new() })
    }
}

/// An exporter that sends samples: they are queued, and then sent request by request.
pub(crate) trait Sampling: Send {
    /// Where samples of streams come from.
    fn sampler(&mut self) -> &mut Sampler;

    /// Where those of the process come from.
    fn own(&mut self) -> &mut Own;

    /// Whether samples are wanted at all.
    fn is_sampling(&self) -> bool {
        true
    }

    /// Makes requests of snapshots.
    fn queue(&mut self, snapshots: Vec<Snapshot>);

    /// Sends request after request until none is left, or says why it has to wait.
    fn drain(&mut self) -> BoxFuture<'_, Result<(), Delivery>>;
}

/// Tells what there is beside the events of `batch`, which have been sent.
pub(crate) async fn after(it: &mut impl Sampling, batch: &[Arc<SliEvent>]) -> Result<(), Delivery> {
    let now = it.own().clock.now();
    let newest = batch.iter().map(|event| event.recorded).max().unwrap_or(now);
    // While a backlog is told, nothing of the present is: times of a series only grow.
    let caught_up = now.since(newest) < PRESENT;
    let until = if caught_up { now.max(newest) } else { newest };
    if caught_up {
        sample_own(it, now).await;
    }
    refresh(it, until, REFRESH_TURNS).await
}

/// Tells what there is while there are no events.
pub(crate) async fn keep_alive(it: &mut impl Sampling) {
    // What is there already goes first, so that nothing piles up for a receiver that is gone.
    if it.drain().await.is_err() {
        return;
    }
    let now = it.own().clock.now();
    sample_own(it, now).await;
    // What fails here is tried again with the next batch, which says why.
    drop(refresh(it, now, usize::MAX).await);
}

async fn sample_own(it: &mut impl Sampling, now: Timestamp) {
    if !it.is_sampling() {
        return;
    }
    if let Some(snapshot) = it.own().sample(now).await {
        it.queue(vec![snapshot]);
    }
}

/// Samples what was quiet again, request by request.
async fn refresh(it: &mut impl Sampling, until: Timestamp, turns: usize) -> Result<(), Delivery> {
    if it.is_sampling() {
        for _ in 0..turns {
            it.drain().await?;
            let again = it.sampler().refresh(until, REFRESH_STREAMS);
            if again.is_empty() {
                break;
            }
            it.queue(again);
        }
    }
    it.drain().await
}
