//! A slot counts, and counts once.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use model::event::Trigger;
use model::missed::MissedSlots;
use model::outcome::{Reason, Verdict};
use model::slot::{Cadence, Stream};
use tokio::sync::oneshot;

use super::sample::{Desk, at, copy, event, expected, origin};
use crate::{EventFilter, PlanError, Record, Recovered};

const NOON: &str = "2026-03-01T12:00:00Z";

fn every(seconds: u64) -> Cadence {
    Cadence::Every { interval_ms: seconds * 1_000 }
}

#[test]
fn the_thread_writes_announces_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open(dir.path(), at(NOON));
    let Desk { store, queue, writer, .. } = desk;
    let durable = store.durable();
    let thread = thread::spawn(move || writer.run());
    let origin = origin("shop");
    for second in 0..25 {
        let scheduled = at(NOON).plus(Duration::from_secs(second));
        queue.blocking_send(Record::Event(event(&origin, scheduled, Reason::Ok))).unwrap();
    }
    let (answer, answered) = oneshot::channel();
    queue.blocking_send(Record::Flush(answer)).unwrap();
    answered.blocking_recv().unwrap();
    assert_eq!(*durable.borrow(), 25);
    let now = at("2026-03-01T13:00:00Z");
    queue.blocking_send(Record::Event(event(&origin, now, Reason::Failed))).unwrap();
    drop(queue);
    let end = thread.join().unwrap();
    assert_eq!((end.events, end.lost_records), (26, 0));
    assert!(end.error.is_none());
    let filter = EventFilter { limit: 100, ..EventFilter::default() };
    let events = store.reader().query(&filter).unwrap();
    assert_eq!(events.len(), 26);
    assert_eq!(*events[25].event, *event(&origin, now, Reason::Failed));
}

#[test]
fn duplicates_are_dropped_wherever_the_slot_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at("2026-03-01T23:59:00Z"));
    let shop = origin("shop");
    let first = at("2026-03-01T23:58:00Z");
    desk.event(&shop, first, Reason::Ok);
    desk.event(&shop, first, Reason::Failed);
    assert_eq!(desk.store.stats().duplicates(), 1);
    // A run whose second slot is stored already, and an event inside the run.
    let late = first.plus(Duration::from_secs(10));
    desk.event(&shop, late, Reason::Slow);
    let run = MissedSlots {
        origin: Arc::clone(&shop),
        reason: Reason::Overlap,
        first: first.plus(Duration::from_secs(5)),
        step_ms: 5_000,
        count: 4,
        recorded: late,
        maybe_sent: false,
    };
    desk.write(vec![Record::Missed(run.clone()), Record::Event(event(&shop, run.last(), Reason::Ok))]);
    assert_eq!(desk.store.stats().duplicates(), 3);
    // After midnight the slots are in the part before.
    desk.clock.set(at("2026-03-02T00:00:01Z"));
    desk.event(&shop, at("2026-03-02T00:00:00Z"), Reason::Ok);
    desk.event(&shop, first, Reason::Ok);
    desk.write(vec![Record::Missed(run)]);
    assert_eq!(desk.store.stats().duplicates(), 8);
    // Two of one slot in a group.
    let twice = at("2026-03-02T00:00:30Z");
    desk.write(vec![
        Record::Event(event(&shop, twice, Reason::Ok)),
        Record::Event(event(&shop, twice, Reason::Failed)),
    ]);
    assert_eq!(desk.store.stats().duplicates(), 9);
    let reasons: Vec<_> = desk.all().iter().map(|event| event.outcome.reason).collect();
    let (ok, overlap) = (Reason::Ok, Reason::Overlap);
    assert_eq!(reasons, [ok, Reason::Slow, overlap, overlap, overlap, ok, ok]);
    // And after a start, when only the files know.
    drop(desk.end());
    let mut desk = Desk::open(dir.path(), at("2026-03-02T01:00:00Z"));
    desk.event(&shop, first, Reason::Ok);
    assert_eq!(desk.store.stats().duplicates(), 1);
}

