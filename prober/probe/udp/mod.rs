//! The kind `udp`: datagrams to a port, and what comes back.
//!
//! ```yaml
//! udp: { address: ntp.example:123, encoding: hex, send: "e30006ec000000000000000000000000000000000000000000000000000000000000000000000000" }
//! expect: { response: { starts_with: "24" } }
//! ```
//!
//! Every datagram is sent once, one after the other, and replies are waited for: as many as were sent unless
//! `replies` says otherwise. `reply: optional` is content without one, and `reply: none` only waits whether the
//! port is refused (ICMP port unreachable, `connect.refused`). Replies of strangers never reach the step: the
//! socket is connected. Deliberately absent: retries; a lost datagram is a failed run.
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

/// The kind `udp`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "udp",
    summary: "sends datagrams over UDP and looks at the replies",
    keys: file::KEYS,
    short: None,
    subjects: file::SUBJECTS,
    implied: &[],
    classify: file::classify,
    compile: file::compile,
};
