//! Our verdicts and values beside those of curl and of Debian's blackbox exporter, on the same peers.
//!
//! Where the three do not agree, the table says why: a difference without a reason, and a reason without a
//! difference, fail the test.

mod other;
mod web;

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::servers::Blackbox;

use crate::support::{Project, event, text};

/// The limit of every probe here, ours and theirs, in milliseconds.
const TIMEOUT_MS: u64 = 1500;
/// How far apart two measurements of one phase may be, on a machine that is busy with other tests.
const APART: Duration = Duration::from_millis(60);
/// How often a state is asked again by itself: a busy machine may come to the limit before it comes to what is looked
/// at, and noise only adds.
const AGAIN: usize = 8;

/// What a prober thinks of a target.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Thinks {
    Good,
    Bad,
    /// It was not asked: it has no such probe.
    Nothing,
}

use Thinks::{Bad, Good, Nothing};

impl Thinks {
    const fn of(good: bool) -> Self {
        if good { Good } else { Bad }
    }
}

/// One state of a peer.
struct State {
    name: &'static str,
    /// The scenario's step and expectations.
    scenario: String,
    /// curl's own arguments with the URL, if it is asked.
    curl: Option<Vec<String>>,
    /// The module and the target.
    blackbox: (&'static str, String),
    /// Ours, with the `error.type` if it is bad; curl's; the blackbox exporter's.
    expected: (&'static str, Thinks, Thinks),
    /// Why they differ; empty where all agree.
    why: &'static str,
}

/// What curl found.
#[derive(Debug)]
struct Curl(Value);

impl Curl {
    fn ask(args: &[String]) -> Self {
        let seconds = format!("{}", Duration::from_millis(TIMEOUT_MS).as_secs_f64());
        let mut command = Command::new("curl");
        command.args(["--silent", "--output", "/dev/null", "--write-out", "%{json}", "--max-time", &seconds]);
        // Nothing of whoever runs the tests: no file of theirs, no proxy.
        command.env_clear().env("PATH", "/usr/bin:/bin").args(args);
        let done = command.output().expect("curl is there: apt-get install curl");
        let json = String::from_utf8_lossy(&done.stdout).into_owned();
        Self(serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error} in {json}")))
    }

    fn thinks(&self) -> Thinks {
        let status = self.int("http_code");
        Thinks::of(self.int("exitcode") == 0 && (200..300).contains(&status))
    }

    fn int(&self, key: &str) -> i64 {
        self.0[key].as_i64().unwrap_or_else(|| panic!("curl says nothing of {key}: {}", self.0))
    }

    /// From one of its moments to another one.
    fn between(&self, from: &str, to: &str) -> Duration {
        let at = |key: &str| self.0[key].as_f64().unwrap_or_default();
        Duration::from_secs_f64((at(to) - at(from)).max(0.0))
    }
}

/// What the blackbox exporter found: its metrics page.
#[derive(Debug)]
struct Metrics(String);

impl Metrics {
    fn thinks(&self) -> Thinks {
        Thinks::of(self.number("probe_success") == Some(1.0))
    }

    /// The value of a series, spelled as the page spells it.
    fn number(&self, series: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    }
}

/// Everything that was found about one state.
struct Seen<'a> {
    state: &'a State,
    ours: &'a Value,
    curl: Option<Curl>,
    blackbox: Option<Metrics>,
}

/// All three, ready to be asked.
struct Asking<'p> {
    project: &'p Project,
    exporter: Blackbox,
}

impl<'p> Asking<'p> {
    fn start(project: &'p Project, modules: &str) -> Self {
        Self { project, exporter: Blackbox::start(modules) }
    }

    /// What all three find about every state.
    fn all<'a>(&self, states: &'a [State], events: &'a mut Vec<Value>) -> Vec<Seen<'a>> {
        for state in states {
            self.project.scenario(state.name, &format!("timeout: {TIMEOUT_MS}ms\n{}", state.scenario));
        }
        *events = self.run(&[]);
        assert_eq!(events.len(), states.len());
        let events: &'a [Value] = events;
        // Those that wait for a timeout wait together.
        let mut looks = Vec::new();
        for some in states.chunks(4) {
            looks.extend(std::thread::scope(|scope| {
                let asked: Vec<_> = some.iter().map(|state| scope.spawn(|| self.look(state))).collect();
                asked.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            }));
        }
        let seen = states.iter().zip(looks);
        seen.map(|(state, (curl, blackbox))| Seen { state, ours: event(events, state.name), curl, blackbox })
            .collect()
    }

