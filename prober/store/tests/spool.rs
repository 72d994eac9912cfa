//! A store whose reader has to get everything: no event goes without a word.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::event::{Origin, SliEvent};
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::time::Timestamp;

use super::sample::{Desk, at, event, origin};
use crate::{Config, Cursor, DropCause, Health, Record};

const NOON: &str = "2026-03-01T12:00:00Z";
const READER: &str = "fleet";

fn desk(dir: &Path) -> Desk {
    let mut config = Config::new(dir);
    (config.bytes_max, config.held_by) = (8 << 20, Some(READER.to_owned()));
    Desk::with(config, at(NOON))
}

fn slot(number: u64) -> Timestamp {
    at(NOON).plus(Duration::from_secs(number))
}

/// Writes the slots as events, a hundred of each scenario in a group.
fn write(desk: &mut Desk, origins: &[Arc<Origin>], slots: std::ops::Range<u64>) {
    for first in slots.clone().step_by(100) {
        let end = (first + 100).min(slots.end);
        let of = |origin: &Arc<Origin>| {
            (first..end)
                .map(|number| Record::Event(event(origin, slot(number), Reason::Ok)))
                .collect::<Vec<_>>()
        };
        desk.write(origins.iter().flat_map(of).collect());
        desk.writer.retain();
    }
}

fn rest(cursor: &mut Cursor) -> Vec<Arc<SliEvent>> {
    let mut events = Vec::new();
    loop {
        let batch = cursor.next_batch(500, 1 << 20).unwrap();
        cursor.advance(&batch).unwrap();
        if batch.events.is_empty() && cursor.behind() == 0 {
            return events;
        }
        events.extend(batch.events);
    }
}

/// How often each reason stands for a slot; no slot of these scenarios may be missing or stand there twice.
fn reasons(events: &[Arc<SliEvent>], origins: &[Arc<Origin>], slots: u64) -> BTreeMap<Reason, u64> {
    let mut seen = BTreeMap::new();
    let mut reasons = BTreeMap::new();
    for event in events {
        *seen.entry((event.origin.stream.scenario.clone(), event.slot.scheduled)).or_insert(0) += 1;
        *reasons.entry(event.outcome.reason).or_insert(0) += 1;
    }
    for origin in origins {
        for number in 0..slots {
            let times = seen.remove(&(origin.stream.scenario.clone(), slot(number)));
            assert_eq!(times, Some(1), "{} {}", origin.stream, slot(number));
        }
    }
    assert!(seen.is_empty(), "{seen:?}");
    reasons
}

#[test]
fn what_the_reader_has_not_had_leaves_missed_slots() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = desk(dir.path());
    let origins = [origin("shop"), origin("cart")];
    let mut reader = desk.store.cursor(READER).unwrap();
    // What was missed already keeps its reason.
    let run = MissedSlots {
        step_ms: 1_000,
        count: 10,
        ..MissedSlots::one(Arc::clone(&origins[0]), Reason::Late, slot(0), slot(10))
    };
    let other = MissedSlots { origin: Arc::clone(&origins[1]), ..run.clone() };
    desk.write(vec![Record::Missed(run), Record::Missed(other)]);
    let slots = 12_000;
    write(&mut desk, &origins, 10..slots);
    assert!(desk.store.stats().bytes() <= 9 << 20, "{}", desk.store.stats().bytes());
    let given_up = desk.store.stats().given_up();
    assert!(given_up > 1_000 && desk.store.stats().dropped(DropCause::Bytes) >= given_up, "{given_up}");
    let found = reasons(&rest(&mut reader), &origins, slots);
    assert_eq!(found[&Reason::Late], 20);
    assert_eq!(found[&Reason::Spool], given_up);
    assert_eq!(found.values().sum::<u64>(), 2 * slots);
    // Once it has had them, parts go as ever.
    let before = desk.store.stats().given_up();
    for first in (slots..2 * slots).step_by(1_000) {
        write(&mut desk, &origins, first..first + 1_000);
        rest(&mut reader);
    }
    assert_eq!(desk.store.stats().given_up(), before);
}

#[test]
fn what_is_left_behind_is_left_once_also_after_a_crash_in_between() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = desk(dir.path());
    let origins = [origin("shop")];
    let mut reader = desk.store.cursor(READER).unwrap();
    write(&mut desk, &origins, 0..3_000);
    let parts = desk.store.shared.part_list();
    assert!(parts.len() > 2, "{parts:?}");
    // As if the bound were reached now, and the process killed before the part was gone.
    for _ in 0..2 {
        let left = desk.writer.left_of_oldest().unwrap().unwrap();
        if !desk.writer.is_noted(&left).unwrap() {
            desk.writer.leave(left);
            desk.writer.commit().unwrap();
        }
    }
    assert!(desk.store.shared.drop_oldest(DropCause::Bytes));
    let found = reasons(&rest(&mut reader), &origins, 3_000);
    assert!(found[&Reason::Spool] > 100, "{found:?}");
}

#[test]
fn a_full_disk_with_a_single_part_makes_room_and_says_what_went() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = desk(dir.path());
    let origins = [origin("shop")];
    let mut reader = desk.store.cursor(READER).unwrap();
    write(&mut desk, &origins, 0..300);
    assert_eq!(desk.store.shared.part_list().len(), 1);
    assert!(dir.path().join("reserve").exists());
    // The part can take no more, and the next one takes a little.
    desk.writer.part.pages_max.store(1, Ordering::SeqCst);
    write(&mut desk, &origins, 300..600);
    assert_eq!(*desk.store.health().borrow(), Health::Ok);
    desk.writer.part.pages_max.store(1, Ordering::SeqCst);
    write(&mut desk, &origins, 600..900);
    assert_eq!(*desk.store.health().borrow(), Health::Ok);
    assert!(dir.path().join("reserve").exists(), "the reserve is there again");
    let found = reasons(&rest(&mut reader), &origins, 900);
    assert!(found[&Reason::Spool] >= 300, "{found:?}");
    assert_eq!(desk.store.stats().dropped(DropCause::DiskFull), 300);
    // The events of after are whole again, without a restart.
    assert!(found[&Reason::Ok] >= 300, "{found:?}");
}
