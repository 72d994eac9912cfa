//! A server's process: started, waited for, and ended with its owner.

use std::fs::{File, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait;

/// How long a server may take until it serves; PostgreSQL on a busy machine needs seconds.
const READY_WITHIN: Duration = Duration::from_mins(3);

/// How long a server may take to end.
const END_WITHIN: Duration = Duration::from_mins(1);

/// Runs `"$@"`, and ends it when this shell's input ends: the pipe closes when the owner drops it, and also
/// when the test process dies in any way, so no server outlives its tests.
///
/// PostgreSQL waits for its clients after a SIGTERM but not after a SIGINT; others know only the first.
const GUARD: &str = r#"
exec 3<&0
"$@" 3<&- &
pid=$!
( read -r _ <&3
  kill -INT $pid 2>/dev/null
  kill -TERM $pid 2>/dev/null
  tries=0
  while kill -0 $pid 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL $pid 2>/dev/null ) &
guard=$!
wait $pid
code=$?
kill $guard 2>/dev/null
exit $code
"#;

/// The user that a server runs as.
#[derive(Copy, Clone, Debug)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// The user `name`, if the tests run as root and the system has one.
    pub(super) fn instead_of_root(name: &str) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let own = std::fs::metadata("/proc/self").ok()?.uid();
        if own != 0 {
            return None;
        }
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some(Self { uid: ids.next()?.ok()?, gid: ids.next()?.ok()? })
    }

    /// Gives `path` to this user.
    pub(super) fn own(self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid)).expect("root gives files away");
    }

    /// Runs `command` as this user, without root's groups.
    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

/// A running server; dropping it ends the server and waits until it has ended.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with `args`; its output goes to the file `log` in `folder`.
    pub(super) fn start(
        name: &'static str,
        program: &Path,
        args: &[&str],
        folder: &Path,
        user: Option<User>,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).expect("the temporary folder takes a file");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARD, name]).arg(program).args(args).current_dir(folder);
        if let Some(user) = user {
            user.run(&mut command);
        }
        let errors = output.try_clone().expect("a file has two handles");
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let child = command.spawn().expect("the system runs a shell");
        Self { name, child, log }
    }

    /// Waits until `ready`; gives up early if the server has ended, which a taken port does.
    ///
    /// # Errors
    /// The server ended; what it wrote.
    pub(super) fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result<(), String> {
        let end = Instant::now() + READY_WITHIN;
        while !ready() {
            if self.child.try_wait().expect("a child can be waited for").is_some() {
                return Err(format!("{} ended: {}", self.name, self.output()));
            }
            assert!(Instant::now() < end, "{} is not ready: {}", self.name, self.output());
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends the server at once with SIGKILL, as a power cut does, and waits until it has ended.
    pub(super) fn kill(mut self) {
        // The shell is the server's guard, so its children are the server and one that waits for the end of input.
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw)
        {
            let _ended = kill_process(child, Signal::KILL);
        }
        let _reaped = self.child.wait();
    }

    /// The number of the program that is called so, which the guard has started.
    pub(super) fn number(&self, program: &str) -> Option<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let called =
            |number: &u32| std::fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
        children
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .find(|number| called(number).trim() == program)
    }

    /// What the server wrote.
    pub(super) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guard reads the end of its input and ends the server.
        drop(self.child.stdin.take());
        let end = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Only a guard that hangs is still there; the server itself got its SIGKILL before.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Starts a server on a free port, with another port when someone else took it in between.
pub(super) fn on_free_port<T>(mut start: impl FnMut(u16) -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..5 {
        match start(wait::free_port()) {
            Ok(server) => return server,
            Err(error) => last = error,
        }
    }
    panic!("{last}");
}

/// The first of `paths` that exists.
pub(super) fn program(paths: &[&str], package: &str) -> PathBuf {
    let found = paths.iter().map(PathBuf::from).find(|path| path.exists());
    found.unwrap_or_else(|| {
        let name = paths[0].rsplit('/').next().unwrap_or_default();
        panic!("{name} is missing: apt-get install {package}")
    })
}

/// A folder that also a server of another user may enter.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// Writes `text` to the file `name` in `folder` and gives its path.
pub(super) fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the temporary folder takes a file");
    path
}

/// The loopback address with `port`.
pub(super) fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Whether someone accepts connections there.
pub(super) fn accepts(addr: SocketAddr) -> bool {
    TcpStream::connect_timeout(&addr, Duration::from_millis(200)).is_ok()
}

/// `path` as an argument.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
