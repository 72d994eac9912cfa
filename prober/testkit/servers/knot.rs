//! Knot DNS, authoritative for the zones that the test writes.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, on_free_port, program, text};

/// A running knotd; dropping it ends it.
pub struct Knot {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

/// Where a knotd listens, and what it is called.
#[derive(Copy, Clone, Debug, Default)]
pub struct Place<'a> {
    /// The loopback address; 127.0.0.1 if `None`.
    pub ip: Option<IpAddr>,
    /// The port; a free one if `None`.
    pub port: Option<u16>,
    /// What it answers when it is asked for its name (RFC 5001).
    pub nsid: Option<&'a str>,
}

impl Knot {
    /// Serves the zone `domain` as the zone file text `zone` says, over UDP and TCP.
    pub fn start(domain: &str, zone: &str) -> Self {
        Self::serve(&[(domain, zone)], Place::default())
    }

    /// Serves zones, each a domain and its zone file's text, at `place`.
    pub fn serve(zones: &[(&str, &str)], place: Place<'_>) -> Self {
        let program = program(&["/usr/sbin/knotd"], "knot");
        let ip = place.ip.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let start = |port| {
            let folder = folder();
            let addr = SocketAddr::new(ip, port);
            let dir = text(folder.path());
            let nsid = place.nsid.map(|nsid| format!("  nsid: \"{nsid}\"\n")).unwrap_or_default();
            let mut config = format!(
                "server:\n  rundir: \"{dir}\"\n  listen: {ip}@{port}\n{nsid}  udp-workers: 1\n  tcp-workers: 1\n  \
                 background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n  storage: \"{dir}\"\n\
                 zone:\n"
            );
            for (index, (domain, zone)) in zones.iter().enumerate() {
                file(folder.path(), &format!("{index}.zone"), zone);
                write!(config, "  - domain: {domain}\n    storage: \"{dir}\"\n    file: {index}.zone\n")
                    .expect("writing into a String cannot fail");
            }
            let config = file(folder.path(), "knot.conf", &config);
            let mut process = Process::start("knotd", &program, &["-c", text(&config)], folder.path(), None);
            process.wait_until(|| accepts(addr))?;
            // The sockets come first, the zones a moment later.
            for (domain, _) in zones {
                let (mut looks, loaded) = (0, format!("[{}.] loaded", domain.trim_end_matches('.')));
                while !process.output().contains(&loaded) {
                    looks += 1;
                    assert!(looks < 1000, "knotd did not load {domain}: {}", process.output());
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
            Ok(Self { addr, _process: process, _folder: folder })
        };
        match place.port {
            Some(port) => start(port).unwrap_or_else(|why: String| panic!("{why}")),
            None => on_free_port(start),
        }
    }

    /// Where it listens, UDP and TCP.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}
