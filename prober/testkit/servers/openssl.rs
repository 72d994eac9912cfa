//! OpenSSL's tool: a TLS server that speaks what nobody should speak any more, and what it says of other servers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{Process, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;

/// A running `openssl s_server`; dropping it ends it. It serves one connection after the other.
pub struct OpenSsl {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl OpenSsl {
    /// Serves `identity` with more arguments, such as `-tls1_1` or `-status_file answer.der`.
    ///
    /// Security level 0 lets it take any key, signature and version; the arguments may say otherwise.
    pub fn serve(identity: &Identity, more: &[&str]) -> Self {
        let program = tool();
        // The first certificate of a file is its own, all of them are the chain that follows.
        let rest = identity.issuers_file();
        on_free_port(|port| {
            let folder = folder();
            let accept = format!("127.0.0.1:{port}");
            let mut args = vec!["s_server", "-accept", &accept, "-www", "-cert", text(&identity.cert_file)];
            args.extend(["-key", text(&identity.key_file), "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]);
            if let Some(rest) = &rest {
                args.extend(["-cert_chain", text(rest)]);
            }
            args.extend(more);
            let mut process = Process::start("s_server", &program, &args, folder.path(), None);
            let ready = || {
                std::fs::read_to_string(folder.path().join("s_server.log"))
                    .is_ok_and(|log| log.contains("ACCEPT"))
            };
            process.wait_until(ready)?;
            Ok(Self { addr: loopback(port), _process: process, _folder: folder })
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Where the tool is.
fn tool() -> PathBuf {
    program(&["/usr/bin/openssl"], "openssl")
}

/// Runs `openssl` with `args` in `folder` and gives what it printed; it must succeed.
pub fn openssl(folder: &Path, args: &[&str]) -> String {
    let (succeeded, said) = run(folder, args);
    assert!(succeeded, "openssl {args:?}: {said}");
    said
}

/// What `openssl s_client` says of the server at `addr`, whether it came to a handshake or not.
pub fn s_client(addr: SocketAddr, args: &[&str]) -> String {
    let connect = addr.to_string();
    run(Path::new("/"), &[&["s_client", "-connect", &connect], args].concat()).1
}

fn run(folder: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(tool());
    // Without an input a client ends after the handshake.
    command.args(args).current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("openssl can be run");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}
