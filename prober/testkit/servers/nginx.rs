//! nginx: HTTP/1.1 on one port, HTTP/1.1 and HTTP/2 over TLS on another.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, accepts, file, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;
use crate::wait;

/// A running nginx; dropping it ends it.
pub struct Nginx {
    http: SocketAddr,
    https: SocketAddr,
    _process: Process,
    folder: TempDir,
}

impl Nginx {
    /// Serves `identity`; `/` is a page, `/hello.json` a JSON document, `/status/503` an error, `/old` a redirect.
    pub fn start(identity: &Identity) -> Self {
        let program = program(&["/usr/sbin/nginx"], "nginx-light");
        on_free_port(|port| {
            let folder = folder();
            file(folder.path(), "index.html", "<!doctype html><title>nginx</title><p>A page by nginx.\n");
            file(folder.path(), "hello.json", r#"{"status":"UP","generated_at":"2026-01-01T00:00:00Z"}"#);
            let (http, https) = (loopback(port), loopback(wait::free_port()));
            let config = file(folder.path(), "nginx.conf", &config(folder.path(), identity, http, https));
            let args = ["-p", text(folder.path()), "-c", text(&config), "-e", "stderr"];
            let mut process = Process::start("nginx", &program, &args, folder.path(), None);
            process.wait_until(|| accepts(http) && accepts(https))?;
            Ok(Self { http, https, _process: process, folder })
        })
    }

    /// Where it speaks plain HTTP.
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it speaks HTTPS.
    pub const fn https(&self) -> SocketAddr {
        self.https
    }

    /// The folder that it serves; files written there are served.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn config(folder: &Path, identity: &Identity, http: SocketAddr, https: SocketAddr) -> String {
    let (folder, cert, key) = (text(folder), text(&identity.cert_file), text(&identity.key_file));
    format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  types {{ text/html html; application/json json; }}
  server {{
    listen {http};
    listen {https} ssl http2;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    root {folder};
    location /status/503 {{ return 503; }}
    location /old {{ return 301 /; }}
  }}
}}
"
    )
}
