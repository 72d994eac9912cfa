use std::collections::{HashMap, VecDeque};

use model::probe::BoxFuture;
use model::slot::SlotId;

use super::*;
use crate::sample::{clock, store_with};

/// What the destination does with the next deliveries; afterwards it takes everything.
#[derive(Default)]
struct Script {
    next: VecDeque<Delivery>,
    /// Events that it never takes.
    poison: Vec<SlotId>,
    /// Deliveries that never end.
    hangs: usize,
    taken: HashMap<SlotId, usize>,
    deliveries: usize,
    idle: usize,
    closed: bool,
    linger: Duration,
}

struct Scripted(Arc<Mutex<Script>>);

impl Exporter for Scripted {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        let mut script = self.0.lock().unwrap();
        script.deliveries += 1;
        if script.hangs > 0 {
            script.hangs -= 1;
            return Box::pin(std::future::pending());
        }
        let delivery = script.next.pop_front().unwrap_or_else(|| {
            let bad = batch.iter().any(|event| script.poison.contains(&event.slot.id));
            if bad { Delivery::Reject { why: "poison".into() } } else { Delivery::Done }
        });
        if delivery == Delivery::Done {
            for event in batch {
                *script.taken.entry(event.slot.id).or_default() += 1;
            }
        }
        Box::pin(std::future::ready(delivery))
    }

    fn linger(&self) -> Duration {
        self.0.lock().unwrap().linger
    }

    fn idle(&mut self) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().idle += 1;
        Box::pin(std::future::ready(()))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().closed = true;
        Box::pin(std::future::ready(()))
    }
}

struct Rig {
    _dir: tempfile::TempDir,
    store: Store,
    script: Arc<Mutex<Script>>,
}

impl Rig {
    fn new(events: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = store_with(dir.path(), events);
        Self { _dir: dir, store, script: Arc::default() }
    }

    fn pump(&self) -> Pump {
        let cursor = self.store.cursor("test").unwrap();
        let exporter = Box::new(Scripted(Arc::clone(&self.script)));
        let config = PumpConfig { events_max: 8, ..PumpConfig::default() };
        Pump::new("test", (&self.store, cursor), exporter, clock(), config)
    }

