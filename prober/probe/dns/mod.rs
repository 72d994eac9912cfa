//! The kind `dns`: one question to one or several resolvers, each asked directly.
//!
//! ```yaml
//! dns: { name: shop.example, type: A, resolvers: [192.0.2.53, 198.51.100.53] }
//! expect: { answers: { equals_set: [203.0.113.10, 203.0.113.11] }, ttl: { lte: 300 } }
//! ```
//!
//! Every resolver is asked at the same time, once; each is a hop of the step, and `expect` holds for each of
//! them. A reply that was cut off is asked for again over TCP, which is a hop of its own and shows in the
//! subject `truncated`. There is no cache and no other retry: a lost packet is a failed run.
//! Deliberately absent: following aliases, searching domains and choosing servers, which a resolver does.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`question`] | the question as it goes over the wire, and which replies belong to it |
//! | [`answer`] | what a reply says, as assertions and people see it |
//! | [`exchange`] | one question and its reply over UDP or TCP |
//! | [`run`] | the action |

mod answer;
mod exchange;
mod file;
mod question;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `dns`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "dns",
    summary: "asks DNS resolvers a question and looks at their answers",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[("rcode", "NOERROR")],
    classify: file::classify,
    compile: file::compile,
};
