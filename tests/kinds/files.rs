//! `file` and `tcp`.

use std::fs::{self, File};
use std::time::Duration;

use model::time::{Clock as _, SystemClock};
use testkit::hostile::{Fault, Hostile, Unconnectable};

use super::{assert_tiled, hops, phases};
use crate::support::{Project, assert_said, event};

#[test]
fn files_are_fresh_old_or_missing() {
    let project = Project::with("vars: { folder: exports }\n", &[
        ("fresh", "file: ${vars.folder}/new.csv\nexpect: { modified: { newer_than: 1h }, size: { gt: 3 }, type: file }".to_owned()),
        ("stale", "file: ${vars.folder}/old.csv\nexpect: { modified: { newer_than: 1h } }".to_owned()),
        ("small", "file: ${vars.folder}/old.csv\nexpect: { size: { gte: 1kB } }".to_owned()),
        ("missing", "file: ${vars.folder}/none.csv".to_owned()),
        ("absent", "file: ${vars.folder}/none.csv\nexpect: { exists: false }".to_owned()),
        ("content", "file: { path: exports/new.csv, read: true }\nexpect: { content: { contains: complete } }".to_owned()),
        ("folder", "file: exports\nexpect: { type: directory }".to_owned()),
    ]);
    project.write("exports/new.csv", "id,complete\n");
    project.write("exports/old.csv", "id\n");
    let old = File::options().write(true).open(project.path("exports/old.csv")).unwrap();
    old.set_modified(SystemClock.now().minus(Duration::from_hours(5)).jiff().into()).unwrap();
    // A pipe that nobody writes to must not be waited for.
    let (events, _) = project.run();
    let check = |name: &str, wanted: &str| assert_said(&events, name, wanted);
    check("fresh", "good ok");
    check("stale", "bad stale stale");
    let age = event(&events, "stale")["prober.freshness.age"].as_f64().unwrap();
    assert!((18_000.0..18_200.0).contains(&age), "{age}");
    check("small", "bad failed assert.size");
    check("missing", "bad failed");
    check("absent", "good ok");
    check("content", "good ok");
    check("folder", "good ok");
    fs::remove_dir_all(project.path("exports")).unwrap();
}

#[test]
fn tcp_banners_and_their_absence() {
    let banner = Hostile::start(Fault::Raw(b"220 mail.test ready\r\n".to_vec()));
    let (silent, closed) = (Hostile::start(Fault::HalfOpen), Hostile::start(Fault::CloseOnAccept));
    let unconnectable = Unconnectable::start();
    let free = testkit::wait::free_port();
    let project = Project::with(
        "",
        &[
            ("open", format!("tcp: \"{}\"", silent.addr())),
            (
                "asks",
                format!(
                    "tcp: {{ address: \"{}\", send: \"EHLO x\\\\r\\\\n\\\\r\\\\n\", read_until: \"\\\\n\" }}\nexpect: {{ response: {{ starts_with: \"220 \" }} }}",
                    banner.addr()
                ),
            ),
            (
                "wrong",
                format!(
                    "tcp: {{ address: \"{}\", send: \"EHLO x\\\\r\\\\n\\\\r\\\\n\" }}\nexpect: {{ response: {{ starts_with: \"250 \" }} }}",
                    banner.addr()
                ),
            ),
            (
                "silent",
                format!("tcp: {{ address: \"{}\", read_until: \"\\\\n\" }}\ntimeout: 1s", silent.addr()),
            ),
            (
                "closed",
                format!("tcp: {{ address: \"{}\", read_until: \"\\\\n\" }}\ntimeout: 5s", closed.addr()),
            ),
            ("refused", format!("tcp: 127.0.0.1:{free}")),
            ("full", format!("tcp: \"{}\"\ntimeout: 1s", unconnectable.addr())),
        ],
    );
    let (events, _) = project.run();
    let check = |name: &str, wanted: &str| assert_said(&events, name, wanted);
    check("open", "good ok");
    assert_eq!(phases(&hops(event(&events, "open"), 0)[0]), "connect");
    check("asks", "good ok");
    check("wrong", "bad failed assert.response");
    check("silent", "bad failed timeout");
    assert!(
        phases(&hops(event(&events, "silent"), 0)[0]).starts_with("connect"),
        "{:#}",
        event(&events, "silent")
    );
    check("closed", "bad failed");
    check("refused", "bad failed connect.refused");
    check("full", "bad failed");
    assert_eq!(phases(&hops(event(&events, "full"), 0)[0]), "connect", "the phase in progress is kept");
    events.iter().for_each(assert_tiled);
}
