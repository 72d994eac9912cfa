//! Runs that were about to begin when a prober died.

use std::sync::Arc;
use std::time::Duration;

use model::event::Origin;
use model::outcome::Reason;
use model::slot::Cadence;

use super::sample::{Desk, at, expected, origin};

#[test]
fn an_intent_without_an_event_is_a_slot_that_may_have_been_sent() {
    let dir = tempfile::tempdir().unwrap();
    let begin = at("2026-03-01T12:00:00Z");
    let order = Arc::new(Origin { side_effects: true, ..(*origin("order")).clone() });
    let plans = [(Arc::clone(&order), Cadence::Every { interval_ms: 10_000 })];
    let slot = |number: u64| begin.plus(Duration::from_secs(10 * number));
    let mut desk = Desk::open(dir.path(), begin);
    desk.writer.recover(begin, &expected).unwrap();
    desk.store.set_plans(&plans, begin).unwrap();
    assert!(desk.store.spans()[0].side_effects);
    for number in [0, 2, 3] {
        assert!(desk.store.intend(&order.stream, slot(number)).unwrap());
        assert!(!desk.store.intend(&order.stream, slot(number)).unwrap(), "a slot has one intent");
    }
    desk.event(&order, slot(0), Reason::Ok);
    desk.event(&order, slot(2), Reason::Failed);
    // It dies while the run of slot 3 is going, or just before.
    drop(desk);
    let now = slot(5);
    let mut desk = Desk::open(dir.path(), now);
    let recovered = desk.writer.recover(now, &expected).unwrap();
    assert_eq!((recovered.interrupted, recovered.maybe_sent), (3, 1));
    let said: Vec<_> = desk
        .all()
        .iter()
        .filter(|event| event.outcome.reason == Reason::Interrupted)
        .map(|event| (event.slot.scheduled, event.outcome.maybe_sent))
        .collect();
    let mut in_order = said.clone();
    in_order.sort_unstable_by_key(|(scheduled, _)| *scheduled);
    assert_eq!(in_order, [(slot(1), Some(false)), (slot(3), Some(true)), (slot(4), Some(false))]);
    let account = desk.store.account(begin, now, &expected).unwrap();
    assert_eq!((account.violations, account.streams[0].missed), (0, 3));
    // A clock that was set back does not make the slot run again, and what is old is forgotten.
    assert!(!desk.store.intend(&order.stream, slot(3)).unwrap());
    let later = begin.plus(Duration::from_hours(2));
    assert!(desk.store.intend(&order.stream, later).unwrap());
    assert!(desk.store.intend(&order.stream, slot(3)).unwrap());
    // Recovery that is cut off and begun again counts nothing twice.
    assert_eq!(desk.writer.recover(now, &expected).unwrap().maybe_sent, 0);
}

#[test]
fn a_miss_that_a_ledger_declared_gives_way_to_one_that_says_more() {
    let dir = tempfile::tempdir().unwrap();
    let begin = at("2026-03-01T12:00:00Z");
    let order = Arc::new(Origin { side_effects: true, ..(*origin("order")).clone() });
    let mut desk = Desk::open(dir.path(), begin);
    let plans = [(Arc::clone(&order), Cadence::Every { interval_ms: 10_000 })];
    desk.store.set_plans(&plans, begin).unwrap();
    let declared = model::missed::MissedSlots::one(Arc::clone(&order), Reason::NoOwner, begin, begin);
    let interrupted =
        model::missed::MissedSlots { reason: Reason::Interrupted, maybe_sent: true, ..declared.clone() };
    let late = interrupted.events().next().unwrap();
    desk.write(vec![crate::Record::Missed(declared), crate::Record::Late(Arc::new(late))]);
    let account = desk.store.account(begin, begin.plus(Duration::from_secs(5)), &expected).unwrap();
    let stream = &account.streams[0];
    assert_eq!((account.violations, stream.missed, stream.upgraded), (0, 1, 1));
}
