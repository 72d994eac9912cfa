//! Prometheus, scraping one port, and promtool.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Process, file, folder, loopback, on_free_port, program, text};
use crate::client::{self, Answer};
use crate::wait;

/// A running Prometheus; dropping it ends it.
pub struct Prometheus {
    addr: SocketAddr,
    process: Option<Process>,
    folder: TempDir,
    more: Vec<String>,
}

impl Prometheus {
    /// Scrapes `/metrics` of `target` every 200 ms.
    pub fn start(target: SocketAddr) -> Self {
        Self::with_rules(target, "groups: []\n")
    }

    /// The same, and evaluates `rules`, the text of a rule file, every second.
    pub fn with_rules(target: SocketAddr, rules: &str) -> Self {
        let scrapes = format!("[{{ job_name: test, static_configs: [{{ targets: ['{target}'] }}] }}]");
        Self::with(&scrapes, rules, &[])
    }

    /// The same, and tells the Alertmanager at `manager` what fires.
    pub fn alerting(target: SocketAddr, rules: &str, manager: SocketAddr) -> Self {
        let scrapes = format!(
            "[{{ job_name: test, static_configs: [{{ targets: ['{target}'] }}] }}]\n\
             alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['{manager}'] }}] }}] }}"
        );
        Self::with(&scrapes, rules, &[])
    }

    /// Scrapes nobody, and takes what is written to `/api/v1/write`.
    pub fn receiver() -> Self {
        Self::with("[]", "groups: []\n", &["--web.enable-remote-write-receiver"])
    }

    fn with(scrapes: &str, rules: &str, more: &[&str]) -> Self {
        let folder = folder();
        let more: Vec<String> = more.iter().map(|arg| (*arg).to_owned()).collect();
        let (addr, process) = on_free_port(|port| {
            let addr = loopback(port);
            let config = format!(
                "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 1s }}\n\
                 rule_files: [rules.yaml]\n\
                 scrape_configs: {scrapes}\n"
            );
            file(folder.path(), "rules.yaml", rules);
            file(folder.path(), "prometheus.yml", &config);
            Ok((addr, Self::serve(addr, &folder, &more)?))
        });
        Self { addr, process: Some(process), folder, more }
    }

    fn serve(addr: SocketAddr, folder: &TempDir, more: &[String]) -> Result<Process, String> {
        let program = program(&["/usr/bin/prometheus"], "prometheus");
        let args = [
            format!("--config.file={}/prometheus.yml", text(folder.path())),
            format!("--storage.tsdb.path={}/data", text(folder.path())),
            format!("--web.listen-address={addr}"),
        ];
        let args: Vec<&str> = args.iter().chain(more).map(String::as_str).collect();
        let mut process = Process::start("prometheus", &program, &args, folder.path(), None);
        process.wait_until(|| client::get(addr, "/-/ready").is_some_and(|answer| answer.status == 200))?;
        Ok(process)
    }

    /// Ends it; what it has stored stays.
    pub fn stop(&mut self) {
        drop(self.process.take());
    }

    /// Starts it again at its address, with what it had stored.
    pub fn start_again(&mut self) {
        self.stop();
        let serve = || Self::serve(self.addr, &self.folder, &self.more).ok();
        self.process = Some(wait::some_blocking("the port to be free again", Duration::from_mins(1), serve));
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The JSON that the API answers to the path `path`, such as `/api/v1/rules`.
    pub fn get(&self, path: &str) -> String {
        client::get(self.addr, path).map_or_else(String::new, |Answer { body, .. }| body)
    }

    /// The JSON that the query API answers to the expression `query`.
    pub fn query(&self, query: &str) -> String {
        let mut encoded = String::new();
        for byte in query.bytes() {
            write!(encoded, "%{byte:02X}").expect("a String takes every text");
        }
        self.get(&format!("/api/v1/query?query={encoded}"))
    }
}

/// Passes `metrics`, the text of a metrics page, to `promtool check metrics`.
///
/// # Errors
/// What promtool complains about.
pub fn check_metrics(metrics: &str) -> Result<(), String> {
    let program = program(&["/usr/bin/promtool"], "prometheus");
    let mut command = Command::new(program);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool can be run");
    // promtool reads everything before it writes, and ends early only to complain.
    let _sent = child.stdin.take().expect("it was asked for").write_all(metrics.as_bytes());
    let output = child.wait_with_output().expect("a child can be waited for");
    if output.status.success() {
        return Ok(());
    }
    Err([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
}

/// Runs promtool in a folder of its own that holds `files` (names and texts), and gives all that it says.
///
/// # Errors
/// What it complains about.
pub fn promtool(args: &[&str], files: &[(&str, &str)]) -> Result<String, String> {
    let program = program(&["/usr/bin/promtool"], "prometheus");
    let folder = folder();
    for (name, content) in files {
        file(folder.path(), name, content);
    }
    let output = Command::new(program).args(args).current_dir(folder.path()).output();
    let output = output.expect("promtool can be run");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(said) }
}
