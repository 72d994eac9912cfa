//! The question as it goes over the wire, and which replies belong to it.

use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};

/// The size of reply that we take over UDP, in bytes: what fits a packet on every path (RFC 9715).
const PAYLOAD_MAX: u16 = 1232;

/// Id, flags and the four counts.
const HEADER_BYTES: usize = 12;

/// An encoded question whose id is still to be filled in.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The whole message, id 0.
    bytes: Box<[u8]>,
    /// One past the last byte of the question section.
    end: usize,
    kind: RecordType,
}

/// A question with its id, as it is sent.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    question: &'a Question,
    bytes: Vec<u8>,
}

/// Why there is no question.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuestionError {
    /// The name breaks the rules of DNS.
    #[error("`{name}` is not a domain name")]
    Name { name: String },
    /// The name cannot be written into a message.
    #[error("`{name}` cannot be asked")]
    Encode { name: String, source: ProtoError },
}

impl Question {
    /// Asks for `kind` records of `name`; an address asked for PTR means its name under `arpa`.
    ///
    /// # Errors
    /// The name is not a domain name.
    pub(super) fn new(name: &str, kind: RecordType, recursion: bool) -> Result<Self, QuestionError> {
        let absolute = parse(name, kind).ok_or_else(|| QuestionError::Name { name: name.to_owned() })?;
        let mut message = Message::query();
        message.metadata.id = 0;
        message.metadata.recursion_desired = recursion;
        let end = HEADER_BYTES + absolute.len_on_wire() + 4;
        message.add_query(Query::query(absolute.0, kind));
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD_MAX);
        message.set_edns(edns);
        let bytes =
            message.to_vec().map_err(|source| QuestionError::Encode { name: name.to_owned(), source })?;
        Ok(Self { bytes: bytes.into(), end, kind })
    }

    /// The question with a random id.
    pub(super) fn ask(&self) -> Asked<'_> {
        let mut bytes = self.bytes.to_vec();
        bytes[..2].copy_from_slice(&Message::query().metadata.id.to_be_bytes());
        Asked { question: self, bytes }
    }
}

impl Asked<'_> {
    /// The message to send.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The type that is asked for.
    pub(super) const fn kind(&self) -> RecordType {
        self.question.kind
    }

    /// Whether `reply` answers this question: a response with its id and its question.
    ///
    /// A server that refuses may leave the question out.
    pub(super) fn is_answered_by(&self, reply: &[u8]) -> bool {
        let Some((head, rest)) = reply.split_first_chunk::<HEADER_BYTES>() else { return false };
        let is_response = head[2] & 0x80 != 0;
        if head[..2] != self.bytes[..2] || !is_response {
            return false;
        }
        let has_error = head[3] & 0x0f != 0;
        match u16::from_be_bytes([head[4], head[5]]) {
            0 => has_error,
            1 => self.repeats_question(rest),
            _ => false,
        }
    }

    /// Whether `rest` starts with the question; letters may differ in case, type and class may not.
    fn repeats_question(&self, rest: &[u8]) -> bool {
        let asked = &self.bytes[HEADER_BYTES..self.question.end];
        let Some(repeated) = rest.get(..asked.len()) else { return false };
        let name_end = asked.len() - 4;
        repeated[..name_end].eq_ignore_ascii_case(&asked[..name_end])
            && repeated[name_end..] == asked[name_end..]
    }
}

/// A name that ends at the root.
struct Absolute(Name);

impl Absolute {
    fn len_on_wire(&self) -> usize {
        // Each label has a length byte, and the root is one zero byte.
        self.0.iter().map(|label| label.len() + 1).sum::<usize>() + 1
    }
}

fn parse(name: &str, kind: RecordType) -> Option<Absolute> {
    if let (RecordType::PTR, Ok(address)) = (kind, name.parse::<IpAddr>()) {
        return Some(Absolute(Name::from(address)));
    }
    if name.is_empty() || name.contains(['/', ':', '@', ' ']) {
        return None;
    }
    // International names become ASCII; names with `_` and other service labels are taken as they are.
    let mut parsed = if name.is_ascii() { Name::from_ascii(name) } else { Name::from_utf8(name) }.ok()?;
    parsed.set_fqdn(true);
    Some(Absolute(parsed))
}

/// The record type named `text`: `A`, `mx`, or `TYPE65534` (RFC 3597).
pub(super) fn record_type(text: &str) -> Option<RecordType> {
    let upper = text.to_ascii_uppercase();
    if let Some(number) = upper.strip_prefix("TYPE") {
        return number.parse::<u16>().ok().map(RecordType::from).filter(|kind| is_asked_for(*kind));
    }
    upper.parse().ok().filter(|kind| is_asked_for(*kind))
}

/// Whether the type can be asked for with one question and one reply.
const fn is_asked_for(kind: RecordType) -> bool {
    !matches!(
        kind,
        RecordType::AXFR
            | RecordType::IXFR
            | RecordType::OPT
            | RecordType::TSIG
            | RecordType::ZERO
            | RecordType::ANAME
    )
}
