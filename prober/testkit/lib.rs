//! Peers for tests: fault proxy, hostile targets, test PKI, and real servers started on free ports.
//!
//! Every peer listens on loopback only and lives on a runtime of its own, so it works from plain `#[test]`
//! functions, and a test that pauses its time or blocks its thread does not stop its peers. A peer ends, its
//! sockets closed, when its value is dropped.
//!
//! | module | holds |
//! | --- | --- |
//! | [`wait`] | waiting for a condition with a deadline, and free ports |
//! | [`pki`] | certificates, good and flawed, as PEM files and as rustls configurations |
//! | [`http`] | a scriptable HTTP server that logs what it was asked |
//! | [`hostile`] | targets that break the rules of TCP, TLS, HTTP and datagrams |
//! | [`scripted`] | servers of protocols that begin in plaintext, good and hostile |
//! | [`dns`] | a scriptable DNS server that counts its packets |
//! | [`proxy`] | a TCP proxy whose faults are switched at run time |
//! | [`sink`] | many targets that accept and never answer |
//! | [`servers`] | nginx, knot, PostgreSQL, Prometheus and blackbox exporter |
//! | [`netns`] | two network namespaces with a wire between them |
//! | [`client`] | one blocking HTTP request, to look at a page |
//!
//! A peer that cannot be set up is a broken test, so everything here panics with a sentence instead of
//! returning an error.

pub mod client;
pub mod dns;
pub mod hostile;
pub mod http;
pub mod netns;
pub mod pki;
pub mod proxy;
pub mod scripted;
pub mod servers;
pub mod sink;
pub mod wait;

mod runtime;
