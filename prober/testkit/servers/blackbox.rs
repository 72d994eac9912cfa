//! The blackbox exporter, to compare with.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::process::{Process, file, folder, loopback, on_free_port, program, text};
use crate::client::{self, Answer};

/// A running blackbox exporter; dropping it ends it.
pub struct Blackbox {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Blackbox {
    /// Starts it with `modules`, the YAML text of its configuration file.
    pub fn start(modules: &str) -> Self {
        let program = program(&["/usr/bin/prometheus-blackbox-exporter"], "prometheus-blackbox-exporter");
        on_free_port(|port| {
            let folder = folder();
            let addr = loopback(port);
            let config = file(folder.path(), "blackbox.yml", modules);
            let args = [format!("--config.file={}", text(&config)), format!("--web.listen-address={addr}")];
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut process = Process::start("blackbox", &program, &args, folder.path(), None);
            process
                .wait_until(|| client::get(addr, "/-/healthy").is_some_and(|answer| answer.status == 200))?;
            Ok(Self { addr, _process: process, _folder: folder })
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Probes `target` with `module` and gives the metrics page; `None` if it does not answer.
    pub fn probe(&self, module: &str, target: &str) -> Option<String> {
        let answer = client::get(self.addr, &format!("/probe?module={module}&target={target}"));
        answer.map(|Answer { body, .. }| body)
    }
}
