//! A process that is killed while it writes: what it was told is durable is there, and each slot counts once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::Reason;
use model::slot::Cadence;
use model::time::{Clock, SystemClock, Timestamp};
use tokio::sync::oneshot;

use super::sample::{event, expected, origin};
use crate::{Config, Opened, Record, Store};

const KILLS: u32 = 12;

fn open(dir: &Path) -> Opened {
    Store::open(Config::new(dir), Arc::new(SystemClock)).unwrap()
}

/// The process to be killed; its working directory is the data directory.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let plans = ["a", "b", "c"].map(|name| (origin(name), Cadence::Every { interval_ms: 5 }));
    let Opened { store, queue, mut writer } = open(Path::new("."));
    let now = SystemClock.now();
    writer.recover(now, &expected).unwrap();
    store.set_plans(&plans, now).unwrap();
    let writing = std::thread::spawn(move || writer.run());
    let (mut from, end) = (now, Instant::now() + Duration::from_mins(2));
    while Instant::now() < end {
        let now = SystemClock.now();
        for (origin, cadence) in &plans {
            for slot in expected(&origin.stream, cadence, from, now) {
                queue.blocking_send(Record::Event(event(origin, slot, Reason::Ok))).unwrap();
            }
        }
        from = now;
        queue.blocking_send(Record::Checkpoint(now)).unwrap();
        let (answer, answered) = oneshot::channel();
        queue.blocking_send(Record::Flush(answer)).unwrap();
        answered.blocking_recv().unwrap();
        std::fs::write("acknowledged.new", store.stats().events().to_string()).unwrap();
        std::fs::rename("acknowledged.new", "acknowledged").unwrap();
    }
    drop(queue);
    writing.join().unwrap();
}

#[test]
fn kills_at_any_instant_lose_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = dir.path().join("acknowledged");
    let mut stored_before = 0;
    let mut began: Option<Timestamp> = None;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::kill::child"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while !acknowledged.exists() {
            assert!(Instant::now() < deadline, "the child must write");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Another instant each time; nothing is waited for.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 7_919));
        child.kill().unwrap();
        child.wait().unwrap();
        let told: u64 = std::fs::read_to_string(&acknowledged).unwrap().parse().unwrap();
        std::fs::remove_file(&acknowledged).unwrap();
        let Opened { store, mut writer, .. } = open(dir.path());
        let stored = *store.durable().borrow();
        assert!(stored >= stored_before + told, "{stored} of {stored_before} and {told}");
        let now = SystemClock.now();
        writer.recover(now, &expected).unwrap();
        let all = super::sample::all(&store, 1_000);
        let from = *began.get_or_insert(all[0].slot.scheduled);
        let account = store.account(from, now, &expected).unwrap();
        assert_eq!(account.violations, 0, "after kill {round}: {account:?}");
        let mut slots: Vec<_> = all.iter().map(|event| *event.slot.id.as_bytes()).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), all.len());
        stored_before = *store.durable().borrow();
    }
}
