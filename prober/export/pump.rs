//! Moves events from a cursor to an exporter: batch, deliver, advance; back off when it fails.
//!
//! At least once: the cursor moves after the delivery. A slow or dead exporter holds nothing up but itself: the store
//! bounds what waits for it and counts what it loses.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::event::SliEvent;
use model::time::{Clock, Timestamp};
use store::{Batch, Cursor, ReadError, Store};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Delivery, Exporter};

/// How a pump batches and waits.
#[derive(Clone, Debug)]
pub struct PumpConfig {
    /// Events in a batch.
    pub events_max: usize,
    /// About the bytes of a batch's events.
    pub bytes_max: usize,
    /// How long one delivery may take.
    pub deadline: Duration,
    /// The first wait after a failure; doubled each time.
    pub backoff_min: Duration,
    /// The longest wait after a failure.
    pub backoff_max: Duration,
    /// How often an exporter with nothing to do is asked whether it has.
    pub idle_every: Duration,
    /// How long what is left may take at the stop.
    pub grace: Duration,
}

impl Default for PumpConfig {
    fn default() -> Self {
        Self {
            events_max: 500,
            bytes_max: 1 << 20,
            deadline: Duration::from_secs(30),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(1),
            idle_every: Duration::from_mins(1),
            grace: Duration::from_secs(5),
        }
    }
}

/// Counters of one sink, read at any time.
#[derive(Debug, Default)]
pub struct SinkStats {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    /// The number of the next event that is wanted.
    position: AtomicU64,
    /// The number of the newest durable event; `None` for a sink without a pump.
    durable: Option<watch::Receiver<u64>>,
    last_success_ms: AtomicI64,
    trouble: Mutex<Option<String>>,
}

impl SinkStats {
    /// Events delivered.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Events in deliveries that failed and were tried again.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Events that will never be delivered: rejected, unreadable, or dropped by the store before they were read.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Samples, points, records or spans that the destination refused while it took the rest.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Durable events that are not delivered yet.
    pub fn queue_length(&self) -> u64 {
        let end = self.durable.as_ref().map_or(0, |durable| durable.borrow().saturating_add(1));
        end.saturating_sub(self.position.load(Ordering::Relaxed))
    }

    /// When the last delivery succeeded.
    pub fn last_success(&self) -> Option<Timestamp> {
        let at = self.last_success_ms.load(Ordering::Relaxed);
        (at != 0).then(|| Timestamp::from_millis(at))
    }

    /// Why deliveries fail at the moment.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().expect("no holder panics").clone()
    }

    fn set_trouble(&self, why: Option<String>) {
        *self.trouble.lock().expect("no holder panics") = why;
    }

    fn add(counter: &AtomicU64, events: u64) {
        counter.fetch_add(events, Ordering::Relaxed);
    }
}

/// How a pump ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PumpStats {
    /// Events delivered.
    pub sent: u64,
    /// Events that will never be delivered.
    pub dropped: u64,
    /// Events left for the next start.
    pub left: u64,
}

/// One exporter with its place in the store.
pub struct Pump {
    sink: String,
    /// In a blocking read at the moment if `None`.
    cursor: Option<Cursor>,
    /// Tells when there is more to read.
    durable: watch::Receiver<u64>,
    exporter: Box<dyn Exporter>,
    clock: Arc<dyn Clock>,
    config: PumpConfig,
    stats: Arc<SinkStats>,
    /// Deliveries or reads that failed since the last that did not.
    failures: u32,
    /// Whether the last batch was a full one, so that more is waiting.
    full: bool,
}

/// Whether to go on.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

impl Pump {
    /// A pump for the sink called `sink`, from `cursor` of `store` to `exporter`.
    pub fn new(
        sink: impl Into<String>,
        (store, cursor): (&Store, Cursor),
        exporter: Box<dyn Exporter>,
        clock: Arc<dyn Clock>,
        config: PumpConfig,
    ) -> Self {
        let durable = store.durable();
        let stats = SinkStats {
            position: AtomicU64::new(cursor.position()),
            durable: Some(durable.clone()),
            ..SinkStats::default()
        };
        let stats = Arc::new(stats);
        Self {
            sink: sink.into(),
            cursor: Some(cursor),
            durable,
            exporter,
            clock,
            config,
            stats,
            failures: 0,
            full: true,
        }
    }

