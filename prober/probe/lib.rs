//! Every packet to a target leaves from here: the probe kinds and the connection work they share.
//!
//! | module | holds |
//! | --- | --- |
//! | [`flow`] | a whole scenario: its steps in order, judged |
//! | `xml`, `sigv4` | what several kinds read or sign |
//! | `net` | addresses, connections, TLS and phases |
//! | `http`, `dns`, `tls`, `tcp`, `file`, `sql`, `s3` | one kind of step each |

pub mod flow;

mod dns;
mod file;
mod http;
mod net;
mod s3;
mod sigv4;
mod sql;
mod tcp;
mod tls;
mod xml;

#[cfg(test)]
mod formatted;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod trial;

use scenario::kind::Kind;

pub use net::anchor::Anchor;
pub use net::canary::{Canary, Sung};
pub use net::resolve::Servers;
pub use net::shared::{Net, NetConfig, Shared};

/// Every kind of step; what is not in this table does not exist for a scenario file.
pub static KINDS: [Kind<Net>; 7] =
    [http::KIND, dns::KIND, tls::KIND, tcp::KIND, file::KIND, sql::KIND, s3::KIND];
