//! The account holds for any plans, any records and any crash.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::event::Origin;
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use proptest::prelude::*;

use super::sample::{Desk, at, copy, event, expected, origin};
use crate::{Config, Record};

/// What happens next.
#[derive(Clone, Debug)]
enum Move {
    /// Time goes on and the slots that became due get records; the numbers choose which and how.
    Run { seconds: u16, choices: Vec<u8> },
    /// Other plans: an interval in seconds for each stream, 0 for none.
    Plans([u8; 3]),
    /// The prober dies; records still in the queue are gone. After a while it starts again.
    Crash { seconds: u16 },
    /// It stops in order and starts again later.
    Stop { seconds: u16 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        6 => (1..400_u16, prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(seconds, choices)| Move::Run { seconds, choices }),
        2 => prop::array::uniform3(prop_oneof![Just(0_u8), 5..60_u8]).prop_map(Move::Plans),
        2 => (0..2_000_u16).prop_map(|seconds| Move::Crash { seconds }),
        1 => (0..2_000_u16).prop_map(|seconds| Move::Stop { seconds }),
    ];
    prop::collection::vec(step, 1..14)
}

struct World {
    dirs: Vec<tempfile::TempDir>,
    desk: Option<Desk>,
    now: Timestamp,
    plans: Vec<(Arc<Origin>, Cadence)>,
    /// From where on each stream's slots are still to be recorded.
    done: HashMap<Stream, Timestamp>,
    /// What was made and is not committed.
    unsent: Vec<Record>,
}

const START: &str = "2026-03-01T23:30:00Z";

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = at(START);
        let desk = Desk::with(config(&dir), now);
        let (dirs, desk) = (vec![dir], Some(desk));
        Self { dirs, desk, now, plans: Vec::new(), done: HashMap::new(), unsent: Vec::new() }
    }

    fn desk(&mut self) -> &mut Desk {
        self.desk.as_mut().expect("open between moves")
    }

    fn pass(&mut self, seconds: u16) {
        self.now = self.now.plus(Duration::from_millis(u64::from(seconds) * 1_000 + 137));
        let now = self.now;
        self.desk().clock.set(now);
    }

    /// Makes a record for every slot that became due; sends all but those after the last choice.
    fn run(&mut self, choices: &[u8]) {
        let mut choice = choices.iter().cycle().copied();
        for (origin, cadence) in &self.plans {
            let from = self.done.get(&origin.stream).copied().unwrap_or(self.now);
            let slots = expected(&origin.stream, cadence, from, self.now);
            self.done.insert(origin.stream.clone(), self.now);
            let mut index = 0;
            while index < slots.len() {
                let what = choice.next().expect("a cycle");
                let reason = Reason::ALL[usize::from(what) % Reason::ALL.len()];
                if what % 11 == 0 {
                    let count = slots.len().min(index + 1 + usize::from(what % 7)) - index;
                    let step_ms = match cadence {
                        Cadence::Every { interval_ms } => *interval_ms,
                        Cadence::Cron { .. } => 60_000,
                    };
                    self.unsent.push(Record::Missed(MissedSlots {
                        origin: Arc::clone(origin),
                        reason: Reason::Overload,
                        first: slots[index],
                        step_ms,
                        count: u32::try_from(count).unwrap(),
                        recorded: self.now,
                        maybe_sent: false,
                    }));
                    index += count;
                } else {
                    self.unsent.push(Record::Event(event(origin, slots[index], reason)));
                    if what % 13 == 0 {
                        self.unsent.push(Record::Event(event(origin, slots[index], Reason::Failed)));
                    }
                    index += 1;
                }
            }
            if choice.next().expect("a cycle") % 3 == 0 {
                self.unsent.reverse();
            }
        }
        self.unsent.push(Record::Checkpoint(self.now));
    }

    fn send(&mut self) {
        let records = std::mem::take(&mut self.unsent);
        for chunk in chunks(records, 17) {
            self.desk().write(chunk);
        }
    }

    /// Starts on what the last prober left.
    fn start(&mut self, dir: tempfile::TempDir) {
        let now = self.now;
        let mut desk = Desk::with(config(&dir), now);
        self.dirs.push(dir);
        desk.writer.recover(now, &expected).unwrap();
        desk.store.set_plans(&self.plans, now).unwrap();
        self.desk = Some(desk);
        for (origin, _) in &self.plans {
            self.done.insert(origin.stream.clone(), now);
        }
    }

    fn step(&mut self, step: Move) {
        match step {
            Move::Run { seconds, choices } => {
                self.pass(seconds);
                self.run(&choices);
                // Sometimes the last records wait in the queue when the next thing happens.
                if choices[0] % 4 != 0 {
                    self.send();
                }
            }
            Move::Plans(intervals) => {
                self.run(&[5]);
                self.send();
                let names = ["a", "b", "c"].into_iter().zip(intervals).filter(|(_, seconds)| *seconds > 0);
                self.plans = names
                    .map(|(name, seconds)| {
                        (origin(name), Cadence::Every { interval_ms: u64::from(seconds) * 1_000 })
                    })
                    .collect();
                let (now, plans) = (self.now, self.plans.clone());
                self.desk().store.set_plans(&plans, now).unwrap();
                self.done = plans.iter().map(|(origin, _)| (origin.stream.clone(), now)).collect();
            }
            Move::Crash { seconds } => {
                let copied = tempfile::tempdir().unwrap();
                copy(self.dirs.last().unwrap().path(), copied.path());
                self.unsent.clear();
                self.pass(seconds);
                self.desk = None;
                self.start(copied);
            }
            Move::Stop { seconds } => {
                self.run(&[9]);
                self.send();
                let now = self.now;
                self.desk().store.mark_clean_stop(now).unwrap();
                self.pass(seconds);
                drop(self.desk.take().unwrap().end());
                let dir = self.dirs.pop().unwrap();
                self.start(dir);
            }
        }
    }

    fn check(&mut self) {
        self.run(&[3]);
        self.send();
        let now = self.now;
        let desk = self.desk();
        let whole = desk.store.account(at(START), now, &expected).unwrap();
        assert_eq!(whole.violations, 0, "{whole:#?}");
        // Windows add up to the whole.
        let mut sum = 0;
        let mut from = at(START);
        while from < now {
            let to = from.plus(Duration::from_mins(5)).min(now);
            let account = desk.store.account(from, to, &expected).unwrap();
            assert_eq!(account.violations, 0, "{account:#?}");
            sum += account.streams.iter().map(|stream| stream.recorded() + stream.planned).sum::<u64>();
            from = to;
        }
        let events = desk.all();
        assert_eq!(sum, events.len() as u64);
        let mut slots: Vec<_> = events.iter().map(|event| *event.slot.id.as_bytes()).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), events.len(), "no slot twice");
    }
}

