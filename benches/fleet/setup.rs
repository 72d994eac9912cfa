//! Servers, a target, a project that is pushed, and the processes of a fleet.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fleet::nats::{Nats, Settings};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{Reply, Server};
use testkit::servers::NatsCluster;
use testkit::wait;

use crate::common::process::Process;

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);
pub(crate) const REGION: &str = "eu";
/// The scenario that is always there.
pub(crate) const FIRST: &str = "first";

/// A fleet on this machine.
pub(crate) struct Fleet {
    pub(crate) folder: TempDir,
    pub(crate) target: Server,
    cluster: NatsCluster,
}

/// An agent or a hub.
pub(crate) struct Member {
    process: Process,
    address: SocketAddr,
    log: PathBuf,
}

impl Fleet {
    /// Servers, a target and a key; nothing is published.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
        std::fs::create_dir(folder.path().join("scenarios")).expect("it takes a folder");
        let target = Server::start();
        let made = Self { folder, target, cluster: NatsCluster::start(1) };
        let project = format!(
            "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nregions: {{ {REGION}: {{}} }}\nnetwork: {{ private: allow }}\n"
        );
        made.write("prober.yaml", &project);
        // A project without a scenario is a mistake.
        made.scenario(FIRST, "every: 24h\nhttp: URL");
        made.run(&["fleet", "init"]);
        made
    }

    /// A scenario whose path at the target is its name.
    pub(crate) fn scenario(&self, name: &str, body: &str) {
        let path = format!("/{name}");
        self.target.on(&path, Reply::ok("x"));
        let text = format!("name: {name}\naim: It works.\n{body}\n").replace("URL", &self.target.url(&path));
        self.write(&format!("scenarios/{name}.yaml"), &text);
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).expect("the bench's folder takes a file");
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Publishes what is in the folder.
    pub(crate) fn push(&self) {
        self.run(&["push", "--fleet", &self.cluster.urls()]);
    }

    /// A command that must succeed.
    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prober"));
        let ran =
            command.current_dir(self.folder.path()).args(arguments).output().expect("it can be started");
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    pub(crate) fn agent(&self, id: &str) -> Member {
        self.member(&["agent", "--region", REGION], id)
    }

    pub(crate) fn hub(&self, id: &str) -> Member {
        self.member(&["hub", "--replicas", "1"], id)
    }

    fn member(&self, role: &[&str], id: &str) -> Member {
        let address = SocketAddr::from(([127, 0, 0, 1], wait::free_port()));
        let text = |path: &Path| path.to_str().expect("temporary paths are UTF-8").to_owned();
        let (urls, data, trust) =
            (self.cluster.urls(), text(&self.path(id)), text(&self.path("fleet/trusted-keys")));
        let listen = address.to_string();
        let common = ["--fleet", &urls, "--trust", &trust, "--id", id, "--data", &data, "--listen", &listen];
        let log = self.path(&format!("{id}.log"));
        let arguments = [role, &common].concat();
        let process = Process::start(env!("CARGO_BIN_EXE_prober"), &arguments, &log);
        Member { process, address, log }
    }

    /// A client of the servers.
    pub(crate) async fn nats(&self) -> Nats {
        let servers = self.cluster.urls().split(',').map(str::to_owned).collect();
        let settings = Settings { servers, login: None, authorities: Vec::new(), name: "bench".to_owned() };
        Nats::connect(settings).await.expect("the servers are there")
    }
}

impl Member {
    /// What it has written.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at this instant.
    pub(crate) fn kill(self) {
        drop(self.process);
    }

    /// Asks it to end; gives the process to be waited for.
    pub(crate) fn ask_to_stop(self) -> Process {
        self.process.ask_to_end();
        self.process
    }

    /// Its page, if it answers.
    pub(crate) fn json(&self, path: &str) -> Option<Value> {
        let answer = testkit::client::get(self.address, path).filter(|answer| answer.status == 200)?;
        serde_json::from_str(&answer.body).ok()
    }

    pub(crate) fn until_ready(&self) {
        let ready =
            || testkit::client::get(self.address, "/readyz").is_some_and(|answer| answer.status == 200);
        wait::until_blocking("readiness", PATIENCE, || {
            std::net::TcpStream::connect(self.address).is_ok() && ready()
        });
    }
}

/// Runs what is asynchronous.
pub(crate) fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().expect("threads can be made").block_on(work)
}
