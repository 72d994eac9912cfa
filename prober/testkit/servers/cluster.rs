//! Servers of NATS of the version that a fleet needs, one or several, that die and come back.

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, loopback, text};
use crate::wait;

/// One server of a cluster.
pub struct NatsNode {
    name: String,
    addr: SocketAddr,
    config: PathBuf,
    folder: TempDir,
    process: Option<Process>,
}

/// Servers with JetStream that write every message through to the disk; dropping it ends them.
pub struct NatsCluster {
    nodes: Vec<NatsNode>,
}

/// The server from `PyPI`; Debian's is too old for a fleet.
fn server() -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let path = root.join("target/peers/bin/nats-server");
    assert!(path.exists(), "nats-server 2.15 is missing: run `tests/run peers`");
    path.canonicalize().expect("it exists")
}

impl NatsCluster {
    /// Starts so many servers: 1, or 3 that replicate.
    pub fn start(count: usize) -> Self {
        Self::start_with(count, "")
    }

    /// The same, with `more` in the configuration of each server.
    pub fn start_with(count: usize, more: &str) -> Self {
        let routes: Vec<_> = (0..count).map(|_| wait::free_port()).collect();
        let made = (0..count).map(|index| NatsNode::new(index, &routes, more));
        let mut nodes: Vec<_> = made.collect();
        nodes.iter_mut().for_each(NatsNode::launch);
        nodes.iter_mut().for_each(NatsNode::wait);
        Self { nodes }
    }

    /// The servers.
    pub fn nodes(&self) -> &[NatsNode] {
        &self.nodes
    }

    /// One of them.
    pub fn node(&mut self, index: usize) -> &mut NatsNode {
        &mut self.nodes[index]
    }

    /// The URLs of all, with commas between them.
    pub fn urls(&self) -> String {
        self.nodes.iter().map(NatsNode::url).collect::<Vec<_>>().join(",")
    }
}

impl NatsNode {
    fn new(index: usize, routes: &[u16], more: &str) -> Self {
        let (name, folder, addr) = (format!("n{index}"), folder(), loopback(wait::free_port()));
        let store = text(folder.path());
        let limits = "max_memory_store: 64MB, max_file_store: 1GB, sync_interval: always";
        let mut config = vec![
            format!("server_name: {name}\nlisten: \"{addr}\""),
            format!("jetstream: {{ store_dir: \"{store}\", {limits} }}"),
            more.to_owned(),
        ];
        if routes.len() > 1 {
            let others: Vec<_> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
            let (listen, others) = (loopback(routes[index]), others.join(", "));
            config.push(format!("cluster: {{ name: fleet, listen: \"{listen}\", routes: [{others}] }}"));
        }
        let config = file(folder.path(), "nats.conf", &config.join("\n"));
        Self { name, addr, config, folder, process: None }
    }

    fn launch(&mut self) {
        let args = ["-c", text(&self.config)];
        self.process = Some(Process::start("nats-server", &server(), &args, self.folder.path(), None));
    }

    fn wait(&mut self) {
        let (name, addr) = (&self.name, self.addr);
        let process = self.process.as_mut().expect("it was launched");
        process.wait_until(|| accepts(addr)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Its name in the cluster, as leaders are told by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("nats://{}", self.addr)
    }

    /// Whether it runs.
    pub const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it again, with what it had on its disk.
    pub fn start(&mut self) {
        self.launch();
        self.wait();
    }

    /// Throws away what is on its disk; it must not run.
    pub fn wipe(&mut self) {
        assert!(self.process.is_none(), "a server that runs is not wiped");
        let store = self.folder.path().join("jetstream");
        std::fs::remove_dir_all(store).expect("the server left its data");
    }
}
