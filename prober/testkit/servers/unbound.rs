//! unbound, a validating resolver over UDP, TCP, TLS and HTTPS.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;
use crate::wait;

/// A running unbound; dropping it ends it.
pub struct Unbound {
    plain: SocketAddr,
    tls: SocketAddr,
    https: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Unbound {
    /// Resolves everything below `domain` through the server at `from`, and validates from `anchor`, a DS record.
    pub fn start(domain: &str, from: SocketAddr, anchor: &str, identity: &Identity) -> Self {
        let program = program(&["/usr/sbin/unbound"], "unbound");
        on_free_port(|port| {
            let folder = folder();
            let (plain, tls, https) =
                (loopback(port), loopback(wait::free_port()), loopback(wait::free_port()));
            let interface = |addr: SocketAddr| format!("  interface: {}@{}\n", addr.ip(), addr.port());
            let config = format!(
                "server:\n{}{}{}  tls-port: {}\n  https-port: {}\n  tls-service-pem: \"{}\"\n  \
                 tls-service-key: \"{}\"\n  directory: \"{dir}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  \
                 use-syslog: no\n  logfile: \"\"\n  do-daemonize: no\n  do-ip6: no\n  num-threads: 1\n  \
                 do-not-query-localhost: no\n  access-control: 127.0.0.0/8 allow\n  ede: yes\n  \
                 val-log-level: 2\n  nsid: \"ascii_unbound-1\"\n  module-config: \"validator iterator\"\n  \
                 local-zone: \"test.\" nodefault\n  trust-anchor: \"{anchor}\"\nremote-control:\n  control-enable: no\n\
                 forward-zone:\n  name: \"{domain}\"\n  forward-addr: {}@{}\n",
                interface(plain),
                interface(tls),
                interface(https),
                tls.port(),
                https.port(),
                text(&identity.cert_file),
                text(&identity.key_file),
                from.ip(),
                from.port(),
                dir = text(folder.path()),
            );
            let config = file(folder.path(), "unbound.conf", &config);
            let args = ["-d", "-p", "-c", text(&config)];
            let mut process = Process::start("unbound", &program, &args, folder.path(), None);
            process.wait_until(|| accepts(plain) && accepts(tls) && accepts(https))?;
            Ok(Self { plain, tls, https, _process: process, _folder: folder })
        })
    }

    /// Where it speaks UDP and TCP.
    pub const fn plain(&self) -> SocketAddr {
        self.plain
    }

    /// Where it speaks DNS over TLS.
    pub const fn tls(&self) -> SocketAddr {
        self.tls
    }

    /// Where it speaks DNS over HTTPS, at `/dns-query`.
    pub const fn https(&self) -> SocketAddr {
        self.https
    }
}
