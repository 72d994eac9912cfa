//! Protocols whose commands and answers are lines: IMAP and POP3.

use model::outcome::Failure;

use super::dialogue::Dialogue;

/// The most lines of one answer.
const LINES_MAX: usize = 100;

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
