//! A reply of a mail server (RFC 5321, section 4.2): lines with one code, all but the last marked with a dash.

use model::outcome::{Failure, FailureClass, cut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::lines::Lines;
use crate::net::phases::Phases;

/// The longest line of a reply; the standard's 512 bytes, and room for servers that exceed them.
const LINE_MAX: usize = 2048;
/// The most lines of a reply.
const LINES_MAX: usize = 100;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// From 200 to 599.
    pub(super) code: u16,
    /// The lines without code and mark; at least one.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Reads a reply.
    ///
    /// # Errors
    /// The connection ended, or this is no reply.
    pub(super) async fn read<S>(lines: &mut Lines<S>, phases: &mut Phases) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut reply: Option<Self> = None;
        loop {
            let line = lines.line(LINE_MAX, phases).await;
            let line = line.map_err(|error| error.into_failure("smtp.too_long"))?;
            let (code, more, text) = parse(&line).ok_or_else(|| no_reply(&line))?;
            let reply = match &mut reply {
                Some(reply) if reply.code != code => return Err(no_reply(&line)),
                Some(reply) => reply,
                none => none.insert(Self { code, lines: Vec::new() }),
            };
            reply.lines.push(text.to_owned());
            if !more {
                return Ok(reply.clone());
            }
            if reply.lines.len() == LINES_MAX {
                let message = format!("the server's answer has more than {LINES_MAX} lines");
                return Err(Failure::new(FailureClass::Protocol, "smtp.too_long", message));
            }
        }
    }

    /// The failure of a reply that refuses `what`.
    pub(super) fn refusal(&self, what: &str) -> Failure {
        let said = cut(self.lines.join(" "), 200);
        let message = format!("the server answered {what} with {} {said}", self.code);
        Failure::new(FailureClass::Protocol, format!("smtp.{}", self.code), message)
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

fn no_reply(line: &str) -> Failure {
    let said = cut(line.to_owned(), 100);
    let message = format!("what answers is no mail server: it said {said:?}");
    Failure::new(FailureClass::Protocol, "smtp.protocol", message)
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
