//! The prober under test: the real binary.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;

use super::process::Process;
use super::project::{self, Project, data};

/// A running `prober serve`.
pub(crate) struct Prober {
    process: Process,
    address: SocketAddr,
    /// From its start until every scenario was scheduled.
    pub(crate) ready_after: Duration,
}

/// The longest that a start, a stop or an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

impl Prober {
    /// Starts it over the project in `folder` and waits until it is ready.
    pub(crate) fn start(folder: &Path) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], testkit::wait::free_port()));
        let text = |path: &Path| path.to_str().expect("temporary paths are UTF-8").to_owned();
        let arguments = ["-C", &text(folder), "serve", "--data", &text(&data(folder))];
        let listen = ["--listen", &address.to_string(), "--id", "bench"];
        let arguments: Vec<&str> = arguments.into_iter().chain(listen).collect();
        let log = folder.join("prober.log");
        let began = Instant::now();
        let mut process = Process::start(env!("CARGO_BIN_EXE_prober"), &arguments, &log);
        testkit::wait::until_blocking("a ready prober", PATIENCE, || {
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(!process.has_ended(), "the prober has ended: {}", said());
            // Nobody listens at first; a request that is not answered would wait longer than this bench likes.
            std::net::TcpStream::connect(address).is_ok()
                && testkit::client::get(address, "/readyz").is_some_and(|answer| answer.status == 200)
        });
        Self { process, address, ready_after: began.elapsed() }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Asks for the account of `[from, to)` once it is closed: every slot of every healthy scenario must be good,
    /// and none of the others.
    pub(crate) fn account_is_even(&mut self, from: Timestamp, to: Timestamp, project: &Project) {
        let path = format!("/api/v1/account?since={from}&until={to}");
        let account = testkit::wait::some_blocking("a closed account", PATIENCE, || {
            let answer = testkit::client::get(self.address, &path)?;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let account: Value = serde_json::from_str(&answer.body).expect("the API speaks JSON");
            (account["closed"] == true).then_some(account)
        });
        assert_eq!(account["violations"], 0, "slots without or with two records");
        let streams = account["streams"].as_array().expect("a list of streams");
        // A stream is listed if one of its slots lies in the window; that none of them is left out, the judge knows.
        assert!(streams.len() <= (project.scenarios + project.hanging) as usize, "{} streams", streams.len());
        for stream in streams {
            let healthy = !project::hangs(stream["scenario"].as_str().expect("a stream has a name"));
            let good = if healthy { &stream["expected"] } else { &Value::from(0) };
            assert_eq!(&stream["good"], good, "{stream}");
        }
    }

    /// A page that must be there.
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = testkit::client::get(self.address, path);
        let answer = answer.unwrap_or_else(|| panic!("{path} is not there within ten seconds"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Waits until every promise stands on all that is stored; gives how long that took.
    pub(crate) fn until_judged(&self) -> Duration {
        let began = Instant::now();
        testkit::wait::until_blocking("promises that are up to date", PATIENCE * 10, || {
            let slos: Value = serde_json::from_str(&self.page("/api/v1/slos")).expect("JSON");
            let slos = slos["slos"].as_array().expect("a list of promises");
            let ticks = slos.iter().filter_map(|slo| slo["at"].as_str()?.parse::<Timestamp>().ok());
            let recent = SystemClock.now().minus(PATIENCE);
            !slos.is_empty() && ticks.filter(|at| *at > recent).count() == slos.len()
        });
        began.elapsed()
    }

    /// The path of a bad run's page.
    pub(crate) fn a_bad_run(&self) -> String {
        let list: Value =
            serde_json::from_str(&self.page("/api/v1/events?verdict=bad&limit=1")).expect("JSON");
        let slot = &list["events"][0];
        let id = slot["prober.slot.id"].as_str().expect("there is a bad run");
        let at: Timestamp =
            slot["prober.slot.scheduled"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        format!("/runs/{id}?at={}", at.as_millis())
    }

    /// Ends it in order.
    pub(crate) fn stop(self) {
        self.process.terminate(PATIENCE);
    }
}
