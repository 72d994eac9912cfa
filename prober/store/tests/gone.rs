//! Files that somebody removes while they are written to.

use std::path::Path;
use std::time::{Duration, Instant};

use model::outcome::Reason;

use super::sample::{Desk, at, copy, event, origin};
use crate::{Health, Record, WriteError};

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

/// A second later, with nobody left who can send: what the write is told after its last attempt.
fn write_later(desk: &mut Desk, queue: tokio::sync::mpsc::Sender<Record>) -> Result<(), WriteError> {
    drop(queue);
    let later = at(NOON).plus(Duration::from_secs(1));
    desk.writer.write(&mut vec![Record::Event(event(&origin("shop"), later, Reason::Ok))])
}

fn opened(dir: &Path) -> (Desk, tokio::sync::mpsc::Sender<Record>) {
    let mut desk = Desk::open(dir, at(NOON));
    desk.event(&origin("shop"), at(NOON), Reason::Ok);
    let unused = tokio::sync::mpsc::channel(1).0;
    let queue = std::mem::replace(&mut desk.queue, unused);
    (desk, queue)
}

/// The copy may be another prober's by now: two that write to one file make a store that no account fits.
#[test]
fn a_copy_in_the_place_of_the_folder_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (data, aside) = (home.path().join("data"), home.path().join("aside"));
    let (mut first, queue) = opened(&data);
    copy(&data, &home.path().join("copy"));
    std::fs::rename(&data, &aside).unwrap();
    std::fs::rename(home.path().join("copy"), &data).unwrap();
    let second = Desk::open(&data, at(NOON));
    let before = second.all().len();
    let error = write_later(&mut first, queue).unwrap_err();
    assert!(matches!(error, WriteError::Gone(_)), "{error}");
    assert_eq!((second.all().len(), before), (1, 1));

    drop(second);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    first.writer.insist(crate::Writer::commit).unwrap();
    assert_eq!(first.all().len(), 2, "what waited is written once the folder is back");
}

#[test]
fn a_lock_that_was_removed_is_taken_again_unless_another_prober_has_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut first, queue) = opened(home.path());
    let lock = home.path().join("lock");
    std::fs::remove_file(&lock).unwrap();
    write_later(&mut first, queue).unwrap();
    let refused = crate::files::DirectoryLock::take(home.path());
    assert!(matches!(refused, Err(crate::files::LockError::Held(_))), "{refused:?}");

    std::fs::remove_file(&lock).unwrap();
    let _other = crate::files::DirectoryLock::take(home.path()).unwrap();
    let later = at(NOON).plus(Duration::from_secs(2));
    let mut records = vec![Record::Event(event(&origin("shop"), later, Reason::Ok))];
    let error = first.writer.write(&mut records).unwrap_err();
    assert!(matches!(error, WriteError::Lost(_)), "{error}");
    assert_eq!(first.all().len(), 2);
}
