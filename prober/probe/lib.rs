//! Every packet to a target leaves from here: the probe kinds and the connection work they share.
//!
//! | module | holds |
//! | --- | --- |
//! | [`flow`] | a whole scenario: its steps in order, judged |
//! | `xml`, `octets`, `rounds`, `sigv4` | what several kinds read, write, say or sign |
//! | `net` | addresses, connections, TLS and phases |
//! | `http`, `grpc`, `websocket` | one kind of step each, over HTTP |
//! | `dns`, `tls`, `tcp`, `udp`, `icmp`, `smtp` | one kind of step each, below and beside it |
//! | `file`, `sql`, `s3`, `jetstream` | one kind of step each, for data |

pub mod flow;

mod dns;
mod file;
mod grpc;
mod http;
mod icmp;
mod jetstream;
mod json;
mod net;
mod octets;
mod rounds;
mod s3;
mod sigv4;
mod smtp;
mod sql;
mod tcp;
mod tls;
mod udp;
mod websocket;
mod xml;

#[cfg(test)]
mod formatted;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod trial;

use scenario::kind::Kind;

pub use net::anchor::Anchor;
pub use net::aside::THREADS_MAX;
pub use net::canary::{Canary, Sung, word_of};
pub use net::resolve::Servers;
pub use net::shared::{Net, NetConfig, Shared};

/// Every kind of step; what is not in this table does not exist for a scenario file.
pub static KINDS: [Kind<Net>; 13] = [
    http::KIND,
    dns::KIND,
    tls::KIND,
    tcp::KIND,
    udp::KIND,
    icmp::KIND,
    grpc::KIND,
    websocket::KIND,
    smtp::KIND,
    file::KIND,
    sql::KIND,
    s3::KIND,
    jetstream::KIND,
];
