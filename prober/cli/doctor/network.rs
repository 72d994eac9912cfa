//! Names, addresses, trust, and the port of the pages.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::{Finding, Patient, fail, ok, warn};
use crate::cli::show::duration;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most that is read of an answer.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Whether the pages could have their address.
pub(super) fn port(patient: &Patient) -> Finding {
    const NAME: &str = "port";
    let address = patient.listen;
    match TcpListener::bind(address) {
        Ok(_) => ok(NAME, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => match health(address) {
            Ok(_) => ok(NAME, format!("a prober serves on {address} already")),
            Err(_) => {
                fail(NAME, format!("{address} is in use"), "choose another with --listen 127.0.0.1:PORT")
            }
        },
        Err(error) => {
            fail(NAME, format!("{address}: {error}"), "choose another with --listen 127.0.0.1:PORT")
        }
    }
}

/// Whether a running server says that it is healthy.
pub(super) fn live(address: SocketAddr) -> Finding {
    match health(address) {
        Ok(text) => ok("server", format!("{address} is healthy: {text}")),
        Err(why) => fail("server", format!("{address}: {why}"), "look at the server's log"),
    }
}

/// The first line of a healthy server's `/healthz`.
fn health(address: SocketAddr) -> Result<String, String> {
    let text = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer within {}", duration(PATIENCE)),
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    };
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE))).map_err(text)?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(text)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let first = body.lines().next().unwrap_or_default().trim().to_owned();
    let good = status.starts_with("HTTP/1.1 200") || status.starts_with("HTTP/1.0 200");
    if good { Ok(first) } else { Err(format!("answered {status} {first}").trim_end().to_owned()) }
}

/// Whether the name servers that runs would ask give an answer.
pub(super) fn name_servers(patient: &Patient) -> Finding {
    const NAME: &str = "DNS";
    let asked = patient.runtime.block_on(patient.shared.ask_name_servers(PATIENCE));
    let shown: Vec<_> = asked
        .iter()
        .map(|(server, answer)| match answer {
            Ok(took) => format!("{server} answers in {}", duration(*took)),
            Err(why) => format!("{server} {why}"),
        })
        .collect();
    let seen = shown.join("; ");
    let answering = asked.iter().filter(|(_, answer)| answer.is_ok()).count();
    // A server that answers with a code is there, and may only refuse to tell about the root.
    let there = |why: &String| why.starts_with("answered");
    let refusing = asked.iter().filter(|(_, answer)| answer.as_ref().is_err_and(there)).count();
    match (asked.len(), answering) {
        (0, _) => fail(NAME, "no name server is known", "name one in /etc/resolv.conf"),
        (all, answering) if all == answering => ok(NAME, seen),
        (_, 0) if refusing == 0 => fail(
            NAME,
            seen,
            "runs that look up names will be ineligible; mend /etc/resolv.conf or the network",
        ),
        _ => warn(NAME, seen, "each lookup may wait for the server that does not answer"),
    }
}

/// Whether IPv6 has a route; nothing is sent.
pub(super) fn ipv6(_: &Patient) -> Finding {
    const NAME: &str = "IPv6";
    // Any address of the documentation's block takes the default route.
    let far: SocketAddr = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into();
    let routed = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(far)?;
        socket.local_addr()
    });
    match routed {
        Ok(from) => ok(NAME, format!("there is a route, from {}", from.ip())),
        Err(error) => warn(NAME, format!("no route: {error}"), "targets are reached over IPv4 only"),
    }
}

/// Whom TLS trusts.
pub(super) fn authorities(patient: &Patient) -> Finding {
    const NAME: &str = "CA roots";
    match patient.shared.authorities() {
        (0, _) => fail(NAME, "nobody is trusted", "install ca-certificates"),
        (count, true) => ok(NAME, format!("{count} of the system are trusted")),
        (count, false) => {
            let seen = format!("the system has none; the {count} that are built in are trusted");
            warn(NAME, seen, "install ca-certificates, or name a file in SSL_CERT_FILE")
        }
    }
}

/// Whether the kind `icmp` may ping: a socket is opened, and nothing sent.
pub(super) fn icmp(patient: &Patient) -> Finding {
    const NAME: &str = "ICMP";
    match patient.shared.may_ping() {
        Ok(()) => ok(NAME, "pings may be sent"),
        Err(error) => {
            let range = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").unwrap_or_default();
            let range = range.split_whitespace().collect::<Vec<_>>().join(" ");
            let seen = format!("pings may not be sent: {error} (net.ipv4.ping_group_range is \"{range}\")");
            let remedy = "for icmp scenarios: sysctl -w net.ipv4.ping_group_range='0 2147483647'";
            warn(NAME, seen, remedy)
        }
    }
}
