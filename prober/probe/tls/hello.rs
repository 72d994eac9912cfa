//! One message of a handshake by hand: a client's hello for one version, and what the server answers to it.
//!
//! The library speaks TLS 1.2 and 1.3 only. Whether a server still accepts an older version shows in its first
//! answer, a hello of its own or an alert, and that is all that is read. Deliberately absent: keys. Nothing that
//! is sent or read here protects anything.

use rustls_pki_types::ServerName;

/// A version that servers may be asked for, the oldest first.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Ssl3,
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

/// The words of the subject `accepts`, the oldest first.
pub(super) const WORDS: &[&str] = &["SSL3.0", "TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"];

/// The longest record of a plaintext, in bytes (RFC 8446, section 5.1).
const RECORD_MAX: usize = 1 << 14;
/// The longest server hello that is read, in bytes: extensions and all, usual ones have 60 to 200.
pub(super) const ANSWER_MAX: usize = 4096;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SUPPORTED_VERSIONS: u16 = 43;

/// Cipher suites of all times, today's first: the version must decide, not the suite.
#[rustfmt::skip]
const SUITES: [u16; 26] = [
    0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009f, // ECDHE and DHE with GCM, ChaCha20
    0xc009, 0xc013, 0xc00a, 0xc014, 0xc023, 0xc027, 0x0033, 0x0039, // ECDHE and DHE with CBC
    0x009c, 0x009d, 0x002f, 0x0035, 0x003c, 0x003d, 0x000a, 0xc012, // RSA, 3DES
    0x0005, 0x00ff, // RC4, and "secure renegotiation" (RFC 5746)
];
const SUITES_13: [u16; 3] = [0x1301, 0x1302, 0x1303];
/// X25519, P-256, P-384, P-521, ffdhe2048.
const GROUPS: [u16; 5] = [0x001d, 0x0017, 0x0018, 0x0019, 0x0100];
/// ECDSA, RSA-PSS, RSA and Ed25519 with SHA-2, then both with SHA-1.
const SIGNATURES: [u16; 12] =
    [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807, 0x0203, 0x0201];

/// What a server answered to a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It goes on with this version, as it is encoded.
    Agreed(u16),
    /// It refuses, with this alert.
    Refused(u8),
    /// It does not speak TLS.
    Foreign,
}

impl Version {
    /// Every version, the oldest first.
    pub(super) const ALL: [Self; 5] = [Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// Its word.
    pub(super) const fn word(self) -> &'static str {
        WORDS[self as usize]
    }

    /// As it is encoded.
    pub(super) const fn code(self) -> u16 {
        0x0300 + self as u16
    }
}

/// The record of a hello that offers `version` and nothing else to the server `name`.
///
/// `random` fills what a client makes up: 32 bytes for its random, 32 for a session's id, 32 for a key share.
pub(super) fn client_hello(version: Version, name: &ServerName<'_>, random: &[u8; 96]) -> Vec<u8> {
    let is_13 = version == Version::Tls13;
    let mut body = Vec::with_capacity(512);
    // TLS 1.3 calls itself 1.2 here, and says what it is in an extension (RFC 8446, section 4.1.2).
    word(&mut body, version.code().min(Version::Tls12.code()));
    body.extend_from_slice(&random[..32]);
    let session = if is_13 { &random[32..64] } else { &[] };
    sized(&mut body, 1, |body| body.extend_from_slice(session));
    sized(&mut body, 2, |body| words(body, if is_13 { &SUITES_13 } else { &SUITES }));
    // No compression.
    sized(&mut body, 1, |body| body.push(0));
    // SSL 3.0 knows no extensions.
    if version != Version::Ssl3 {
        sized(&mut body, 2, |body| extensions(body, version, name, random));
    }
    let mut record = vec![HANDSHAKE];
    word(&mut record, version.code().min(Version::Tls10.code()));
    sized(&mut record, 2, |record| {
        record.push(CLIENT_HELLO);
        sized(record, 3, |record| record.extend_from_slice(&body));
    });
    record
}

