//! The editors' language server for YAML, spoken to as an editor does: JSON-RPC over its standard streams.

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long an answer may take, on a machine with much else to do.
const WITHIN: Duration = Duration::from_mins(3);
/// The most messages of the server that wait to be looked at.
const WAITING_MAX: usize = 1_024;

/// A running server; ends when dropped.
pub(super) struct Server {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    asked: u64,
    opened: u64,
}

/// One complaint: its line, counted from 1, and its words.
pub(super) type Complaint = (u64, String);

impl Server {
    /// Starts it; a missing server fails with the line that installs it.
    pub(super) fn start() -> Self {
        let path = program();
        assert!(path.exists(), "{} is missing; install it with: tests/run peers", path.display());
        let mut command = Command::new("node");
        command.arg(path).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node is installed by tests/run peers");
        let to = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (put, from): (SyncSender<Value>, _) = sync_channel(WAITING_MAX);
        // Ends with the server's output, which ends when the server is dropped.
        std::thread::spawn(move || {
            while let Some(message) = read(&mut out) {
                if put.send(message).is_err() {
                    return;
                }
            }
        });
        let mut server = Self { child, to, from, asked: 0, opened: 0 };
        let capabilities = json!({
            "workspace": { "configuration": true },
            "textDocument": {
                "completion": { "completionItem": { "snippetSupport": true, "documentationFormat": ["markdown"] } },
                "hover": { "contentFormat": ["markdown"] },
                "publishDiagnostics": {},
            },
        });
        server
            .ask("initialize", &json!({ "processId": null, "rootUri": null, "capabilities": capabilities }));
        server.tell("initialized", &json!({}));
        server
    }

    /// Opens a file with this text beside `path` and gives what is complained of.
    pub(super) fn open(&mut self, path: &Path, text: &str) -> Vec<Complaint> {
        self.open_new(path, text).1
    }

    /// The same, with its URI: each is opened under a name of its own, for the server remembers what it saw.
    fn open_new(&mut self, path: &Path, text: &str) -> (String, Vec<Complaint>) {
        self.opened += 1;
        let uri = format!("file://{}", path.with_file_name(format!("open-{}.yaml", self.opened)).display());
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
        let published = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == *uri
        });
        let complaint = |one: &Value| {
            let line = one["range"]["start"]["line"].as_u64().unwrap() + 1;
            (line, one["message"].as_str().unwrap().to_owned())
        };
        let complaints =
            published["params"]["diagnostics"].as_array().unwrap().iter().map(complaint).collect();
        (uri, complaints)
    }

    /// What is offered where `|` stands in the text: labels, what is inserted, and documentation.
    pub(super) fn offers(&mut self, path: &Path, text: &str) -> Vec<(String, String, String)> {
        let answer = self.at("completion", path, text);
        let words = |item: &Value, field: &str| {
            let value = &item[field];
            value.as_str().or_else(|| value["value"].as_str()).unwrap_or_default().to_owned()
        };
        let items = answer["items"].as_array().unwrap().iter();
        items
            .map(|item| (words(item, "label"), words(item, "insertText"), words(item, "documentation")))
            .collect()
    }

    /// The help for the word at `|`.
    pub(super) fn help(&mut self, path: &Path, text: &str) -> String {
        let answer = self.at("hover", path, text);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    fn at(&mut self, what: &str, path: &Path, text: &str) -> Value {
        let (before, after) = text.split_once('|').expect("a text with a cursor");
        let (uri, _) = self.open_new(path, &format!("{before}{after}"));
        let (line, column) = (before.matches('\n').count(), before.rsplit('\n').next().map_or(0, str::len));
        let place =
            json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": column } });
        self.ask(&format!("textDocument/{what}"), &place)
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let answer = self.wait(|message| message.get("method").is_none() && message["id"] == id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.to.flush().unwrap();
    }

    /// The next message of the server that is wanted; what it asks in between is answered.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + WITHIN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left).expect("the language server answers");
            if wanted(&message) {
                return message;
            }
            if message.get("method").is_some() && message.get("id").is_some() {
                let result = settings(&message);
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The editor's settings: validate, and fetch no schemas from anywhere.
fn settings(question: &Value) -> Value {
    let sections = question["params"]["items"].as_array().into_iter().flatten();
    let setting = |section: &Value| match section["section"].as_str() {
        Some("yaml") => {
            json!({ "validate": true, "hover": true, "completion": true, "schemaStore": { "enable": false } })
        }
        _ => Value::Null,
    };
    if question["method"] == "workspace/configuration" {
        sections.map(setting).collect()
    } else {
        Value::Null
    }
}

fn read(out: &mut impl std::io::BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut text = vec![0; length];
    out.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn program() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/npm/node_modules");
    tools.join("yaml-language-server/bin/yaml-language-server")
}
