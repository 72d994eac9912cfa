//! Events that take the place of held ones, in files of today and in those of a version that held nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::outcome::{Mark, Reason};
use model::slot::Cadence;
use model::time::Timestamp;

use super::sample::{Desk, at, event, expected, origin};
use crate::Record;

const BEGIN: &str = "2026-03-01T12:00:00Z";

fn slot(number: u64) -> Timestamp {
    at(BEGIN).plus(Duration::from_secs(10 * number))
}

fn open(dir: &Path) -> Desk {
    let desk = Desk::open(dir, slot(6));
    desk.store.set_plans(&[(origin("shop"), Cadence::Every { interval_ms: 10_000 })], slot(0)).unwrap();
    desk
}

fn settled(number: u64) -> Record {
    let mut event = event(&origin("shop"), slot(number), Reason::Failed);
    Arc::make_mut(&mut event).outcome.marks.push(Mark::Settled);
    Record::Settled(event)
}

/// Good, bad, ineligible, missed, and what is wrong with the account of the first six slots.
fn account(desk: &Desk) -> (u64, u64, u64, u64, u64) {
    let account = desk.store.account(slot(0), slot(6), &expected).unwrap();
    let [one] = &account.streams[..] else { panic!("there is one stream") };
    (one.good, one.bad, one.ineligible, one.missed, account.violations)
}

/// Takes the tables out of every file that an older version did not know.
fn as_before(dir: &Path) {
    for file in std::fs::read_dir(dir.join("events")).unwrap().map(Result::unwrap) {
        if file.path().extension().is_some_and(|end| end == "db") {
            let conn = rusqlite::Connection::open(file.path()).unwrap();
            conn.execute_batch("DROP TABLE settled").unwrap();
        }
    }
}

/// Six slots, of which the second and the fourth are held, each half in a file of its own.
fn held(dir: &Path) -> Desk {
    let mut desk = open(dir);
    for number in 0..6 {
        if number == 3 {
            desk.writer.begin_part().unwrap();
        }
        let reason = if number % 2 == 1 { Reason::Correlated } else { Reason::Ok };
        desk.event(&origin("shop"), slot(number), reason);
    }
    desk
}

#[test]
fn a_store_of_a_version_that_held_nothing_is_read_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    drop(held(dir.path()).end());
    as_before(dir.path());
    let mut desk = open(dir.path());
    assert_eq!(account(&desk), (3, 0, 3, 0, 0));
    // One of an older file, whose held event stays where it is, and one of the file that is written.
    desk.write(vec![settled(1), settled(3)]);
    assert_eq!(account(&desk), (3, 2, 1, 0, 0));
    drop(desk.end());
    let desk = open(dir.path());
    assert_eq!(account(&desk), (3, 2, 1, 0, 0));
}

#[test]
fn only_what_is_held_gives_way_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = held(dir.path());
    // Good slots, and one that has no event yet, stay as they are.
    desk.write(vec![settled(0), settled(4), settled(7)]);
    assert_eq!(account(&desk), (3, 0, 3, 0, 0));
    for _ in 0..2 {
        desk.write(vec![settled(1), settled(1), settled(5)]);
        assert_eq!(account(&desk), (3, 2, 1, 0, 0));
    }
    // What was held and comes once more changes nothing either.
    desk.write(vec![Record::Late(event(&origin("shop"), slot(1), Reason::Correlated))]);
    desk.write(vec![Record::Event(event(&origin("shop"), slot(5), Reason::Correlated))]);
    assert_eq!(account(&desk), (3, 2, 1, 0, 0));
    // Whoever follows the sequence sees both.
    assert_eq!(desk.all().len(), 8);
}

#[test]
fn a_file_that_is_begun_in_between_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = held(dir.path());
    desk.write(vec![settled(5)]);
    desk.writer.begin_part().unwrap();
    desk.write(vec![settled(3), settled(5)]);
    desk.writer.begin_part().unwrap();
    desk.write(vec![settled(1), settled(3), settled(5)]);
    assert_eq!(account(&desk), (3, 3, 0, 0, 0));
    drop(desk.end());
    assert_eq!(account(&open(dir.path())), (3, 3, 0, 0, 0));
}
