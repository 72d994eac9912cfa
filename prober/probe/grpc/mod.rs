//! The kind `grpc`: is a server, or a service of it, ready for work by its own word?
//!
//! ```yaml
//! grpc: { address: orders.example:443, service: shop.Orders }
//! expect: { status: SERVING }
//! ```
//!
//! Calls `grpc.health.v1.Health/Check`, the health protocol of gRPC, once, over HTTP/2 on a connection of its own
//! (unless an earlier step of the run left one open), in TLS unless `tls: false`. `grpc_status: OK` and
//! `status: SERVING` hold without being written. The two messages of the protocol have one field each, so they are
//! written and read here. Deliberately absent: other calls, reflection, streams.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`message`] | the two messages as bytes, and the status codes |
//! | [`run`] | the action |
//! | [`answer`] | what the server says, as assertions and people see it |

mod answer;
mod file;
mod message;
mod run;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `grpc`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "grpc",
    summary: "asks a gRPC server for its health (grpc.health.v1)",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[("grpc_status", "OK"), ("status", "SERVING")],
    classify: file::classify,
    compile: file::compile,
};
