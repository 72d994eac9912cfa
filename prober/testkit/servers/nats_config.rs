//! A server of NATS that runs with somebody's own configuration.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{Process, accepts};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server, a package for Python; Debian's is too old for a fleet.
///
/// # Panics
/// It is not installed.
pub fn nats_server() -> PathBuf {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/bin/nats-server"));
    assert!(path.exists(), "nats-server 2.15 is missing: run `tests/run peers`");
    path.canonicalize().expect("it exists")
}

/// A running server; dropping it ends it.
pub struct ConfiguredNats {
    addr: SocketAddr,
    process: Process,
}

impl ConfiguredNats {
    /// Starts it in `folder` with the configuration `name` there, which says that it listens on `addr`.
    ///
    /// # Errors
    /// It ended, maybe because somebody else has the port; what it wrote.
    pub fn start(folder: &Path, name: &str, addr: SocketAddr) -> Result<Self, String> {
        let mut process = Process::start("nats-server", &nats_server(), &["-c", name], folder, None);
        process.wait_until(|| accepts(addr))?;
        Ok(Self { addr, process })
    }

    /// Has it read its configuration again, as somebody does who operates it.
    ///
    /// # Panics
    /// It cannot be told.
    pub fn reload(&self) {
        let number = self.process.number("nats-server").expect("the server runs");
        let told = Command::new(nats_server()).args(["--signal", &format!("reload={number}")]).output();
        let told = told.expect("the server can be told");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    }

    /// Logs in.
    ///
    /// # Errors
    /// The server does not let the user in; what it says.
    pub fn log_in(&self, user: &str, password: &str) -> Result<NatsLine, String> {
        let stream = TcpStream::connect(self.addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let mut line = NatsLine { lines: BufReader::new(stream) };
        let said = format!(
            "{{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"user\":\"{user}\",\"pass\":\"{password}\"}}"
        );
        match line.say(&format!("CONNECT {said}\r\n")).into_iter().next() {
            Some(refusal) => Err(refusal),
            None => Ok(line),
        }
    }
}

/// A connection to a server that says lines and hears what is refused.
pub struct NatsLine {
    lines: BufReader<TcpStream>,
}

impl NatsLine {
    /// Says `text` and gives everything that the server answers before it has read all of it, but for its greeting.
    ///
    /// All of it goes in one piece: a server that hangs up before it has read the rest resets the connection, and its
    /// answer is lost. An end, whichever way, is an answer.
    pub fn say(&mut self, text: &str) -> Vec<String> {
        let said = format!("{text}PING\r\n");
        // A server that has hung up already is seen by reading.
        self.lines.get_mut().write_all(said.as_bytes()).ok();
        let mut answers = Vec::new();
        loop {
            let mut line = String::new();
            let read = match self.lines.read_line(&mut line) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                read => read.expect("the server answers"),
            };
            match line.trim_end() {
                "PONG" => return answers,
                "PING" => self.lines.get_mut().write_all(b"PONG\r\n").expect("the server reads"),
                _ if read == 0 => {
                    answers.push("the server hung up".to_owned());
                    return answers;
                }
                line if line.starts_with("INFO ") => {}
                line => answers.push(line.to_owned()),
            }
        }
    }

    /// What the server says against publishing to `subject`; `None` if it may be.
    pub fn refuses_to_publish(&mut self, subject: &str) -> Option<String> {
        let answers = self.say(&format!("PUB {subject} 0\r\n\r\n"));
        answers.into_iter().find(|line| line.starts_with("-ERR"))
    }

    /// What the server says against hearing `subject`; `None` if it may be.
    pub fn refuses_to_tell(&mut self, subject: &str) -> Option<String> {
        let answers = self.say(&format!("SUB {subject} 1\r\nUNSUB 1\r\n"));
        answers.into_iter().find(|line| line.starts_with("-ERR"))
    }
}
