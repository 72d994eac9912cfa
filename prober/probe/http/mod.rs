//! The kind `http`: requests over HTTP/1.1 and HTTP/2, each on a connection of its own unless an earlier
//! step of the same run left one open.
//!
//! Straight on hyper's connections and our own dialling, so that each phase is an await of ours. The
//! connection is driven inside the run's own future: when the run ends, nothing of it is left. Deliberately
//! absent: pools between runs, retries.
//!
//! | module | holds |
//! | --- | --- |
//! | [`keys`] | keys and subjects, as tables |
//! | [`file`] | compile |
//! | [`given`] | headers that an author gives, for this kind and others |
//! | [`auth`] | signing in |
//! | [`target`] | a URL, checked and taken apart |
//! | [`request`] | the request, prepared as far as it is constant |
//! | [`parts`] | what is sent as the body |
//! | [`run`] | the action: one request and its redirects |
//! | [`client`] | one request of a step, for this kind and others that speak HTTP |
//! | [`trail`] | what has happened in a step so far, hop by hop |
//! | [`redirect`] | where a redirect leads, and what goes along |
//! | [`connect`] | a fresh connection, or one that is still open |
//! | [`way`] | ways that the URL does not name |
//! | [`speaker`] | HTTP/1.1 or HTTP/2 on one connection, driven by hand |
//! | [`wire`] | the bytes below, and when they went by |
//! | `quic` | HTTP/3, if it is built in |
//! | [`exchange`] | one request and its answer |
//! | [`repeat`] | whether one that failed is sent once more |
//! | [`body`] | the answer's body, up to its limit |
//! | [`decode`] | unpacking it |
//! | [`length`] | whether a body is as long as its head announced |
//! | [`session`] | open connections and cookies of one run |
//! | [`page`] | HTML bodies and CSS selectors |
//! | [`shape`] | JSON Schemas that a body must fit |
//! | [`charset`] | it as text |
//! | [`cache`] | what caches on the way did |
//! | [`every`] | a step at each address of its name |
//! | [`evidence`] | what assertions look at |
//! | [`clock`] | how far the target's clock is from ours |
//! | [`facts`] | attributes in OpenTelemetry's words |
//! | [`lint`] | what is risky in a request |
//! | [`fault`] | from hyper's errors to failures |

use scenario::kind::Kind;

use crate::net::shared::Net;

pub(crate) mod auth;
pub(crate) mod body;
mod cache;
mod charset;
pub(crate) mod client;
mod clock;
pub(crate) mod connect;
mod decode;
mod every;
mod evidence;
pub(crate) mod exchange;
pub(crate) mod facts;
pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod given;
pub(crate) mod keys;
mod length;
mod lint;
mod page;
mod parts;
#[cfg(feature = "http3")]
mod quic;
mod record;
mod redirect;
mod repeat;
pub(crate) mod request;
mod run;
mod session;
mod shape;
mod speaker;
pub(crate) mod target;
pub(crate) mod trail;
pub(crate) mod way;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

/// The kind `http`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "http",
    summary: "Sends an HTTP request and looks at the answer.",
    keys: keys::KEYS,
    short: Some(file::short),
    subjects: keys::SUBJECTS,
    implied: &[("status", "2xx")],
    classify: file::classify,
    compile: file::compile,
};
