//! Ninety days that a store remembers: seeded by the store's own writer, day after day by a clock that is moved.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::Stream;
use model::time::{Clock, SystemClock, Timestamp};
use store::{Config, Opened, Record, Store};

/// A real event of an HTTP scenario.
const EVENT: &str = include_str!("../cost/event.json");
/// Every so manieth run is bad.
const BAD_EVERY: u64 = 500;

/// What there is to remember.
pub(crate) struct History {
    pub(crate) scenarios: u32,
    pub(crate) regions: u32,
    pub(crate) days: u32,
    /// Runs of a stream in a day, and in the last one.
    pub(crate) a_day: u32,
    pub(crate) last_day: u32,
}

/// A clock that stands where it is put, so that each day gets its own file.
#[derive(Debug, Default)]
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// The name of a scenario.
pub(crate) fn scenario(number: u32) -> String {
    format!("page-{number:05}")
}

/// The name of a region.
pub(crate) fn region(number: u32) -> String {
    format!("r{number}")
}

impl History {
    /// Writes all of it into `dir`, up to now; gives how many events there are and how many bytes they take.
    pub(crate) fn write(&self, dir: &Path) -> (u64, u64) {
        let clock = Arc::new(Moved::default());
        let end = SystemClock.now();
        let begin = end.minus(Duration::from_hours(24) * self.days);
        clock.0.store(begin.as_nanos(), Ordering::SeqCst);
        let config =
            Config { bytes_max: 1 << 36, age_max: Duration::from_hours(24 * 365), ..Config::new(dir) };
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let Opened { store, queue, writer } = Store::open(config, shared).expect("a new folder");
        let writer = std::thread::spawn(|| writer.run());
        let like = Like::new(self);
        let mut number = 0_u64;
        for day in 0..self.days {
            let midnight = begin.plus(Duration::from_hours(24) * day);
            let runs = if day + 1 == self.days { self.last_day } else { self.a_day };
            let step = Duration::from_hours(24) / runs;
            for run in 0..runs {
                let at = midnight.plus(step * run);
                clock.0.store(at.as_nanos(), Ordering::SeqCst);
                for stream in &like.streams {
                    let event = like.event(stream, at, number);
                    queue.blocking_send(Record::Event(Arc::new(event))).expect("the writer lives");
                    number += 1;
                }
            }
        }
        let (sender, flushed) = tokio::sync::oneshot::channel();
        queue.blocking_send(Record::Checkpoint(end)).expect("the writer lives");
        queue.blocking_send(Record::Flush(sender)).expect("the writer lives");
        flushed.blocking_recv().expect("everything is written");
        let bytes = store.stats().bytes();
        drop(queue);
        writer.join().expect("the writer does not panic");
        (number, bytes)
    }
}

/// What all events have in common.
struct Like {
    event: SliEvent,
    streams: Vec<Arc<model::event::Origin>>,
    bad: Outcome,
}

impl Like {
    fn new(history: &History) -> Self {
        let event = SliEvent::from_json(EVENT.trim()).expect("it was written by a prober");
        let mut streams = Vec::new();
        for number in 0..history.scenarios {
            for place in 0..history.regions {
                let mut origin = (*event.origin).clone();
                origin.stream = Stream::new(scenario(number), region(place));
                origin.owner = format!("team-{}", number % 20).into();
                streams.push(Arc::new(origin));
            }
        }
        let mut bad = event.outcome.clone();
        bad.reason = Reason::Failed;
        bad.failure =
            Some(Failure::new(FailureClass::Incorrect, "assert.status", "status is 500, expected 200"));
        Self { event, streams, bad }
    }

    fn event(&self, origin: &Arc<model::event::Origin>, at: Timestamp, number: u64) -> SliEvent {
        let mut outcome =
            if number.is_multiple_of(BAD_EVERY) { self.bad.clone() } else { self.event.outcome.clone() };
        let took = Duration::from_micros(2_000 + number.wrapping_mul(7_919) % 40_000);
        outcome.duration = took;
        SliEvent {
            origin: Arc::clone(origin),
            slot: origin.stream.slot(at),
            started: Some(at),
            finished: Some(at.plus(took)),
            recorded: at.plus(took),
            outcome,
            ..self.event.clone()
        }
    }
}
