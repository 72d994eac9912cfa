//! The runner under test, with scenarios that do nothing and a store that only counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::event::{Origin, SliEvent};
use model::high_mark::HighMark;
use model::missed::MissedSlots;
use model::outcome::{Outcome, Reason};
use model::probe::{BoxFuture, Probe, RunContext};
use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::entry::Entry;
use schedule::runner::{Command, Limits, Runner, Sink};
use schedule::slots::Timetable;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::common::process;

/// A scenario that is always well.
struct Nothing;

impl Probe for Nothing {
    fn run<'a>(&'a self, _: &'a RunContext) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::empty(Reason::Ok)))
    }
}

/// Takes records and keeps which slots they are for.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<Vec<(u32, i64)>>>);

impl Counts {
    fn take(&self) -> Vec<(u32, i64)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, event: &SliEvent) {
        let number = event.origin.owner.parse().expect("the owner is the scenario's number");
        let slot = (number, event.slot.scheduled.as_millis());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }
}

impl Sink for Counts {
    async fn event(&self, event: SliEvent) {
        self.note(&event);
    }

    fn try_event(&self, event: &SliEvent) -> bool {
        self.note(event);
        true
    }

    fn try_missed(&self, missed: &MissedSlots) -> bool {
        // What is due between the end of the window and the end of the runner is not looked at.
        if missed.reason == Reason::Drain {
            return true;
        }
        panic!("{} slots of {} were missed: {}", missed.count, missed.origin.stream, missed.reason);
    }

    fn try_checkpoint(&self, _: Timestamp) -> bool {
        true
    }

    fn is_full(&self) -> bool {
        false
    }

    async fn intend(&self, _: &Stream, _: Timestamp) -> Result<bool, String> {
        Ok(true)
    }

    fn high_marks(&self, _: &Stream) -> Arc<[HighMark]> {
        Arc::default()
    }

    async fn epochs(&self, _: Vec<(Arc<Origin>, Cadence)>, _: Timestamp) -> Result<(), String> {
        Ok(())
    }
}

/// Plays the role: the number of scenarios and their interval in ms.
pub(crate) fn play(arguments: &[String]) {
    let [_, scenarios, interval_ms] = arguments else { panic!("the runner needs two arguments") };
    let scenarios: u32 = scenarios.parse().expect("a number of scenarios");
    let interval_ms: u64 = interval_ms.parse().expect("an interval");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let (counts, stop) = (Counts::default(), CancellationToken::new());
    let limits = Limits { in_flight_max: 1_024, grace: Duration::from_secs(5) };
    let runner = Runner::new(counts.clone(), Arc::new(SystemClock), limits, SystemClock.now());
    let (commands, receiver) = mpsc::channel(1);
    let mut running = JoinSet::new();
    running.spawn_on(runner.run(receiver, stop.clone()), runtime.handle());
    let (reply, answer) = oneshot::channel();
    let entries = entries(scenarios, interval_ms);
    let timetables: Vec<_> = entries.iter().map(|entry| Arc::clone(&entry.timetable)).collect();
    runtime.block_on(async {
        let command = Command { entries, reply, not_before: None };
        commands.send(command).await.expect("the runner lives");
        answer.await.expect("the runner answers").expect("the sink takes every plan")
    });
    let mut from = SystemClock.now();
    process::play("ready", |line| match line {
        "begin" => {
            counts.take();
            from = SystemClock.now();
            "begun".to_owned()
        }
        _ => judge(&timetables, (from, SystemClock.now()), &counts).to_string(),
    });
    stop.cancel();
    runtime.block_on(running.join_all());
}

fn entries(scenarios: u32, interval_ms: u64) -> Vec<Entry> {
    let cadence = Cadence::Every { interval_ms };
    let probe: Arc<dyn Probe> = Arc::new(Nothing);
    let (empty, kind): (Arc<str>, Arc<str>) = (Arc::default(), "nothing".into());
    let entry = |number: u32| {
        let stream = Stream::new(format!("scenario-{number:06}"), "local");
        let timetable = Timetable::new(&cadence, &stream).expect("an interval names times");
        let origin = Origin {
            stream,
            version: Arc::clone(&empty),
            kind: Arc::clone(&kind),
            owner: number.to_string().into(),
            service: Arc::clone(&empty),
            labels: Vec::new(),
            prober: Arc::clone(&empty),
            side_effects: false,
        };
        Entry {
            origin: Arc::new(origin),
            cadence: cadence.clone(),
            timetable: Arc::new(timetable),
            timeout: Duration::from_secs(10),
            grace: Duration::ZERO,
            maintenance: Arc::default(),
            probe: Arc::clone(&probe),
            lease: None,
        }
    };
    (0..scenarios).map(entry).collect()
}

/// Compares the runs with the timetables; gives how many slots the window had.
fn judge(timetables: &[Arc<Timetable>], (from, to): (Timestamp, Timestamp), counts: &Counts) -> usize {
    // Slots of the last moment may still be on their way, and those of the first were taken before it. Slots start on
    // whole milliseconds, so the window does, too.
    let whole = |at: Timestamp| Timestamp::from_millis(at.as_millis());
    let (from, to) = (whole(from.plus(EDGE)), whole(to.minus(EDGE)));
    let mut seen = counts.take();
    let all = seen.len();
    seen.retain(|(_, slot)| (from.as_millis()..to.as_millis()).contains(slot));
    seen.sort_unstable();
    let planned = timetables.iter().zip(0_u32..).flat_map(|(timetable, number)| {
        timetable.between(from, to).map(move |slot| (number, slot.as_millis()))
    });
    let planned: Vec<_> = planned.collect();
    assert_eq!(seen.len(), planned.len(), "runs in the window beside its slots");
    assert!(seen == planned, "a slot had no run, or two");
    all
}

/// What is not looked at of a window's ends: a run that starts later than this is a slot missed.
const EDGE: Duration = Duration::from_millis(500);
