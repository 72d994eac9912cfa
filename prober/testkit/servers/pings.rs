//! Hosts that answer pings wrongly, on the far side of a [`Pair`] of network namespaces.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::moto::PYTHON;
use super::process::{Process, file, folder, text};
use crate::netns::Pair;

/// How many hosts there are.
const HOSTS: u8 = 16;

/// The running hosts; dropping it ends them.
pub struct Pings {
    _process: Process,
    _folder: TempDir,
}

impl Pings {
    /// Starts the hosts on the far side of `pair`, and lets everybody on the near side ping.
    pub fn start(pair: &Pair) -> Self {
        let program = PathBuf::from(PYTHON);
        assert!(program.exists(), "the ping server's Python is missing: tests/run peers");
        for number in 1..=HOSTS {
            pair.ip_far(&["address", "add", &format!("{}/32", host(number)), "dev", "lo"]);
        }
        pair.far(|| set("icmp_echo_ignore_all", "1"));
        pair.near(|| set("ping_group_range", "0 2147483647"));
        let folder = folder();
        let script = file(folder.path(), "server.py", include_str!("ping_server.py"));
        let words = pair.far_command();
        let mut args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        args.extend([text(&program), text(&script)]);
        let mut process = Process::start("pings", Path::new(&words[0]), &args, folder.path(), None);
        let log = folder.path().join("pings.log");
        let ready =
            process.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready")));
        ready.unwrap_or_else(|why| panic!("{why}"));
        Self { _process: process, _folder: folder }
    }
}

/// One of the hosts; `ping_server.py` says what each does.
pub fn host(number: u8) -> Ipv4Addr {
    assert!((1..=HOSTS).contains(&number), "there are {HOSTS} hosts");
    Ipv4Addr::new(10, 77, 2, number)
}

/// Sets a value of the calling thread's network.
fn set(key: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv4/{key}");
    std::fs::write(&path, value).unwrap_or_else(|error| panic!("root may write {path}: {error}"));
}
