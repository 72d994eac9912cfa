//! Files that cannot be used: refused by name, and never changed.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::outcome::Reason;
use model::time::{Clock, SystemClock};

use super::sample::{Desk, all, at, copy, expected, origin};
use crate::{Config, OpenError, Opened, Reader, Store};

const NOON: &str = "2026-03-01T12:00:00Z";

fn open(dir: &Path) -> Result<Opened, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Store::open(Config::new(dir), clock)
}

/// A directory with two parts and a schedule, closed in order.
fn closed_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let shop = origin("shop");
    let cadence = model::slot::Cadence::Every { interval_ms: 60_000 };
    desk.store.set_plans(&[(Arc::clone(&shop), cadence)], at(NOON)).unwrap();
    for (day, minute) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        let now = at(&format!("2026-03-0{day}T12:0{minute}:00Z"));
        desk.clock.set(now);
        desk.event(&shop, now, Reason::Ok);
    }
    drop(desk.end());
    dir
}

fn newest(dir: &Path) -> PathBuf {
    dir.join("events/events-2026-03-02.db")
}

#[test]
fn places_that_are_no_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(open(&file), Err(OpenError::NotADirectory(_))));
    assert!(matches!(open(&file.join("below")), Err(OpenError::NotADirectory(_))));
    assert_eq!(fs::read(&file).unwrap(), b"x");
    // A place where nobody may write, not even root.
    let refused = open(Path::new("/proc/prober-data")).unwrap_err();
    assert!(matches!(refused, OpenError::Io { .. }), "{refused}");
    assert!(Reader::open(&dir.path().join("nothing")).is_err());
}

#[test]
fn one_prober_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let message = open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("in use by another prober (process "), "{message}");
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn newer_formats_and_foreign_files_are_refused() {
    let dir = closed_directory();
    for path in
        [newest(dir.path()), dir.path().join("meta.db"), dir.path().join("events/events-2026-03-01.db")]
    {
        let good = fs::read(&path).unwrap();
        let set = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        set("PRAGMA user_version = 2");
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(&error, OpenError::TooNew { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
        set("PRAGMA user_version = 1; PRAGMA application_id = 7");
        assert!(matches!(open(dir.path()), Err(OpenError::Corrupt { .. })));
        fs::write(&path, &good).unwrap();
        fs::remove_file(&path).unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE x(y)").unwrap();
        assert!(matches!(open(dir.path()), Err(OpenError::Corrupt { .. })));
        fs::write(&path, &good).unwrap();
    }
    open(dir.path()).unwrap();
}

#[test]
fn a_part_that_was_emptied_is_no_part_without_events() {
    let dir = closed_directory();
    for name in ["events-2026-03-02.db", "events-2026-03-03.db"] {
        let part = dir.path().join("events").join(name);
        let was = fs::read(&part).ok();
        fs::write(&part, "").unwrap();
        let refused = open(dir.path()).unwrap_err().to_string();
        let expected = format!("store file {} cannot be used: it is empty; move it away", part.display());
        assert!(refused.starts_with(&expected), "{refused}");
        assert_eq!(fs::read(&part).unwrap(), b"", "{name} is as it was");
        match was {
            Some(bytes) => fs::write(&part, bytes).unwrap(),
            None => fs::remove_file(&part).unwrap(),
        }
    }
    assert_eq!(all(&open(dir.path()).unwrap().store, 10).len(), 4);
}

#[test]
fn unfinished_files_of_a_crash_are_fine() {
    let dir = closed_directory();
    fs::write(dir.path().join("events/events-2026-03-04.db.new"), "half").unwrap();
    fs::write(dir.path().join("meta.db.new-wal"), "half").unwrap();
    fs::write(dir.path().join("events/notes.txt"), "mine").unwrap();
    let opened = open(dir.path()).unwrap();
    assert_eq!(all(&opened.store, 10).len(), 4);
    let names: Vec<_> = fs::read_dir(dir.path().join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(&"notes.txt".to_owned()) && !names.iter().any(|name| name.contains(".new")));
}

/// Opening and reading everything either works or refuses; what was refused is as it was.
fn opens_or_refuses(dir: &Path, damaged: &Path) -> bool {
    let before = fs::read(damaged).unwrap();
    match open(dir) {
        Ok(Opened { store, mut writer, .. }) => {
            let _ = writer.recover(at("2026-03-02T12:05:00Z"), &expected);
            let mut cursor = store.cursor("all").unwrap();
            while cursor.behind() > 0 {
                match cursor.next_batch(3, 1 << 20) {
                    Ok(batch) => cursor.advance(&batch).unwrap(),
                    Err(_) => break,
                }
            }
            let _ = store.account(at(NOON), at("2026-03-02T12:05:00Z"), &expected);
            let _ = store.reader().last_events(&[origin("shop").stream.clone()], 10);
            true
        }
        Err(error) => {
            assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
            assert_eq!(fs::read(damaged).unwrap(), before, "a refused file is not changed");
            false
        }
    }
}

#[test]
fn damage_at_any_place_opens_or_is_refused() {
    let dir = closed_directory();
    for name in ["meta.db", "events/events-2026-03-02.db", "events/events-2026-03-01.db"] {
        let length = fs::metadata(dir.path().join(name)).unwrap().len();
        let (mut opened, mut refused) = (0, 0);
        let mut offset = 0;
        while offset < length {
            for torn in [true, false] {
                let copied = tempfile::tempdir().unwrap();
                copy(dir.path(), copied.path());
                let path = copied.path().join(name);
                let file = OpenOptions::new().write(true).open(&path).unwrap();
                if torn {
                    file.set_len(offset).unwrap();
                } else {
                    file.write_all_at(&[0xa5; 97], offset).unwrap();
                }
                drop(file);
                if opens_or_refuses(copied.path(), &path) {
                    opened += 1;
                } else {
                    refused += 1;
                }
            }
            offset += 1_777;
        }
        assert!(refused > 10, "{name}: {opened} opened, {refused} refused");
    }
}

#[test]
fn a_torn_log_keeps_everything_announced_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at("2026-03-02T11:00:00Z"));
    let shop = origin("shop");
    let start = at("2026-03-02T11:00:00Z");
    let wal = dir.path().join("events/events-2026-03-02.db-wal");
    for second in 0..20 {
        desk.event(&shop, start.plus(Duration::from_secs(second)), Reason::Ok);
    }
    let announced = fs::metadata(&wal).unwrap().len();
    for second in 20..30 {
        desk.event(&shop, start.plus(Duration::from_secs(second)), Reason::Ok);
    }
    let end = fs::metadata(&wal).unwrap().len();
    assert!(end > announced);
    let mut kept = Vec::new();
    for length in (announced..=end).step_by(1_234) {
        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), copied.path());
        let copied_wal = copied.path().join("events/events-2026-03-02.db-wal");
        OpenOptions::new().write(true).open(copied_wal).unwrap().set_len(length).unwrap();
        let after = Desk::open(copied.path(), start);
        kept.push(after.all().len());
    }
    assert!(kept.is_sorted() && kept[0] == 20 && *kept.last().unwrap() >= 28, "{kept:?}");
}