    /// What they find about one state, asked again by itself.
    fn again<'a>(&self, state: &'a State, events: &'a mut Vec<Value>) -> Seen<'a> {
        *events = self.run(&[state.name]);
        let (curl, blackbox) = self.look(state);
        Seen { state, ours: event(events, state.name), curl, blackbox }
    }

    /// What is wrong about a state, `values` included; asked again only if somebody came to the limit.
    fn wrong(&self, seen: &Seen<'_>, values: impl Fn(&Seen<'_>) -> Vec<String>) -> Vec<String> {
        let look = |seen: &Seen<'_>| match seen.wrong() {
            Some(wrong) => (vec![wrong], seen.came_to_the_limit()),
            None => (values(seen), false),
        };
        let (mut wrong, mut again) = look(seen);
        for _ in 0..AGAIN {
            if !again {
                break;
            }
            (wrong, again) = look(&self.again(seen.state, &mut Vec::new()));
        }
        wrong
    }

    fn run(&self, names: &[&str]) -> Vec<Value> {
        // Few at a time: they would measure how they wait for each other.
        let ran = self.project.prober(&[&["run", "--format", "json", "--in-flight", "4"], names].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    fn look(&self, state: &State) -> (Option<Curl>, Option<Metrics>) {
        let curl = state.curl.as_ref().map(|args| Curl::ask(args));
        let (module, target) = &state.blackbox;
        let page = || self.exporter.probe(module, target);
        let blackbox = (!module.is_empty())
            .then(|| Metrics(page().unwrap_or_else(|| panic!("no answer about {}", state.name))));
        (curl, blackbox)
    }
}

impl Seen<'_> {
    /// Whether one of the three had no time left.
    fn came_to_the_limit(&self) -> bool {
        let seconds = [
            self.ours["prober.run.duration"].as_f64(),
            self.curl.as_ref().and_then(|curl| curl.0["time_total"].as_f64()),
            self.blackbox.as_ref().and_then(|page| page.number("probe_duration_seconds")),
        ];
        let limit = Duration::from_millis(TIMEOUT_MS).as_secs_f64();
        seconds.into_iter().flatten().any(|took| took >= limit)
    }

    /// What is not as the table says.
    fn wrong(&self) -> Option<String> {
        let State { name, expected, why, .. } = self.state;
        let error = text(self.ours, "error.type");
        let verdict = text(self.ours, "prober.verdict");
        let ours = if verdict == "good" { verdict } else { error };
        let curl = self.curl.as_ref().map_or(Nothing, Curl::thinks);
        let blackbox = self.blackbox.as_ref().map_or(Nothing, Metrics::thinks);
        let ours_fits = expected.0.split('|').any(|known| known == ours);
        if !ours_fits || (curl, blackbox) != (expected.1, expected.2) {
            let curl_code = self.curl.as_ref().map(|curl| (curl.int("exitcode"), curl.int("http_code")));
            return Some(format!(
                "{name}: we say {ours} ({}), curl {curl:?} {curl_code:?}, the exporter {blackbox:?}; expected {expected:?}",
                text(self.ours, "prober.failure.message")
            ));
        }
        let opinions = [Thinks::of(verdict == "good"), curl, blackbox];
        let asked: Vec<_> = opinions.into_iter().filter(|thinks| *thinks != Nothing).collect();
        let agree = asked.windows(2).all(|pair| pair[0] == pair[1]);
        match (agree, why.is_empty()) {
            (true, true) | (false, false) => None,
            (false, true) => Some(format!("{name}: {opinions:?} differ and nobody knows why")),
            (true, false) => Some(format!("{name}: all say the same, and yet: {why}")),
        }
    }

    /// A phase of our run, over all hops.
    fn phase(&self, phase: &str) -> Duration {
        Duration::from_secs_f64(self.ours[format!("prober.timing.{phase}")].as_f64().unwrap_or_default())
    }
}

/// Panics with everything that is wrong.
fn all_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
