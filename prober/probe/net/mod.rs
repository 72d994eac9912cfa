//! The way to a target: finding its address, the TCP connection, TLS, and the phases of each.
//!
//! Everything a kind needs from the network comes from here, so that a limit, a deadline or a policy holds
//! for all kinds. Deliberately absent: retries, pools and caches of answers. What is tried again is tried by
//! us and recorded.
//!
//! | module | holds |
//! | --- | --- |
//! | [`shared`] | what all runs have in common, and what one run carries from step to step |
//! | [`address`] | a host and a port |
//! | [`resolve`] | from a name to addresses, uncached |
//! | [`reach`] | where a step connects, known when it is compiled or in the run |
//! | [`dial`] | the TCP connection, several addresses raced |
//! | [`each`] | every address of a name, each by itself |
//! | [`together`] | several futures in one task |
//! | [`datagram`] | datagrams to one peer |
//! | `quic` | QUIC connections, and what ICMP says of their peer |
//! | [`lines`] | a protocol of lines, read within limits |
//! | [`mail`] | what a mail server says, and how it comes to TLS |
//! | [`tls`] | the handshake, with what the server showed |
//! | [`banner`] | the first bytes of what came, for people |
//! | [`proxy`] | through a proxy |
//! | [`identity`] | a client's certificate and key |
//! | [`roots`] | which authorities are trusted |
//! | [`crl`] | lists of revoked certificates |
//! | [`starttls`] | from plaintext to TLS, as each protocol has it |
//! | [`ports`] | how TLS usually begins at a port |
//! | [`certificate`] | facts read from a certificate, once each |
//! | [`algorithms`] | what checks signatures, weak ones too |
//! | [`maze`] | chains in which a search would not end |
//! | [`verified`] | chains that hold, verified once each |
//! | [`owner`] | which records of an answer belong to its question |
//! | [`named`] | who named the place that a step goes to |
//! | [`phases`] | a hop's phases, address attempts and peer |
//! | [`policy`] | what may be connected to, asked before and after each connection |
//! | [`canary`], [`anchor`] | what the prober looks at to know of its own resolver and network |
//! | [`aside`] | work that cannot be told to stop |
//! | [`plain`] | files whose content is not taken |
//! | [`fault`] | from an operating system's error to a failure |
//! | [`keys`] | keys that mean the same in every kind |

pub(crate) mod address;
pub(crate) mod algorithms;
pub(crate) mod anchor;
pub(crate) mod aside;
pub(crate) mod banner;
pub(crate) mod canary;
pub(crate) mod certificate;
pub(crate) mod crl;
pub(crate) mod datagram;
pub(crate) mod dial;
pub(crate) mod each;
pub(crate) mod fault;
pub(crate) mod followed;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod lines;
pub(crate) mod mail;
pub(crate) mod maze;
pub(crate) mod named;
pub(crate) mod owner;
pub(crate) mod phases;
pub(crate) mod plain;
pub(crate) mod policy;
pub(crate) mod ports;
pub(crate) mod proxy;
#[cfg(any(feature = "doq", feature = "http3"))]
pub(crate) mod quic;
pub(crate) mod reach;
pub(crate) mod resolve;
pub(crate) mod roots;
pub(crate) mod shared;
pub(crate) mod starttls;
pub(crate) mod stub;
pub(crate) mod tls;
pub(crate) mod together;
pub(crate) mod verified;
