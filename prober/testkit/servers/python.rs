//! Servers in Python, each a script with a library that others use in earnest.

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::moto::PYTHON;
use super::process::{Process, file, folder, loopback, on_free_port, text};
use crate::pki::Identity;

/// A running server in Python; dropping it ends it.
pub struct Python {
    addr: SocketAddr,
    process: Process,
    _folder: TempDir,
}

/// The library grpcio, with its health service.
const GRPC: (&str, &str) = ("grpc", include_str!("grpc_server.py"));
/// The library websockets.
const WEBSOCKET: (&str, &str) = ("websocket", include_str!("websocket_server.py"));
/// The published messages of OpenTelemetry.
const OTLP: (&str, &str) = ("otlp", include_str!("otlp_server.py"));
/// Google's protobuf, with the published messages of remote write 2.0.
const REMOTE_WRITE: (&str, &str) = ("remote_write", include_str!("remote_write_server.py"));
/// The mock cluster of librdkafka.
const KAFKA: (&str, &str) = ("kafka", include_str!("kafka_server.py"));
/// The library aiosmtpd.
const SMTP: (&str, &str) = ("smtp", include_str!("smtp_server.py"));
/// The library pyOpenSSL, which aioquic brings along.
const RENEGOTIATING: (&str, &str) = ("renegotiating", include_str!("renegotiating_server.py"));

/// The library aioquic.
const HTTP3: (&str, &str) = ("http3", include_str!("h3_server.py"));

/// How a server speaks QUIC.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Quic {
    /// The application protocol that it knows.
    pub alpn: &'static str,
    /// The version of QUIC that it speaks.
    pub version: u32,
}

impl Quic {
    /// Version 1 (RFC 9000).
    pub const V1: u32 = 1;
    /// Version 2 (RFC 9369).
    pub const V2: u32 = 0x6b33_43cf;
}

impl Default for Quic {
    /// HTTP/3 over version 1.
    fn default() -> Self {
        Self { alpn: "h3", version: Self::V1 }
    }
}

impl Python {
    /// A gRPC server with the health service: it works, as does `shop.Orders`, and `shop.Search` does not.
    ///
    /// Calls with the metadata `x-deny: yes` are refused; what others say as `x-tenant` comes back as `x-heard`.
    pub fn grpc(identity: Option<&Identity>) -> Self {
        Self::start(GRPC, identity, &[])
    }

    /// A WebSocket server with the paths `/echo`, `/hello`, `/closed`, `/count`, `/abort` and `/forbidden`.
    pub fn websocket(identity: Option<&Identity>) -> Self {
        Self::start(WEBSOCKET, identity, &[])
    }

    /// A mail server; with an `identity` it offers STARTTLS.
    pub fn smtp(identity: Option<&Identity>) -> Self {
        Self::start(SMTP, identity, &[])
    }

    /// A mail server in TLS from the first byte.
    pub fn smtps(identity: &Identity) -> Self {
        Self::start(SMTP, Some(identity), &["implicit"])
    }

    /// A server of HTTP/3 by aioquic with the paths `/`, `/slow`, `/echo`, `/moved`, `/gone`, `/large`, and those that
    /// break off: `/silent`, `/reset`, `/close`, `/stop`, `/garbage`, `/long-head`, `/endless-length`,
    /// `/short-length`, `/no-length`.
    pub fn http3(identity: &Identity, speech: &Quic) -> Self {
        let version = format!("{:x}", speech.version);
        Self::start(HTTP3, Some(identity), &[speech.alpn, &version])
    }

    /// A server of TLS 1.2 that asks for another handshake before it answers, and gives no answer without.
    pub fn renegotiating(identity: &Identity) -> Self {
        Self::start(RENEGOTIATING, Some(identity), &[])
    }

    /// An OpenTelemetry collector over HTTP; what requests say as `x-say` is what they are told.
    pub fn otlp_http() -> Self {
        Self::start(OTLP, None, &["http"])
    }

    /// The same over gRPC.
    pub fn otlp_grpc(identity: Option<&Identity>) -> Self {
        Self::start(OTLP, identity, &["grpc"])
    }

    /// A receiver of remote write 2.0 only, which decodes with Google's protobuf; a line for each request, with `wrong` if
    /// it is not what the definition and the specification say.
    pub fn remote_write() -> Self {
        Self::start(REMOTE_WRITE, None, &[])
    }

    /// Three brokers of Kafka with `topic`; its first line says where they are, then there is one for each record.
    pub fn kafka(topic: &str) -> Self {
        Self::start(KAFKA, None, &[topic])
    }

    /// What it wrote since it was ready, line by line.
    pub fn lines(&self) -> Vec<String> {
        let output = self.process.output();
        let mut lines = output.lines().skip_while(|line| *line != "ready").skip(1).map(str::to_owned);
        // A last line without its end is still being written.
        let whole = output.ends_with('\n');
        let mut all: Vec<_> = lines.by_ref().collect();
        if !whole {
            all.pop();
        }
        all
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn start((name, source): (&'static str, &str), identity: Option<&Identity>, more: &[&str]) -> Self {
        let program = PathBuf::from(PYTHON);
        assert!(program.exists(), "the {name} server's Python is missing: tests/run peers");
        on_free_port(|port| {
            let folder = folder();
            let script = file(folder.path(), "server.py", source);
            let port_text = port.to_string();
            let mut args = vec![text(&script), port_text.as_str()];
            if let Some(identity) = identity {
                args.extend([text(&identity.cert_file), text(&identity.key_file)]);
            }
            args.extend_from_slice(more);
            let mut process = Process::start(name, &program, &args, folder.path(), None);
            let log = folder.path().join(format!("{name}.log"));
            process.wait_until(|| {
                std::fs::read_to_string(&log).is_ok_and(|log| log.lines().any(|line| line == "ready"))
            })?;
            Ok(Self { addr: loopback(port), process, _folder: folder })
        })
    }
}
