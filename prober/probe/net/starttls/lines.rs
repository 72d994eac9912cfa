//! Protocols whose commands and answers are lines: SMTP, IMAP, POP3.

use std::net::IpAddr;

use model::outcome::Failure;

use super::dialogue::Dialogue;

/// The most lines of one answer.
const LINES_MAX: usize = 100;

pub(super) async fn smtp(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    expect(dialogue, "220").await?;
    // An address in brackets is a name for who has none (RFC 5321, section 4.1.3).
    let own = match dialogue.own_address()? {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    };
    dialogue.say(format!("EHLO {own}\r\n").as_bytes()).await?;
    let offers = expect(dialogue, "250").await?;
    if !offers.iter().any(|offer| offer.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(dialogue.wrong("it does not offer STARTTLS"));
    }
    dialogue.say(b"STARTTLS\r\n").await?;
    expect(dialogue, "220").await.map(drop)
}

/// The lines of an answer with this code, without it.
async fn expect(dialogue: &mut Dialogue<'_>, code: &str) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    while lines.len() < LINES_MAX {
        let line = dialogue.line().await?;
        let rest = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        let (Some(found), more) = (rest, line.get(3..4)) else { return Err(dialogue.unexpected(&line)) };
        if found != code {
            return Err(dialogue.refused(&line));
        }
        lines.push(line.get(4..).unwrap_or_default().to_owned());
        match more {
            Some("-") => {}
            None | Some(" ") => return Ok(lines),
            Some(_) => return Err(dialogue.unexpected(&line)),
        }
    }
    Err(dialogue.wrong(format!("its answer has more than {LINES_MAX} lines")))
}

pub(super) async fn imap(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    let greeting = dialogue.line().await?;
    match word(&greeting, 0).as_str() {
        "*" if word(&greeting, 1) == "OK" => {}
        // Signed in already, and TLS is for before that; or it wants nobody.
        "*" => return Err(dialogue.refused(&greeting)),
        _ => return Err(dialogue.unexpected(&greeting)),
    }
    dialogue.say(b"p1 STARTTLS\r\n").await?;
    for _ in 0..LINES_MAX {
        let line = dialogue.line().await?;
        match (word(&line, 0).as_str(), word(&line, 1).as_str()) {
            ("*", _) => {}
            ("P1", "OK") => return Ok(()),
            ("P1", _) => return Err(dialogue.refused(&line)),
            _ => return Err(dialogue.unexpected(&line)),
        }
    }
    Err(dialogue.wrong(format!("its answer has more than {LINES_MAX} lines")))
}

pub(super) async fn pop3(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    agreed(dialogue).await?;
    dialogue.say(b"STLS\r\n").await?;
    agreed(dialogue).await
}

async fn agreed(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    let line = dialogue.line().await?;
    match word(&line, 0).as_str() {
        "+OK" => Ok(()),
        "-ERR" => Err(dialogue.refused(&line)),
        _ => Err(dialogue.unexpected(&line)),
    }
}

/// A word of the line in capitals; empty if there are fewer.
fn word(line: &str, number: usize) -> String {
    line.split(' ').nth(number).unwrap_or_default().to_ascii_uppercase()
}
