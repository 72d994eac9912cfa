use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64};

use model::high_mark::MarkValue;
use model::maintenance::{Effect, Maintenance, When};
use model::outcome::Outcome;
use model::probe::{BoxFuture, Probe, RunContext};

use super::*;

mod effects;
mod held;

use crate::entry::Entry;
use crate::maintenance::Calendar;
use crate::slots::Timetable;

/// A wall clock over tokio's paused time that a test can step.
struct TestClock {
    base: tokio::time::Instant,
    stepped_ms: AtomicI64,
}

const BEGIN: Timestamp = Timestamp::from_seconds(1_767_225_600);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = BEGIN.plus(self.base.elapsed());
        Timestamp::from_millis(passed.as_millis() + self.stepped_ms.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// What a test's target does.
#[derive(Copy, Clone, Debug)]
enum Target {
    Answers(Duration),
    Hangs,
    NeverEnds,
    /// Goes on until it is asked to end, or its deadline comes, and then cleans up for so long.
    CleansUp(Duration),
    /// Counts on from what the last run saw.
    Advances,
}

/// A mark with this value.
fn mark(value: i64) -> HighMark {
    HighMark { step: "http".into(), name: "json $.id".into(), value: MarkValue::Int(value), since: BEGIN }
}

impl Probe for Target {
    fn run<'a>(&'a self, context: &'a RunContext) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self {
                Self::Answers(after) => tokio::time::sleep(*after).await,
                Self::Hangs => tokio::time::sleep_until(context.deadline.into()).await,
                Self::NeverEnds => std::future::pending().await,
                Self::CleansUp(takes) => {
                    let at_deadline = tokio::time::sleep_until(context.deadline.into());
                    let asked = tokio::select! {
                        () = context.stop.asked() => true,
                        () = at_deadline => false,
                    };
                    tokio::time::sleep(*takes).await;
                    return Outcome::empty(if asked { Reason::Cancelled } else { Reason::Failed });
                }
                Self::Advances => {
                    let known = context.high_marks.as_deref().unwrap_or_default();
                    let Some(MarkValue::Int(last)) = known.first().map(|mark| mark.value) else {
                        return Outcome::empty(Reason::Backwards);
                    };
                    return Outcome { high_marks: vec![mark(last + 1)], ..Outcome::empty(Reason::Ok) };
                }
            }
            Outcome::empty(if matches!(self, Self::Hangs) { Reason::Failed } else { Reason::Ok })
        })
    }
}

/// What is due how often, from when on.
type Epoch = (Vec<(Stream, Cadence)>, Timestamp);

/// A store that is a list.
#[derive(Clone, Default)]
struct Records {
    list: Arc<Mutex<Vec<SliEvent>>>,
    checkpoints: Arc<Mutex<Vec<(Timestamp, usize)>>>,
    epochs: Arc<Mutex<Vec<Epoch>>>,
    full: Arc<AtomicBool>,
    intents: Arc<Mutex<BTreeSet<(Stream, Timestamp)>>>,
}

impl Sink for Records {
    async fn event(&self, event: SliEvent) {
        while self.is_full() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.list.lock().unwrap().push(event);
    }

    fn try_missed(&self, missed: &MissedSlots) -> bool {
        if !self.is_full() {
            self.list.lock().unwrap().extend(missed.events());
        }
        !self.is_full()
    }

    fn try_event(&self, event: &SliEvent) -> bool {
        if !self.is_full() {
            self.list.lock().unwrap().push(event.clone());
        }
        !self.is_full()
    }

    fn try_checkpoint(&self, at: Timestamp) -> bool {
        let so_far = self.list.lock().unwrap().len();
        self.checkpoints.lock().unwrap().push((at, so_far));
        true
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    async fn intend(&self, stream: &Stream, at: Timestamp) -> Result<bool, String> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.is_full() {
            return Err("no space left".to_owned());
        }
        Ok(self.intents.lock().unwrap().insert((stream.clone(), at)))
    }

    fn high_marks(&self, _: &Stream) -> Arc<[HighMark]> {
        Arc::from([mark(10)])
    }

    async fn epochs(&self, streams: Vec<(Arc<Origin>, Cadence)>, at: Timestamp) -> Result<(), String> {
        let streams = streams.into_iter().map(|(origin, cadence)| (origin.stream.clone(), cadence)).collect();
        self.epochs.lock().unwrap().push((streams, at));
        Ok(())
    }
}

impl Records {
    fn count(&self, reason: Reason) -> usize {
        self.list.lock().unwrap().iter().filter(|event| event.outcome.reason == reason).count()
    }