    /// The sink's counters.
    pub fn stats(&self) -> Arc<SinkStats> {
        Arc::clone(&self.stats)
    }

    /// Goes on with the counters of a pump of the same sink and store that has ended.
    #[must_use]
    pub fn counting_on(mut self, stats: Arc<SinkStats>) -> Self {
        stats.position.store(self.stats.position.load(Ordering::Relaxed), Ordering::Relaxed);
        // What went wrong went wrong with other settings.
        stats.set_trouble(None);
        self.stats = stats;
        self
    }

    /// Delivers until `stop`, then what is left within the grace.
    ///
    /// Stop the pumps after the store's writer has ended, so that the last events are there.
    pub async fn run(self, stop: CancellationToken) -> PumpStats {
        self.run_until(stop, CancellationToken::new()).await
    }

    /// The same, or until `leave`: then it ends at once, and whoever takes over the cursor delivers what is left.
    ///
    /// A delivery that is under way at `leave` is cut off, and comes again.
    pub async fn run_until(mut self, stop: CancellationToken, leave: CancellationToken) -> PumpStats {
        let turns = async { while self.turn(&stop).await == Go::On {} };
        let is_left = leave.run_until_cancelled(turns).await.is_none();
        let grace = self.config.grace;
        // A delivery that is cut off here comes again after the next start.
        if !is_left && timeout(grace, self.flush()).await.is_err() {
            tracing::warn!(sink = self.sink, "the grace ended before everything was delivered");
        }
        if timeout(grace, self.exporter.close()).await.is_err() {
            tracing::warn!(sink = self.sink, "the exporter did not close within the grace");
        }
        PumpStats { sent: self.stats.sent(), dropped: self.stats.dropped(), left: self.stats.queue_length() }
    }

    /// One batch, or one wait for it.
    async fn turn(&mut self, stop: &CancellationToken) -> Go {
        if stop.is_cancelled() {
            return Go::Stop;
        }
        if !self.full && stop.run_until_cancelled(sleep(self.exporter.linger())).await.is_none() {
            return Go::Stop;
        }
        // Seen before reading: what becomes durable afterwards wakes the wait below.
        self.durable.mark_unchanged();
        let batch = match self.read().await {
            Ok(batch) => batch,
            Err(error) => return self.back_off(None, error.to_string(), 0, stop).await,
        };
        self.full = batch.events.len() >= self.config.events_max || batch.events.is_empty();
        if !batch.events.is_empty() {
            if self.deliver_all(&batch, stop).await == Go::Stop {
                return Go::Stop;
            }
            return self.finish(batch, stop).await;
        }
        if batch.lost + batch.unreadable > 0 {
            return self.finish(batch, stop).await;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => Go::Stop,
            more = self.durable.changed() => if more.is_ok() { Go::On } else { Go::Stop },
            () = sleep(self.config.idle_every) => {
                let idle = self.exporter.idle();
                if timeout(self.config.deadline, idle).await.is_err() {
                    tracing::warn!(sink = self.sink, "the exporter was not idle in time");
                }
                Go::On
            }
        }
    }

    /// Delivers what is left, without waiting for anything to become better.
    async fn flush(&mut self) {
        let no_wait = CancellationToken::new();
        no_wait.cancel();
        while let Ok(batch) = self.read().await {
            let nothing = batch.events.is_empty() && batch.lost + batch.unreadable == 0;
            if nothing || self.deliver_all(&batch, &no_wait).await == Go::Stop {
                return;
            }
            if self.finish(batch, &no_wait).await == Go::Stop {
                return;
            }
        }
    }