#[test]
fn manual_runs_are_stored_and_in_no_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let shop = origin("shop");
    desk.store.set_plans(&[(Arc::clone(&shop), every(60))], at(NOON)).unwrap();
    let mut manual = event(&shop, at(NOON), Reason::Failed);
    Arc::make_mut(&mut manual).trigger = Trigger::Manual;
    desk.write(vec![Record::Event(manual.clone()), Record::Event(manual)]);
    desk.event(&shop, at(NOON), Reason::Ok);
    let account = desk.store.account(at(NOON), at("2026-03-01T12:01:00Z"), &expected).unwrap();
    assert_eq!(account.violations, 0);
    assert_eq!((account.streams[0].expected, account.streams[0].good, account.streams[0].bad), (1, 1, 0));
    assert_eq!(desk.all().len(), 3);
}

#[test]
fn planned_absence_leaves_the_expected_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let shop = origin("shop");
    desk.store.set_plans(&[(Arc::clone(&shop), every(10))], at(NOON)).unwrap();
    let reasons =
        [Reason::Ok, Reason::Failed, Reason::Maintenance, Reason::ProberFault, Reason::Late, Reason::Paused];
    for (second, reason) in (0..).step_by(10).zip(reasons) {
        desk.event(&shop, at(NOON).plus(Duration::from_secs(second)), reason);
    }
    let account = desk.store.account(at(NOON), at("2026-03-01T12:01:00Z"), &expected).unwrap();
    let shop = &account.streams[0];
    assert_eq!(
        (shop.expected, shop.good, shop.bad, shop.ineligible, shop.missed, shop.planned),
        (4, 1, 1, 1, 1, 2)
    );
    assert_eq!(account.violations, 0);
    let account = desk.store.account(at(NOON), at("2026-03-01T12:02:00Z"), &expected).unwrap();
    assert_eq!(account.violations, 6, "slots without a record are seen");
}

#[test]
fn a_changed_cadence_ends_one_epoch_and_begins_another() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open(dir.path(), at(NOON));
    let (shop, gone) = (origin("shop"), origin("gone"));
    let plans = |seconds| (Arc::clone(&shop), every(seconds));
    desk.store.set_plans(&[plans(10), (Arc::clone(&gone), every(20))], at(NOON)).unwrap();
    desk.store.set_plans(&[plans(10)], at("2026-03-01T12:01:00Z")).unwrap();
    desk.store.set_plans(&[plans(30)], at("2026-03-01T12:02:00.0000001Z")).unwrap();
    let counts = |from, to| {
        let account = desk.store.account(at(from), at(to), &expected).unwrap();
        let of = |name: &str| {
            let stream = Stream::new(name, "eu");
            account.streams.iter().find(|account| account.stream == stream).map_or(0, |found| found.expected)
        };
        (of("shop"), of("gone"))
    };
    assert_eq!(counts(NOON, "2026-03-01T12:01:00Z"), (6, 3));
    assert_eq!(counts("2026-03-01T12:01:00Z", "2026-03-01T12:02:00Z"), (6, 0));
    assert_eq!(counts("2026-03-01T12:02:00Z", "2026-03-01T12:03:00Z"), (2, 0));
    let twice = desk.store.set_plans(&[plans(10), plans(20)], at("2026-03-01T12:03:00Z"));
    assert!(matches!(twice, Err(PlanError::Twice(stream)) if stream == shop.stream));
    let store = desk.end();
    drop(store);
    // The epochs are durable, and an unchanged one goes on over a stop.
    let desk = Desk::open(dir.path(), at("2026-03-01T12:10:00Z"));
    desk.store.set_plans(&[plans(30)], at("2026-03-01T12:10:00Z")).unwrap();
    let account =
        desk.store.account(at("2026-03-01T12:05:00Z"), at("2026-03-01T12:10:00Z"), &expected).unwrap();
    assert_eq!(account.streams[0].expected, 10);
}

