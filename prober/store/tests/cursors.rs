//! Each reader keeps its own place.

use std::sync::Arc;
use std::time::Duration;

use model::missed::MissedSlots;
use model::outcome::Reason;

use super::sample::{Desk, all, at, copy, event, origin};
use crate::{Config, Record};

const NOON: &str = "2026-03-01T12:00:00Z";

#[test]
fn a_place_survives_and_what_was_not_advanced_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let shop = origin("shop");
    for second in 0..10 {
        desk.event(&shop, at(NOON).plus(Duration::from_secs(second)), Reason::Ok);
    }
    let mut cursor = desk.store.cursor("files").unwrap();
    assert_eq!(cursor.behind(), 10);
    let batch = cursor.next_batch(4, 1 << 20).unwrap();
    cursor.advance(&batch).unwrap();
    let unsure = cursor.next_batch(4, 1 << 20).unwrap();
    let crashed = tempfile::tempdir().unwrap();
    copy(dir.path(), crashed.path());
    let after = Desk::open(crashed.path(), at(NOON));
    let mut cursor = after.store.cursor("files").unwrap();
    let again = cursor.next_batch(4, 1 << 20).unwrap();
    assert_eq!((again.end, again.lost), (9, 0));
    assert_eq!(again.events, unsure.events);
    assert_eq!(cursor.behind(), 6);
    assert_eq!(after.store.cursor_at_end().behind(), 0);
}

#[test]
fn batches_from_memory_and_from_the_files_are_the_same() {
    for recent_events in [0, 3, 1_000] {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = Desk::with(Config { recent_events, ..Config::new(dir.path()) }, at(NOON));
        let shop = origin("shop");
        let mut slots = Vec::new();
        for round in 0..6_u64 {
            let first = at(NOON).plus(Duration::from_secs(round * 1_000));
            let count = [1, 3, 200, 1, 64, 65][usize::try_from(round).unwrap()];
            let run = MissedSlots {
                origin: Arc::clone(&shop),
                reason: Reason::Overload,
                first,
                step_ms: 1_000,
                count,
                recorded: first,
                maybe_sent: false,
            };
            slots.extend((0..count).map(|index| run.slot(index)));
            let scheduled = first.plus(Duration::from_secs(500));
            slots.push(shop.stream.slot(scheduled));
            desk.write(vec![Record::Missed(run), Record::Event(event(&shop, scheduled, Reason::Ok))]);
        }
        for events_max in [1, 2, 50, 10_000] {
            let read: Vec<_> = all(&desk.store, events_max).iter().map(|event| event.slot).collect();
            assert_eq!(read, slots, "{recent_events} in memory, batches of {events_max}");
        }
    }
}

#[test]
fn a_batch_is_bounded_in_bytes_but_never_stuck() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::with(Config { recent_events: 0, ..Config::new(dir.path()) }, at(NOON));
    let shop = origin("shop");
    for second in 0..5 {
        desk.event(&shop, at(NOON).plus(Duration::from_secs(second)), Reason::Ok);
    }
    let mut cursor = desk.store.cursor("small").unwrap();
    let sizes = [1, 1_500].map(|bytes_max| cursor.next_batch(10, bytes_max).unwrap().events.len());
    assert_eq!(sizes[0], 1);
    assert!((2..5).contains(&sizes[1]), "{sizes:?}");
    cursor.advance(&cursor_batch(&mut desk, 2)).unwrap();
    assert_eq!(cursor.behind(), 3);
}

fn cursor_batch(desk: &mut Desk, events: usize) -> crate::Batch {
    desk.store.cursor("other").unwrap().next_batch(events, 1 << 20).unwrap()
}

#[test]
fn an_event_that_cannot_be_read_is_skipped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::with(Config { recent_events: 0, ..Config::new(dir.path()) }, at(NOON));
    let shop = origin("shop");
    for second in 0..6 {
        desk.event(&shop, at(NOON).plus(Duration::from_secs(second)), Reason::Ok);
    }
    let sql = r#"UPDATE bodies SET body = '{"schema":"prober.run/9"}' WHERE seq IN (2, 3, 4)"#;
    desk.writer.part.conn.execute(sql, []).unwrap();
    let mut cursor = desk.store.cursor("files").unwrap();
    let (mut read, mut unreadable) = (0, 0);
    while cursor.behind() > 0 {
        let batch = cursor.next_batch(1, 1 << 20).unwrap();
        read += batch.events.len();
        unreadable += batch.unreadable;
        cursor.advance(&batch).unwrap();
    }
    assert_eq!((read, unreadable), (3, 3));
    assert_eq!(desk.store.stats().unreadable(), 3);
}

#[test]
fn readers_beside_a_writer_that_drops_parts_see_every_number_or_its_loss() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { bytes_max: 8 << 20, recent_events: 50, ..Config::new(dir.path()) };
    let Desk { store, queue, writer, .. } = Desk::with(config, at(NOON));
    let total = 20_000_u64;
    let shop = origin("shop");
    let writing = std::thread::spawn(move || writer.run());
    let sending = std::thread::spawn(move || {
        for second in 0..total {
            let mut event = event(&shop, at(NOON).plus(Duration::from_secs(second)), Reason::Ok);
            Arc::make_mut(&mut event).outcome.failure =
                Some(model::outcome::Failure::new(model::outcome::FailureClass::Dns, "x", "y".repeat(500)));
            queue.blocking_send(Record::Event(event)).unwrap();
        }
    });
    let asking = {
        let store = store.clone();
        std::thread::spawn(move || {
            let mut reader = store.reader();
            let filter =
                crate::EventFilter { limit: 20, newest_first: true, ..crate::EventFilter::default() };
            let deadline = std::time::Instant::now() + Duration::from_mins(2);
            while *store.durable().borrow() < total {
                assert!(std::time::Instant::now() < deadline, "the writer must come to its end");
                let found = reader.query(&filter).unwrap();
                assert!(found.is_sorted_by(|newer, older| newer.seq > older.seq));
                reader.last_events(&[model::slot::Stream::new("shop", "eu")], 5).unwrap();
            }
        })
    };
    // In steps of a size that falls behind the memory and sometimes behind the parts.
    let mut cursor = store.cursor("beside").unwrap();
    let (mut read, mut lost, mut next) = (0, 0, 1);
    let deadline = std::time::Instant::now() + Duration::from_mins(2);
    while next <= total {
        assert!(std::time::Instant::now() < deadline, "the reader must come to the end");
        let batch = cursor.next_batch(97, 1 << 20).unwrap();
        assert_eq!(batch.end, next + batch.lost + batch.events.len() as u64);
        let first = (i64::try_from(next + batch.lost).unwrap() - 1) * 1_000 + at(NOON).as_millis();
        if let Some(event) = batch.events.first() {
            assert_eq!(event.slot.scheduled.as_millis(), first, "number and slot belong together");
        }
        (read, lost, next) = (read + batch.events.len() as u64, lost + batch.lost, batch.end);
        cursor.advance(&batch).unwrap();
    }
    assert_eq!(read + lost, total);
    sending.join().unwrap();
    asking.join().unwrap();
    let end = writing.join().unwrap();
    assert!(end.error.is_none() && end.lost_records == 0, "{end:?}");
    assert!(store.stats().dropped(crate::DropCause::Bytes) > 0);
}
