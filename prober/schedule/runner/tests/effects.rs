//! Slots that must never be run twice.

use super::*;
use crate::lease::{FINISH, Lease, Term};

fn with_effects(name: &str, target: Target, lease: Option<Arc<Lease>>) -> Entry {
    let plain = entry(name, 10_000, 10_000, target);
    let origin = Origin { side_effects: true, ..(*plain.origin).clone() };
    Entry { origin: Arc::new(origin), lease, ..plain }
}

fn maybe_sent(records: &Records, reason: Reason) -> Vec<Option<bool>> {
    let list = records.list.lock().unwrap();
    list.iter().filter(|event| event.outcome.reason == reason).map(|event| event.outcome.maybe_sent).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_after_its_intent_and_a_slot_that_has_one_is_not_begun() {
    let bench = Bench::start(16);
    let entry = with_effects("order", Target::Answers(ms(20)), None);
    let first = entry.timetable.first_from(BEGIN).unwrap();
    let second = entry.timetable.next_after(first).unwrap();
    let stream = entry.origin.stream.clone();
    bench.records.intents.lock().unwrap().insert((stream, second));
    bench.load(vec![entry]).await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    let (records, _) = bench.stop().await;
    assert_eq!(maybe_sent(&records, Reason::Interrupted), [Some(true)]);
    let list = records.list.lock().unwrap();
    let ran: Vec<_> = list.iter().filter_map(|event| event.started.map(|started| (event, started))).collect();
    assert!(ran.len() >= 3, "{}", ran.len());
    for (event, started) in ran {
        assert!(started.since(event.slot.scheduled) >= ms(2), "the intent came first");
        assert!(
            records.intents.lock().unwrap().contains(&(event.origin.stream.clone(), event.slot.scheduled))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_intent_nothing_begins() {
    let bench = Bench::start(16);
    let entry = with_effects("order", Target::Answers(ms(20)), None);
    let first = entry.timetable.first_from(BEGIN).unwrap();
    bench.load(vec![entry]).await;
    // The store takes no more just when the run is to be noted.
    tokio::time::sleep(first.since(BEGIN)).await;
    tokio::time::sleep(ms(1)).await;
    bench.records.full.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.records.full.store(false, Ordering::Relaxed);
    let (records, _) = bench.stop().await;
    assert_eq!(maybe_sent(&records, Reason::Spool), [Some(false)]);
    assert_eq!(records.count(Reason::Ok), 0);
}

#[tokio::test(start_paused = true)]
async fn slots_begin_only_under_a_lease_that_holds() {
    let bench = Bench::start(16);
    let now = bench.clock.monotonic();
    let term = Arc::new(Term::until(now + Duration::from_secs(30)));
    let given = Arc::new(Lease::of(&term, BEGIN));
    given.give_from(BEGIN.plus(Duration::from_secs(20)));
    let entries = vec![
        with_effects("kept", Target::Answers(ms(20)), Some(Arc::new(Lease::of(&term, BEGIN)))),
        with_effects("given", Target::Answers(ms(20)), Some(given)),
        entry("reads", 10_000, 10_000, Target::Answers(ms(20))),
    ];
    bench.load(entries).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let (records, _) = bench.stop().await;
    let last = |name: &str| {
        let list = records.list.lock().unwrap();
        let ran =
            list.iter().filter(|event| &*event.origin.stream.scenario == name && event.started.is_some());
        ran.map(|event| event.slot.scheduled).max().unwrap()
    };
    let after = |seconds| BEGIN.plus(Duration::from_secs(seconds));
    assert!(last("kept") >= after(20) && last("kept") < after(30));
    assert!(last("given") >= after(10) && last("given") < after(20));
    assert!(last("reads") >= after(50));
    assert!(records.count(Reason::NoLease) >= 6);
    assert!(maybe_sent(&records, Reason::NoLease).iter().all(|said| *said == Some(false)));
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_soon_after_its_lease_and_before_the_next_slot() {
    let bench = Bench::start(16);
    let now = bench.clock.monotonic();
    // In the middle of the first run of each.
    let until =
        |entry: &Entry| entry.timetable.first_from(BEGIN).unwrap().since(BEGIN) + Duration::from_secs(5);
    let leased = |name, target| {
        let entry = with_effects(name, target, None);
        let lease = Some(Arc::new(Lease::of(&Arc::new(Term::until(now + until(&entry))), BEGIN)));
        Entry { lease, ..entry }
    };
    let entries = vec![
        leased("cleans-up", Target::CleansUp(ms(500))),
        leased("never-ends", Target::NeverEnds),
        with_effects("hangs", Target::Hangs, None),
    ];
    bench.load(entries).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let of = |name: &'static str| list.iter().filter(move |event| &*event.origin.stream.scenario == name);
    for name in ["cleans-up", "never-ends"] {
        let cut: Vec<_> = of(name).filter(|event| event.outcome.reason == Reason::Cancelled).collect();
        assert_eq!(cut.len(), 1, "{name}");
        let end = cut[0].slot.scheduled.plus(Duration::from_secs(5) + FINISH + ms(5));
        assert!(cut[0].finished.unwrap() <= end, "{name}: {:?}", cut[0].finished);
    }
    // It is begun two milliseconds late, and has no more than what is left of its slot.
    for event in of("hangs").filter(|event| event.started.is_some()) {
        let room = event.finished.unwrap().since(event.slot.scheduled);
        assert!(room <= Duration::from_secs(10), "{room:?}");
    }
}
