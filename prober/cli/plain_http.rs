//! The least of HTTP: one page of a server in the clear, as a prober and a server of NATS have them on this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long a server may take over each part of its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes of an answer: a hundred thousand scenarios.
const ANSWER_BYTES_MAX: u64 = 128 << 20;

/// The page `path` of the server at `url`, which begins with `http://`; `token` says who asks.
///
/// # Errors
/// There is no server, or it answers something else than 200; for people.
pub(crate) fn get(url: &str, path: &str, token: Option<&str>) -> Result<String, String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("only servers in the clear are read; write an address like http://127.0.0.1:9899")?;
    let host = rest.split('/').next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let full = if has_port { host.to_owned() } else { format!("{host}:80") };
    let text = |error: std::io::Error| error.to_string();
    let address = full.to_socket_addrs().map_err(text)?.next().ok_or("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE))).map_err(text)?;
    // The old version of HTTP: the answer comes in one piece.
    let who = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n{who}\r\n");
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(text)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("this is no answer in HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        Some("401" | "403") => {
            Err(format!("it answers {status}; name a file with a token with --token-file"))
        }
        _ => Err(format!("it answers {status}")),
    }
}
