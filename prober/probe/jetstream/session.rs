//! The text protocol of NATS, as far as a question to JetStream's API needs it
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).

use model::outcome::{Failure, FailureClass, cut};
use model::step::Phase;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::lines::Lines;
use crate::net::phases::Phases;

/// The longest line of a server: its INFO may name the servers of a cluster.
const LINE_MAX: usize = 64 * 1024;
/// The most that a server may send in one run, in bytes.
pub(super) const RECEIVED_MAX: usize = 4 * 1024 * 1024;
/// The most lines that belong to no question of ours, such as pings.
const ASIDES_MAX: usize = 100;
/// The longest name of a stream or subject.
const NAME_MAX: usize = 255;

/// Whether `text` can be the name of a stream or a domain.
pub(super) fn is_stream(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b".*>/\\".contains(&byte))
}

/// Whether `text` can be a subject, perhaps with wildcards.
pub(super) fn is_subject(text: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii());
    (1..=NAME_MAX).contains(&text.len()) && text.split('.').all(part)
}

/// What proves who the prober is, as CONNECT says it.
#[derive(Debug, Default)]
pub(super) struct Credentials(pub(super) Vec<(&'static str, String)>);

/// A connection that speaks NATS.
pub(super) struct Session<S> {
    lines: Lines<S>,
    /// Where answers are sent to.
    inbox: String,
    questions: u32,
}

/// What the server says of itself when a connection is made.
#[derive(Debug)]
pub(super) struct Info {
    /// The server's version.
    pub(super) version: String,
    /// Whether it wants TLS.
    pub(super) wants_tls: bool,
    /// Whether it can speak TLS.
    pub(super) has_tls: bool,
}

impl Info {
    /// Reads the server's first line.
    ///
    /// # Errors
    /// The connection ended, or this is no NATS.
    pub(super) async fn read<S>(lines: &mut Lines<S>, phases: &mut Phases) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let line = lines.line(LINE_MAX, phases).await;
        let line = line.map_err(|error| error.into_failure("jetstream.too_long"))?;
        let info = line.strip_prefix("INFO ").and_then(|text| serde_json::from_str::<Json>(text).ok());
        let Some(info) = info.filter(Json::is_object) else { return Err(no_nats(&line)) };
        let yes = |key: &str| info[key].as_bool() == Some(true);
        Ok(Self {
            version: cut(info["version"].as_str().unwrap_or_default().to_owned(), 60),
            wants_tls: yes("tls_required"),
            has_tls: yes("tls_required") || yes("tls_available"),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Signs in on `lines`, whose INFO was read; `id` makes the inbox this run's own.
    ///
    /// # Errors
    /// The server refused, or the connection ended.
    pub(super) async fn open(
        mut lines: Lines<S>,
        (credentials, secure, id): (Credentials, bool, &str),
        phases: &mut Phases,
    ) -> Result<Self, Failure> {
        let mut connect = json!({
            "verbose": false,
            "pedantic": false,
            "tls_required": secure,
            "name": "prober",
            "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": 1,
            "headers": true,
            "no_responders": true,
        });
        for (key, value) in credentials.0 {
            connect[key] = value.into();
        }
        let inbox = format!("_INBOX.prober.{id}");
        let hello = format!("CONNECT {connect}\r\nSUB {inbox}.* 1\r\nPING\r\n");
        lines.write(hello.as_bytes(), phases).await?;
        let mut session = Self { lines, inbox, questions: 0 };
        for _ in 0..ASIDES_MAX {
            let line = session.line(phases).await?;
            match word(&line) {
                "PONG" => return Ok(session),
                "-ERR" => return Err(refused(&line)),
                "+OK" | "INFO" | "PING" => {}
                _ => return Err(no_nats(&line)),
            }
        }
        Err(no_nats("line after line that is no answer"))
    }

    /// Asks JetStream's API on `subject`; takes the phases `send`, `wait` and `receive`.
    ///
    /// # Errors
    /// Nobody answers there, the connection ended, or the answer is none.
    pub(super) async fn ask(
        &mut self,
        subject: &str,
        question: &Json,
        phases: &mut Phases,
    ) -> Result<Json, Failure> {
        self.questions += 1;
        let inbox = format!("{}.{}", self.inbox, self.questions);
        let payload = question.to_string();
        let publish = format!("PUB {subject} {inbox} {}\r\n{payload}\r\n", payload.len());
        self.lines.write(publish.as_bytes(), phases).await?;
        for _ in 0..ASIDES_MAX {
            let line = self.line(phases).await?;
            match word(&line) {
                "MSG" | "HMSG" => {
                    let (ours, head, all) = lengths(&line, &inbox).ok_or_else(|| no_nats(&line))?;
                    let bytes = self.lines.exactly(all + 2, phases).await;
                    let bytes = bytes.map_err(|error| error.into_failure("jetstream.too_long"))?;
                    if !ours {
                        continue;
                    }
                    phases.finish();
                    return answer(&bytes[..head], &bytes[head..all]);
                }
                "-ERR" => return Err(refused(&line)),
                "PING" => {
                    // Not a phase of its own: the answer is still waited for.
                    let mut aside = Phases::start(phases.origin());
                    self.lines.write(b"PONG\r\n", &mut aside).await?;
                    phases.enter(Phase::Wait);
                }
                "+OK" | "INFO" | "PONG" => {}
                _ => return Err(no_nats(&line)),
            }
        }
        Err(no_nats("line after line that is no answer"))
    }

    async fn line(&mut self, phases: &mut Phases) -> Result<String, Failure> {
        let line = self.lines.line(LINE_MAX, phases).await;
        line.map_err(|error| error.into_failure("jetstream.too_long"))
    }
}

/// A line's first word, in capitals in every server.
fn word(line: &str) -> &str {
    line.split([' ', '\t']).next().unwrap_or_default()
}

/// Of `MSG subject sid [reply] length` or `HMSG subject sid [reply] head length`: whether it is for `inbox`, the length
/// of the headers and that of all.
fn lengths(line: &str, inbox: &str) -> Option<(bool, usize, usize)> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let (has_head, least) = if words[0] == "HMSG" { (true, 5) } else { (false, 4) };
    if !(least..=least + 1).contains(&words.len()) {
        return None;
    }
    let all: usize = words.last()?.parse().ok().filter(|all| *all <= RECEIVED_MAX)?;
    let head = if has_head { words[words.len() - 2].parse().ok().filter(|head| *head <= all)? } else { 0 };
    Some((words[1] == inbox, head, all))
}

fn answer(head: &[u8], body: &[u8]) -> Result<Json, Failure> {
    let head = String::from_utf8_lossy(head);
    let status = head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    if status == "503" {
        let message = "nobody answers for JetStream: it is switched off, or this account has none";
        return Err(Failure::new(FailureClass::Protocol, "jetstream.503", message));
    }
    serde_json::from_slice(body).ok().filter(Json::is_object).ok_or_else(|| {
        let message = "the answer of JetStream's API is not JSON";
        Failure::new(FailureClass::Protocol, "jetstream.protocol", message)
    })
}

/// The failure of `-ERR '…'`.
fn refused(line: &str) -> Failure {
    let said = line.trim_start_matches("-ERR").trim().trim_matches('\'');
    let lower = said.to_ascii_lowercase();
    let error_type = if lower.contains("authorization") || lower.contains("authentication") {
        "jetstream.authorization"
    } else if lower.contains("permissions violation") {
        "jetstream.permission"
    } else {
        "jetstream.refused"
    };
    let message = format!("the server refused: {}", cut(said.to_owned(), 200));
    Failure::new(FailureClass::Protocol, error_type, message)
}

fn no_nats(line: &str) -> Failure {
    let message = format!("what answers does not speak NATS as expected: {:?}", cut(line.to_owned(), 100));
    Failure::new(FailureClass::Protocol, "jetstream.protocol", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_be_and_cannot() {
        for name in ["ORDERS", "a-b_c", "x"] {
            assert!(is_stream(name), "{name}");
        }
        for name in ["", "a.b", "a b", "a\r\n", "a*", ">", "a/b", &"x".repeat(256)] {
            assert!(!is_stream(name), "{name}");
        }
        for name in ["orders", "orders.*.new", "orders.>", "a.b"] {
            assert!(is_subject(name), "{name}");
        }
        for name in ["", ".", "a..b", "a b", "a\r\nPUB x 0", "a.b\t"] {
            assert!(!is_subject(name), "{name}");
        }
    }

    #[test]
    fn lengths_are_read_or_refused() {
        for (line, found) in [
            ("MSG i.1 1 5", Some((true, 0, 5))),
            ("MSG i.1 1 reply 5", Some((true, 0, 5))),
            ("MSG i.2 1 5", Some((false, 0, 5))),
            ("HMSG i.1 1 16 20", Some((true, 16, 20))),
            ("HMSG i.1 1 21 20", None),
            ("MSG i.1 1 99999999999", None),
            ("MSG i.1 1 -5", None),
            ("MSG", None),
            ("MSG i.1", None),
        ] {
            assert_eq!(lengths(line, "i.1"), found, "{line}");
        }
    }

    #[test]
    fn refusals_have_bounded_words() {
        for (line, error_type) in [
            ("-ERR 'Authorization Violation'", "jetstream.authorization"),
            ("-ERR 'User Authentication Expired'", "jetstream.authorization"),
            ("-ERR 'Permissions Violation for Publish to \"x\"'", "jetstream.permission"),
            ("-ERR 'maximum connections exceeded'", "jetstream.refused"),
        ] {
            assert_eq!(refused(line).error_type, error_type);
        }
        let none = answer(b"NATS/1.0 503\r\n\r\n", b"").unwrap_err();
        assert_eq!(none.error_type, "jetstream.503");
        assert_eq!(answer(b"", b"[1]").unwrap_err().error_type, "jetstream.protocol");
    }
}
