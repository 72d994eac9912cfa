//! Alertmanager, and amtool's judgement of its configuration.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::process::{Process, file, folder, loopback, on_free_port, program, text};
use crate::client;
use crate::wait;

/// A running Alertmanager; dropping it ends it.
pub struct Alertmanager {
    addr: SocketAddr,
    config: String,
    process: Option<Process>,
    folder: TempDir,
}

impl Alertmanager {
    /// Tells the webhook at `receiver` (a URL) of groups by `slo` within a second; a page inhibits the tickets of its
    /// objective. Not at once: Alertmanager inhibits a moment after it has taken an alert.
    pub fn start(receiver: &str) -> Self {
        let config = format!(
            "route: {{ receiver: test, group_by: [slo], group_wait: 1s, group_interval: 200ms, repeat_interval: 1h }}\n\
             receivers: [{{ name: test, webhook_configs: [{{ url: '{receiver}', send_resolved: true }}] }}]\n\
             inhibit_rules:\n\
             - {{ source_matchers: ['severity=page'], target_matchers: ['severity=ticket'], equal: [slo] }}\n"
        );
        Self::start_with(config)
    }

    /// Starts one with this configuration.
    pub fn start_with(config: String) -> Self {
        let folder = folder();
        let (addr, process) = on_free_port(|port| {
            let addr = loopback(port);
            Ok((addr, Self::serve(addr, &config, &folder)?))
        });
        Self { addr, config, process: Some(process), folder }
    }

    fn serve(addr: SocketAddr, config: &str, folder: &TempDir) -> Result<Process, String> {
        let paths = ["/usr/bin/prometheus-alertmanager", "/usr/bin/alertmanager"];
        let program = program(&paths, "prometheus-alertmanager");
        let config = file(folder.path(), "alertmanager.yml", config);
        let args = [
            format!("--config.file={}", text(&config)),
            format!("--storage.path={}/data", text(folder.path())),
            format!("--web.listen-address={addr}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut process = Process::start("alertmanager", &program, &args, folder.path(), None);
        process.wait_until(|| client::get(addr, "/-/ready").is_some_and(|answer| answer.status == 200))?;
        Ok(process)
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends it; what it knows stays in its folder.
    pub fn stop(&mut self) {
        drop(self.process.take());
    }

    /// Starts it again at its address.
    pub fn start_again(&mut self) {
        self.stop();
        let serve = || Self::serve(self.addr, &self.config, &self.folder).ok();
        self.process =
            Some(wait::some_blocking("the port to be free again", std::time::Duration::from_mins(2), serve));
    }

    /// The alerts that it knows, as the JSON of its API; empty if it does not answer.
    pub fn alerts(&self) -> String {
        client::get(self.addr, "/api/v2/alerts").map_or_else(String::new, |answer| answer.body)
    }
}
