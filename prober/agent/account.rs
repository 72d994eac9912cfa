//! The product's central invariant, looked at while it runs: for every closed window,
//! good + bad + ineligible + missed = expected.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use export::prometheus::Metrics;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use schedule::runner::Gauges;
use schedule::slots::Timetable;
use store::{Health, Store, StreamAccount};
use tokio_util::sync::CancellationToken;

/// How often the account is looked at; also how long a checkpoint has had to become durable.
const EVERY: Duration = Duration::from_secs(30);

/// The starts of a stream's slots in `[from, to)`: the one function that runner, recovery and account share.
pub(crate) fn expected(stream: &Stream, cadence: &Cadence, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    // A stored cadence that no longer names times (a zone that was renamed) is expected to do nothing.
    Timetable::new(cadence, stream).map(|table| table.between(from, to).collect()).unwrap_or_default()
}

/// Windows of several regions end at multiples of it, so that most of them are the same one.
const STEP_MS: i64 = 10_000;

/// A window: its beginning and its end.
type Span = (Timestamp, Timestamp);

/// Up to where windows are closed.
pub(crate) enum Horizon {
    /// All streams at once: every slot before the checkpoint has its record.
    All(Arc<Gauges>),
    /// Region by region: one of which nothing is heard holds back no other.
    Regions(Box<dyn Fn() -> Vec<(String, Timestamp)> + Send>),
}

impl Horizon {
    /// The ends of the windows, by region; `None` stands for all.
    fn ends(&self) -> Vec<(Option<String>, Timestamp)> {
        match self {
            Self::All(gauges) => {
                vec![(None, Timestamp::from_millis(gauges.checkpoint_ms.load(Ordering::Relaxed)))]
            }
            Self::Regions(closed) => {
                let whole = |at: Timestamp| Timestamp::from_millis(at.as_millis() / STEP_MS * STEP_MS);
                closed().into_iter().map(|(region, at)| (Some(region), whole(at))).collect()
            }
        }
    }
}

/// Looks at each window once it is closed; counts what does not add up.
pub(crate) struct Audit {
    store: Store,
    metrics: Metrics,
    horizon: Horizon,
    /// Slots before it were there when the prober started.
    begin: Timestamp,
    /// Up to where each region was looked at.
    looked: HashMap<Option<String>, Timestamp>,
}

impl Audit {
    /// Slots before `begin` were there when the prober started.
    pub(crate) fn new((store, metrics): (Store, Metrics), horizon: Horizon, begin: Timestamp) -> Self {
        Self { store, metrics, horizon, begin, looked: HashMap::new() }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut sent = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            // What was sent a whole turn ago is durable now, unless the disk fails.
            let closed = std::mem::replace(&mut sent, self.horizon.ends());
            if *self.store.health().borrow() == Health::Ok {
                for (window, regions) in self.windows(closed) {
                    self.look(window, &regions).await;
                }
            }
        }
    }

    /// The windows that are closed now, each with the regions that have it.
    fn windows(&self, closed: Vec<(Option<String>, Timestamp)>) -> BTreeMap<Span, Vec<Option<String>>> {
        let mut windows: BTreeMap<Span, Vec<Option<String>>> = BTreeMap::new();
        for (region, to) in closed {
            let from = self.looked.get(&region).copied().unwrap_or(self.begin);
            if to > from {
                windows.entry((from, to)).or_default().push(region);
            }
        }
        windows
    }

    async fn look(&mut self, (from, to): Span, regions: &[Option<String>]) {
        let store = self.store.clone();
        let account = tokio::task::spawn_blocking(move || store.account(from, to, &expected)).await;
        match account {
            Ok(Ok(mut account)) => {
                let is_here = |stream: &Stream| {
                    let is_of =
                        |region: &Option<String>| region.as_ref().is_none_or(|one| **one == *stream.region);
                    regions.iter().any(is_of)
                };
                account.streams.retain(|account| is_here(&account.stream));
                account.violations = account.streams.iter().map(StreamAccount::violations).sum();
                for wrong in account.streams.iter().filter(|stream| stream.violations() > 0).take(10) {
                    let (expected, recorded) = (wrong.expected, wrong.recorded());
                    tracing::error!(stream = %wrong.stream, expected, recorded, %from, %to, "slots do not add up");
                }
                self.metrics.add_account(&account);
                self.looked.extend(regions.iter().map(|region| (region.clone(), to)));
            }
            Ok(Err(error)) => tracing::warn!("the account could not be read: {error}"),
            Err(error) => tracing::error!("the account was not finished: {error}"),
        }
    }
}
