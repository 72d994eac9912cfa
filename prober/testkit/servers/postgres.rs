//! PostgreSQL with a cluster of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, User, file, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;

/// A running PostgreSQL; dropping it ends it.
///
/// On 127.0.0.1 the roles are `postgres` and `reader` (both without a password) and `guarded`, whose password
/// is `let-me-in` (SCRAM). The database is `postgres`.
pub struct Postgres {
    addr: SocketAddr,
    psql: PathBuf,
    _process: Process,
    _folder: TempDir,
}

/// The password of the role `guarded`.
const PASSWORD: &str = "let-me-in";

impl Postgres {
    /// Makes a cluster and starts it.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// The same, and it serves `identity` to clients that ask for TLS.
    pub fn start_secured(identity: &Identity) -> Self {
        Self::start_with(Some(identity))
    }

    fn start_with(identity: Option<&Identity>) -> Self {
        let user = User::instead_of_root("postgres");
        let folder = folder();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("the temporary folder takes a folder");
        // The server refuses to run as root, so its user gets the folder.
        if let Some(user) = user {
            user.own(folder.path());
            user.own(&data);
        }
        initialise(&data, user);
        file(&data, "pg_hba.conf", HBA);
        if let Some(identity) = identity {
            secure(&data, identity, user);
        }
        let psql = binary("psql");
        let (addr, process) = on_free_port(|port| {
            let addr = loopback(port);
            let (port, data) = (port.to_string(), text(&data));
            let socket = format!("unix_socket_directories={}", text(folder.path()));
            let mut args = vec!["-D", data, "-p", &port, "-h", "127.0.0.1", "-c", &socket];
            for setting in SETTINGS {
                args.extend(["-c", setting]);
            }
            if identity.is_some() {
                args.extend(["-c", "ssl=on"]);
            }
            let mut process = Process::start("postgres", &binary("postgres"), &args, folder.path(), user);
            process.wait_until(|| run(&psql, addr, "select 1").is_ok())?;
            Ok((addr, process))
        });
        let postgres = Self { addr, psql, _process: process, _folder: folder };
        postgres
            .execute(&format!("create role guarded login password '{PASSWORD}'; create role reader login"));
        postgres
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL for `role`, with the password if it has one.
    pub fn url(&self, role: &str) -> String {
        let password = if role == "guarded" { format!(":{PASSWORD}") } else { String::new() };
        format!("postgresql://{role}{password}@{}/postgres", self.addr)
    }

    /// Runs `sql` as the superuser and gives what it shows, one line a row, columns separated by `|`.
    pub fn execute(&self, sql: &str) -> String {
        run(&self.psql, self.addr, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

/// `guarded` alone has to show a password.
const HBA: &str = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";

/// A test's cluster need not survive a power cut.
const SETTINGS: [&str; 4] = ["fsync=off", "shared_buffers=16MB", "max_connections=50", "autovacuum=off"];

/// Puts the chain and the key where the server looks for them; only its user may read the key.
fn secure(data: &Path, identity: &Identity, user: Option<User>) {
    for (from, name) in [(&identity.cert_file, "server.crt"), (&identity.key_file, "server.key")] {
        let to = data.join(name);
        std::fs::copy(from, &to).expect("the temporary folder takes a file");
        if let Some(user) = user {
            user.own(&to);
        }
    }
}

fn binary(name: &str) -> PathBuf {
    let versions = ["15", "16", "17", "18"];
    let paths: Vec<String> =
        versions.iter().map(|version| format!("/usr/lib/postgresql/{version}/bin/{name}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    program(&paths, "postgresql")
}

fn initialise(data: &Path, user: Option<User>) {
    let mut command = Command::new(binary("initdb"));
    command.args([
        "-D",
        text(data),
        "-U",
        "postgres",
        "--auth=trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    command.current_dir(data);
    if let Some(user) = user {
        user.run(&mut command);
    }
    let output = command.output().expect("initdb can be run");
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
}

fn run(psql: &Path, addr: SocketAddr, sql: &str) -> Result<String, String> {
    let port = addr.port().to_string();
    let args = [
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "postgres",
        "-w",
        "-X",
        "-At",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        sql,
    ];
    let output = Command::new(psql).args(args).env("PGCONNECT_TIMEOUT", "5").output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
