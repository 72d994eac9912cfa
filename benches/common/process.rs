//! Processes that the bench starts, and the line protocol between them.
//!
//! A role says one line when it is ready, then answers each line of its input with one line, and ends when
//! its input ends; so no role outlives its bench.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// This bench's binary in another process, in a role.
pub(crate) struct Role {
    process: Process,
    /// `None` once the role is to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What the role said first.
    pub(crate) greeting: String,
}

impl Role {
    /// Starts the role with these arguments and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let itself = std::env::current_exe().expect("the bench knows its own file");
        let mut command = Command::new(itself);
        command.arg("role").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the bench can start itself");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut role = Self { process: Process(child), input, output, greeting: String::new() };
        role.greeting = role.line();
        role
    }

    /// Says `line` to the role and gives its answer.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let input = self.input.as_mut().expect("taken only when the role is dropped");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the role lives");
        self.line()
    }

    /// The role's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the role writes text");
        assert!(line.ends_with('\n'), "a role has ended; what it complained about stands above");
        line.truncate(line.len() - 1);
        line
    }
}

impl Drop for Role {
    /// Lets the role end by itself; what it finds wrong at its end, it says on stderr.
    fn drop(&mut self) {
        drop(self.input.take());
        let end = Instant::now() + Duration::from_secs(5);
        while !self.process.has_ended() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The other side of [`Role`]: greets, then answers each line until there is none.
pub(crate) fn play(greeting: &str, mut answer: impl FnMut(&str) -> String) {
    super::say(greeting);
    for line in std::io::stdin().lines() {
        super::say(&answer(&line.expect("the bench writes text")));
    }
}

/// Another program; dropping it ends it.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program; its output goes to `log`.
    pub(crate) fn start(program: &str, arguments: &[&str], log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("the bench's folder takes a file");
        let errors = log.try_clone().expect("a file has two handles");
        // setpriv becomes the program, and the kernel ends it when the bench dies in whichever way.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]).args(arguments);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Self(command.spawn().unwrap_or_else(|error| panic!("{program} could not be started: {error}")))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Asks it to end and waits for it.
    pub(crate) fn terminate(self, within: Duration) {
        self.ask_to_end();
        self.wait(within);
    }

    /// Asks it to end.
    pub(crate) fn ask_to_end(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the process is ours");
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self, within: Duration) {
        let end = Instant::now() + within;
        while !self.has_ended() {
            assert!(Instant::now() < end, "process {} did not end within {within:?}", self.pid());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
