//! A connection to a server: signing in, publishing, and what comes back.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::socket::{self, Wire};

/// Where a server is, and who we are to it.
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether a server without TLS is refused.
    pub(super) tls_only: bool,
    pub(super) tls: Arc<ClientConfig>,
    /// Members of `CONNECT`.
    pub(super) sign_in: Vec<(&'static str, String)>,
    pub(super) name: String,
    pub(super) version: Arc<str>,
}

/// The longest line that is read; a server tells its whole cluster in one.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// The largest message that is read: an acknowledgement has a line.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// A connection that is signed in.
pub(super) struct Connection {
    wire: BufReader<Box<dyn Wire>>,
    /// The largest message that the server takes, in bytes.
    pub(super) payload_max: usize,
}

/// What the server said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Everything before the last PING has arrived.
    Pong,
    /// A message: its subject, and its payload.
    Message(String, Vec<u8>),
    /// Nobody takes messages of a subject; where that was said.
    NoResponders(String),
}

fn broken(why: impl Into<String>) -> io::Error {
    io::Error::other(why.into())
}

impl Connection {
    /// Connects and signs in. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// No connection, no TLS where it is wanted, or the server does not let us in.
    pub(super) async fn open(place: &Place) -> io::Result<Self> {
        let mut plain = BufReader::new(socket::open(&place.host, place.port).await?);
        let line = line(&mut plain).await?;
        let info = line.strip_prefix("INFO ").ok_or_else(|| broken("this is no NATS server"))?;
        let info: Value = serde_json::from_str(info).map_err(|_| broken("this is no NATS server"))?;
        let is = |name: &str| info[name].as_bool().unwrap_or(false);
        let wants_tls = is("tls_required") || place.tls_only;
        if wants_tls && !(is("tls_required") || is("tls_available")) {
            return Err(broken("the server does not offer TLS"));
        }
        if !is("headers") {
            return Err(broken("the server is too old: it knows no headers"));
        }
        let wire: Box<dyn Wire> = if wants_tls {
            if !plain.buffer().is_empty() {
                return Err(broken("the server said more before TLS began"));
            }
            socket::secure(plain.into_inner(), &place.host, &place.tls).await?
        } else {
            Box::new(plain.into_inner())
        };
        let payload_max = info["max_payload"].as_u64().and_then(|max| usize::try_from(max).ok());
        let mut made = Self { wire: BufReader::new(wire), payload_max: payload_max.unwrap_or(1 << 20) };
        made.sign_in(place).await?;
        Ok(made)
    }

    async fn sign_in(&mut self, place: &Place) -> io::Result<()> {
        let mut options = json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "protocol": 1,
            "lang": "rust", "version": &*place.version, "name": &*place.name,
        });
        for (name, value) in &place.sign_in {
            options[*name] = value.as_str().into();
        }
        self.send(format!("CONNECT {options}\r\nPING\r\n").as_bytes()).await?;
        match self.hear().await? {
            Said::Pong => Ok(()),
            _ => Err(broken("the server sent messages before it let us in")),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    /// The next thing that concerns us; the server's own questions are answered.
    pub(super) async fn hear(&mut self) -> io::Result<Said> {
        loop {
            let line = line(&mut self.wire).await?;
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word.to_ascii_uppercase().as_str() {
                "PING" => self.send(b"PONG\r\n").await?,
                "PONG" => return Ok(Said::Pong),
                "+OK" | "INFO" => {}
                "-ERR" => {
                    let why: String = rest.chars().filter(|letter| !letter.is_control()).take(200).collect();
                    return Err(broken(format!("the server says {why}")));
                }
                "MSG" => return self.message(rest, false).await,
                "HMSG" => return self.message(rest, true).await,
                _ => return Err(broken("the server does not keep to the protocol")),
            }
        }
    }

    /// `SUBJECT SID [REPLY] [HEADER LENGTH] LENGTH`, and as many bytes.
    async fn message(&mut self, rest: &str, has_headers: bool) -> io::Result<Said> {
        let wrong = || broken("the server does not keep to the protocol");
        let words: Vec<_> = rest.split_whitespace().collect();
        let number = |place: usize| {
            let at = words.len().checked_sub(place)?;
            words.get(at)?.parse::<usize>().ok().filter(|length| *length <= MESSAGE_BYTES_MAX)
        };
        let subject = words.first().ok_or_else(wrong)?;
        let length = number(1).ok_or_else(wrong)?;
        let headers =
            if has_headers { number(2).filter(|part| *part <= length).ok_or_else(wrong)? } else { 0 };
        let mut bytes = vec![0; length + 2];
        self.wire.read_exact(&mut bytes).await?;
        if bytes[..headers].starts_with(b"NATS/1.0 503") {
            return Ok(Said::NoResponders((*subject).to_owned()));
        }
        Ok(Said::Message((*subject).to_owned(), bytes[headers..length].to_vec()))
    }
}

/// The next line without its end.
async fn line(wire: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut bytes = Vec::new();
    wire.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).await?;
    if !bytes.ends_with(b"\n") {
        let why =
            if bytes.len() as u64 >= LINE_BYTES_MAX { "a line without end" } else { "the server closed" };
        return Err(broken(why));
    }
    let text = String::from_utf8(bytes).map_err(|_| broken("the server does not keep to the protocol"))?;
    Ok(text.trim_end().to_owned())
}
