//! Attributes of an exchange in OpenTelemetry's words, and what a handshake showed.

use std::sync::Arc;

use http::{HeaderMap, Version};
use model::address_text::ip_text;
use model::attribute::Attributes;
use model::outcome::{Failure, cut};
use model::step::SHOWN_MAX;
use rustls::ProtocolVersion;

use super::cache;
use super::trail::Trail;
use crate::net::certificate::CertificateFacts;
use crate::net::shared::Shared;
use crate::net::tls::Handshake;

/// The headers by which a cache can be told, and the attribute of each.
const CACHE_HEADERS: [(&str, &str); 3] = [
    ("age", "http.response.header.age"),
    ("cache-status", "http.response.header.cache-status"),
    ("x-cache", "http.response.header.x-cache"),
];
/// The most values of one of them.
const CACHE_VALUES_MAX: usize = 4;

/// What a TLS handshake showed, as far as events and assertions want it.
#[derive(Clone, Debug)]
pub(crate) struct TlsFacts {
    pub(super) protocol: Option<&'static str>,
    pub(super) cipher: Option<&'static str>,
    pub(super) leaf: Option<Arc<CertificateFacts>>,
    /// Why the certificate does not hold; the run may go on if the author says so.
    pub(super) error: Option<String>,
    /// Whether a certificate of the client was there to be shown, and the server did not ask for one.
    pub(super) client_unasked: bool,
    /// Whether the server asked for a certificate of the client, who had none to show.
    client_unknown: bool,
}

impl TlsFacts {
    /// The facts of `shown`.
    pub(crate) fn new(shown: &Handshake, shared: &Shared) -> Self {
        let protocol = match shown.protocol {
            Some(ProtocolVersion::TLSv1_2) => Some("1.2"),
            Some(ProtocolVersion::TLSv1_3) => Some("1.3"),
            _ => None,
        };
        Self {
            protocol,
            cipher: shown.cipher.and_then(|cipher| cipher.as_str()),
            leaf: shown.chain.first().and_then(|der| shared.certificate(der)),
            error: shown.defect().map(|failure| failure.message),
            client_unasked: shown.client_unasked,
            client_unknown: shown.client_unknown,
        }
    }

    /// The failure of a request on this connection: some servers that want a certificate of the client, as gRPC's in C do,
    /// close the connection without an alert.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        if !(self.client_unknown && failure.error_type == "http.truncated") {
            return failure;
        }
        let message =
            format!("{}; it had asked for a certificate of the client and got none", failure.message);
        Failure::new(failure.class, failure.error_type, message)
    }

    /// Says it in attributes.
    pub(crate) fn note(&self, attributes: &mut Attributes) {
        if let Some(protocol) = self.protocol {
            attributes.set("tls.protocol.version", protocol);
        }
        if let Some(cipher) = self.cipher {
            attributes.set("tls.cipher", cipher);
        }
        if let Some(leaf) = &self.leaf {
            attributes.set("tls.server.subject", leaf.subject.clone());
            attributes.set("tls.server.issuer", leaf.issuer.clone());
            attributes.set("tls.server.hash.sha256", leaf.sha256.clone());
            attributes.set("tls.server.not_after", leaf.not_after.to_string());
        }
        if let Some(error) = &self.error {
            attributes.set("prober.tls.error", error.clone());
        }
    }
}

/// The version of HTTP as events name it.
pub(super) const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        Version::HTTP_10 => "1.0",
        Version::HTTP_09 => "0.9",
        _ => "1.1",
    }
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What caches on the way said of themselves.
fn note_caches(headers: &HeaderMap, attributes: &mut Attributes) {
    for (name, key) in CACHE_HEADERS {
        let values = headers.get_all(name).iter().take(CACHE_VALUES_MAX);
        let values: Vec<_> = values
            .map(|value| cut(String::from_utf8_lossy(value.as_bytes()).into_owned(), SHOWN_MAX))
            .collect();
        if !values.is_empty() {
            attributes.set(key, values);
        }
    }
    let word = cache::word(headers);
    if word != "unknown" {
        attributes.set("prober.http.cache", word);
    }
}

/// How many attributes a plain exchange has.
const ATTRIBUTES_USUAL: usize = 16;

/// The attributes of the last exchange of `trail`.
pub(crate) fn attributes(trail: &Trail) -> Attributes {
    let mut attributes = Attributes::with_room(ATTRIBUTES_USUAL);
    if let Some((method, target)) = &trail.asked {
        attributes.set("server.address", target.address.host.text().into_owned());
        attributes.set("server.port", i64::from(target.address.port));
        attributes.set("url.full", target.shown.to_string());
        attributes.set("url.scheme", target.scheme());
        attributes.set("http.request.method", method.as_str().to_owned());
        let is_quic = trail
            .hops
            .last()
            .is_some_and(|hop| hop.phases.iter().any(|span| span.phase == model::step::Phase::Handshake));
        attributes.set("network.transport", if is_quic { "quic" } else { "tcp" });
    }
    if let Some(peer) = trail.peer {
        attributes.set("network.peer.address", ip_text(peer.ip()));
        attributes.set("network.type", if peer.is_ipv4() { "ipv4" } else { "ipv6" });
    }
    if let Some(tls) = &trail.tls {
        tls.note(&mut attributes);
    }
    if let Some(answer) = &trail.answer {
        attributes.set("network.protocol.name", "http");
        attributes.set("network.protocol.version", version(answer.version));
        attributes.set("http.response.status_code", i64::from(answer.status.as_u16()));
        attributes.set("http.response.body.size", int(answer.body.wire_size()));
        if let Some((coding, size)) = answer.body.unpacked() {
            attributes.set("prober.http.body.encoding", coding.to_owned());
            attributes.set("prober.http.body.decoded_size", int(size));
        }
        note_caches(&answer.headers, &mut attributes);
        let framed = matches!(answer.version, Version::HTTP_2 | Version::HTTP_3);
        let definition = if framed { "response_headers" } else { "first_byte" };
        attributes.set("prober.ttfb.definition", definition);
    }
    attributes
}
