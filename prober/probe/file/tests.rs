//! The kind `file` against real files, and against what only looks like one.

use std::path::Path;
use std::time::{Duration, SystemTime};

use model::time::Timestamp;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use scenario::fields::Bound;
use scenario::value::{Reading, Value};

use super::KIND;
use super::file::short;
use crate::trial::{Trial, compile, judge, run, shared, template, told};

/// Short enough for a test; a plain file needs a thousandth of it.
const LIMIT: Duration = Duration::from_secs(30);

async fn look(path: &Path, read: bool) -> Trial {
    let keys = vec![("path", template(path.to_str().unwrap())), ("read", Bound::Bool(read))];
    run(&KIND, keys, &shared(), LIMIT).await
}

fn unreadable(trial: &Trial, subject: &str) -> String {
    match trial.read(subject) {
        Reading::Unreadable(why) => why,
        other => panic!("{subject} is {other:?}"),
    }
}

#[tokio::test]
async fn a_file_shows_its_age_size_and_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.csv");
    std::fs::write(&path, "id;total\n1;2\n").unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_250);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    let trial = look(&path, true).await;
    assert_eq!(trial.value("exists"), Value::Bool(true));
    assert_eq!(trial.value("modified"), Value::Time(Timestamp::from_millis(1_767_225_600_250)));
    assert_eq!(trial.value("size"), Value::Int(13));
    assert_eq!(trial.value("type"), Value::Text("file".into()));
    assert_eq!(trial.value("content"), Value::Text("id;total\n1;2\n".into()));
    assert_eq!(trial.attribute("file.path"), path.to_str().unwrap());
    assert_eq!(trial.outcome.attributes.int("file.size"), Some(13));
    assert_eq!(trial.outcome.hops.len(), 1);
    let trial = look(&path, false).await;
    assert!(unreadable(&trial, "content").contains("`read: true`"));
}

#[tokio::test]
async fn a_file_older_than_the_epoch_has_its_age_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old");
    std::fs::write(&path, "").unwrap();
    let at = SystemTime::UNIX_EPOCH - Duration::from_secs(10);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    assert_eq!(look(&path, false).await.value("modified"), Value::Time(Timestamp::from_seconds(-10)));
}

#[tokio::test]
async fn a_missing_file_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("dangling")).unwrap();
    for path in [folder.path().join("missing"), plain.join("below"), folder.path().join("dangling")] {
        let trial = look(&path, true).await;
        assert_eq!(trial.outcome.failure, None);
        assert_eq!(trial.value("exists"), Value::Bool(false));
        assert_eq!(unreadable(&trial, "modified"), "the file does not exist");
    }
}

#[tokio::test]
async fn what_is_no_plain_file_is_not_read_and_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    for (path, kind) in [
        (pipe.as_path(), "other"),
        (link.as_path(), "other"),
        (Path::new("/dev/zero"), "other"),
        (folder.path(), "directory"),
    ] {
        let trial = look(path, true).await;
        assert_eq!(trial.value("type"), Value::Text(kind.into()));
        assert_eq!(unreadable(&trial, "content"), "it is not a plain file");
        assert!(trial.took < LIMIT, "{path:?} held the run for {:?}", trial.took);
    }
    let environment = look(Path::new("/proc/self/environ"), true).await;
    assert_eq!(unreadable(&environment, "content"), "what the system tells of a process is not read");
}

#[tokio::test]
async fn content_has_a_limit_and_must_be_text() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, shown) in [
        (vec![b'x'; 1024 * 1024], None),
        (vec![b'x'; 1024 * 1024 + 1], Some("the file is longer than the limit of 1 MiB")),
        (b"ok\xff".to_vec(), Some("the content is not UTF-8 from byte 2 on")),
    ] {
        let path = folder.path().join("data");
        std::fs::write(&path, bytes).unwrap();
        let trial = look(&path, true).await;
        match shown {
            Some(why) => assert_eq!(unreadable(&trial, "content"), why),
            None => assert!(matches!(trial.value("content"), Value::Text(text) if text.len() == 1024 * 1024)),
        }
    }
}

#[tokio::test]
async fn a_path_that_no_file_can_have_is_our_fault() {
    let trial = look(Path::new(&"x".repeat(5000)), false).await;
    assert_eq!(trial.failure(), "local local.config");
}

#[tokio::test]
async fn a_deadline_that_has_passed_ends_the_step() {
    let keys = vec![("path", template("/"))];
    let trial = run(&KIND, keys, &shared(), Duration::ZERO).await;
    // The look may be over before the deadline is looked at; it never takes longer.
    trial.ended_in_time();
    if trial.outcome.failure.is_some() {
        assert_eq!(trial.failure(), "timeout timeout");
    }
}

#[tokio::test]
async fn a_scenario_file_says_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.csv");
    std::fs::write(&path, "done\n").unwrap();
    let old = folder.path().join("old.csv");
    std::fs::write(&old, "").unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(at).unwrap();
    let (path, old, missing) = (path.display(), old.display(), folder.path().join("missing"));
    let missing = missing.display();
    for (step, expected) in [
        (format!("file: {path}"), "ok"),
        (format!("file: {path}\nexpect: {{ modified: {{ newer_than: 24h }}, size: {{ gt: 0 }} }}"), "ok"),
        (format!("file: {{ path: {path}, read: true }}\nexpect: {{ content: {{ contains: done }} }}"), "ok"),
        (
            format!("file: {old}\nexpect: {{ modified: {{ newer_than: 24h }} }}"),
            "stale stale stale: modified is",
        ),
        (format!("file: {missing}"), "failed incorrect assert.exists: exists is false, expected true"),
        (format!("file: {missing}\nexpect: {{ exists: false }}"), "ok"),
    ] {
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{step}\n{told}");
    }
}

#[test]
fn mistakes_in_the_file() {
    for (path, mistake) in [
        ("", "E132: this path is empty"),
        ("a\0b", "E132: this path has a NUL character in it"),
        ("file:///etc/passwd", "E132: this path is a URL"),
    ] {
        assert_eq!(compile(&KIND, vec![("path", template(path))]).err().unwrap_or_default(), [mistake]);
    }
    assert_eq!(short("/a b"), [("path", 0..4)]);
}
