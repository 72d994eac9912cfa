//! What a mail server says (RFC 5321, section 4.2), and how it goes on in TLS (RFC 3207).
//!
//! A reply is lines with one code, all but the last marked with a dash. What is read is bounded in lines and bytes;
//! the caller holds the deadline.

use model::outcome::{Failure, cut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::lines::{Leftover, LineError, Lines};
use crate::net::phases::Phases;

/// The longest line of a reply; the standard's 512 bytes, and room for servers that exceed them.
const LINE_MAX: usize = 2048;
/// The most lines of a reply.
const LINES_MAX: usize = 100;
/// The most that a server may say in one run, in bytes.
pub(crate) const SAID_MAX: usize = 64 * 1024;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// From 200 to 599.
    pub(crate) code: u16,
    /// The lines without code and mark; at least one.
    pub(crate) lines: Vec<String>,
}

/// Why a mail server was not understood, or did not do what it was asked.
#[derive(Debug)]
pub(crate) enum MailError {
    /// The connection broke, or was closed.
    Broken(Failure),
    /// A line, or all of them together, is longer than it may be.
    TooLong,
    /// A reply has more lines than it may have.
    TooMany,
    /// This line is no reply.
    NoReply(String),
    /// The server answered this command with another code than it should.
    Refused(&'static str, Reply),
    /// It does not offer STARTTLS.
    NotOffered,
    /// It said this in plaintext after it had agreed to TLS; it could be anybody's (CVE-2011-0411 and its kin).
    Forged(String),
}

impl MailError {
    /// What is wrong, for people.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Broken(failure) => failure.message.clone(),
            Self::TooLong => "its answer is longer than it may be".to_owned(),
            Self::TooMany => format!("its answer has more than {LINES_MAX} lines"),
            Self::NoReply(line) => format!("it said {:?}", cut(line.clone(), 100)),
            Self::Refused(command, reply) => {
                format!("it answered {command} with {} {}", reply.code, cut(reply.lines.join(" "), 200))
            }
            Self::NotOffered => "it does not offer STARTTLS".to_owned(),
            Self::Forged(said) => {
                let said = cut(said.clone(), 160);
                format!("more came in plaintext after it had agreed to TLS: {said:?}")
            }
        }
    }
}

impl Reply {
    /// Reads a reply.
    ///
    /// # Errors
    /// The connection ended, or this is no reply.
    pub(crate) async fn read<S>(lines: &mut Lines<S>, phases: &mut Phases) -> Result<Self, MailError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut reply: Option<Self> = None;
        loop {
            let line = lines.line(LINE_MAX, phases).await.map_err(|error| match error {
                LineError::Broken(failure) => MailError::Broken(failure),
                LineError::TooLong => MailError::TooLong,
            })?;
            let Some((code, more, text)) = parse(&line) else { return Err(MailError::NoReply(line)) };
            let reply = match &mut reply {
                Some(reply) if reply.code != code => return Err(MailError::NoReply(line)),
                Some(reply) => reply,
                none => none.insert(Self { code, lines: Vec::new() }),
            };
            reply.lines.push(text.to_owned());
            if !more {
                return Ok(reply.clone());
            }
            if reply.lines.len() == LINES_MAX {
                return Err(MailError::TooMany);
            }
        }
    }

    /// The reply, if it has this code.
    ///
    /// # Errors
    /// It has another: `what` was refused.
    pub(crate) fn with(self, code: u16, what: &'static str) -> Result<Self, MailError> {
        if self.code == code { Ok(self) } else { Err(MailError::Refused(what, self)) }
    }
}

/// Says `command`, and hears what the server says to it.
///
/// # Errors
/// The connection ended, or the answer is no reply.
pub(crate) async fn ask<S>(
    lines: &mut Lines<S>,
    command: &str,
    phases: &mut Phases,
) -> Result<Reply, MailError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    lines.write(format!("{command}\r\n").as_bytes(), phases).await.map_err(MailError::Broken)?;
    Reply::read(lines, phases).await
}

/// Says EHLO as `name`; the reply's lines behind the first are what the server can do.
///
/// # Errors
/// The server refused, or the connection ended.
pub(crate) async fn hello<S>(
    lines: &mut Lines<S>,
    name: &str,
    phases: &mut Phases,
) -> Result<Reply, MailError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    ask(lines, &format!("EHLO {name}"), phases).await?.with(250, "EHLO")
}

/// Whether a server that can do this offers STARTTLS.
pub(crate) fn offers_tls(capabilities: &[String]) -> bool {
    capabilities.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS"))
}

/// Asks the server to go on in TLS; the connection is then ready for a handshake.
///
/// # Errors
/// The server refused, or said more than it should; or the connection ended.
pub(crate) async fn start_tls<S>(mut lines: Lines<S>, phases: &mut Phases) -> Result<(S, Reply), MailError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reply = ask(&mut lines, "STARTTLS", phases).await?.with(220, "STARTTLS")?;
    match lines.into_inner().await {
        Ok(stream) => Ok((stream, reply)),
        Err(Leftover::Said(said)) => Err(MailError::Forged(said)),
        Err(Leftover::Broken(failure)) => Err(MailError::Broken(failure)),
    }
}

/// Code, whether more lines follow, and text.
fn parse(line: &str) -> Option<(u16, bool, &str)> {
    let code = line.get(..3)?;
    let code: u16 = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match line.as_bytes().get(3) {
        None => Some((code, false, "")),
        Some(b' ') => Some((code, false, &line[4..])),
        Some(b'-') => Some((code, true, &line[4..])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_replies() {
        for (line, parsed) in [
            ("220 mail.test ESMTP", Some((220, false, "mail.test ESMTP"))),
            ("250-SIZE 1000", Some((250, true, "SIZE 1000"))),
            ("250", Some((250, false, ""))),
            ("250 ", Some((250, false, ""))),
            ("250x", None),
            ("HTTP/1.1 400 Bad Request", None),
            ("99 x", None),
            ("+20 x", None),
            ("é20", None),
            ("", None),
        ] {
            assert_eq!(parse(line), parsed, "{line}");
        }
    }
}
