//! Servers that come to TLS by way of plaintext: mail, chat, directory, database.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, User, accepts, file, folder, loopback, on_free_port, program, text};
use crate::pki::Identity;
use crate::wait;

/// A running server; dropping it ends it.
pub struct Plaintext {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

/// Dovecot, which speaks IMAP on one port, in TLS from the first byte on another, and POP3 on a third; dropping it
/// ends it.
pub struct Dovecot {
    imap: SocketAddr,
    imaps: SocketAddr,
    pop3: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Plaintext {
    /// aiosmtpd: SMTP.
    pub fn smtp(identity: &Identity) -> Self {
        let python = program(&["/usr/bin/python3"], "python3-aiosmtpd");
        program(&["/usr/bin/aiosmtpd"], "python3-aiosmtpd");
        Self::start("smtp", &python, identity, None, |port, folder| {
            let script = file(folder, "smtp.py", SMTP);
            let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
            vec![text(&script).to_owned(), port.to_string(), text(&cert).to_owned(), text(&key).to_owned()]
        })
    }

    /// slapd: LDAP.
    pub fn ldap(identity: &Identity) -> Self {
        let slapd = program(&["/usr/sbin/slapd"], "slapd");
        Self::start("slapd", &slapd, identity, None, |port, folder| {
            std::fs::create_dir_all(folder.join("db")).expect("the temporary folder takes a folder");
            let at = text(folder);
            let config = format!(
                "include /etc/ldap/schema/core.schema\npidfile {at}/pid\nargsfile {at}/args\n\
                 TLSCertificateFile {at}/cert.pem\nTLSCACertificateFile {at}/cert.pem\nTLSCertificateKeyFile {at}/key.pem\n\
                 database ldif\nsuffix \"dc=test\"\ndirectory {at}/db\n"
            );
            let config = file(folder, "slapd.conf", &config);
            let listen = format!("ldap://127.0.0.1:{port}");
            ["-f", text(&config), "-h", &listen, "-d", "0"].map(str::to_owned).into()
        })
    }

    /// `mariadbd`: the protocol of `mysql`.
    pub fn mysql(identity: &Identity) -> Self {
        let mariadb = program(&["/usr/sbin/mariadbd"], "mariadb-server-core");
        Self::start("mariadbd", &mariadb, identity, None, |port, folder| {
            std::fs::create_dir_all(folder.join("data")).expect("the temporary folder takes a folder");
            let at = text(folder);
            // Nobody signs in here, and without tables the server starts in no time.
            [
                "--no-defaults".to_owned(),
                "--user=root".to_owned(),
                format!("--datadir={at}/data"),
                format!("--socket={at}/socket"),
                format!("--port={port}"),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--ssl-cert={at}/cert.pem"),
                format!("--ssl-key={at}/key.pem"),
                "--skip-grant-tables".to_owned(),
                "--innodb=OFF".to_owned(),
                "--default-storage-engine=MyISAM".to_owned(),
                "--aria-log-file-size=8M".to_owned(),
            ]
            .into()
        })
    }

    /// Prosody: XMPP for the host `localhost`.
    pub fn xmpp(identity: &Identity) -> Self {
        let prosody = program(&["/usr/bin/prosody"], "prosody");
        let user = User::instead_of_root("prosody");
        Self::start("prosody", &prosody, identity, user, |port, folder| {
            let at = text(folder);
            let config = format!(
                "pidfile = \"{at}/pid\"\ndata_path = \"{at}\"\ndaemonize = false\n\
                 log = {{ {{ levels = {{ min = \"info\" }}, to = \"console\" }} }}\n\
                 interfaces = {{ \"127.0.0.1\" }}\nc2s_ports = {{ {port} }}\n\
                 modules_enabled = {{ \"tls\", \"saslauth\" }}\nmodules_disabled = {{ \"s2s\" }}\n\
                 authentication = \"anonymous\"\nc2s_require_encryption = true\n\
                 ssl = {{ key = \"{at}/key.pem\", certificate = \"{at}/cert.pem\" }}\nVirtualHost \"localhost\"\n"
            );
            let config = file(folder, "prosody.cfg.lua", &config);
            ["--config", text(&config)].map(str::to_owned).into()
        })
    }

    fn start(
        name: &'static str,
        program: &Path,
        identity: &Identity,
        user: Option<User>,
        args: impl Fn(u16, &Path) -> Vec<String>,
    ) -> Self {
        on_free_port(|port| {
            let folder = folder();
            copy(identity, folder.path(), user);
            let addr = loopback(port);
            let args = args(port, folder.path());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            if let Some(user) = user {
                user.own(folder.path());
            }
            let mut process = Process::start(name, program, &args, folder.path(), user);
            process.wait_until(|| accepts(addr))?;
            Ok(Self { addr, _process: process, _folder: folder })
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Gives the server its own copy of the chain and the key, which only its user may read.
fn copy(identity: &Identity, folder: &Path, user: Option<User>) {
    for (from, name) in [(&identity.cert_file, "cert.pem"), (&identity.key_file, "key.pem")] {
        let to = folder.join(name);
        std::fs::copy(from, &to).expect("the temporary folder takes a file");
        if let Some(user) = user {
            user.own(&to);
        }
    }
}

impl Dovecot {
    /// Serves `identity` on free ports; nobody signs in without TLS.
    pub fn start(identity: &Identity) -> Self {
        let dovecot = program(&["/usr/sbin/dovecot"], "dovecot-imapd dovecot-pop3d");
        on_free_port(|port| {
            let folder = folder();
            let (imap, pop3) = (loopback(port), loopback(wait::free_port()));
            let imaps = loopback(wait::free_port());
            copy(identity, folder.path(), None);
            let config = dovecot_conf(folder.path(), (imap.port(), imaps.port()), pop3.port());
            let config = file(folder.path(), "dovecot.conf", &config);
            let args = ["-F", "-c", text(&config)];
            let mut process = Process::start("dovecot", &dovecot, &args, folder.path(), None);
            process.wait_until(|| accepts(imap) && accepts(imaps) && accepts(pop3))?;
            Ok(Self { imap, imaps, pop3, _process: process, _folder: folder })
        })
    }

    /// Where it speaks IMAP.
    pub const fn imap(&self) -> SocketAddr {
        self.imap
    }

    /// Where it speaks IMAP in TLS from the first byte.
    pub const fn imaps(&self) -> SocketAddr {
        self.imaps
    }

    /// Where it speaks POP3.
    pub const fn pop3(&self) -> SocketAddr {
        self.pop3
    }
}

fn dovecot_conf(folder: &Path, (imap, imaps): (u16, u16), pop3: u16) -> String {
    // Its own users if root starts it, as its package makes them; otherwise whoever starts it.
    let users = if User::instead_of_root("dovenull").is_some() {
        "default_login_user = dovenull\ndefault_internal_user = dovecot\n".to_owned()
    } else {
        let own = Command::new("id").arg("-un").output().expect("the system has id");
        let own = String::from_utf8_lossy(&own.stdout).trim().to_owned();
        format!("default_login_user = {own}\ndefault_internal_user = {own}\n")
    };
    let at = text(folder);
    let listener = |name: &str, port: u16, secured: u16| {
        format!(
            "service {name}-login {{\n  chroot =\n  inet_listener {name} {{\n    port = {port}\n  }}\n  \
             inet_listener {name}s {{\n    port = {secured}\n    ssl = yes\n  }}\n}}\n"
        )
    };
    let (imap, pop3) = (listener("imap", imap, imaps), listener("pop3", pop3, 0));
    format!(
        "protocols = imap pop3\nlisten = 127.0.0.1\nbase_dir = {at}/run\nlog_path = /dev/stderr\nssl = required\n\
         ssl_cert = <{at}/cert.pem\nssl_key = <{at}/key.pem\n{users}{imap}{pop3}\
         service anvil {{\n  chroot =\n}}\npassdb {{\n  driver = static\n  args = nopassword=y\n}}\n"
    )
}

/// A mail server that wants TLS before anything else.
const SMTP: &str = r#"
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
class Nobody: pass
async def serve():
    make = lambda: SMTP(Nobody(), tls_context=context, require_starttls=True, hostname="localhost")
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(serve())
"#;
