//! From plaintext to TLS on the same connection, as each protocol has it.
//!
//! | protocol | how |
//! | --- | --- |
//! | `smtp` | greeting, `EHLO`, `STARTTLS` (RFC 3207) |
//! | `imap` | greeting, `STARTTLS` (RFC 9051, section 6.2.1) |
//! | `pop3` | greeting, `STLS` (RFC 2595) |
//! | `xmpp` | stream, features, `starttls` (RFC 6120, section 5) |
//! | `postgres` | `SSLRequest` and one letter |
//! | `mysql` | the server's greeting, an `SSLRequest` packet |
//! | `ldap` | the extended request `StartTLS` (RFC 4511, section 4.14) |
//!
//! What is read is bounded in lines and bytes; the caller holds the deadline. Nothing that was said in plaintext
//! outlives it: bytes that come after the server agreed and before the handshake were put there by somebody else
//! (the command injection of CVE-2011-0411 and its kin), and the connection ends.

mod dialogue;
mod lines;
mod packets;
mod smtp;
mod xmpp;

use model::outcome::Failure;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;

use dialogue::Dialogue;

/// The words of the key `starttls`.
pub(crate) const WORDS: &[&str] = &["smtp", "imap", "pop3", "xmpp", "postgres", "mysql", "ldap"];

/// Who speaks before TLS does.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Smtp,
    Imap,
    Pop3,
    Xmpp,
    Postgres,
    Mysql,
    Ldap,
}

impl Protocol {
    const ALL: [Self; 7] =
        [Self::Smtp, Self::Imap, Self::Pop3, Self::Xmpp, Self::Postgres, Self::Mysql, Self::Ldap];

    /// The protocol with this word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.word() == word)
    }

    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        WORDS[self as usize]
    }
}

/// Talks on `stream` until the server is ready for a handshake with the server `name`.
///
/// # Errors
/// Class `tls`, `tls.starttls`: the server refuses, says something else, or says more than it should. Class
/// `connect`: the connection broke.
pub(crate) async fn upgrade(
    protocol: Protocol,
    stream: &mut TcpStream,
    name: &ServerName<'_>,
) -> Result<(), Failure> {
    let mut dialogue = Dialogue::new(stream, protocol);
    match protocol {
        Protocol::Smtp => return smtp::upgrade(dialogue.into_stream()).await,
        Protocol::Imap => lines::imap(&mut dialogue).await?,
        Protocol::Pop3 => lines::pop3(&mut dialogue).await?,
        Protocol::Xmpp => xmpp::upgrade(&mut dialogue, &name.to_str()).await?,
        Protocol::Postgres => packets::postgres(&mut dialogue).await?,
        Protocol::Mysql => packets::mysql(&mut dialogue).await?,
        Protocol::Ldap => packets::ldap(&mut dialogue).await?,
    }
    dialogue.nothing_left().await
}

#[cfg(test)]
mod tests;
