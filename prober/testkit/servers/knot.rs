//! Knot DNS, authoritative for one zone that the test writes.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, loopback, on_free_port, program, text};

/// A running knotd; dropping it ends it.
pub struct Knot {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Knot {
    /// Serves the zone `domain` as the zone file text `zone` says, over UDP and TCP.
    pub fn start(domain: &str, zone: &str) -> Self {
        let program = program(&["/usr/sbin/knotd"], "knot");
        on_free_port(|port| {
            let folder = folder();
            let addr = loopback(port);
            file(folder.path(), "test.zone", zone);
            let dir = text(folder.path());
            let listen = format!("127.0.0.1@{port}");
            let config = format!(
                "server:\n  rundir: \"{dir}\"\n  listen: {listen}\n  udp-workers: 1\n  tcp-workers: 1\n  \
                 background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n  storage: \"{dir}\"\n\
                 zone:\n  - domain: {domain}\n    storage: \"{dir}\"\n    file: test.zone\n"
            );
            let config = file(folder.path(), "knot.conf", &config);
            let mut process = Process::start("knotd", &program, &["-c", text(&config)], folder.path(), None);
            process.wait_until(|| accepts(addr))?;
            let (mut looks, loaded) = (0, format!("[{}.] loaded", domain.trim_end_matches('.')));
            // The sockets come first, the zone a moment later.
            while !process.output().contains(&loaded) {
                looks += 1;
                assert!(looks < 1000, "knotd did not load {domain}: {}", process.output());
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Ok(Self { addr, _process: process, _folder: folder })
        })
    }

    /// Where it listens, UDP and TCP.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}
