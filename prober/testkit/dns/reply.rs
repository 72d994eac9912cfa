//! What a scripted DNS server answers, and how it may break the rules.

use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsOption, NSIDPayload};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// A scripted answer.
#[derive(Clone, Debug)]
pub struct Reply {
    body: Body,
    rcode: ResponseCode,
    records: Vec<Record>,
    owner: Option<Name>,
    ttl: u32,
    authoritative: bool,
    delay: Duration,
    lie: Option<Lie>,
    authority: Vec<Record>,
    options: Vec<EdnsOption>,
    recursion_available: bool,
    authenticated: bool,
}

#[derive(Clone, Debug)]
enum Body {
    Message,
    Silence,
    Garbage(Vec<u8>),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Lie {
    TruncatedOverUdp,
    Truncated,
    WrongId,
    WrongQuestion,
    KnowsNoEdns,
}

impl Reply {
    /// An authoritative NOERROR without records.
    pub fn empty() -> Self {
        Self {
            body: Body::Message,
            rcode: ResponseCode::NoError,
            records: Vec::new(),
            owner: None,
            ttl: 60,
            authoritative: true,
            delay: Duration::ZERO,
            lie: None,
            authority: Vec::new(),
            options: Vec::new(),
            recursion_available: false,
            authenticated: false,
        }
    }

    /// The response code `code`: 2 is SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    pub fn rcode(code: u16) -> Self {
        Self {
            rcode: ResponseCode::from(0, u8::try_from(code).expect("a plain code is below 16")),
            ..Self::empty()
        }
    }

    /// No answer at all.
    pub fn silence() -> Self {
        Self { body: Body::Silence, ..Self::empty() }
    }

    /// These bytes instead of a DNS message.
    pub fn garbage(bytes: &[u8]) -> Self {
        Self { body: Body::Garbage(bytes.to_vec()), ..Self::empty() }
    }

    /// IPv4 addresses.
    pub fn a(addresses: &[&str]) -> Self {
        let parse = |text: &&str| RData::A(A(text.parse().expect("the script's address is IPv4")));
        Self::empty().records(addresses.iter().map(parse))
    }

    /// IPv6 addresses.
    pub fn aaaa(addresses: &[&str]) -> Self {
        let parse = |text: &&str| RData::AAAA(AAAA(text.parse().expect("the script's address is IPv6")));
        Self::empty().records(addresses.iter().map(parse))
    }

    /// An alias to `target` alone.
    pub fn cname(target: &str) -> Self {
        Self::empty().records([RData::CNAME(CNAME(name(target)))])
    }

    /// Texts, one record each, at most 255 bytes long.
    pub fn txt(texts: &[&str]) -> Self {
        Self::empty().records(texts.iter().map(|text| RData::TXT(TXT::new(vec![(*text).to_owned()]))))
    }

    /// Name servers.
    pub fn ns(servers: &[&str]) -> Self {
        Self::empty().records(servers.iter().map(|server| RData::NS(NS(name(server)))))
    }

    /// A mail server.
    pub fn mx(preference: u16, server: &str) -> Self {
        Self::empty().records([RData::MX(MX::new(preference, name(server)))])
    }

    /// The start of a zone with `serial`.
    pub fn soa(serial: u32) -> Self {
        let (server, mail) = (name("ns1.test"), name("hostmaster.test"));
        Self::empty().records([RData::SOA(SOA::new(server, mail, serial, 3600, 600, 86_400, 60))])
    }

    /// Adds records of any type; their names are the question's.
    #[must_use]
    pub fn records(mut self, records: impl IntoIterator<Item = RData>) -> Self {
        self.records.extend(records.into_iter().map(|data| Record::from_rdata(Name::root(), 0, data)));
        self
    }

    /// Lets all records be of `owner` instead of the question's name.
    #[must_use]
    pub fn owned_by(mut self, owner: &str) -> Self {
        self.owner = Some(name(owner));
        self
    }

    /// Answers FORMERR and nothing else to whoever says anything with EDNS, as servers do that do not know it.
    #[must_use]
    pub fn without_edns(mut self) -> Self {
        self.lie = Some(Lie::KnowsNoEdns);
        self
    }

    /// Sets the time to live of all records, in seconds.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// Leaves out the mark that the answer comes from the zone's own server.
    #[must_use]
    pub fn not_authoritative(mut self) -> Self {
        self.authoritative = false;
        self
    }

