//! A serving prober: its address, its API, its signals and its end.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testkit::client::{self, Answer};
use testkit::wait;

/// How long a prober may take until it is ready, or until it has ended; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// A running `prober serve` or `prober demo`; dropping it kills it.
pub(crate) struct Serving {
    child: Child,
    logs: TempDir,
}

/// A prober's pages, for threads that look while another one holds the process.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Api(pub(crate) SocketAddr);

impl Serving {
    /// Starts the program in `folder`.
    pub(crate) fn start(folder: &Path, args: &[&str], env: &[(String, String)]) -> Self {
        Self::start_by(&[], folder, args, env)
    }

    /// The same with these words in front of the program; they end by becoming it.
    pub(crate) fn start_by(
        before: &[String],
        folder: &Path,
        args: &[&str],
        env: &[(String, String)],
    ) -> Self {
        let logs = tempfile::tempdir().unwrap();
        Self { child: super::start((before, folder), args, env, logs.path()), logs }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.logs.path().join("err")).unwrap()).into_owned()
    }

    /// What it wrote to stdout so far.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.logs.path().join("out")).unwrap()).into_owned()
    }

    /// The address that it says it listens on, if it has said so.
    pub(crate) fn said_address(&self) -> Option<SocketAddr> {
        let err = self.err();
        let rest = err.split_once("page     http://")?.1;
        rest.split_once("/\n")?.0.parse().ok()
    }

    /// Its pages; waits until it says where they are.
    pub(crate) fn api(&self) -> Api {
        Api(wait::some_blocking("a prober's address", PATIENCE, || self.said_address()))
    }

    /// Waits until it says that it is ready.
    pub(crate) fn until_ready(&self) {
        let api = self.api();
        let ready = || api.try_get("/readyz").is_some_and(|answer| answer.status == 200);
        wait::until_blocking("readiness", PATIENCE, ready);
    }

    /// Sends a signal; nothing happens if it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let _gone = kill_process(pid, signal);
    }

    /// The most memory that it ever held, in KiB.
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it at this instant.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended; waits for that.
    pub(crate) fn end(&mut self) -> ExitStatus {
        wait::some_blocking("a prober's end", PATIENCE, || self.child.try_wait().unwrap())
    }

    /// Asks it to stop and gives its exit code and what it wrote.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let code = self.end().code();
        (code, self.err())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended before.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Api {
    pub(crate) fn try_get(self, path: &str) -> Option<Answer> {
        client::get(self.0, path)
    }

    /// The body of a page that must be there.
    pub(crate) fn get(self, path: &str) -> String {
        let answer = self.try_get(path).unwrap_or_else(|| panic!("{path} does not answer"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    pub(crate) fn json(self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }

    /// Every stored event that fits `query`, newest first.
    pub(crate) fn events(self, query: &str) -> Vec<Value> {
        let (mut events, mut before) = (Vec::new(), String::new());
        loop {
            let page = self.json(&format!("/api/v1/events?limit=1000&{query}{before}"));
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            match page["next"].as_u64() {
                Some(next) => before = format!("&before={next}"),
                None => return events,
            }
        }
    }

    /// Waits until at least `count` events fit `query`.
    pub(crate) fn until_events(self, query: &str, count: usize) -> Vec<Value> {
        let what = format!("{count} events with {query}");
        wait::some_blocking(&what, PATIENCE, || {
            let events = self.events(query);
            (events.len() >= count).then_some(events)
        })
    }
}
