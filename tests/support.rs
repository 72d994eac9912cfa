//! A project in a temporary folder, and the program under test as a process that ends with its test.
//!
//! Nothing here sleeps for luck: every wait is for a condition and has a deadline.

mod broker;
mod dice;
mod serving;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::wait;

pub(crate) use broker::{Broker, move_ports};
pub(crate) use dice::Dice;
pub(crate) use serving::{Api, PATIENCE, Serving};

/// How long a command that ends by itself may take; a whole run of scenarios included.
const ENDS_WITHIN: Duration = Duration::from_mins(4);

/// A project file, scenario files and everything else that a test's prober needs, in a folder of its own.
pub(crate) struct Project {
    folder: TempDir,
    env: Vec<(String, String)>,
    /// What stands in front of the program: words that run it in a network of its own.
    before: Vec<String>,
}

/// What a command that has ended left behind.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Project {
    /// A project whose file is `text` after the version and the pattern of scenario files.
    pub(crate) fn new(text: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), env: Vec::new(), before: Vec::new() };
        // The peers are on this machine; at the end, so that the text's lines keep their numbers.
        let network = if text.contains("network:") { "" } else { "network: { private: allow }\n" };
        let line_break = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let head = "version: 1\nscenarios: [\"scenarios/*.yaml\"]\n";
        project.write("prober.yaml", &format!("{head}{text}{line_break}{network}"));
        project
    }

    /// A project with scenarios that are each one text: its name, and what follows `aim`.
    pub(crate) fn with(text: &str, scenarios: &[(&str, String)]) -> Self {
        let project = Self::new(text);
        for (name, body) in scenarios {
            project.scenario(name, body);
        }
        project
    }

    /// Writes the scenario `name`; it is due every minute unless `body` says otherwise.
    pub(crate) fn scenario(&self, name: &str, body: &str) {
        let cadence = if body.contains("every:") || body.contains("cron:") { "" } else { "every: 1m\n" };
        self.write(
            &format!("scenarios/{name}.yaml"),
            &format!("name: {name}\naim: It works.\n{cadence}{body}\n"),
        );
    }

    /// Writes a file below the project's folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Puts words in front of the program that is started to serve.
    pub(crate) fn run_by(&mut self, words: Vec<String>) {
        self.before = words;
    }

    /// Runs the program in the project's folder until it ends.
    pub(crate) fn prober(&self, args: &[&str]) -> Ran {
        self.prober_in(self.dir(), args)
    }

    /// Runs the program in `folder` until it ends.
    pub(crate) fn prober_in(&self, folder: &Path, args: &[&str]) -> Ran {
        let logs = tempfile::tempdir().unwrap();
        let child = start((&[], folder), args, &self.env, logs.path());
        end(child, logs.path(), args)
    }

    /// Runs every scenario once: the event of each by its scenario's name, and the command's end.
    pub(crate) fn run(&self) -> (Vec<Value>, Ran) {
        let ran = self.prober(&["run", "--format", "json"]);
        let events: Vec<Value> =
            serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        (events, ran)
    }

    /// Serves the project with its default data folder.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// Serves the project with more arguments.
    pub(crate) fn serve_with(&self, args: &[&str]) -> Serving {
        let serving = self.start(args);
        serving.until_ready();
        serving
    }

    /// Starts to serve, and does not wait for it.
    pub(crate) fn start(&self, args: &[&str]) -> Serving {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        Serving::start_by(&self.before, self.dir(), &args, &self.env)
    }

    /// Tries to serve something that must be refused.
    pub(crate) fn refused(&self, args: &[&str]) -> Ran {
        self.prober(&[&["serve", "--listen", "127.0.0.1:0"], args].concat())
    }
}

/// The event of the scenario `name`.
pub(crate) fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let found = events.iter().find(|event| event["prober.scenario.name"] == name);
    found.unwrap_or_else(|| panic!("there is no event of {name}"))
}

/// A field of an event as text.
pub(crate) fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

/// Verdict, reason and error type in one line: `bad failed connect.refused`.
pub(crate) fn said(event: &Value) -> String {
    let words = ["prober.verdict", "prober.verdict.reason", "error.type"].map(|field| text(event, field));
    words.join(" ").trim_end().to_owned()
}

/// The run of the scenario `name` ended as `wanted` says, or with more words after that.
pub(crate) fn assert_said(events: &[Value], name: &str, wanted: &str) {
    let event = event(events, name);
    let said = said(event);
    let rest = said.strip_prefix(wanted);
    assert!(
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')),
        "{name} is {said:?}, not {wanted:?}: {event:#}"
    );
}

/// Starts the program; its output goes to files in `logs`.
///
/// It gets a SIGKILL when the thread of the test ends in any way, so no prober outlives its test.
fn start(
    (before, folder): (&[String], &Path),
    args: &[&str],
    env: &[(String, String)],
    logs: &Path,
) -> Child {
    let words = ["setpriv", "--pdeathsig", "KILL", env!("CARGO_BIN_EXE_prober")];
    let mut words = before.iter().map(String::as_str).chain(words);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(args).current_dir(folder);
    // Nothing of whoever runs the tests, a pipeline or a terminal, changes what the program does.
    for inherited in [
        "PROBER_PROJECT",
        "PROBER_DATA",
        "PROBER_LISTEN",
        "PROBER_ID",
        "PROBER_LOG",
        "CREDENTIALS_DIRECTORY",
        "CI",
        "GITHUB_ACTIONS",
        "GITHUB_WORKSPACE",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "HOME",
        "XDG_CACHE_HOME",
    ] {
        command.env_remove(inherited);
    }
    command.env("LC_ALL", "C.UTF-8").envs(env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null());
    command.stdout(File::create(logs.join("out")).unwrap()).stderr(File::create(logs.join("err")).unwrap());
    command.spawn().expect("setpriv is missing: apt-get install util-linux")
}

/// Waits until the program has ended by itself.
fn end(mut child: Child, logs: &Path, args: &[&str]) -> Ran {
    let read = |name: &str| String::from_utf8_lossy(&fs::read(logs.join(name)).unwrap()).into_owned();
    let mut ended = None;
    // The wait panics at its deadline; the child must not go on then.
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait::until_blocking(&format!("the end of prober {args:?}"), ENDS_WITHIN, || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
    }));
    if let Err(panic) = waited {
        child.kill().unwrap();
        child.wait().unwrap();
        std::panic::resume_unwind(panic);
    }
    Ran { code: ended.and_then(|status| status.code()), out: read("out"), err: read("err") }
}

/// Lets one test at a time have the machine: those that measure lag or start hundreds of processes.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
