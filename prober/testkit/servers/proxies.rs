//! Proxies of others: tinyproxy for HTTP, microsocks for SOCKS5.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, loopback, on_free_port, program, text};

/// A running proxy; dropping it ends it.
pub struct PassOn {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl PassOn {
    /// An HTTP proxy, for requests as they are and for tunnels; with a `login` it wants user and password.
    pub fn http(login: Option<(&str, &str)>) -> Self {
        let program = program(&["/usr/bin/tinyproxy"], "tinyproxy-bin");
        let login =
            login.map(|(user, password)| format!("BasicAuth {user} {password}\n")).unwrap_or_default();
        Self::start("tinyproxy", &program, |port, folder| {
            let config =
                format!("Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nLogLevel Info\n{login}");
            let config = file(folder, "tinyproxy.conf", &config);
            vec!["-d".to_owned(), "-c".to_owned(), text(&config).to_owned()]
        })
    }

    /// A SOCKS5 proxy; with a `login` it wants user and password.
    pub fn socks(login: Option<(&str, &str)>) -> Self {
        let program = program(&["/usr/bin/microsocks"], "microsocks");
        Self::start("microsocks", &program, |port, _| {
            let mut args = vec!["-i".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()];
            if let Some((user, password)) = login {
                args.extend(["-u", user, "-P", password].map(str::to_owned));
            }
            args
        })
    }

    fn start(name: &'static str, program: &Path, args: impl Fn(u16, &Path) -> Vec<String>) -> Self {
        on_free_port(|port| {
            let folder = folder();
            let addr = loopback(port);
            let args = args(port, folder.path());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut process = Process::start(name, program, &args, folder.path(), None);
            process.wait_until(|| accepts(addr))?;
            Ok(Self { addr, _process: process, _folder: folder })
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}
