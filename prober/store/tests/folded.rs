//! Place, state and changes of a reader that decides something: all of it or nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::Reason;
use model::time::SystemClock;

use super::sample::{Desk, at, copy, origin};
use crate::{Config, Cursor, NewDelivery, Store};

const NOON: &str = "2026-03-01T12:00:00Z";
const NAME: &str = "slo";

fn row(number: u64) -> NewDelivery {
    NewDelivery {
        route: "oncall".to_owned(),
        key: format!("alert/{number}"),
        alert: "alert".to_owned(),
        firing: number.is_multiple_of(2),
        urgent: true,
        state: "{}".to_owned(),
    }
}

fn filled(dir: &Path, events: u64) {
    let mut desk = Desk::open(dir, at(NOON));
    let shop = origin("shop");
    for second in 0..events {
        desk.event(&shop, at(NOON).plus(Duration::from_secs(second)), Reason::Ok);
    }
}

/// Takes in one batch: the state is how many events there were, and each is a change.
fn turn(cursor: &mut Cursor, count: &mut u64) -> bool {
    let batch = cursor.next_batch(7, 1 << 20).unwrap();
    if batch.events.is_empty() {
        return false;
    }
    cursor.pass(&batch);
    let rows: Vec<_> = (0..batch.events.len() as u64).map(|index| row(*count + index)).collect();
    *count += batch.events.len() as u64;
    cursor.commit(&count.to_le_bytes(), &rows, at(NOON)).unwrap();
    true
}

fn state(store: &Store) -> u64 {
    store.folded(NAME).unwrap().map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn what_was_not_committed_comes_again_with_the_state_that_belongs_to_it() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 20);
    let store = Store::open(Config::new(dir.path()), Arc::new(SystemClock)).unwrap().store;
    assert_eq!(store.folded(NAME).unwrap(), None);
    let mut cursor = store.cursor(NAME).unwrap();
    let mut woken = store.queued();
    let mut count = 0;
    assert!(turn(&mut cursor, &mut count));
    assert_eq!((state(&store), cursor.behind(), *woken.borrow_and_update()), (7, 13, 7));
    // Passed and not committed: a crash begins before it.
    let batch = cursor.next_batch(7, 1 << 20).unwrap();
    cursor.pass(&batch);
    assert_eq!(cursor.behind(), 6);
    let crashed = tempfile::tempdir().unwrap();
    copy(dir.path(), crashed.path());
    let after = Store::open(Config::new(crashed.path()), Arc::new(SystemClock)).unwrap().store;
    let mut again = after.cursor(NAME).unwrap();
    assert_eq!((state(&after), again.behind()), (7, 13));
    assert_eq!(again.next_batch(7, 1 << 20).unwrap().events, batch.events);
    // The same changes once more are no new ones.
    let rows: Vec<_> = (0..7).map(row).collect();
    let queued = again.commit(&7_u64.to_le_bytes(), &rows, at(NOON)).unwrap();
    assert_eq!((queued.added, queued.known), (0, 7));
}

/// The process to be killed; its working directory is the data directory.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let store = Store::open(Config::new("."), Arc::new(SystemClock)).unwrap().store;
    let mut cursor = store.cursor(NAME).unwrap();
    let mut count = state(&store);
    let end = Instant::now() + Duration::from_mins(2);
    while Instant::now() < end && turn(&mut cursor, &mut count) {
        std::fs::write("told", count.to_string()).unwrap();
    }
}

#[test]
fn a_kill_neither_loses_nor_doubles_a_change() {
    const EVENTS: u64 = 1_500;
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), EVENTS);
    let told = dir.path().join("told");
    let mut seen = 0;
    for round in 0..6_u64 {
        let _absent = std::fs::remove_file(&told);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::folded::child"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while !told.exists() && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the child must write");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Another instant each time; nothing is waited for.
        std::thread::sleep(Duration::from_micros(round * 1_733));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(Config::new(dir.path()), Arc::new(SystemClock)).unwrap().store;
        let (count, behind) = (state(&store), store.cursor(NAME).unwrap().behind());
        assert_eq!(count + behind, EVENTS, "state and place belong together");
        assert!(count >= seen, "nothing that was committed is taken back");
        let mut rows: Vec<_> =
            store.deliveries(10_000).unwrap().into_iter().map(|row| row.delivery.key).collect();
        assert_eq!(rows.len() as u64, count, "each event is one change");
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len() as u64, count);
        seen = count;
    }
    assert!(seen > 0);
}
