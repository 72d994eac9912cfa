//! A NATS server with JetStream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;

/// A running nats-server; dropping it ends it.
pub struct Nats {
    addr: SocketAddr,
    login: Option<(String, String)>,
    _process: Process,
    _folder: TempDir,
}

/// How a server is set up.
#[derive(Clone, Debug, Default)]
pub struct NatsSetup<'a> {
    /// Whether JetStream is off.
    pub without_jetstream: bool,
    /// User and password that it wants.
    pub login: Option<(&'a str, &'a str)>,
    /// What it shows in TLS, which it then wants.
    pub identity: Option<&'a Identity>,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

impl Nats {
    /// Starts it.
    pub fn start(setup: &NatsSetup<'_>) -> Self {
        let program = program(&["/usr/sbin/nats-server", "/usr/bin/nats-server"], "nats-server");
        on_free_port(|port| {
            let folder = folder();
            let addr = loopback(port);
            let mut config = vec![format!("listen: \"{addr}\"")];
            if !setup.without_jetstream {
                let store = text(folder.path());
                let limits = "max_memory_store: 16MB, max_file_store: 16MB";
                config.push(format!("jetstream: {{ store_dir: \"{store}\", {limits} }}"));
            }
            if let Some((user, password)) = setup.login {
                config.push(format!("authorization: {{ user: \"{user}\", password: \"{password}\" }}"));
            }
            if let Some(identity) = setup.identity {
                let (cert, key) = (text(&identity.cert_file), text(&identity.key_file));
                config.push(format!("tls: {{ cert_file: \"{cert}\", key_file: \"{key}\" }}"));
            }
            let config = config.join("\n");
            let config = file(folder.path(), "nats.conf", &config);
            let mut process = Process::start("nats", &program, &["-c", text(&config)], folder.path(), None);
            process.wait_until(|| accepts(addr))?;
            let login = setup.login.map(|(user, password)| (user.to_owned(), password.to_owned()));
            Ok(Self { addr, login, _process: process, _folder: folder })
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Makes a stream in memory for `subjects`, given as a JSON list; not for a server that wants TLS.
    pub fn stream(&self, name: &str, subjects: &str) {
        let config = format!("{{\"name\":\"{name}\",\"subjects\":{subjects},\"storage\":\"memory\"}}");
        let answer = self.request(&format!("$JS.API.STREAM.CREATE.{name}"), &config);
        assert!(answer.contains("\"created\""), "the stream is not made: {answer}");
    }

    /// Publishes a message and waits until it is stored; not for a server that wants TLS.
    pub fn publish(&self, subject: &str, payload: &str) {
        let answer = self.request(subject, payload);
        assert!(answer.contains("\"seq\""), "the message is not stored: {answer}");
    }

    /// How many messages a stream has.
    pub fn count(&self, stream: &str) -> u64 {
        let answer = self.request(&format!("$JS.API.STREAM.INFO.{stream}"), "");
        let answer: Value = serde_json::from_str(&answer).expect("JetStream answers in JSON");
        answer["state"]["messages"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// The message `seq` of a stream: its subject, its headers as they were sent, and its payload.
    pub fn stored(&self, stream: &str, seq: u64) -> (String, String, String) {
        let answer = self.request(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &format!("{{\"seq\":{seq}}}"));
        let answer: Value = serde_json::from_str(&answer).expect("JetStream answers in JSON");
        let text = |name: &str| {
            let encoded = answer["message"][name].as_str().unwrap_or_default();
            let bytes = STANDARD.decode(encoded).expect("JetStream encodes in Base64");
            String::from_utf8(bytes).expect("what was sent is text")
        };
        let subject = answer["message"]["subject"].as_str().unwrap_or_default().to_owned();
        (subject, text("hdrs"), text("data"))
    }

    fn request(&self, subject: &str, payload: &str) -> String {
        let mut stream = TcpStream::connect(self.addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let login = self.login.as_ref().map_or_else(String::new, |(user, password)| {
            format!(",\"user\":\"{user}\",\"pass\":\"{password}\"")
        });
        let said = format!(
            "CONNECT {{\"verbose\":false{login}}}\r\nSUB inbox 1\r\nPUB {subject} inbox {}\r\n{payload}\r\n",
            payload.len()
        );
        stream.write_all(said.as_bytes()).expect("the server reads");
        let mut lines = BufReader::new(stream);
        loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("the server answers") > 0, "the server closed");
            assert!(!line.starts_with("-ERR"), "{line}");
            if line.starts_with("MSG ") {
                let length = line.trim().rsplit(' ').next().and_then(|length| length.parse().ok());
                let mut answer = vec![0; length.expect("a length")];
                lines.read_exact(&mut answer).expect("the answer is whole");
                return String::from_utf8_lossy(&answer).into_owned();
            }
        }
    }
}
