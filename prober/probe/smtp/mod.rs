//! The kind `smtp`: does a mail server greet, and what can it do?
//!
//! ```yaml
//! smtp: { address: mail.example, tls: starttls }
//! expect: { capabilities: { any: { starts_with: SIZE } } }
//! ```
//!
//! The greeting is read, EHLO said, and QUIT; with `tls: starttls` the connection goes on in TLS and EHLO is said
//! again. `code: 220` holds without being written. Deliberately absent: signing in and sending mail; and what the
//! certificate says beyond that it holds, which is the kind `tls`.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`run`] | the action and its evidence |

mod file;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `smtp`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "smtp",
    summary: "reads a mail server's greeting and asks what it can do",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[("code", "220")],
    classify: file::classify,
    compile: file::compile,
};
