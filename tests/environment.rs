//! What the machine lacks: one clear sentence, exit code 3, and nothing overwritten.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Api, Project, Ran};

/// How long the store may take to notice what became of its disk.
const WITHIN: Duration = Duration::from_mins(3);

/// A project whose only scenario is not due for a long time.
fn idle() -> Project {
    Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())])
}

/// Refused for the environment's sake, in words that hold all of `words` and no more than a few lines.
fn assert_refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "{word:?} is not in: {}", ran.err);
    }
    let lines: Vec<_> = ran.err.lines().collect();
    assert!(lines.len() <= words.len().max(1), "more than needed: {}", ran.err);
    assert!(
        !ran.err.contains("panicked") && !ran.err.contains("Error {") && !ran.err.contains("Os {"),
        "{}",
        ran.err
    );
}

#[test]
fn every_missing_secret_is_named_at_once() {
    let project = Project::with(
        "secrets: { one: { env: NOT_THERE }, two: { file: keys/two }, three: { env: EMPTY }, unused: { env: NOBODY } }\n",
        &[("keyed", "http: { url: http://127.0.0.1:9/, headers: { A: \"${secrets.one}\", B: \"${secrets.two}\", C: \"${secrets.three}\" } }".to_owned())],
    );
    let words = ["`one`", "NOT_THERE", "`two`", "`three`"];
    assert_refused(&project.refused(&[]), &words);
    assert_refused(&project.prober(&["run"]), &words);
    assert!(!project.path("prober-data").exists(), "nothing is made before everything is there");
    // Looking for mistakes needs no secrets, and what is not used is not asked for.
    assert_eq!(project.prober(&["validate"]).code, Some(0));
    assert!(!project.prober(&["run"]).err.contains("NOBODY"));
}

