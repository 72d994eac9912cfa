//! The kind `tcp`: does something listen there, and does it say what it should?
//!
//! ```yaml
//! tcp: { address: mail.example:25, read_until: "\n" }
//! expect: { response: { starts_with: "220" } }
//! ```
//!
//! Without more keys a connection is all that is wanted. `send` writes a text; something is read if there is
//! `send`, `read_until` or `read: true`: up to and with the text of `read_until`, or, without it, until the
//! server pauses for 100 ms. Reading also ends where the server closes the connection and at `read_limit`; a
//! `read_until` that never came is a failure, and so is an end without a byte where one was to come. An answer that goes
//! on beyond the limit cannot be looked at.
//!
//! `exchange` is a conversation instead: in each round something is sent, and what comes is read until it matches
//! a regular expression. What came beyond the match belongs to the next round. Each round is a hop. `encoding`
//! writes and shows bytes that are no text. Deliberately absent: STARTTLS, which is the kind `tls`.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`run`] | the action and its evidence |
//! | [`heard`] | what comes, read within limits and looked at |

mod file;
mod heard;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `tcp`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "tcp",
    summary: "opens a TCP connection, and says and hears something on it if told so",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[],
    classify: file::classify,
    compile: file::compile,
};