#[test]
fn a_gap_becomes_missed_slots_with_the_right_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let (shop, cron) = (origin("shop"), origin("cron"));
    let plans = [
        (Arc::clone(&shop), every(10)),
        (Arc::clone(&cron), Cadence::Cron { expression: "* * * * *".into(), timezone: "UTC".into() }),
    ];
    desk.store.set_plans(&plans, at(NOON)).unwrap();
    desk.event(&shop, at(NOON), Reason::Ok);
    desk.event(&shop, at("2026-03-01T12:00:20Z"), Reason::Ok);
    desk.write(vec![Record::Checkpoint(at("2026-03-01T12:00:05Z"))]);
    let crashed = tempfile::tempdir().unwrap();
    copy(dir.path(), crashed.path());
    // The crash: 10 s and from 30 s on are unrecorded.
    let mut after = Desk::open(crashed.path(), at("2026-03-01T12:03:00Z"));
    let recovered = after.writer.recover(at("2026-03-01T12:03:00Z"), &expected).unwrap();
    assert_eq!(recovered, Recovered { interrupted: 16 + 2, drained: 0, maybe_sent: 0 });
    assert_eq!(after.writer.recover(at("2026-03-01T12:03:00Z"), &expected).unwrap(), Recovered::default());
    let account =
        after.store.account(at("2026-03-01T12:00:05Z"), at("2026-03-01T12:03:00Z"), &expected).unwrap();
    assert_eq!(account.violations, 0, "{account:?}");
    assert!(after.all().iter().all(|event| matches!(event.verdict(), Verdict::Good | Verdict::Missed)));
    // The clean stop: everything before it is on record, what follows is `drain`.
    desk.store.mark_clean_stop(at("2026-03-01T12:01:30Z")).unwrap();
    drop(desk.end());
    let mut after = Desk::open(dir.path(), at("2026-03-01T12:03:00Z"));
    let recovered = after.writer.recover(at("2026-03-01T12:03:00Z"), &expected).unwrap();
    assert_eq!(recovered, Recovered { interrupted: 7 + 1, drained: 9 + 1, maybe_sent: 0 });
    // The note is spent: the next crash is a crash.
    drop(after.end());
    let mut after = Desk::open(dir.path(), at("2026-03-01T12:04:00Z"));
    let recovered = after.writer.recover(at("2026-03-01T12:04:00Z"), &expected).unwrap();
    assert_eq!(recovered, Recovered { interrupted: 6 + 1, drained: 0, maybe_sent: 0 });
    assert_eq!(after.store.boots().unwrap(), 3);
}

#[test]
fn a_clock_that_steps_back_leaves_no_slot_out_and_none_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let shop = origin("shop");
    desk.store.set_plans(&[(Arc::clone(&shop), every(10))], at(NOON)).unwrap();
    for second in (0..60).step_by(10) {
        desk.event(&shop, at(NOON).plus(Duration::from_secs(second)), Reason::Ok);
    }
    desk.write(vec![Record::Checkpoint(at("2026-03-01T12:01:00Z"))]);
    // Half an hour back, and the cadence changes there.
    let back = at("2026-03-01T11:30:00Z");
    desk.clock.set(back);
    desk.store.set_plans(&[(Arc::clone(&shop), every(20))], back).unwrap();
    let account =
        desk.store.account(at("2026-03-01T11:00:00Z"), at("2026-03-01T12:01:00Z"), &expected).unwrap();
    assert_eq!((account.streams[0].expected, account.violations), (6, 0));
    drop(desk.end());
    // A start with the wrong clock adds nothing either; with the right one the rest follows.
    let mut desk = Desk::open(dir.path(), back);
    assert_eq!(desk.writer.recover(back, &expected).unwrap(), Recovered::default());
    let now = at("2026-03-01T12:02:00Z");
    desk.clock.set(now);
    assert_eq!(
        desk.writer.recover(now, &expected).unwrap(),
        Recovered { interrupted: 3, drained: 0, maybe_sent: 0 }
    );
    let account = desk.store.account(at("2026-03-01T11:00:00Z"), now, &expected).unwrap();
    assert_eq!(account.violations, 0, "{account:?}");
}
