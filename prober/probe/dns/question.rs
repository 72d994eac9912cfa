//! The question as it goes over the wire, and which replies belong to it.

use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption, NSIDPayload};
use hickory_proto::rr::{Name, RecordType};

/// The size of reply that we take over UDP where the file says nothing, in bytes: what fits a packet on every
/// path (RFC 9715).
pub(super) const PAYLOAD_BYTES: u16 = 1232;

/// Id, flags and the four counts.
const HEADER_BYTES: usize = 12;

/// The longest question: head, the longest name, type and class, and EDNS with every option we know.
pub(super) const QUESTION_BYTES_MAX: usize = HEADER_BYTES + 255 + 4 + 11 + 4 + 24;

/// What is asked beside name and type.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the protocol")]
pub(super) struct Manner {
    /// Whether the server is to find the answer for us.
    pub(super) recursion: bool,
    /// Whether the server is to answer although its own DNSSEC validation fails (CD).
    pub(super) unchecked: bool,
    /// Whether signatures are asked for (DO).
    pub(super) dnssec_ok: bool,
    /// Whether the server is asked who it is (RFC 5001).
    pub(super) nsid: bool,
    /// The size of reply that is taken over UDP, in bytes.
    pub(super) payload_bytes: u16,
    /// On behalf of whom is asked (RFC 7871): an address and how many of its bits count.
    pub(super) subnet: Option<(IpAddr, u8)>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            recursion: true,
            unchecked: false,
            dnssec_ok: false,
            nsid: false,
            payload_bytes: PAYLOAD_BYTES,
            subnet: None,
        }
    }
}

/// An encoded question whose id is still to be filled in.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The whole message, id 0; at most [`QUESTION_BYTES_MAX`].
    bytes: Box<[u8]>,
    /// One past the last byte of the question section.
    end: usize,
    name: Name,
    kind: RecordType,
}

/// A question with its id; the bytes stay those of the question, which are made once.
#[derive(Copy, Clone, Debug)]
pub(super) struct Asked<'a> {
    question: &'a Question,
    id: u16,
}

/// Room for a question as it is sent.
pub(super) type Room = [u8; 2 + QUESTION_BYTES_MAX];

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
    pub(super) fn new(name: &str, kind: RecordType, manner: &Manner) -> Result<Self, QuestionError> {
        let absolute = parse(name, kind).ok_or_else(|| QuestionError::Name { name: name.to_owned() })?;
        Self::of(absolute, kind, manner)
    }

    /// The same for a name that is parsed already.
    ///
    /// # Errors
    /// The name cannot be written into a message.
    pub(super) fn of(name: Name, kind: RecordType, manner: &Manner) -> Result<Self, QuestionError> {
        let mut message = Message::query();
        message.metadata.id = 0;
        message.metadata.recursion_desired = manner.recursion;
        message.metadata.checking_disabled = manner.unchecked;
        message.add_query(Query::query(name.clone(), kind));
        message.set_edns(manner.edns());
        let encoded = message.to_vec();
        let bytes = encoded.map_err(|source| QuestionError::Encode { name: name.to_string(), source })?;
        // Each label has a length byte, and the root is one zero byte.
        let on_wire = name.iter().map(|label| label.len() + 1).sum::<usize>() + 1;
        Ok(Self { bytes: bytes.into(), end: HEADER_BYTES + on_wire + 4, name, kind })
    }

    /// The question with a random id.
    pub(super) fn ask(&self) -> Asked<'_> {
        Asked { question: self, id: Message::query().metadata.id }
    }

    /// The question with the id 0, where the connection tells answers apart: RFC 8484 and RFC 9250 want it.
    pub(super) const fn ask_without_id(&self) -> Asked<'_> {
        Asked { question: self, id: 0 }
    }

    /// The name that is asked for.
    pub(super) const fn name(&self) -> &Name {
        &self.name
    }

    /// The type that is asked for.
    pub(super) const fn kind(&self) -> RecordType {
        self.kind
    }
}

impl Manner {
    fn edns(&self) -> Edns {
        let mut edns = Edns::new();
        edns.set_max_payload(self.payload_bytes);
        edns.set_dnssec_ok(self.dnssec_ok);
        if self.nsid {
            let nothing = NSIDPayload::new(Vec::new()).expect("an empty option is no longer than 64 KiB");
            edns.options_mut().insert(EdnsOption::NSID(nothing));
        }
        if let Some((address, bits)) = self.subnet {
            edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new(address, bits, 0)));
        }
        edns
    }
}

impl Asked<'_> {
    /// The message to send, written into `room`.
    pub(super) fn write<'r>(&self, room: &'r mut Room) -> &'r [u8] {
        let bytes = &self.question.bytes;
        room[..bytes.len()].copy_from_slice(bytes);
        room[..2].copy_from_slice(&self.id.to_be_bytes());
        &room[..bytes.len()]
    }

    /// The message to send behind its length, as streams have it, written into `room`.
    pub(super) fn write_framed<'r>(&self, room: &'r mut Room) -> &'r [u8] {
        let bytes = &self.question.bytes;
        let length = u16::try_from(bytes.len()).expect("a question is shorter than 64 KiB");
        room[..2].copy_from_slice(&length.to_be_bytes());
        room[2..2 + bytes.len()].copy_from_slice(bytes);
        room[2..4].copy_from_slice(&self.id.to_be_bytes());
        &room[..2 + bytes.len()]
    }

    /// Whether `reply` answers this question: a response to a query, with its id and its question.
    ///
    /// A server that refuses may leave the question out, and so may one that wants to be asked over TCP.
    pub(super) fn is_answered_by(&self, reply: &[u8]) -> bool {
        let Some((head, rest)) = reply.split_first_chunk::<HEADER_BYTES>() else { return false };
        // The code of operation stands beside the flag of a response; that of a query is 0.
        let is_response = head[2] & 0xf8 == 0x80;
        if head[..2] != self.id.to_be_bytes() || !is_response {
            return false;
        }
        let has_error = head[3] & 0x0f != 0;
        let is_cut_off = head[2] & 0x02 != 0;
        match u16::from_be_bytes([head[4], head[5]]) {
            0 => has_error || is_cut_off,
            1 => self.repeats_question(rest),
            _ => false,
        }
    }

    /// Whether `rest` starts with the question; letters may differ in case, type and class may not.
    fn repeats_question(&self, rest: &[u8]) -> bool {
        let asked = &self.question.bytes[HEADER_BYTES..self.question.end];
        let Some(repeated) = rest.get(..asked.len()) else { return false };
        let name_end = asked.len() - 4;
        repeated[..name_end].eq_ignore_ascii_case(&asked[..name_end])
            && repeated[name_end..] == asked[name_end..]
    }
}

/// The name that ends at the root.
fn parse(name: &str, kind: RecordType) -> Option<Name> {
    if let (RecordType::PTR, Ok(address)) = (kind, name.parse::<IpAddr>()) {
        return Some(Name::from(address));
    }
    if name.is_empty() || name.contains(['/', ':', '@', ' ']) {
        return None;
    }
    // International names become ASCII; names with `_` and other service labels are taken as they are.
    let mut parsed = if name.is_ascii() { Name::from_ascii(name) } else { Name::from_utf8(name) }.ok()?;
    parsed.set_fqdn(true);
    Some(parsed)
}
