//! MariaDB with a data folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;

/// A running MariaDB; dropping it ends it.
///
/// The users are `root` and `reader` (both without a password) and `guarded`, whose password is `let-me-in`. The
/// database is `shop`, which all of them may read.
pub struct MariaDb {
    addr: SocketAddr,
    client: PathBuf,
    _process: Process,
    _folder: TempDir,
}

/// The password of the user `guarded`.
const PASSWORD: &str = "let-me-in";

/// A test's data need not survive a power cut.
const SETTINGS: [&str; 6] = [
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-log-bin",
    "--performance-schema=off",
    "--skip-name-resolve",
];

impl MariaDb {
    /// Makes a data folder and starts a server on it; with an `identity` it offers TLS.
    pub fn start(identity: Option<&Identity>) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        initialise(&data);
        let server = program(&["/usr/sbin/mariadbd"], "mariadb-server-core");
        let client = program(&["/usr/bin/mariadb"], "mariadb-client-core");
        let (addr, process) = on_free_port(|port| {
            let addr = loopback(port);
            let (port, data) = (format!("--port={port}"), format!("--datadir={}", text(&data)));
            let socket = format!("--socket={}", text(&folder.path().join("sock")));
            let pid = format!("--pid-file={}", text(&folder.path().join("pid")));
            let mut args = vec!["--no-defaults", "--user=root", &port, &data, &socket, &pid];
            args.extend(SETTINGS);
            let tls = identity.map(|identity| {
                [("cert", &identity.cert_file), ("key", &identity.key_file)]
                    .map(|(what, file)| format!("--ssl-{what}={}", text(file)))
            });
            args.extend(tls.iter().flatten().map(String::as_str));
            let mut process = Process::start("mariadbd", &server, &args, folder.path(), None);
            process.wait_until(|| run(&client, addr, "select 1").is_ok())?;
            Ok((addr, process))
        });
        let database = Self { addr, client, _process: process, _folder: folder };
        database.execute(&format!(
            "create database shop; create user guarded@'%' identified by '{PASSWORD}'; create user reader@'%'; \
             grant select on shop.* to guarded@'%'; grant all on shop.* to reader@'%'"
        ));
        database
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL for `user`, with the password if it has one.
    pub fn url(&self, user: &str) -> String {
        let password = if user == "guarded" { format!(":{PASSWORD}") } else { String::new() };
        format!("mysql://{user}{password}@{}/shop", self.addr)
    }

    /// Runs `sql` as `root` and gives what it shows, one line a row, columns separated by tabs.
    pub fn execute(&self, sql: &str) -> String {
        run(&self.client, self.addr, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

fn initialise(data: &Path) {
    let script = program(&["/usr/bin/mariadb-install-db"], "mariadb-server-core");
    let data = format!("--datadir={}", text(data));
    let output = Command::new(script)
        .args([
            "--no-defaults",
            "--user=root",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            &data,
        ])
        .output()
        .expect("a script can be run");
    assert!(output.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&output.stdout));
}

fn run(client: &Path, addr: SocketAddr, sql: &str) -> Result<String, String> {
    let port = addr.port().to_string();
    let args = ["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "root", "-N", "-B", "-e", sql];
    let output = Command::new(client).args(args).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
