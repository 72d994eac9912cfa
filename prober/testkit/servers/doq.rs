//! DNS over QUIC by aioquic, a QUIC of its own in Python, in front of a name server that speaks UDP.

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::process::{Process, file, folder, loopback, on_free_port, text};
use crate::pki::Identity;

/// Where `tests/run` puts the packages for Python.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/bin/python");

/// A running server; dropping it ends it.
pub struct Doq {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Doq {
    /// Passes questions on to `upstream`.
    pub fn start(upstream: SocketAddr, identity: &Identity) -> Self {
        let program = PathBuf::from(PYTHON);
        assert!(program.exists(), "aioquic is missing: tests/run peers");
        on_free_port(|port| {
            let folder = folder();
            let script = file(folder.path(), "doq_server.py", include_str!("doq_server.py"));
            let (own, host, behind) =
                (port.to_string(), upstream.ip().to_string(), upstream.port().to_string());
            let (cert, key) = (text(&identity.cert_file), text(&identity.key_file));
            let args = [text(&script), &own, cert, key, &host, &behind];
            let mut process = Process::start("doq", &program, &args, folder.path(), None);
            let log = folder.path().join("doq.log");
            process.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|said| said.contains("ready")))?;
            Ok(Self { addr: loopback(port), _process: process, _folder: folder })
        })
    }

    /// Where it speaks DNS over QUIC.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}
