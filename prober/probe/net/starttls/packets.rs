//! Protocols in packets of their own: `postgres`, `mysql`, `ldap`.

use model::outcome::{Failure, cut};
use x509_parser::asn1_rs::{Any, Class, FromBer as _, Tag};

use super::dialogue::{Dialogue, SHOWN};

/// PostgreSQL's `SSLRequest`: its length, and the number 80877103.
const POSTGRES_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];

pub(super) async fn postgres(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.say(&POSTGRES_REQUEST).await?;
    match dialogue.exactly(1).await?[0] {
        b'S' => Ok(()),
        b'N' => Err(dialogue.wrong("it does not offer TLS")),
        // An error's text follows; a server that has none of TLS at all sends one.
        b'E' => Err(match postgres_error(&dialogue.at_hand()) {
            Some(text) => dialogue.wrong(format!("it answered with an error: {text:?}")),
            None => dialogue.wrong("it answered with an error"),
        }),
        other => Err(dialogue.unexpected(&char::from(other).to_string())),
    }
}

/// The text of an error: the field `M` behind a length, or, as the server's first process writes it, all there is.
fn postgres_error(message: &[u8]) -> Option<String> {
    let text = match message.strip_prefix(&[0]) {
        Some(rest) => rest.get(3..)?.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"))?,
        None => message.split(|byte| *byte == 0).next()?,
    };
    let text = cut(String::from_utf8_lossy(text).trim().to_owned(), SHOWN);
    (!text.is_empty()).then_some(text)
}

/// What a client of `mysql` can: the protocol of 4.1, TLS, the sign-in of 4.1.
const MYSQL_CAPABILITIES: u32 = 0x0200 | MYSQL_TLS | 0x8000;
const MYSQL_TLS: u32 = 0x0800;
/// The longest packet that is announced, 16 MiB, and the character set utf8mb4.
const MYSQL_PACKET_MAX: u32 = 1 << 24;
const MYSQL_CHARACTERS: u8 = 45;

pub(super) async fn mysql(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    let head = dialogue.exactly(4).await?;
    let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
    let greeting = dialogue.exactly(length).await?;
    match greeting.first() {
        Some(10) => {}
        Some(0xff) => return Err(dialogue.refused(&mysql_error(&greeting[1..]))),
        _ => return Err(dialogue.unexpected(&String::from_utf8_lossy(&greeting))),
    }
    let capabilities = mysql_capabilities(&greeting);
    let Some(capabilities) = capabilities else {
        return Err(dialogue.wrong("its greeting is too short"));
    };
    if u32::from(capabilities) & MYSQL_TLS == 0 {
        return Err(dialogue.wrong("it does not offer TLS"));
    }
    let mut request = vec![32, 0, 0, 1];
    request.extend(MYSQL_CAPABILITIES.to_le_bytes());
    request.extend(MYSQL_PACKET_MAX.to_le_bytes());
    request.push(MYSQL_CHARACTERS);
    request.extend([0; 23]);
    dialogue.say(&request).await
}

/// A number and a text: too many connections, this host is not welcome. Between them may stand `#` and five signs.
fn mysql_error(error: &[u8]) -> String {
    let Some((number, text)) = error.split_first_chunk::<2>() else { return String::new() };
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    format!("{} {}", u16::from_le_bytes(*number), String::from_utf8_lossy(text))
}

/// The lower half of the capabilities: behind the version's text, a number, eight bytes and one more.
fn mysql_capabilities(greeting: &[u8]) -> Option<u16> {
    let version = greeting.get(1..)?.iter().position(|byte| *byte == 0)? + 2;
    let at = version + 4 + 8 + 1;
    Some(u16::from_le_bytes([*greeting.get(at)?, *greeting.get(at + 1)?]))
}

/// The request 1.3.6.1.4.1.1466.20037, as message 1.
const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

pub(super) async fn ldap(dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.say(LDAP_REQUEST).await?;
    let mut message = dialogue.exactly(2).await?;
    if message[0] != 0x30 {
        return Err(dialogue.unexpected(&String::from_utf8_lossy(&message)));
    }
    let length = match message[1] {
        short @ 0..=0x7f => usize::from(short),
        // Some servers write every length in four bytes.
        long @ 0x81..=0x84 => {
            let bytes = dialogue.exactly(usize::from(long & 0x7f)).await?;
            message.extend_from_slice(&bytes);
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return Err(dialogue.wrong("it sent a message without a length")),
    };
    message.extend(dialogue.exactly(length).await?);
    match ldap_result(&message) {
        Some((0, _)) => Ok(()),
        Some((code, text)) => {
            let said = format!("result {code} {} {text}", ldap_word(code));
            Err(dialogue.refused(&said.split_whitespace().collect::<Vec<_>>().join(" ")))
        }
        None => Err(dialogue.wrong("it sent a message that is no answer to StartTLS")),
    }
}

/// The names of the results that servers refuse TLS with (RFC 4511, section 4.1.9).
const fn ldap_word(code: u8) -> &'static str {
    match code {
        1 => "operationsError",
        2 => "protocolError",
        10 => "referral",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        80 => "other",
        _ => "",
    }
}

/// Code and text of an extended response.
fn ldap_result(message: &[u8]) -> Option<(u8, String)> {
    let (_, envelope) = Any::from_ber(message).ok()?;
    let (rest, _number) = Any::from_ber(envelope.data).ok()?;
    let (_, response) = Any::from_ber(rest).ok()?;
    if response.class() != Class::Application || response.tag() != Tag(24) {
        return None;
    }
    let (rest, code) = Any::from_ber(response.data).ok()?;
    let (rest, _matched) = Any::from_ber(rest).ok()?;
    let (_, text) = Any::from_ber(rest).ok()?;
    let code = code.data.first().filter(|_| code.tag() == Tag::Enumerated)?;
    Some((*code, String::from_utf8_lossy(text.data).into_owned()))
}