fn extensions(body: &mut Vec<u8>, version: Version, name: &ServerName<'_>, random: &[u8; 96]) {
    if let ServerName::DnsName(name) = name {
        extension(body, 0, |body| {
            sized(body, 2, |body| {
                body.push(0);
                sized(body, 2, |body| body.extend_from_slice(name.as_ref().as_bytes()));
            });
        });
    }
    extension(body, 10, |body| sized(body, 2, |body| words(body, &GROUPS)));
    extension(body, 11, |body| sized(body, 1, |body| body.push(0)));
    if version >= Version::Tls12 {
        extension(body, 13, |body| sized(body, 2, |body| words(body, &SIGNATURES)));
    }
    if version == Version::Tls13 {
        extension(body, SUPPORTED_VERSIONS, |body| sized(body, 1, |body| word(body, version.code())));
        // Any 32 bytes are a point of X25519.
        extension(body, 51, |body| {
            sized(body, 2, |body| {
                word(body, GROUPS[0]);
                sized(body, 2, |body| body.extend_from_slice(&random[64..]));
            });
        });
    }
}

fn extension(body: &mut Vec<u8>, number: u16, content: impl FnOnce(&mut Vec<u8>)) {
    word(body, number);
    sized(body, 2, content);
}

fn word(to: &mut Vec<u8>, word: u16) {
    to.extend_from_slice(&word.to_be_bytes());
}

fn words(to: &mut Vec<u8>, words: &[u16]) {
    for one in words {
        word(to, *one);
    }
}

/// Adds `content`, preceded by its length in so many bytes.
fn sized(to: &mut Vec<u8>, bytes: usize, content: impl FnOnce(&mut Vec<u8>)) {
    let at = to.len();
    to.extend(std::iter::repeat_n(0, bytes));
    content(to);
    let length = (to.len() - at - bytes).to_be_bytes();
    to[at..at + bytes].copy_from_slice(&length[length.len() - bytes..]);
}

/// What the bytes that a server sent say; `None` as long as they do not say it yet.
pub(super) fn answer(bytes: &[u8]) -> Option<Answer> {
    let (kind, message) = match first_message(bytes) {
        Ok(found) => found?,
        Err(Foreign) => return Some(Answer::Foreign),
    };
    match (kind, message.as_slice()) {
        (ALERT, [_, description, ..]) => Some(Answer::Refused(*description)),
        (HANDSHAKE, [SERVER_HELLO, rest @ ..]) => server_hello(rest, bytes.len()),
        (HANDSHAKE, [other, ..]) if *other != SERVER_HELLO => Some(Answer::Foreign),
        _ => None,
    }
}

struct Foreign;

/// The type and the contents, as far as they came, of the first records of one type.
fn first_message(mut bytes: &[u8]) -> Result<Option<(u8, Vec<u8>)>, Foreign> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if ![ALERT, HANDSHAKE].contains(&kind) || bytes.get(1).is_some_and(|major| *major != 3) {
        return Err(Foreign);
    }
    let mut contents = Vec::new();
    while let [next, 3, _, high, low, rest @ ..] = bytes
        && *next == kind
    {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length == 0 || length > RECORD_MAX {
            return Err(Foreign);
        }
        let here = length.min(rest.len());
        contents.extend_from_slice(&rest[..here]);
        bytes = &rest[here..];
    }
    Ok(Some((kind, contents)))
}

/// The version of the hello whose bytes after the type are `rest`.
fn server_hello(rest: &[u8], so_far: usize) -> Option<Answer> {
    let [a, b, c, body @ ..] = rest else { return None };
    let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
    if length > ANSWER_MAX {
        return Some(Answer::Foreign);
    }
    if body.len() < length {
        return (so_far > 2 * ANSWER_MAX).then_some(Answer::Foreign);
    }
    Some(version_of(&body[..length]).map_or(Answer::Foreign, Answer::Agreed))
}

/// Version, random, session, suite, compression, extensions.
fn version_of(body: &[u8]) -> Option<u16> {
    let [high, low, rest @ ..] = body else { return None };
    let legacy = u16::from_be_bytes([*high, *low]);
    let rest = rest.get(32..)?;
    let (session, rest) = rest.split_first()?;
    let rest = rest.get(usize::from(*session) + 3..)?;
    // Old servers send none, and some an empty list.
    let [_, _, rest @ ..] = rest else { return Some(legacy) };
    let mut rest = rest;
    while let [a, b, c, d, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let content = more.get(..length)?;
        if u16::from_be_bytes([*a, *b]) == SUPPORTED_VERSIONS {
            return content.try_into().ok().map(u16::from_be_bytes);
        }
        rest = &more[length..];
    }
    Some(legacy)
}

#[cfg(test)]
mod tests;
