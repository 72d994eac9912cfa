//! The kind `jetstream`: how old is the last message of a NATS JetStream stream, and how many are there?
//!
//! ```yaml
//! jetstream: { address: nats.example, stream: ORDERS, subject: orders.confirmed, token: "${secrets.nats_token}" }
//! expect: { last: { newer_than: 15m } }
//! ```
//!
//! A connection of its own, a sign-in, and one or two questions to JetStream's API (`STREAM.MSG.GET` for the last
//! message of a `subject`, `STREAM.INFO`), each a hop. Nothing is consumed and nothing is left behind. The text
//! protocol of NATS is small, and spoken here with its phases measured. Deliberately absent: publishing, consumers,
//! keys and JWTs.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`session`] | the protocol: signing in, a question and its answer |
//! | [`state`] | what a stream says, as assertions see it |
//! | [`run`] | the action |

mod file;
mod run;
mod session;
mod state;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `jetstream`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "jetstream",
    summary: "asks a NATS JetStream stream for its last message",
    keys: file::KEYS,
    short: None,
    subjects: file::SUBJECTS,
    implied: &[],
    classify: file::classify,
    compile: file::compile,
};
