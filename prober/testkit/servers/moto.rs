//! moto: S3 in Python, which works out every signature itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, file, folder, loopback, on_free_port, text};

/// Where `tests/run` puts the packages for Python.
pub(super) const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/bin/python");

/// A running moto with the bucket `exports`; dropping it ends it.
pub struct Moto {
    addr: SocketAddr,
    users: Value,
    _process: Process,
    _folder: TempDir,
}

/// An object that the bucket has from the start.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// How long ago it was written, in seconds.
    pub age: u64,
}

impl Moto {
    /// Starts it with these objects in the bucket.
    pub fn start(objects: &[Stored]) -> Self {
        let program = PathBuf::from(PYTHON);
        assert!(program.exists(), "moto is missing: tests/run peers");
        let objects: Vec<_> = objects
            .iter()
            .map(|stored| json!({ "key": stored.key, "bytes": stored.bytes, "age": stored.age }))
            .collect();
        let objects = Value::from(objects).to_string();
        on_free_port(|port| {
            let folder = folder();
            let script = file(folder.path(), "moto_server.py", include_str!("moto_server.py"));
            let port_text = port.to_string();
            let args = [text(&script), &port_text, &objects];
            let mut process = Process::start("moto", &program, &args, folder.path(), None);
            let mut users = None;
            process.wait_until(|| {
                // Its web server logs to the same file.
                users = process_line(folder.path());
                users.is_some()
            })?;
            let users = users.expect("it was waited for");
            Ok(Self { addr: loopback(port), users, _process: process, _folder: folder })
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The credentials `ACCESS:SECRET` of `reader`, who may list, or of `nobody`, who may not.
    pub fn credentials(&self, user: &str) -> &str {
        self.users[user].as_str().expect("the script makes the users")
    }
}

/// The line that the script prints when it is ready.
fn process_line(folder: &std::path::Path) -> Option<Value> {
    let log = std::fs::read_to_string(folder.join("moto.log")).ok()?;
    log.lines().find_map(|line| serde_json::from_str(line).ok().filter(Value::is_object))
}
