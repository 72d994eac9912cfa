//! Origins, events and clocks for the store's tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use model::event::{Origin, SliEvent, Trigger};
use model::outcome::{Outcome, Reason};
use model::slot::{Cadence, Stream};
use model::time::{Clock, Timestamp};
use tokio::sync::mpsc;

use crate::{Config, Opened, Record, Store, Writer};

/// A clock that the test moves.
#[derive(Debug, Default)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.as_nanos(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn origin(scenario: &str) -> Arc<Origin> {
    Arc::new(Origin {
        stream: Stream::new(scenario, "eu"),
        version: "0123456789ab".into(),
        kind: "http".into(),
        owner: "team".into(),
        service: scenario.into(),
        labels: vec![("tier".into(), "gold".into())],
        prober: "p1".into(),
        side_effects: false,
    })
}

pub(crate) fn event(origin: &Arc<Origin>, scheduled: Timestamp, reason: Reason) -> Arc<SliEvent> {
    let mut outcome = Outcome::empty(reason);
    outcome.duration = Duration::from_millis(12);
    Arc::new(SliEvent {
        origin: Arc::clone(origin),
        slot: origin.stream.slot(scheduled),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(scheduled),
        finished: Some(scheduled.plus(outcome.duration)),
        recorded: scheduled.plus(outcome.duration),
        outcome,
    })
}

/// Slots of an `every` cadence at multiples of the interval; cron is every minute.
pub(crate) fn expected(_: &Stream, cadence: &Cadence, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let step = match cadence {
        Cadence::Every { interval_ms } => i64::try_from(*interval_ms).unwrap(),
        Cadence::Cron { .. } => 60_000,
    };
    let up = |at: Timestamp| -> i64 {
        let ms = at.as_millis() + i64::from(Timestamp::from_millis(at.as_millis()) < at);
        ms.div_euclid(step) + i64::from(ms.rem_euclid(step) > 0)
    };
    (up(from)..up(to)).map(|index| Timestamp::from_millis(index * step)).collect()
}

/// A data directory with a clock; the writer is driven by hand.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) queue: mpsc::Sender<Record>,
    pub(crate) writer: Writer,
    pub(crate) clock: Arc<TestClock>,
}

impl Desk {
    pub(crate) fn open(dir: &Path, now: Timestamp) -> Self {
        Self::with(Config::new(dir), now)
    }

    pub(crate) fn with(config: Config, now: Timestamp) -> Self {
        let clock = Arc::new(TestClock::default());
        clock.set(now);
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let Opened { store, queue, mut writer } = Store::open(config, shared).unwrap();
        writer.retry = Duration::from_millis(1);
        Self { store, queue, writer, clock }
    }

    /// Writes the records as one group.
    pub(crate) fn write(&mut self, records: Vec<Record>) {
        let mut records = records;
        self.writer.write(&mut records).unwrap();
    }

    pub(crate) fn event(&mut self, origin: &Arc<Origin>, scheduled: Timestamp, reason: Reason) {
        self.write(vec![Record::Event(event(origin, scheduled, reason))]);
    }

    /// Ends in order, with all senders gone.
    pub(crate) fn end(self) -> Store {
        drop(self.queue);
        let end = self.writer.run();
        assert!(end.error.is_none() && end.lost_records == 0, "{end:?}");
        self.store
    }

    /// Everything stored, by way of a cursor with small batches.
    pub(crate) fn all(&self) -> Vec<Arc<SliEvent>> {
        all(&self.store, 7)
    }
}

pub(crate) fn all(store: &Store, events_max: usize) -> Vec<Arc<SliEvent>> {
    let mut cursor = store.cursor("test-all").unwrap();
    let mut events = Vec::new();
    loop {
        let batch = cursor.next_batch(events_max, 1 << 20).unwrap();
        if batch.end == store.durable().borrow().saturating_add(1) && batch.events.is_empty() {
            let known = store.shared.meta.cursors().unwrap();
            let others: Vec<_> =
                known.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "test-all").collect();
            store.keep_cursors(&others).unwrap();
            return events;
        }
        assert!(batch.events.len() <= events_max);
        events.extend(batch.events.iter().cloned());
        cursor.advance(&batch).unwrap();
    }
}

/// What a crash at this instant leaves behind.
pub(crate) fn copy(from: &Path, to: &Path) {
    for dir in ["", "events"] {
        std::fs::create_dir_all(to.join(dir)).unwrap();
        for entry in std::fs::read_dir(from.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            // The index of the log is shared memory: a crash of the machine does not keep it.
            if path.is_file() && !path.to_str().unwrap().ends_with("-shm") {
                std::fs::copy(&path, to.join(dir).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
}