    /// Delivers the whole batch; a rejected one is halved until the bad event stands alone and is dropped.
    async fn deliver_all(&mut self, batch: &Batch, stop: &CancellationToken) -> Go {
        let events = &batch.events;
        let mut open: Vec<Range<usize>> = Vec::from_iter([Range { start: 0, end: events.len() }]);
        while let Some(range) = open.pop() {
            let part = &events[range.clone()];
            match self.deliver(part).await {
                Delivery::Done => self.delivered(part.len() as u64, None),
                Delivery::Part { dropped, refused, why } => {
                    tracing::warn!(sink = self.sink, dropped, refused, why, "not all of a batch was taken");
                    SinkStats::add(&self.stats.dropped, dropped);
                    SinkStats::add(&self.stats.refused, refused);
                    self.delivered((part.len() as u64).saturating_sub(dropped), Some(why));
                }
                Delivery::Reject { why } if part.len() <= 1 => {
                    tracing::warn!(sink = self.sink, why, slot = %events[range.start].slot.id, "event rejected");
                    SinkStats::add(&self.stats.dropped, part.len() as u64);
                }
                Delivery::Reject { .. } => {
                    let middle = range.start + range.len() / 2;
                    open.push(middle..range.end);
                    open.push(range.start..middle);
                }
                Delivery::Retry { after, why } => {
                    let count = part.len() as u64;
                    open.push(range);
                    if self.back_off(after, why, count, stop).await == Go::Stop {
                        return Go::Stop;
                    }
                }
            }
        }
        Go::On
    }

    fn delivered(&mut self, events: u64, trouble: Option<String>) {
        self.failures = 0;
        SinkStats::add(&self.stats.sent, events);
        if events > 0 {
            self.stats.last_success_ms.store(self.clock.now().as_millis(), Ordering::Relaxed);
        }
        self.stats.set_trouble(trouble);
    }

    async fn deliver(&mut self, events: &[Arc<SliEvent>]) -> Delivery {
        let deadline = self.config.deadline;
        match timeout(deadline, self.exporter.deliver(events)).await {
            Ok(delivery) => delivery,
            Err(_) => Delivery::Retry { after: None, why: format!("no answer within {deadline:?}") },
        }
    }

    /// Moves the cursor behind the batch, and insists: a batch that was delivered should not come again.
    async fn finish(&mut self, batch: Batch, stop: &CancellationToken) -> Go {
        SinkStats::add(&self.stats.dropped, batch.lost + batch.unreadable);
        if batch.lost > 0 {
            tracing::warn!(
                sink = self.sink,
                lost = batch.lost,
                "events were dropped before they were delivered"
            );
        }
        match self.blocking(move |cursor| cursor.advance(&batch)).await {
            Ok(()) => Go::On,
            // It has moved in memory; storing comes with the next batch.
            Err(error) => self.back_off(None, error.to_string(), 0, stop).await,
        }
    }

    async fn read(&mut self) -> Result<Batch, ReadError> {
        let (events_max, bytes_max) = (self.config.events_max, self.config.bytes_max);
        self.blocking(move |cursor| cursor.next_batch(events_max, bytes_max)).await
    }

    /// Uses the cursor where blocking is allowed, and waits for it.
    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Cursor) -> T + Send + 'static,
    ) -> T {
        let mut cursor = self.cursor.take().expect("given back after each use");
        let used = spawn_blocking(move || {
            let made = work(&mut cursor);
            (cursor, made)
        });
        let (cursor, made) = used.await.expect("the store does not panic and nobody aborts it");
        self.stats.position.store(cursor.position(), Ordering::Relaxed);
        self.cursor = Some(cursor);
        made
    }

    /// Notes the failure and waits, longer each time, or until `stop`.
    async fn back_off(
        &mut self,
        after: Option<Duration>,
        why: String,
        events: u64,
        stop: &CancellationToken,
    ) -> Go {
        SinkStats::add(&self.stats.failed, events);
        if self.failures == 0 {
            tracing::warn!(sink = self.sink, why, "export fails; it is tried again");
        }
        self.stats.set_trouble(Some(why));
        self.failures = self.failures.saturating_add(1);
        let wait =
            backoff(&self.config, &self.sink, self.failures).max(after.unwrap_or_default().min(ASKED_MAX));
        tokio::select! {
            biased;
            () = stop.cancelled() => Go::Stop,
            () = sleep(wait) => Go::On,
        }
    }
}

/// The longest wait that a destination may ask for.
const ASKED_MAX: Duration = Duration::from_mins(10);

/// Doubled with each failure up to the bound, then cut by up to a half so that sinks do not march in step.
fn backoff(config: &PumpConfig, sink: &str, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let full = config.backoff_min.saturating_mul(1 << doublings).min(config.backoff_max);
    let mut hash = DefaultHasher::new();
    (sink, failures).hash(&mut hash);
    let share = (hash.finish() % 1_000) as f64 / 1_000.0;
    full.mul_f64(1.0 - share / 2.0)
}

#[cfg(test)]
mod tests;
