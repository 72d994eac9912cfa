//! One blocking HTTP request, to look at a page from a test.
//!
//! It speaks HTTP/1.0 so that the answer ends where the connection does. Deliberately absent: TLS, redirects
//! and reuse; the probes under test have those.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
}

impl Answer {
    /// The first value of header `name`, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// The most that is waited for a connection, a read or a write.
const PATIENCE: Duration = Duration::from_mins(1);

/// Gets `path` from `addr`; `None` if nobody answers in HTTP within 10 seconds.
pub fn get(addr: SocketAddr, path: &str) -> Option<Answer> {
    request(addr, &format!("GET {path} HTTP/1.0\r\nHost: {addr}\r\nConnection: close\r\n\r\n"))
}

/// Posts `body` as JSON to `path` at `addr`; `None` if nobody answers in HTTP within 10 seconds.
pub fn post_json(addr: SocketAddr, path: &str, body: &str) -> Option<Answer> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.0\r\nHost: {addr}\r\nConnection: close\r\n");
    request(addr, &format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"))
}

/// Sends `text` to `addr` as it is and reads the answer; `None` if nobody answers in HTTP within 10 seconds.
pub fn request(addr: SocketAddr, text: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // A reset after the whole answer still leaves the answer.
    let _end = stream.read_to_end(&mut bytes);
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Some(Answer { status, headers, body: body.to_owned() })
}