#[test]
fn a_chosen_scenario_needs_its_own_secrets_only() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let project = Project::with(
        "secrets: { one: { env: NOT_THERE } }\n",
        &[
            ("open", format!("labels: {{ tier: \"1\" }}\nhttp: {}", server.url("/"))),
            ("keyed", "http: { url: http://127.0.0.1:9/, headers: { A: \"${secrets.one}\" } }".to_owned()),
        ],
    );
    for args in [&["run", "open"][..], &["run", "--label", "tier=1"]] {
        let ran = project.prober(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
    }
    // A name that does not exist is the mistake, not the secret of another scenario.
    let ran = project.prober(&["run", "opne"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("did you mean `open`?"), "{}", ran.err);
    assert_refused(&project.prober(&["run", "keyed"]), &["`one`", "NOT_THERE"]);
    assert_refused(&project.prober(&["run"]), &["`one`", "NOT_THERE"]);
}

#[test]
fn unknown_regions_and_taken_ports() {
    let project = Project::with(
        "regions: { eu: {}, us: {} }\n",
        &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())],
    );
    for args in [&["serve", "--listen", "127.0.0.1:0", "--region", "ap"][..], &["run", "--region", "ap"]] {
        assert_refused(&project.prober(args), &["`ap`", "`us`"]);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = project.prober(&["serve", "--listen", &address]);
    assert_refused(&ran, &["in use"]);
    assert!(ran.err.contains("--listen"), "it says what to do: {}", ran.err);
    // As other tools write it.
    let ran = project.prober(&["serve", "--listen", ":9100"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("write an address and a port, such as 127.0.0.1:9100"), "{}", ran.err);
    assert_refused(
        &project.prober(&["serve", "--listen", "0.0.0.0:0"]),
        &["--tls-cert", "--behind-proxy", "choose 127.0.0.1"],
    );
    assert!(!project.path("prober-data").exists());
}

#[test]
fn data_folders_that_cannot_be_used() {
    let project = idle();
    project.write("file", "precious");
    assert_refused(&project.refused(&["--data", "file"]), &["file"]);
    assert_refused(&project.refused(&["--data", "file/below"]), &["file"]);
    assert_eq!(fs::read_to_string(project.path("file")).unwrap(), "precious");
    // A file system that cannot be written to; root may write anywhere else.
    assert_refused(&project.refused(&["--data", "/proc/prober-data"]), &["/proc/prober-data"]);
    fs::create_dir(project.path("sealed")).unwrap();
    fs::set_permissions(project.path("sealed"), fs::Permissions::from_mode(0o555)).unwrap();
    if File::create(project.path("sealed/probe")).is_err() {
        assert_refused(&project.refused(&["--data", "sealed"]), &["sealed"]);
    }
    let serving = project.serve();
    assert_refused(&project.refused(&[]), &["prober-data"]);
    assert!(
        serving.api().try_get("/readyz").is_some_and(|answer| answer.status == 200),
        "the first one goes on"
    );
    // Readers are no second writer.
    assert_eq!(project.prober(&["events"]).code, Some(0));
    assert_refused(&idle().prober(&["events"]), &["prober-data"]);
}

/// A store with events in it, of a prober that stopped in order.
fn filled() -> Project {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project =
        Project::with("", &[("shop", format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/")))]);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 2);
    assert_eq!(serving.stop().0, Some(0));
    project
}

/// Every file of the data folder with its bytes; the lock may be taken and left.
fn contents(project: &Project) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["prober-data", "prober-data/events"] {
        for entry in fs::read_dir(project.path(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // SQLite's shared memory is made by whoever looks, and holds no data.
            if path.is_file() && name != "lock" && !name.ends_with("-shm") {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found.retain(|path, bytes| !(bytes.is_empty() && path.to_string_lossy().ends_with("-wal")));
    found
}

fn part(project: &Project) -> PathBuf {
    let entries =
        fs::read_dir(project.path("prober-data/events")).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).unwrap()
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn damaged_stores_are_refused_and_left_as_they_are() {
    type Damage = fn(&Path);
    let filled = filled();
    let damages: [(&str, Damage); 7] = [
        ("a header of something else", |path| overwrite(path, 0, b"not a database, but 32 bytes...!")),
        ("text", |path| fs::write(path, "hello\n".repeat(1_000)).unwrap()),
        ("cut in the middle of a page", |path| {
            File::options().write(true).open(path).unwrap().set_len(12_345).unwrap();
        }),
        ("a page of noise", |path| overwrite(path, 8_192, &[0xa5; 8_192])),
        ("another program's database", |path| overwrite(path, 68, &[0, 0, 0, 1])),
        ("no format number", |path| overwrite(path, 60, &[0, 0, 0, 0])),
        ("a newer format", |path| overwrite(path, 60, &[0, 0, 0, 9])),
    ];
    for target in ["part", "meta"] {
        for (what, damage) in damages {
            let project = idle();
            copy(&filled.path("prober-data"), &project.path("prober-data"));
            let path = if target == "meta" { project.path("prober-data/meta.db") } else { part(&project) };
            damage(&path);
            let before = contents(&project);
            let ran = project.refused(&[]);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert_refused(&ran, &[&name]);
            if what == "a newer format" {
                assert!(ran.err.contains("format 9"), "{}", ran.err);
            }
            assert!(before == contents(&project), "{target} with {what} was written to: {}", ran.err);
        }
    }
    // The one that nobody damaged still opens.
    assert_eq!(filled.prober(&["events"]).code, Some(0));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A small file system in memory, taken away when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        let ran = mount.args(["-t", "tmpfs", "-o", &options, "prober-test"]).arg(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "mounting a small disk needs root, run the tests as root: {said}");
        Self(folder)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the folder goes with the test in any case.
        let _gone = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// What the page says while the store cannot write.
const CANNOT_WRITE: &str = "has not been able to write";

fn writes(api: Api) -> bool {
    api.try_get("/").is_some_and(|answer| !answer.body.contains(CANNOT_WRITE))
}

#[test]
fn a_full_disk_stops_nobody_and_heals() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project =
        Project::with("", &[("shop", format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/")))]);
    let disk = Disk::mount(project.path("disk"), "2m");
    let serving = project.serve_with(&["--data", "disk/data"]);
    let api = serving.api();
    let seen = api.until_events("verdict=good", 2);
    assert!(writes(api));
    let ballast = disk.0.join("ballast");
    fill(&ballast);
    wait::until_blocking("the prober to say so", WITHIN, || !writes(api) && serving.err().contains("full"));
    // It goes on probing, and answers.
    let before = server.requests();
    wait::until_blocking("runs on a full disk", WITHIN, || server.requests() > before + 3);
    assert_eq!(api.events("").last(), seen.last(), "what was stored can be read");
    fs::remove_file(&ballast).unwrap();
    wait::until_blocking("the store to write again", WITHIN, || writes(api));
    let count = api.events("").len();
    api.until_events("", count + 3);
    let account = api.json("/api/v1/account?until=3s");
    assert_eq!(account["violations"], 0, "what was measured on the full disk is not lost: {account:#}");
    assert!(api.events("verdict=missed").is_empty(), "nothing was missed for it");
    // Stopped on a full disk it ends all the same, says what that costs, and the next start puts it on record.
    fill(&ballast);
    wait::until_blocking("the disk to be full again", WITHIN, || !writes(api));
    let (code, err) = serving.stop();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("lost"), "{err}");
    assert_refused(&project.refused(&["--data", "disk/other"]), &["disk/other"]);
    fs::remove_file(&ballast).unwrap();
    let serving = project.serve_with(&["--data", "disk/data"]);
    let api = serving.api();
    let missed = api.until_events("verdict=missed", 1);
    assert!(missed.iter().all(|event| event["prober.verdict.reason"] != "overload"), "{missed:#?}");
    assert_eq!(api.json("/api/v1/account?until=3s")["violations"], 0);
}

#[test]
fn a_limit_on_the_size_of_files_stops_nobody_and_heals() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project =
        Project::with("", &[("shop", format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/")))]);
    let serving = project.serve();
    let api = serving.api();
    let limit = |bytes: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &serving.pid().to_string(), &format!("--fsize={bytes}:unlimited")]);
        assert!(command.status().unwrap().success());
    };
    api.until_events("verdict=good", 2);
    limit("4096");
    wait::until_blocking("the prober to say so", WITHIN, || !writes(api));
    let before = server.requests();
    wait::until_blocking("runs meanwhile", WITHIN, || server.requests() > before + 2);
    limit("unlimited");
    wait::until_blocking("the store to write again", WITHIN, || writes(api));
    assert_eq!(api.json("/api/v1/account?until=3s")["violations"], 0);
    assert!(api.events("verdict=missed").is_empty(), "nothing was missed for it");
}

/// Fills the file system that `path` is on, to the last byte.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    for size in [65_536, 4_096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
