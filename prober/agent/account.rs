//! The product's central invariant, looked at while it runs: for every closed window,
//! good + bad + ineligible + missed = expected.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use export::prometheus::Metrics;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use schedule::runner::Gauges;
use schedule::slots::Timetable;
use store::{Health, Store};
use tokio_util::sync::CancellationToken;

/// How often the account is looked at; also how long a checkpoint has had to become durable.
const EVERY: Duration = Duration::from_secs(30);

/// The starts of a stream's slots in `[from, to)`: the one function that runner, recovery and account share.
pub(crate) fn expected(stream: &Stream, cadence: &Cadence, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    // A stored cadence that no longer names times (a zone that was renamed) is expected to do nothing.
    Timetable::new(cadence, stream).map(|table| table.between(from, to).collect()).unwrap_or_default()
}

/// Looks at each window once it is closed; counts what does not add up.
pub(crate) struct Audit {
    pub(crate) store: Store,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) metrics: Metrics,
    /// Slots before it were there when the prober started.
    pub(crate) from: Timestamp,
}

impl Audit {
    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut sent = self.from;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            // What was sent a whole turn ago is durable now, unless the disk fails.
            let closed = std::mem::replace(
                &mut sent,
                Timestamp::from_millis(self.gauges.checkpoint_ms.load(Ordering::Relaxed)),
            );
            if closed > self.from && *self.store.health().borrow() == Health::Ok {
                self.look(closed).await;
            }
        }
    }

    async fn look(&mut self, to: Timestamp) {
        let (store, from) = (self.store.clone(), self.from);
        let account = tokio::task::spawn_blocking(move || store.account(from, to, &expected)).await;
        match account {
            Ok(Ok(account)) => {
                for wrong in account.streams.iter().filter(|stream| stream.violations() > 0).take(10) {
                    let (expected, recorded) = (wrong.expected, wrong.recorded());
                    tracing::error!(stream = %wrong.stream, expected, recorded, %from, %to, "slots do not add up");
                }
                self.metrics.add_account(&account);
                self.from = to;
            }
            Ok(Err(error)) => tracing::warn!("the account could not be read: {error}"),
            Err(error) => tracing::error!("the account was not finished: {error}"),
        }
    }
}
