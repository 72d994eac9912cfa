//! The keys that sets are signed with, as texts for files.
//!
//! The signing key is a PKCS#8 document in PEM, as `openssl pkey` reads it. The public half is one line:
//! `prober-set-key KEY COMMENT`, the key in Base64; a file of them is who is trusted, so that a new key can be trusted
//! before the old one is withdrawn.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::KEY_ID_BYTES;

const WORD: &str = "prober-set-key";
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The longest file of a key, or of those that are trusted, in bytes.
pub const KEYS_BYTES_MAX: usize = 16 << 10;

/// The most keys that are trusted at once.
const KEYS_MAX: usize = 16;

/// Why a key cannot be used. The text never has any of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system gives no chance.
    #[error("no key could be made: the system's random numbers are not there")]
    Random,
    /// It is no PEM of a private key.
    #[error("this is no private key in PEM, which begins with `{BEGIN}`")]
    NotPem,
    /// It is a private key of another kind.
    #[error("this is no Ed25519 key; make one with `prober fleet init`")]
    NotEd25519,
    /// A line of the trusted keys is wrong.
    #[error("line {0} is no key: write `{WORD} KEY`, as `prober fleet init` does")]
    Line(usize),
    /// Nobody is trusted.
    #[error("no key is trusted: write `{WORD} KEY`, as `prober fleet init` does")]
    Nobody,
    /// More keys than anybody has.
    #[error("more than {KEYS_MAX} keys are trusted")]
    TooMany,
}

/// A key that signs scenario sets. Never shown.
pub struct SigningKey(Ed25519KeyPair);

/// A key whose signatures are believed.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct TrustedKey([u8; 32]);

/// The keys whose signatures are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust(Vec<TrustedKey>);

impl SigningKey {
    /// Makes a new key, and the text of its file: whoever writes it sees to it that nobody else can read it.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<(Self, String), KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| KeyError::Random)?;
        let text = STANDARD.encode(document.as_ref());
        let mut pem = format!("{BEGIN}\n");
        for line in text.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str(END);
        pem.push('\n');
        Ok((Self(key), pem))
    }

    /// The key of a file.
    ///
    /// # Errors
    /// It is no PEM, or no Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (_, rest) = text.split_once(BEGIN).ok_or(KeyError::NotPem)?;
        let (body, _) = rest.split_once(END).ok_or(KeyError::NotPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let document = STANDARD.decode(body).map_err(|_| KeyError::NotPem)?;
        // Without the public half, too: OpenSSL leaves it out.
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| KeyError::NotEd25519)?;
        Ok(Self(key))
    }

    /// Its public half.
    pub fn public(&self) -> TrustedKey {
        TrustedKey(self.0.public_key().as_ref().try_into().expect("an Ed25519 key has 32 bytes"))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({})", self.public())
    }
}

impl TrustedKey {
    pub(super) fn id(&self) -> [u8; KEY_ID_BYTES] {
        let hash = blake3::hash(&self.0);
        *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// The line of the file of trusted keys, without its end; of `comment` the first line.
    pub fn line(&self, comment: &str) -> String {
        let comment = comment.lines().next().unwrap_or_default();
        format!("{WORD} {} {comment}", STANDARD.encode(self.0)).trim_end().to_owned()
    }
}

/// The short name of the key: the one that errors have.
impl fmt::Display for TrustedKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex(&self.id()))
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Trust {
    /// Believes these keys.
    pub fn of(keys: impl IntoIterator<Item = TrustedKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The keys of a file: one a line; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// A line is no key, or there is none.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                None => continue,
                Some(word) if word.starts_with('#') => continue,
                Some(WORD) => {}
                Some(_) => return Err(KeyError::Line(index + 1)),
            }
            let key = words.next().and_then(|key| STANDARD.decode(key).ok());
            let key = key.and_then(|key| <[u8; 32]>::try_from(key).ok());
            keys.push(TrustedKey(key.ok_or(KeyError::Line(index + 1))?));
            if keys.len() > KEYS_MAX {
                return Err(KeyError::TooMany);
            }
        }
        if keys.is_empty() { Err(KeyError::Nobody) } else { Ok(Self(keys)) }
    }

    /// Whether signatures of `key` are believed.
    pub fn has(&self, key: &TrustedKey) -> bool {
        self.0.contains(key)
    }

    pub(super) fn key(&self, id: &[u8]) -> Option<&TrustedKey> {
        self.0.iter().find(|key| key.id() == *id)
    }
}

/// A password that nobody guesses: 256 bits of chance, in letters that every URL takes.
///
/// # Errors
/// The system gives no random numbers.
pub fn password() -> Result<String, KeyError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes more");
        text
    })
}

/// The 32 bytes of 64 lowercase hexadecimal digits.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
