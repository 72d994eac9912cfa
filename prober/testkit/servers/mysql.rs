//! MySQL and MariaDB with a data folder of their own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, file, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;

/// A running MySQL or MariaDB; dropping it ends it.
///
/// The users are `root` and `reader` (both without a password) and `guarded`, whose password is `let-me-in`. The
/// database is `shop`, which all of them may read.
pub struct MySql {
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

/// Where `tests/run peers` lays MySQL with all that it needs of a Debian newer than this machine's.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/mysql");

/// How one of the two is called.
struct Brand {
    name: &'static str,
    server: PathBuf,
    /// What stands before every other argument.
    first: Vec<String>,
}

impl MySql {
    /// Oracle's MySQL, whose sign-in is `caching_sha2_password`.
    ///
    /// With an `identity` it offers TLS with that, else with a certificate that it makes itself.
    pub fn start(identity: Option<&Identity>) -> Self {
        let folder = folder();
        let brand = oracle();
        let mut args = brand.first.clone();
        args.extend(
            ["--initialize-insecure", "--user=root", "--innodb-redo-log-capacity=8M"].map(str::to_owned),
        );
        // Its only user is `root@localhost`, which nobody on a port is where names are not looked up.
        let root = "create user root@'127.0.0.1';\ngrant all on *.* to root@'127.0.0.1' with grant option;\n";
        let users = file(folder.path(), "users.sql", root);
        args.extend([data_of(&folder), format!("--init-file={}", text(&users))]);
        finished(Command::new(&brand.server).args(args));
        Self::serve(&brand, folder, identity)
    }

    /// MariaDB, whose sign-in is `mysql_native_password`; with an `identity` it offers TLS.
    pub fn start_mariadb(identity: Option<&Identity>) -> Self {
        let folder = folder();
        let script = program(&["/usr/bin/mariadb-install-db"], "mariadb-server-core");
        let args =
            ["--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"];
        finished(Command::new(script).args(args).arg(data_of(&folder)));
        let server = program(&["/usr/sbin/mariadbd"], "mariadb-server-core");
        let brand = Brand { name: "mariadbd", server, first: vec!["--no-defaults".to_owned()] };
        Self::serve(&brand, folder, identity)
    }

    fn serve(brand: &Brand, folder: TempDir, identity: Option<&Identity>) -> Self {
        let client = program(&["/usr/bin/mariadb"], "mariadb-client-core");
        let (addr, process) = on_free_port(|port| {
            let addr = loopback(port);
            let mut args = brand.first.clone();
            args.extend([format!("--port={port}"), "--user=root".to_owned(), data_of(&folder)]);
            for (what, file) in [("socket", "sock"), ("pid-file", "pid")] {
                args.push(format!("--{what}={}", text(&folder.path().join(file))));
            }
            args.extend(SETTINGS.map(str::to_owned));
            if let Some(identity) = identity {
                args.push(format!("--ssl-cert={}", text(&identity.cert_file)));
                args.push(format!("--ssl-key={}", text(&identity.key_file)));
            }
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut process = Process::start(brand.name, &brand.server, &args, folder.path(), None);
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

/// MySQL by the loader and the libraries that came with it, which are newer than this machine's.
fn oracle() -> Brand {
    let root =
        Path::new(ROOT).canonicalize().unwrap_or_else(|_| panic!("mysqld is missing: run `tests/run peers`"));
    let at = |path: &str| text(&root.join(path)).to_owned();
    let server = root.join("loader");
    let first = vec![
        "--library-path".to_owned(),
        at("libraries"),
        at("usr/sbin/mysqld"),
        "--no-defaults".to_owned(),
        format!("--basedir={}", at("usr")),
        format!("--lc-messages-dir={}", at("usr/share/mysql")),
        format!("--plugin-dir={}", at("usr/lib/mysql/plugin")),
        "--secure-file-priv=NULL".to_owned(),
        "--mysqlx=OFF".to_owned(),
    ];
    Brand { name: "mysqld", server, first }
}

fn data_of(folder: &TempDir) -> String {
    format!("--datadir={}", text(&folder.path().join("data")))
}

/// Runs what makes a data folder.
fn finished(command: &mut Command) {
    let output = command.output().expect("a program can be run");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

fn run(client: &Path, addr: SocketAddr, sql: &str) -> Result<String, String> {
    let port = addr.port().to_string();
    let args = ["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "root", "-N", "-B", "-e", sql];
    let output = Command::new(client).args(args).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