#[test]
fn a_directory_of_format_1_is_read() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1");
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture, dir.path());
    let mut desk = Desk::open(dir.path(), at("2026-03-02T12:10:00Z"));
    let events = desk.all();
    assert_eq!(events.len(), 7);
    assert_eq!(events[1].outcome.reason, Reason::Failed);
    assert_eq!(events[1].outcome.failure.as_ref().unwrap().error_type, "dns.nxdomain");
    assert_eq!(desk.store.cursor("files").unwrap().behind(), 5);
    let recovered = desk.writer.recover(at("2026-03-02T12:10:00Z"), &expected).unwrap();
    assert_eq!((recovered.interrupted, recovered.drained), (2, 3));
    let account =
        desk.store.account(at("2026-03-02T12:00:00Z"), at("2026-03-02T12:10:00Z"), &expected).unwrap();
    assert_eq!(account.violations, 0, "{account:?}");
}

/// Writes the fixture; run by hand when there is a new format, into a new directory.
#[test]
#[ignore = "writes the fixture of the current format"]
fn write_fixture() {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/format-{}", crate::FORMAT));
    assert!(!target.exists(), "a fixture is never written again");
    let dir = tempfile::tempdir().unwrap();
    let noon = at("2026-03-01T23:59:00Z");
    let mut desk = Desk::open(dir.path(), noon);
    let shop = origin("shop");
    let cadence = model::slot::Cadence::Every { interval_ms: 60_000 };
    desk.store.set_plans(&[(Arc::clone(&shop), cadence)], noon).unwrap();
    desk.event(&shop, noon, Reason::Ok);
    let midnight = at("2026-03-02T12:00:00Z");
    desk.clock.set(midnight);
    let mut failed = super::sample::event(&shop, midnight, Reason::Failed);
    let class = model::outcome::FailureClass::Dns;
    Arc::make_mut(&mut failed).outcome.failure =
        Some(model::outcome::Failure::new(class, "dns.nxdomain", "no such name"));
    let run = model::missed::MissedSlots {
        origin: Arc::clone(&shop),
        reason: Reason::Late,
        first: midnight.plus(Duration::from_mins(1)),
        step_ms: 60_000,
        count: 3,
        recorded: midnight,
        maybe_sent: false,
    };
    let mut manual = super::sample::event(&shop, midnight, Reason::Ok);
    Arc::make_mut(&mut manual).trigger = model::event::Trigger::Manual;
    desk.write(vec![
        crate::Record::Event(failed),
        crate::Record::Missed(run),
        crate::Record::Event(manual),
        crate::Record::Checkpoint(midnight),
    ]);
    desk.event(&shop, midnight.plus(Duration::from_mins(4)), Reason::Ok);
    let mut cursor = desk.store.cursor("files").unwrap();
    let batch = cursor.next_batch(2, 1 << 20).unwrap();
    cursor.advance(&batch).unwrap();
    desk.store.mark_clean_stop(midnight.plus(Duration::from_secs(390))).unwrap();
    drop(desk.end());
    copy(dir.path(), &target);
    fs::remove_file(target.join("lock")).unwrap();
}
