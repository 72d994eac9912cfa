use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use model::event::SliEvent;
use model::outcome::Reason;
use model::time::{Clock, Timestamp};

use super::files::Files;
use super::*;
use crate::Delivery;
use crate::sample::{event, origin, start};

struct TestClock(Mutex<Timestamp>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> std::time::Instant {
        std::time::Instant::now()
    }
}

struct Desk {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
}

impl Desk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(TestClock(Mutex::new(start()))) }
    }

    fn exporter(&self, more: &[(&str, &str)]) -> Box<dyn Exporter> {
        let directory = [("directory", self.dir.path().to_str().unwrap())];
        let settings = KIND.compile(directory.into_iter().chain(more.iter().copied())).unwrap();
        (KIND.build)(&settings, &self.surroundings()).unwrap()
    }

    fn surroundings(&self) -> Surroundings {
        crate::sample::surroundings(Arc::clone(&self.clock) as Arc<dyn Clock>, &[]).1
    }

    fn pass(&self, time: Duration) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.plus(time);
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    fn names(&self) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        self.files().into_iter().map(name).collect()
    }

    fn events(&self) -> Vec<SliEvent> {
        let read = |path: PathBuf| {
            lines(&path).unwrap().map(|line| SliEvent::from_json(&line.unwrap()).unwrap()).collect::<Vec<_>>()
        };
        self.files().into_iter().flat_map(read).collect()
    }
}

fn batch(seconds: std::ops::Range<u64>) -> Vec<Arc<SliEvent>> {
    let shop = origin("shop\n\"é");
    seconds.map(|second| Arc::new(event(&shop, second, Reason::Failed))).collect()
}

