//! The kind `tls`: one handshake, and everything the server's certificates say.
//!
//! ```yaml
//! tls: shop.example:443
//! expect: { chain: trusted, hostname: match, protocol: { gte: TLS1.2 }, expires_in: { gte: 21d } }
//! ```
//!
//! The handshake goes on when a certificate does not hold, so that all of it can be looked at: the defects
//! are checked one by one and are evidence for assertions, of which `chain: trusted` and `hostname: match`
//! hold without being written. A server that does not get through a handshake at all is a failed step, unless its
//! only key, or its only way to exchange keys, is of a kind that this program lacks: that is found out by a second hello,
//! whose time is in the phase `tls`, and is no word against the server. The worst defect names the failure, by the table in [`defect`].
//!
//! Three dates are told apart: `expires_in` is that of the server's own certificate, `chain_expires_in` the
//! earliest of all that were served, `path_expires_in` the earliest of those that a client needs.
//!
//! Deliberately absent: asking anybody but the server. OCSP is what it staples, revoked certificates are what
//! a file says.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, and how they become an action |
//! | [`subjects`] | what assertions may look at |
//! | [`run`] | the action |
//! | [`defect`] | what can be wrong with a chain, in order of weight |
//! | [`chain`] | what is wrong with a served chain |
//! | [`path`] | whom to trust, dates aside |
//! | [`ocsp`] | the stapled answer |
//! | [`accepts`] | which versions a server accepts |
//! | [`hello`] | a client's hello by hand, and the answer to it |
//! | [`evidence`] | the handshake as assertions and people see it |

mod accepts;
mod chain;
mod defect;
mod evidence;
mod file;
mod hello;
mod ocsp;
mod path;
mod run;
mod subjects;

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
    subjects: subjects::SUBJECTS,
    implied: &[("chain", "trusted"), ("hostname", "match")],
    classify: file::classify,
    compile: file::compile,
};