    /// Expected slots from what was said to be due, up to `to`.
    fn expected(&self, to: Timestamp) -> BTreeMap<(Stream, Timestamp), usize> {
        let epochs = self.epochs.lock().unwrap();
        let mut expected = BTreeMap::new();
        for (index, (streams, from)) in epochs.iter().enumerate() {
            let until = epochs.get(index + 1).map_or(to, |(_, next)| *next);
            for (stream, cadence) in streams {
                let table = Timetable::new(cadence, stream).unwrap();
                expected.extend(table.between(*from, until).map(|at| ((stream.clone(), at), 1)));
            }
        }
        expected
    }

    /// The invariant: every expected slot has exactly one record, and nothing else has one.
    fn check_account(&self, to: Timestamp) {
        let mut found = BTreeMap::new();
        for event in self.list.lock().unwrap().iter() {
            *found.entry((event.origin.stream.clone(), event.slot.scheduled)).or_insert(0) += 1;
        }
        let expected = self.expected(to);
        let missing: Vec<_> = expected.keys().filter(|slot| !found.contains_key(slot)).take(3).collect();
        let surplus: Vec<_> =
            found.iter().filter(|(slot, count)| expected.get(slot) != Some(*count)).take(3).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?} surplus {surplus:?}");
        self.check_checkpoints();
    }

    /// A checkpoint comes after the records of all slots before it.
    fn check_checkpoints(&self) {
        let list = self.list.lock().unwrap();
        for (at, so_far) in self.checkpoints.lock().unwrap().iter() {
            let late = list[*so_far..].iter().find(|event| event.slot.scheduled < *at);
            assert!(late.is_none(), "{late:?} came after the checkpoint {at}");
        }
    }
}

fn entry(name: &str, every_ms: u64, timeout_ms: u64, target: Target) -> Entry {
    let empty: Arc<str> = "".into();
    let stream = Stream::new(name, "eu");
    let cadence = Cadence::Every { interval_ms: every_ms };
    Entry {
        timetable: Arc::new(Timetable::new(&cadence, &stream).unwrap()),
        origin: Arc::new(Origin {
            stream,
            version: Arc::clone(&empty),
            kind: Arc::clone(&empty),
            owner: Arc::clone(&empty),
            service: Arc::clone(&empty),
            labels: vec![],
            prober: empty,
            side_effects: false,
        }),
        cadence,
        maintenance: Arc::default(),
        timeout: Duration::from_millis(timeout_ms),
        grace: Duration::ZERO,
        probe: Arc::new(target),
        lease: None,
    }
}

/// A runner under test.
struct Bench {
    clock: Arc<TestClock>,
    records: Records,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
    task: tokio::task::JoinSet<Stopped>,
}

impl Bench {
    fn start(in_flight_max: usize) -> Self {
        Self::start_with(in_flight_max, None)
    }

    fn start_with(in_flight_max: usize, doubts: Option<Arc<Doubts>>) -> Self {
        let clock = Arc::new(TestClock { base: tokio::time::Instant::now(), stepped_ms: AtomicI64::new(0) });
        let records = Records::default();
        let limits = Limits { in_flight_max, grace: Duration::from_secs(2) };
        let runner = Runner::new(records.clone(), Arc::clone(&clock), limits, BEGIN);
        let runner = Runner { doubts, ..runner };
        let (commands, receiver) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(runner.run(receiver, stop.clone()));
        Self { clock, records, commands, stop, task }
    }