fn config(dir: &tempfile::TempDir) -> Config {
    Config { recent_events: 5, ..Config::new(dir.path()) }
}

fn chunks(records: Vec<Record>, size: usize) -> Vec<Vec<Record>> {
    let mut chunks = Vec::new();
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        chunks.push(records.by_ref().take(size).collect());
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_account_holds(moves in moves()) {
        let mut world = World::new();
        world.step(Move::Plans([10, 17, 0]));
        for step in moves {
            world.step(step);
        }
        world.check();
    }
}

#[test]
fn a_start_that_is_cut_off_is_begun_again() {
    let mut world = World::new();
    world.step(Move::Plans([5, 7, 9]));
    world.step(Move::Run { seconds: 300, choices: vec![1] });
    world.now = world.now.plus(Duration::from_secs(40_000));
    let now = world.now;
    let mut dir = world.dirs.pop().unwrap();
    world.desk = None;
    // The crash comes when two of the three streams are dealt with; in groups of two rows, most is durable.
    for _ in 0..3 {
        let mut desk = Desk::with(config(&dir), now);
        desk.writer.recovery_rows = 2;
        let copied = tempfile::tempdir().unwrap();
        let calls = std::cell::Cell::new(0);
        let spy = |stream: &Stream, cadence: &Cadence, from, to| {
            calls.set(calls.get() + 1);
            if calls.get() == 3 {
                copy(dir.path(), copied.path());
            }
            expected(stream, cadence, from, to)
        };
        desk.writer.recover(now, &spy).unwrap();
        assert_eq!(calls.get(), 3);
        drop(desk);
        dir = copied;
    }
    world.start(dir);
    world.check();
}