#[tokio::test]
async fn lines_are_whole_events_and_files_close_by_age_and_size() {
    let desk = Desk::new();
    let mut exporter = desk.exporter(&[("rotate_bytes", "4KiB")]);
    assert_eq!(exporter.deliver(&batch(0..1)).await, Delivery::Done);
    assert_eq!(desk.names(), ["events-20260301T120000Z-0000.ndjson.part"]);
    desk.pass(Duration::from_hours(1));
    exporter.idle().await;
    assert_eq!(desk.names(), ["events-20260301T120000Z-0000.ndjson"]);
    assert_eq!(exporter.deliver(&batch(1..11)).await, Delivery::Done);
    assert_eq!(exporter.deliver(&batch(11..12)).await, Delivery::Done);
    exporter.close().await;
    assert_eq!(
        desk.names(),
        [
            "events-20260301T120000Z-0000.ndjson",
            "events-20260301T130000Z-0000.ndjson",
            "events-20260301T130000Z-0001.ndjson"
        ]
    );
    let expected: Vec<_> = batch(0..12).iter().map(|event| (**event).clone()).collect();
    assert_eq!(desk.events(), expected);
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_place() {
    let desk = Desk::new();
    let mut exporter = desk.exporter(&[]);
    assert_eq!(exporter.deliver(&batch(0..3)).await, Delivery::Done);
    drop(exporter);
    let part = desk.files().remove(0);
    let whole = fs::read(&part).unwrap();
    let ends: Vec<_> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for length in (0..=whole.len()).step_by(13).chain(ends.iter().copied()) {
        for path in desk.files() {
            fs::remove_file(path).unwrap();
        }
        fs::write(&part, &whole[..length]).unwrap();
        let expected = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(desk.events().len(), expected, "a reader sees whole lines only, at {length}");
        let mut exporter = desk.exporter(&[]);
        // Until its first use the one before it may still be there.
        assert_eq!(fs::read(&part).unwrap().len(), length);
        exporter.idle().await;
        assert!(desk.names().iter().all(|name| !name.contains("part")));
        assert_eq!(exporter.deliver(&batch(3..4)).await, Delivery::Done);
        exporter.close().await;
        assert_eq!(desk.events().len(), expected + 1, "at {length}");
    }
}

#[tokio::test]
async fn the_oldest_files_go() {
    let desk = Desk::new();
    fs::write(desk.dir.path().join("mine.ndjson"), "kept").unwrap();
    let mut exporter = desk.exporter(&[("keep_files", "3"), ("rotate_after", "10m")]);
    for index in 0..6 {
        assert_eq!(exporter.deliver(&batch(index..index + 1)).await, Delivery::Done);
        desk.pass(Duration::from_mins(10));
    }
    exporter.close().await;
    let names = desk.names();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.contains(&"mine.ndjson".to_owned()) && names[0] == "events-20260301T123000Z-0000.ndjson");
    let mut exporter = desk.exporter(&[("keep_bytes", "1B")]);
    assert_eq!(exporter.deliver(&batch(9..10)).await, Delivery::Done);
    exporter.close().await;
    assert_eq!(desk.names().len(), 2, "the newest one always stays");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_said_at_once_and_one_that_breaks_is_waited_for() {
    let desk = Desk::new();
    let file = desk.dir.path().join("file");
    fs::write(&file, "").unwrap();
    for bad in [file.to_str().unwrap(), "/proc/prober-ndjson"] {
        let settings = KIND.compile([("directory", bad)]).unwrap();
        let error = (KIND.build)(&settings, &desk.surroundings()).err().expect("refused").to_string();
        assert!(error.contains(bad) && error.contains("`ndjson`"), "{error}");
    }
    let sub = desk.dir.path().join("sub");
    let settings = KIND.compile([("directory", sub.to_str().unwrap())]).unwrap();
    let mut exporter = (KIND.build)(&settings, &desk.surroundings()).unwrap();
    fs::remove_dir(&sub).unwrap();
    assert!(matches!(exporter.deliver(&batch(0..1)).await, Delivery::Retry { .. }));
    fs::create_dir(&sub).unwrap();
    assert_eq!(exporter.deliver(&batch(0..1)).await, Delivery::Done);
}

#[tokio::test]
async fn nothing_is_written_into_a_file_that_was_removed_or_moved() {
    let desk = Desk::new();
    let dir = desk.dir.path().join("sub");
    let settings = KIND.compile([("directory", dir.to_str().unwrap())]).unwrap();
    let mut exporter = (KIND.build)(&settings, &desk.surroundings()).unwrap();
    assert_eq!(exporter.deliver(&batch(0..1)).await, Delivery::Done);
    fs::remove_dir_all(&dir).unwrap();
    for _ in 0..2 {
        let said = exporter.deliver(&batch(1..2)).await;
        assert!(
            matches!(said, Delivery::Retry { .. }),
            "without the folder nothing is acknowledged: {said:?}"
        );
    }
    fs::create_dir(&dir).unwrap();
    assert_eq!(exporter.deliver(&batch(1..2)).await, Delivery::Done);
    let part = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    fs::rename(&part, desk.dir.path().join("taken")).unwrap();
    assert!(matches!(exporter.deliver(&batch(2..3)).await, Delivery::Retry { .. }));
    assert_eq!(exporter.deliver(&batch(2..3)).await, Delivery::Done);
    let kept: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let lines: Vec<_> =
        lines(&kept[0]).unwrap().map(|line| SliEvent::from_json(&line.unwrap()).unwrap()).collect();
    assert_eq!((kept.len(), lines), (1, vec![(*batch(2..3)[0]).clone()]));
}

#[tokio::test]
async fn a_file_that_was_emptied_has_no_hole() {
    let desk = Desk::new();
    let mut exporter = desk.exporter(&[]);
    assert_eq!(exporter.deliver(&batch(0..3)).await, Delivery::Done);
    let part = desk.files().remove(0);
    fs::OpenOptions::new().write(true).open(&part).unwrap().set_len(0).unwrap();
    assert_eq!(exporter.deliver(&batch(3..5)).await, Delivery::Done);
    exporter.close().await;
    let expected: Vec<_> = batch(3..5).iter().map(|event| (**event).clone()).collect();
    assert_eq!(desk.events(), expected);
}

#[test]
fn half_a_line_of_a_failed_write_is_cut_off() {
    // A device that is always full answers as a full disk does.
    let desk = Desk::new();
    let rotation =
        Rotation { bytes: 1 << 20, after: Duration::from_hours(1), keep_files: 9, keep_bytes: 1 << 30 };
    let mut files =
        Files::open(desk.dir.path(), rotation, Arc::clone(&desk.clock) as Arc<dyn Clock>).unwrap();
    files.append(b"one\n").unwrap();
    let real = files.swap_file(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    assert_eq!(files.append(b"lost\n").unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    drop(real);
    files.append(b"two\n").unwrap();
    files.close().unwrap();
    let text: String = desk.files().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(text.replace("one\n", ""), "two\n");
}
