//! What a reply says beside its records: who answered (RFC 5001), why it did not (RFC 8914), for whom (RFC 7871).

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::types::hex;

/// The option of an extended error.
const EXTENDED_ERROR: u16 = 15;

/// The most extended errors of one reply that are looked at.
const ERRORS_MAX: usize = 8;

/// What the registered codes of extended errors mean, by their number.
#[rustfmt::skip]
const MEANINGS: &[&str] = &[
    "Other", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer", "Forged Answer",
    "DNSSEC Indeterminate", "DNSSEC Bogus", "Signature Expired", "Signature Not Yet Valid", "DNSKEY Missing",
    "RRSIGs Missing", "No Zone Key Bit Set", "NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored",
    "Filtered", "Prohibited", "Stale NXDOMAIN Answer", "Not Authoritative", "Not Supported",
    "No Reachable Authority", "Network Error", "Invalid Data", "Signature Expired before Valid", "Too Early",
    "Unsupported NSEC3 Iterations Value", "Unable to conform to policy", "Synthesized", "Invalid Query Type",
];

/// The name that the server gives itself: as text if it is one, else in hexadecimal.
pub(super) fn nsid(message: &Message) -> Option<String> {
    match message.edns.as_ref()?.option(EdnsCode::NSID)? {
        EdnsOption::NSID(payload) => Some(readable(payload.as_ref())),
        _ => None,
    }
}

/// The extended errors, each `18 Prohibited` or `18 Prohibited: and why`.
pub(super) fn errors(message: &Message) -> Vec<String> {
    let Some(edns) = &message.edns else { return Vec::new() };
    let each = edns.options().as_ref().iter().filter_map(|(_, option)| match option {
        EdnsOption::Unknown(EXTENDED_ERROR, bytes) => error(bytes),
        _ => None,
    });
    each.take(ERRORS_MAX).collect()
}

fn error(bytes: &[u8]) -> Option<String> {
    let (code, text) = bytes.split_first_chunk::<2>()?;
    let code = u16::from_be_bytes(*code);
    let meaning = MEANINGS.get(usize::from(code)).copied().unwrap_or("Unassigned");
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end_matches('\0');
    Some(if text.is_empty() { format!("{code} {meaning}") } else { format!("{code} {meaning}: {text}") })
}

/// For which addresses the answer is meant: `203.0.113.0/24/20`, the last number being the server's.
pub(super) fn subnet(message: &Message) -> Option<String> {
    match message.edns.as_ref()?.option(EdnsCode::Subnet)? {
        EdnsOption::Subnet(subnet) => {
            Some(format!("{}/{}/{}", subnet.addr(), subnet.source_prefix(), subnet.scope_prefix()))
        }
        _ => None,
    }
}

fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|letter| !letter.is_control()) => text.to_owned(),
        _ => hex(bytes).to_ascii_lowercase(),
    }
}
