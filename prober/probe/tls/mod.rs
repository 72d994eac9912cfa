//! The kind `tls`: one handshake, and everything the server's certificates say.
//!
//! ```yaml
//! tls: shop.example:443
//! expect: { chain: trusted, hostname: match, protocol: { gte: TLS1.2 }, expires_in: { gte: 21d } }
//! ```
//!
//! The handshake goes on when a certificate does not hold, so that all of it can be looked at: the defects
//! are checked one by one and are evidence for assertions, of which `chain: trusted` and `hostname: match`
//! hold without being written. A server that does not get through a handshake at all is a failed step.
//! Deliberately absent: versions before TLS 1.2, revocation, STARTTLS.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`chain`] | what is wrong with a served chain |
//! | [`evidence`] | the handshake as assertions and people see it |
//! | [`run`] | the action |

mod chain;
mod evidence;
mod file;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `tls`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "tls",
    summary: "does a TLS handshake and looks at the server's certificates",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[("chain", "trusted"), ("hostname", "match")],
    classify: file::classify,
    compile: file::compile,
};
