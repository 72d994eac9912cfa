//! The kind `icmp`: pings, and how many come back how fast.
//!
//! ```yaml
//! icmp: gateway.example
//! expect: { loss: 0%, rtt_avg: { lt: 20ms } }
//! ```
//!
//! `count` echo requests are sent, one every `interval`, each once; who has not answered `wait` after the last one is
//! lost. At least one reply is expected without being written. The sockets are the system's ping sockets, which need
//! no privilege but a group in `net.ipv4.ping_group_range`; without it a run is ineligible, and `prober doctor` says
//! what to type. Deliberately absent: raw sockets, traceroute.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`echo`] | a request and its reply as bytes |
//! | [`run`] | the action |
//! | [`tally`] | what came back, as assertions and people see it |

mod echo;
mod file;
mod run;
mod tally;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `icmp`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "icmp",
    summary: "pings a host and looks at loss and round-trip times",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[("replies", "{ gte: 1 }")],
    classify: file::classify,
    compile: file::compile,
};
