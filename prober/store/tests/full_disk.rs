//! A disk that is full: a state, not an end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use model::outcome::Reason;

use super::sample::{Desk, all, at, event, origin};
use crate::{DropCause, Health, Record};

const NOON: &str = "2026-03-01T12:00:00Z";

/// SQLite then answers as it does on a full disk, until the connection is opened again.
fn limit_pages(desk: &Desk) {
    desk.writer.part.conn.pragma_update(None, "max_page_count", 1).unwrap();
}

#[test]
fn the_oldest_part_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let shop = origin("shop");
    for day in 1..=3 {
        let noon = at(&format!("2026-03-0{day}T12:00:00Z"));
        desk.clock.set(noon);
        desk.event(&shop, noon, Reason::Ok);
    }
    limit_pages(&desk);
    let noon = at("2026-03-03T12:00:00Z");
    let records: Vec<_> = (1..200)
        .map(|second| Record::Event(event(&shop, noon.plus(Duration::from_secs(second)), Reason::Ok)))
        .collect();
    // The limit goes with the connection, which is opened again after a failure.
    desk.write(records);
    assert_eq!(desk.store.stats().dropped(DropCause::DiskFull), 1);
    assert_eq!(*desk.store.health().borrow(), Health::Ok);
    assert_eq!(desk.all().len(), 2 + 199);
}

#[test]
fn without_an_old_part_records_wait_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    desk.writer.retry = Duration::from_millis(20);
    let pages_max = Arc::clone(&desk.writer.part.pages_max);
    pages_max.store(1, Ordering::SeqCst);
    let Desk { store, queue, writer, .. } = desk;
    let health = store.health();
    let thread = std::thread::spawn(move || writer.run());
    let shop = origin("shop");
    for second in 0..300 {
        let scheduled = at(NOON).plus(Duration::from_secs(second));
        queue.blocking_send(Record::Event(event(&shop, scheduled, Reason::Ok))).unwrap();
    }
    let deadline = Instant::now() + Duration::from_mins(2);
    while *health.borrow() == Health::Ok {
        assert!(Instant::now() < deadline, "the trouble must be announced");
        std::thread::sleep(Duration::from_millis(5));
    }
    let Health::Failing { error, .. } = health.borrow().clone() else { panic!("just seen") };
    assert!(error.contains("full"), "{error}");
    assert_eq!(*store.durable().borrow(), 0);
    assert!(store.stats().queue() > 0, "what waits is told");
    // Space is back: no restart.
    pages_max.store(1 << 30, Ordering::SeqCst);
    drop(queue);
    let end = thread.join().unwrap();
    assert!(end.error.is_none() && end.lost_records == 0, "{end:?}");
    assert_eq!(*health.borrow(), Health::Ok);
    assert_eq!(all(&store, 100).len(), 300);
}

#[test]
fn at_the_end_a_full_disk_is_not_waited_for_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk::open(dir.path(), at(NOON));
    desk.writer.part.pages_max.store(1, Ordering::SeqCst);
    let Desk { store, queue, writer, .. } = desk;
    let shop = origin("shop");
    for second in 0..150 {
        let scheduled = at(NOON).plus(Duration::from_secs(second));
        queue.try_send(Record::Event(event(&shop, scheduled, Reason::Ok))).unwrap();
    }
    drop(queue);
    let end = writer.run();
    assert_eq!(end.lost_records, 150);
    assert!(end.error.is_some());
    assert_eq!(all(&store, 100).len(), 0);
}
