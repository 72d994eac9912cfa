//! Files that somebody removes while they are written to.

use std::time::{Duration, Instant};

use model::outcome::Reason;

use super::sample::{Desk, at, event, origin};
use crate::{Health, Record};

const NOON: &str = "2026-03-01T12:00:00Z";

/// What SQLite writes to an unlinked file is gone with the process: no event may count as durable there.
#[test]
fn a_removed_folder_is_told_and_nothing_counts_as_durable() {
    for replaced in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = Desk::open(dir.path(), at(NOON));
        desk.writer.retry = Duration::from_millis(20);
        let shop = origin("shop");
        desk.event(&shop, at(NOON), Reason::Ok);
        let path = desk.writer.part.info.path.clone();
        let Desk { store, queue, writer, .. } = desk;
        assert_eq!(*store.durable().borrow(), 1);
        std::fs::remove_file(&path).unwrap();
        if replaced {
            std::fs::write(&path, "").unwrap();
        }
        let health = store.health();
        let thread = std::thread::spawn(move || writer.run());
        let later = at(NOON).plus(Duration::from_secs(1));
        queue.blocking_send(Record::Event(event(&shop, later, Reason::Ok))).unwrap();
        let deadline = Instant::now() + Duration::from_mins(2);
        while *health.borrow() == Health::Ok {
            assert!(Instant::now() < deadline, "the trouble must be announced");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(queue);
        let end = thread.join().unwrap();
        assert_eq!(*store.durable().borrow(), 1, "{end:?}");
        assert!(end.error.is_some() && end.lost_records == 1, "{end:?}");
    }
}