    /// Answers after `delay`.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Answers over UDP without records and with the mark to ask again over TCP, where the answer is whole.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.lie = Some(Lie::TruncatedOverUdp);
        self
    }

    /// Answers with the mark of an answer that was cut off, also over TCP, beside its records.
    #[must_use]
    pub fn cut_off(mut self) -> Self {
        self.lie = Some(Lie::Truncated);
        self
    }

    /// Answers with an id that was not asked.
    #[must_use]
    pub fn wrong_id(mut self) -> Self {
        self.lie = Some(Lie::WrongId);
        self
    }

    /// Answers a question that was not asked.
    #[must_use]
    pub fn wrong_question(mut self) -> Self {
        self.lie = Some(Lie::WrongQuestion);
        self
    }

    /// Adds a record to the authority section, at the name `owner`.
    #[must_use]
    pub fn authority(mut self, owner: &str, data: RData) -> Self {
        self.authority.push(Record::from_rdata(name(owner), 60, data));
        self
    }

    /// The zone's start for the authority section of an answer without records.
    #[must_use]
    pub fn of_zone(self, zone: &str, serial: u32) -> Self {
        let (server, mail) = (name("ns1.test"), name("hostmaster.test"));
        self.authority(zone, RData::SOA(SOA::new(server, mail, serial, 3600, 600, 86_400, 60)))
    }

    /// Says who answers (RFC 5001).
    #[must_use]
    pub fn nsid(mut self, bytes: &[u8]) -> Self {
        let payload = NSIDPayload::new(bytes).expect("the script's name is short");
        self.options.push(EdnsOption::NSID(payload));
        self
    }

    /// Says what went wrong (RFC 8914).
    #[must_use]
    pub fn extended_error(mut self, code: u16, text: &str) -> Self {
        let bytes = [&code.to_be_bytes(), text.as_bytes()].concat();
        self.options.push(EdnsOption::Unknown(15, bytes));
        self
    }

    /// Offers recursion and says that the answer was validated, as a resolver does.
    #[must_use]
    pub fn as_resolver(mut self) -> Self {
        (self.authoritative, self.recursion_available, self.authenticated) = (false, true, true);
        self
    }

    pub(super) const fn delay(&self) -> Duration {
        self.delay
    }

    /// The packet that answers `query`; `None` for silence.
    pub(super) fn packet(&self, query: &Message, tcp: bool) -> Option<Vec<u8>> {
        match &self.body {
            Body::Silence => None,
            Body::Garbage(bytes) => Some(bytes.clone()),
            Body::Message => {
                Some(self.message(query, tcp).to_vec().expect("the script's records are well-formed"))
            }
        }
    }

    fn message(&self, query: &Message, tcp: bool) -> Message {
        if self.lie == Some(Lie::KnowsNoEdns) && query.edns.is_some() {
            return Message::error_msg(query.metadata.id, query.metadata.op_code, ResponseCode::FormErr);
        }
        let mut message = query.clone();
        message.metadata.message_type = MessageType::Response;
        message.metadata.response_code = self.rcode;
        message.metadata.authoritative = self.authoritative;
        message.metadata.recursion_available = self.recursion_available;
        message.metadata.authentic_data = self.authenticated;
        message.add_authorities(self.authority.iter().cloned());
        if !self.options.is_empty() {
            let mut edns = Edns::new();
            edns.set_max_payload(1232);
            self.options.iter().for_each(|option| edns.options_mut().insert(option.clone()));
            message.set_edns(edns);
        }
        let asked = || query.queries.first().map(|question| question.name().clone());
        let owner = self.owner.clone().or_else(asked).unwrap_or_default();
        message.add_answers(self.records.iter().map(|record| {
            let mut record = record.clone();
            (record.name, record.ttl) = (owner.clone(), self.ttl);
            record
        }));
        match self.lie {
            Some(Lie::TruncatedOverUdp) if !tcp => message.truncate(),
            Some(Lie::Truncated) => {
                message.metadata.truncation = true;
                message
            }
            Some(Lie::WrongId) => {
                message.metadata.id = !message.metadata.id;
                message
            }
            Some(Lie::WrongQuestion) => {
                let kind = message.queries.first().map_or(RecordType::A, Query::query_type);
                message.queries = vec![Query::query(name("another.question.test"), kind)];
                message
            }
            _ => message,
        }
    }
}

/// The absolute, lower-case name `text`.
pub(super) fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).expect("the script's name is well-formed").to_lowercase();
    name.set_fqdn(true);
    name
}