    /// Runs a pump until `done`, which must come to pass, and stops it.
    async fn run_until(&self, done: impl Fn(&SinkStats, &Script) -> bool) -> PumpStats {
        let pump = self.pump();
        let stats = pump.stats();
        let stop = CancellationToken::new();
        let watcher = async {
            while !done(&stats, &self.script.lock().unwrap()) {
                sleep(Duration::from_millis(10)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(pump.run(stop.clone()), watcher).0 };
        timeout(Duration::from_hours(24), both).await.expect("the pump must come to its end")
    }
}

fn retry() -> Delivery {
    Delivery::Retry { after: None, why: "busy".into() }
}

#[tokio::test(start_paused = true)]
async fn everything_is_delivered_once_and_the_place_is_kept() {
    let rig = Rig::new(50);
    let end = rig.run_until(|stats, _| stats.sent() == 50).await;
    assert_eq!(end, PumpStats { sent: 50, dropped: 0, left: 0 });
    {
        let script = rig.script.lock().unwrap();
        assert!(script.closed && script.taken.len() == 50 && script.taken.values().all(|times| *times == 1));
    }
    assert_eq!(rig.store.cursor("test").unwrap().behind(), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_and_counted() {
    let rig = Rig::new(20);
    rig.script.lock().unwrap().next = vec![retry(), retry(), Delivery::Done, retry()].into();
    let before = tokio::time::Instant::now();
    let end = rig.run_until(|stats, _| stats.sent() == 20).await;
    assert_eq!((end.sent, end.dropped), (20, 0));
    let waited = before.elapsed();
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(10), "{waited:?}");
    let script = rig.script.lock().unwrap();
    assert!(script.taken.values().all(|times| *times == 1));
}

#[tokio::test(start_paused = true)]
async fn a_destination_may_ask_for_time_but_not_for_ever() {
    let rig = Rig::new(1);
    let after = Some(Duration::MAX);
    rig.script.lock().unwrap().next = vec![Delivery::Retry { after, why: "later".into() }].into();
    let before = tokio::time::Instant::now();
    rig.run_until(|stats, _| stats.sent() == 1).await;
    assert!((ASKED_MAX..ASKED_MAX * 2).contains(&before.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn one_bad_event_loses_only_itself() {
    let rig = Rig::new(30);
    let bad: Vec<_> = [0, 13, 29]
        .map(|second| {
            crate::sample::event(&crate::sample::origin("shop"), second, model::outcome::Reason::Ok).slot.id
        })
        .into();
    rig.script.lock().unwrap().poison.clone_from(&bad);
    let end = rig.run_until(|stats, _| stats.sent() + stats.dropped() == 30).await;
    assert_eq!(end, PumpStats { sent: 27, dropped: 3, left: 0 });
    let script = rig.script.lock().unwrap();
    assert!(bad.iter().all(|id| !script.taken.contains_key(id)) && script.taken.len() == 27);
}

#[tokio::test(start_paused = true)]
async fn what_is_partly_taken_is_counted_and_not_sent_again() {
    let rig = Rig::new(10);
    let part = Delivery::Part { dropped: 2, refused: 7, why: "no room".into() };
    rig.script.lock().unwrap().next = vec![part].into();
    let refused = AtomicU64::new(0);
    let end = rig.run_until(|stats, _| {
        refused.store(stats.refused(), Ordering::Relaxed);
        stats.sent() + stats.dropped() == 10
    });
    assert_eq!(end.await, PumpStats { sent: 8, dropped: 2, left: 0 });
    assert_eq!(refused.load(Ordering::Relaxed), 7);
    assert_eq!(rig.script.lock().unwrap().deliveries, 2);
}

#[tokio::test(start_paused = true)]
async fn events_are_gathered_and_a_backlog_is_not_slowed_by_it() {
    let rig = Rig::new(50);
    rig.script.lock().unwrap().linger = Duration::from_hours(1);
    let before = tokio::time::Instant::now();
    // Six full batches and one of two: only after that one is it waited, and a stop ends the wait.
    rig.run_until(|stats, _| stats.sent() == 50).await;
    assert!(before.elapsed() < Duration::from_mins(1), "{:?}", before.elapsed());
    assert_eq!(rig.script.lock().unwrap().deliveries, 7);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_destination_meets_its_deadline() {
    let rig = Rig::new(3);
    rig.script.lock().unwrap().hangs = 2;
    let end = rig.run_until(|stats, _| stats.sent() == 3).await;
    assert_eq!((end.sent, rig.script.lock().unwrap().deliveries), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_dead_destination_does_not_hold_up_the_stop() {
    let rig = Rig::new(10);
    rig.script.lock().unwrap().hangs = usize::MAX;
    let end = rig.run_until(|_, script| script.deliveries > 3).await;
    assert_eq!(end, PumpStats { sent: 0, dropped: 0, left: 10 });
    assert!(rig.script.lock().unwrap().closed);
    // The next start begins with what is left.
    rig.script.lock().unwrap().hangs = 0;
    assert_eq!(rig.run_until(|stats, _| stats.sent() == 10).await.left, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_stop_is_delivered_within_the_grace() {
    let rig = Rig::new(40);
    let end = rig.run_until(|_, _| true).await;
    assert_eq!(end, PumpStats { sent: 40, dropped: 0, left: 0 });
}

#[tokio::test(start_paused = true)]
async fn an_idle_exporter_is_asked_now_and_then() {
    let rig = Rig::new(1);
    // The store's writer has ended, so only time passes.
    let end = rig.run_until(|_, script| script.idle >= 3).await;
    assert_eq!(end.sent, 1);
}

#[test]
fn waits_grow_to_the_bound_and_differ() {
    let config = PumpConfig::default();
    let waits: Vec<_> = (1..40).map(|failures| backoff(&config, "a", failures)).collect();
    assert!(
        waits.iter().all(|wait| (Duration::from_millis(500)..=config.backoff_max).contains(wait)),
        "{waits:?}"
    );
    assert!(waits[0] <= Duration::from_secs(1) && waits[20] >= config.backoff_max / 2);
    assert_ne!(backoff(&config, "a", 9), backoff(&config, "b", 9));
    assert_eq!(backoff(&config, "a", 9), backoff(&config, "a", 9));
}
