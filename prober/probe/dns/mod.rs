//! The kind `dns`: one question to one or several servers, each asked directly.
//!
//! ```yaml
//! dns: { name: shop.example, type: A, resolvers: [192.0.2.53, "tls://dns.example"] }
//! expect: { answers: { equals_set: [203.0.113.10, 203.0.113.11] }, ttl: { lte: 300 } }
//! ```
//!
//! Every server is asked at the same time, once; each is a hop of the step, and `expect` holds for each of
//! them. A reply that was cut off is asked for again over TCP, which is a hop of its own and shows in the
//! subject `truncated`. There is no cache and no other retry: a lost packet is a failed run.
//! Deliberately absent: following aliases and searching domains, which a resolver does.
//!
//! | file | holds |
//! | --- | --- |
//! | [`keys`] | keys and subjects, as tables |
//! | [`file`] | how keys become an action |
//! | [`question`] | the question as it goes over the wire, and which replies belong to it |
//! | [`server`] | a server, by whatever way it is asked |
//! | [`exchange`] | one question and its reply over UDP, TCP or any stream |
//! | [`secured`], [`https`], [`quic`] | the same over TLS, HTTPS and QUIC |
//! | [`system`] | the same through the C library, as applications ask |
//! | [`authority`] | a zone's own name servers |
//! | [`ask`] | one question to all of them at once, and what is looked at beside the answer |
//! | [`answer`] | what a reply says, as assertions and people see it |
//! | [`types`] | every record type, and how its data are written |
//! | [`edns`] | what a reply says beside its records |
//! | [`dnssec`] | validation |
//! | [`facts`] | attributes of a step |
//! | [`run`] | the action |

mod answer;
mod ask;
mod authority;
mod dnssec;
mod edns;
mod exchange;
mod facts;
mod file;
mod https;
mod keys;
mod question;
#[cfg(feature = "doq")]
mod quic;
mod run;
mod secured;
mod server;
mod system;
mod types;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `dns`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "dns",
    summary: "asks DNS resolvers a question and looks at their answers",
    keys: keys::KEYS,
    short: Some(file::short),
    subjects: keys::SUBJECTS,
    implied: &[("rcode", "NOERROR")],
    classify: file::classify,
    compile: file::compile,
};