    async fn load(&self, entries: Vec<Entry>) -> Timestamp {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command { entries, reply, not_before: None }).await.unwrap();
        answer.await.unwrap().unwrap()
    }

    async fn stop(mut self) -> (Records, Stopped) {
        self.stop.cancel();
        let stopped = self.task.join_next().await.unwrap().unwrap();
        self.records.check_account(stopped.at);
        (self.records, stopped)
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn a_third_that_hangs_delays_nobody() {
    let bench = Bench::start(4_096);
    let target = |index| if index % 3 == 0 { Target::Hangs } else { Target::Answers(ms(20)) };
    bench
        .load((0..1_000).map(|index| entry(&format!("s{index}"), 10_000, 10_000, target(index))).collect())
        .await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let (records, stopped) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let good: Vec<_> = list.iter().filter(|event| event.outcome.reason == Reason::Ok).collect();
    assert!(good.len() > 3_900, "{}", good.len());
    let worst = good.iter().filter_map(|event| event.lag()).max().unwrap();
    assert!(worst <= ms(2), "{worst:?}");
    assert!(stopped.aborted > 100, "hanging runs outlast the grace: {stopped:?}");
}

#[tokio::test(start_paused = true)]
async fn hanging_targets_leave_permits_to_the_others() {
    let bench = Bench::start(40);
    let target = |index| if index < 100 { Target::Hangs } else { Target::Answers(ms(5)) };
    bench
        .load((0..200).map(|index| entry(&format!("s{index}"), 10_000, 9_000, target(index))).collect())
        .await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let (records, _) = bench.stop().await;
    // Once the hanging ones are known to be slow, a quarter of the permits is out of their reach.
    let from = BEGIN.plus(Duration::from_secs(30));
    let list = records.list.lock().unwrap();
    let settled =
        list.iter().filter(|event| event.slot.scheduled > from && event.outcome.reason != Reason::Drain);
    let healthy = settled.filter(|event| event.origin.stream.scenario[1..].parse::<u32>().unwrap() >= 100);
    let not_good: Vec<_> = healthy.filter(|event| event.outcome.reason != Reason::Ok).collect();
    assert!(not_good.is_empty(), "{} {:?}", not_good.len(), not_good.first());
    assert!(list.iter().any(|event| event.outcome.reason == Reason::Overload));
}

#[tokio::test(start_paused = true)]
async fn a_scenario_never_overlaps_with_itself() {
    let bench = Bench::start(10);
    bench.load(vec![entry("a", 1_000, 1_000, Target::Answers(ms(1_500)))]).await;
    tokio::time::sleep(Duration::from_millis(20_500)).await;
    let (records, _) = bench.stop().await;
    assert!((9..=11).contains(&records.count(Reason::Overlap)), "{}", records.count(Reason::Overlap));
    let list = records.list.lock().unwrap();
    let mut runs: Vec<_> = list.iter().filter_map(|event| event.started.zip(event.finished)).collect();
    runs.sort_unstable();
    assert!(runs.windows(2).all(|pair| pair[0].1 <= pair[1].0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_never_ends_is_our_fault() {
    let bench = Bench::start(10);
    bench.load(vec![entry("a", 10_000, 1_000, Target::NeverEnds)]).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let stuck = list.iter().find(|event| event.outcome.reason == Reason::ProberFault).unwrap();
    assert_eq!(stuck.outcome.failure.as_ref().unwrap().error_type, "local.bug");
}

#[tokio::test(start_paused = true)]
async fn a_full_store_makes_missed_slots_and_loses_none() {
    let bench = Bench::start(100);
    bench
        .load(
            (0..50).map(|index| entry(&format!("s{index}"), 1_000, 1_000, Target::Answers(ms(5)))).collect(),
        )
        .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.records.full.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(1)).await;
    bench.records.full.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (records, _) = bench.stop().await;
    assert!(records.count(Reason::Spool) >= 50 * 59, "{}", records.count(Reason::Spool));
    assert!(records.count(Reason::Ok) >= 50 * 8);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_forward_leaves_missed_slots() {
    let bench = Bench::start(10);
    bench.load(vec![entry("a", 10_000, 1_000, Target::Answers(ms(5)))]).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    bench.clock.stepped_ms.fetch_add(3_600_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let (records, _) = bench.stop().await;
    assert!((358..=361).contains(&records.count(Reason::ClockStep)), "{}", records.count(Reason::ClockStep));
    assert_eq!(records.count(Reason::Late), 0);
}

#[tokio::test(start_paused = true)]
async fn a_jump_over_a_day_is_counted_and_waits_for_the_store() {
    let bench = Bench::start(100);
    let target = Target::Answers(ms(5));
    let day = Maintenance {
        name: "half".into(),
        effect: Effect::Pause,
        when: When::Once {
            from: BEGIN.plus(Duration::from_hours(6)),
            to: BEGIN.plus(Duration::from_hours(18)),
        },
    };
    let maintenance = Arc::new(Calendar::new(&[Arc::new(day)]).unwrap());
    let rests = Entry { maintenance, ..entry("rests", 1_000, 900, target) };
    bench.load(vec![entry("a", 1_000, 900, target), entry("b", 7_000, 900, target), rests]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.records.full.store(true, Ordering::Relaxed);
    bench.clock.stepped_ms.fetch_add(86_400_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(30)).await;
    bench.records.full.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (records, _) = bench.stop().await;
    assert_eq!(records.count(Reason::Paused), 43_200);
    let stepped = records.count(Reason::ClockStep);
    assert!(stepped.abs_diff(86_400 + 86_400 / 7 + 43_200) <= 5, "{stepped}");
    let good = records
        .list
        .lock()
        .unwrap()
        .iter()
        .rev()
        .take(15)
        .all(|event| matches!(event.outcome.reason, Reason::Ok | Reason::Drain));
    assert!(good, "runs go on once the store has taken what was missed");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_back_runs_nothing_twice() {
    let bench = Bench::start(10);
    bench.load(vec![entry("a", 1_000, 1_000, Target::Answers(ms(5)))]).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    bench.clock.stepped_ms.fetch_sub(10_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let (records, _) = bench.stop().await;
    assert!((39..=41).contains(&records.count(Reason::Ok)), "{}", records.count(Reason::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_reload_leaves_no_seam() {
    let bench = Bench::start(100);
    let quick = Target::Answers(ms(5));
    bench
        .load(vec![
            entry("kept", 1_000, 1_000, quick),
            entry("changed", 1_000, 1_000, quick),
            entry("gone", 1_000, 1_000, quick),
        ])
        .await;
    tokio::time::sleep(ms(10_300)).await;
    bench
        .load(vec![
            entry("kept", 1_000, 1_000, quick),
            entry("changed", 2_000, 2_000, quick),
            entry("new", 1_000, 1_000, quick),
        ])
        .await;
    tokio::time::sleep(ms(10_400)).await;
    // Back to the first set: `gone` comes again.
    bench
        .load(vec![
            entry("kept", 1_000, 1_000, quick),
            entry("changed", 1_000, 1_000, quick),
            entry("gone", 1_000, 1_000, quick),
        ])
        .await;
    tokio::time::sleep(ms(10_000)).await;
    bench.load(vec![]).await;
    tokio::time::sleep(ms(3_000)).await;
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let missed = list.iter().find(|event| event.outcome.reason != Reason::Ok);
    assert!(missed.is_none(), "no slot is missed over a reload: {missed:?}");
    let kept = list.iter().filter(|event| &*event.origin.stream.scenario == "kept").count();
    assert!((30..=31).contains(&kept), "{kept}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_drains_and_accounts_for_what_it_cuts_off() {
    let bench = Bench::start(100);
    let mut entries = vec![
        entry("hangs", 60_000, 60_000, Target::Hangs),
        entry("tick", 1_000, 1_000, Target::Answers(ms(5))),
    ];
    entries.push(entry("slow", 2_000, 2_000, Target::Answers(ms(1_200))));
    bench.load(entries).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let (records, stopped) = bench.stop().await;
    assert_eq!((stopped.aborted, stopped.unsent), (1, 0));
    assert_eq!(records.count(Reason::Interrupted), 1);
    assert!(records.count(Reason::Drain) >= 2, "{}", records.count(Reason::Drain));
}

/// An entry with one maintenance, from 20 s after the begin for 20 s.
fn in_maintenance(name: &str, effect: Effect, target: Target) -> Entry {
    let at = |seconds| BEGIN.plus(Duration::from_secs(seconds));
    let window = Maintenance { name: "move".into(), effect, when: When::Once { from: at(20), to: at(40) } };
    let calendar = Calendar::new(&[Arc::new(window)]).unwrap();
    Entry { maintenance: Arc::new(calendar), ..entry(name, 1_000, 900, target) }
}

#[tokio::test(start_paused = true)]
async fn slots_inside_a_maintenance_are_marked_or_not_run() {
    let bench = Bench::start(100);
    let (bad, good) = (Target::Hangs, Target::Answers(ms(5)));
    let mut entries = vec![
        in_maintenance("runs", Effect::Ineligible, bad),
        in_maintenance("rests", Effect::Pause, good),
        in_maintenance("quiet", Effect::Mute, bad),
    ];
    bench.load(entries.clone()).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    // In the middle of it: a reload changes nothing about the window.
    entries.rotate_left(1);
    bench.load(entries).await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let window = BEGIN.plus(Duration::from_secs(20))..BEGIN.plus(Duration::from_secs(40));
    let mut inside = BTreeMap::new();
    for event in list.iter().filter(|event| event.outcome.reason != Reason::Drain) {
        let is_inside = window.contains(&event.slot.scheduled);
        let expected = match (&*event.origin.stream.scenario, is_inside) {
            ("runs", true) => (Reason::Maintenance, Some("move")),
            ("rests", true) => (Reason::Paused, None),
            ("quiet", true) => (Reason::Failed, Some("move")),
            ("rests", false) => (Reason::Ok, None),
            _ => (Reason::Failed, None),
        };
        assert_eq!((event.outcome.reason, event.outcome.maintenance.as_deref()), expected, "{event:?}");
        assert_eq!(event.started.is_none(), event.outcome.reason == Reason::Paused);
        *inside.entry(&event.origin.stream.scenario).or_insert(0) += usize::from(is_inside);
    }
    assert_eq!(inside.into_values().collect::<Vec<_>>(), [20, 20, 20]);
}

#[tokio::test(start_paused = true)]
async fn paused_slots_that_the_clock_jumped_over_are_no_loss() {
    let bench = Bench::start(100);
    bench.load(vec![in_maintenance("rests", Effect::Pause, Target::Answers(ms(5)))]).await;
    tokio::time::sleep(Duration::from_millis(20_500)).await;
    bench.clock.stepped_ms.fetch_add(10_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (records, _) = bench.stop().await;
    assert_eq!((records.count(Reason::Paused), records.count(Reason::ClockStep)), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_runs_clean_up_before_it_ends() {
    let bench = Bench::start(100);
    let cleans = |name: &str, takes, grace| {
        let entry = entry(name, 60_000, 60_000, Target::CleansUp(ms(takes)));
        Entry { grace: ms(grace), ..entry }
    };
    // The second one takes longer than it has said, and is cut off.
    bench.load(vec![cleans("a", 9_000, 10_000), cleans("b", 30_000, 10_000)]).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let began = tokio::time::Instant::now();
    let (records, stopped) = bench.stop().await;
    let took = began.elapsed();
    assert_eq!(records.count(Reason::Cancelled), 1);
    assert_eq!((records.count(Reason::Interrupted), stopped.aborted), (1, 1));
    assert!((ms(14_000)..ms(14_500)).contains(&took), "2 s to go on, 10 s to clean up, 2 s more: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_missed_while_the_last_run_still_cleans_up() {
    let bench = Bench::start(100);
    let slow = Target::CleansUp(ms(1_500));
    bench.load(vec![Entry { grace: ms(5_000), ..entry("a", 2_000, 1_000, slow) }]).await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    let (records, _) = bench.stop().await;
    let (overlapped, ran) = (records.count(Reason::Overlap), records.count(Reason::Failed));
    assert!((4..=5).contains(&overlapped) && (4..=6).contains(&ran), "{overlapped} {ran}");
}

#[tokio::test(start_paused = true)]
async fn a_run_knows_what_the_last_one_saw() {
    let bench = Bench::start(100);
    let set = || vec![entry("a", 1_000, 1_000, Target::Advances)];
    bench.load(set()).await;
    tokio::time::sleep(ms(5_500)).await;
    // A reload forgets nothing.
    bench.load(set()).await;
    tokio::time::sleep(ms(5_500)).await;
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let seen: Vec<_> = list.iter().filter_map(|event| event.outcome.high_marks.first()).collect();
    let expected: Vec<_> = (11..).take(seen.len()).map(mark).collect();
    assert!(seen.len() >= 10 && seen.into_iter().eq(&expected), "{list:?}");
}

#[test]
fn the_account_holds_for_random_targets_and_reloads() {
    use proptest::prelude::*;
    let target =
        prop_oneof![(0_u64..3_000).prop_map(|after| Target::Answers(ms(after))), Just(Target::Hangs),];
    let one = (0_u8..8, 1_000_u64..5_000, target);
    let sets = proptest::collection::vec((proptest::collection::vec(one, 0..8), 0_u64..8_000), 1..6);
    let settings = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(settings, |(sets in sets, permits in 1_usize..6)| {
        through(sets, permits);
    });
}

/// Names, intervals in milliseconds and targets; and how long until the next set is loaded, in milliseconds.
type Set = (Vec<(u8, u64, Target)>, u64);

/// Loads one set after the other, and compares the account with the schedules.
fn through(sets: Vec<Set>, permits: usize) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bench = Bench::start(permits);
        for (set, pause) in sets {
            let mut named = BTreeMap::new();
            for (name, every, target) in set {
                named.insert(name, entry(&format!("s{name}"), every, every, target));
            }
            bench.load(named.into_values().collect()).await;
            tokio::time::sleep(ms(pause)).await;
        }
        bench.stop().await;
    });
}

/// A slot waits for a permit, a reload changes the interval, and a slot of the new schedule waits beside it.
#[test]
fn an_old_and_a_new_schedule_of_one_stream_never_run_at_once() {
    let first = vec![
        (4, 1_113, Target::Answers(ms(1_007))),
        (6, 4_128, Target::Answers(ms(115))),
        (0, 1_684, Target::Answers(ms(2_108))),
        (7, 2_167, Target::Answers(ms(471))),
    ];
    let second = vec![(6, 1_413, Target::Answers(ms(578)))];
    through(vec![(vec![], 3_084), (vec![], 7_481), (vec![], 7_477), (first, 3_500), (second, 1_459)], 2);
}
