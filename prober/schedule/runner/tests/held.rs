//! Runs that are not settled when they end: held, released, given up, and accounted for in every case.

use model::outcome::Verdict;

use super::*;
use crate::distrust::Own;
use crate::distrust::mass;
use crate::distrust::suspend::Cause;
use crate::distrust::watch::Round;

/// How long a run is held at most.
const HELD_FOR: Duration = Duration::from_secs(30);

fn doubting() -> (Bench, Arc<Doubts>) {
    let doubts = Arc::new(Doubts::default());
    doubts.watch(&"eu".into(), false, HELD_FOR);
    (Bench::start_with(100, Some(Arc::clone(&doubts))), doubts)
}

/// A round of control targets that begins and ends now.
fn round(bench: &Bench, doubts: &Doubts, passed: bool) {
    let now = bench.clock.monotonic();
    doubts.note_controls("eu", Round { began: now, ended: now, passed }, "nothing answers");
}

fn counts(records: &Records) -> [usize; 3] {
    let list = records.list.lock().unwrap();
    let count = |verdict| list.iter().filter(|event| event.verdict() == verdict).count();
    [count(Verdict::Good), count(Verdict::Bad), count(Verdict::Ineligible)]
}

fn two() -> Vec<Entry> {
    vec![entry("bad", 10_000, 1_000, Target::Hangs), entry("good", 10_000, 1_000, Target::Answers(ms(5)))]
}

#[tokio::test(start_paused = true)]
async fn a_bad_run_is_recorded_once_a_later_round_has_passed() {
    let (bench, doubts) = doubting();
    bench.load(two()).await;
    let mut wishes = doubts.wishes();
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(counts(&bench.records), [1, 0, 0], "the good one is not held");
    assert!(wishes.has_changed().unwrap(), "a round is asked for");
    wishes.mark_unchanged();
    let open = bench.records.checkpoints.lock().unwrap().last().unwrap().0;
    let first = bench
        .records
        .expected(BEGIN.plus(Duration::from_secs(10)))
        .keys()
        .find(|(stream, _)| &*stream.scenario == "bad")
        .unwrap()
        .1;
    assert!(open <= first, "{open} is after the held slot {first}");
    round(&bench, &doubts, true);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(counts(&bench.records), [1, 1, 0]);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_while_control_targets_fail_does_not_count() {
    let (bench, doubts) = doubting();
    bench.load(two()).await;
    round(&bench, &doubts, true);
    tokio::time::sleep(Duration::from_secs(12)).await;
    round(&bench, &doubts, false);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(counts(&bench.records), [1, 0, 0], "one round may be a lost packet");
    round(&bench, &doubts, false);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(counts(&bench.records), [1, 0, 1], "and back to the last round that passed");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(counts(&bench.records), [3, 0, 3], "good stays good");
    round(&bench, &doubts, true);
    tokio::time::sleep(Duration::from_secs(10)).await;
    round(&bench, &doubts, true);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(counts(&bench.records), [4, 1, 3]);
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let doubted = list.iter().find(|event| event.verdict() == Verdict::Ineligible).unwrap();
    let failure = doubted.outcome.failure.as_ref().unwrap();
    assert_eq!((doubted.outcome.reason, &*failure.error_type), (Reason::ProberFault, "local.network"));
    assert!(failure.message.contains("nothing answers"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let (bench, _doubts) = doubting();
    bench.load(two()).await;
    // The stream goes on meanwhile: a held run keeps neither a permit nor its stream's next slot.
    tokio::time::sleep(Duration::from_secs(75)).await;
    let [good, bad, ineligible] = counts(&bench.records);
    assert!(good >= 7 && bad == 0 && (3..=5).contains(&ineligible), "{good} {bad} {ineligible}");
    assert_eq!(bench.records.count(Reason::Overlap), 0);
    let (records, _) = bench.stop().await;
    let list = records.list.lock().unwrap();
    let slots: Vec<_> = list
        .iter()
        .filter(|event| &*event.origin.stream.scenario == "bad" && event.started.is_some())
        .map(|event| event.slot.scheduled)
        .collect();
    assert!(slots.is_sorted(), "a stream's runs stay in their order");
}

#[tokio::test(start_paused = true)]
async fn a_stop_settles_what_is_held() {
    for passes in [true, false] {
        let (bench, doubts) = doubting();
        bench.load(two()).await;
        tokio::time::sleep(Duration::from_secs(12)).await;
        let began = tokio::time::Instant::now();
        let mut wishes = doubts.wishes();
        let clock = Arc::clone(&bench.clock);
        let look = async {
            // Whoever looks does so when asked.
            drop(wishes.changed().await);
            tokio::time::sleep(ms(200)).await;
            let now = clock.monotonic();
            doubts.note_controls("eu", Round { began: now, ended: now, passed: true }, "");
            std::future::pending::<()>().await;
        };
        let records = if passes {
            tokio::select! { (records, _) = bench.stop() => records, () = look => unreachable!() }
        } else {
            bench.stop().await.0
        };
        let expected = if passes { [1, 1, 0] } else { [1, 0, 1] };
        assert_eq!(counts(&records), expected);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn settled_runs_wait_for_a_full_store() {
    let (bench, doubts) = doubting();
    bench.load(two()).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    bench.records.full.store(true, Ordering::Relaxed);
    round(&bench, &doubts, true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(counts(&bench.records)[1..], [0, 0]);
    bench.records.full.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(counts(&bench.records)[1..], [1, 0]);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_run_while_the_prober_is_suspended_and_each_is_missed_for_that() {
    for cause in Cause::ALL {
        let (bench, doubts) = doubting();
        bench.load(vec![entry("good", 10_000, 1_000, Target::Answers(ms(5)))]).await;
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(counts(&bench.records), [3, 0, 0]);
        doubts.suspensions().set(cause, Some("it is wrong"));
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!((counts(&bench.records), bench.records.count(cause.reason())), ([3, 0, 0], 3));
        doubts.suspensions().set(cause, None);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!((counts(&bench.records), bench.records.count(cause.reason())), ([5, 0, 0], 3));
        bench.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_promised_gives_way_while_open_files_are_short() {
    let (bench, doubts) = doubting();
    bench.load(two()).await;
    let target = |name: &str, promised| mass::Target {
        stream: Stream::new(name, "eu"),
        hosts: Vec::new(),
        elsewhere: false,
        promised,
    };
    let short = |why| doubts.note(Own::Files, bench.clock.monotonic(), bench.clock.monotonic(), why);
    for (targets, why, missed) in [
        (vec![target("good", false)], Some("900 of 1024"), 0),
        (vec![target("good", false), target("bad", true)], None, 0),
        (vec![target("good", false), target("bad", true)], Some("900 of 1024"), 1),
        (vec![target("good", true), target("bad", true)], Some("900 of 1024"), 1),
    ] {
        doubts.watch_targets(targets);
        short(why);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(bench.records.count(Reason::Overload), missed, "{why:?}");
    }
    bench.stop().await;
}
