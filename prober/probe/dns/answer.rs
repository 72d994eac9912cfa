//! What a reply says, as assertions and people see it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;

use hickory_proto::op::{Message, Metadata, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{RData, Record, RecordType};
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

/// The words of the subject `rcode`.
///
/// `NODATA` is no code of the protocol: it is NOERROR without a record of the asked type, told apart so that
/// an empty answer does not look like a good one.
pub(super) const RCODES: &[&str] = &[
    "NOERROR",
    "NODATA",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "BADVERS",
    "BADCOOKIE",
];

/// What one resolver answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Who answered.
    pub(super) server: SocketAddr,
    /// The word of [`RCODES`], or `RCODE11` for a code without a name.
    pub(super) rcode: Cow<'static, str>,
    /// The records of the asked type as text, in the order they were served.
    pub(super) texts: Vec<String>,
    /// Whether the reply over UDP was cut off.
    pub(super) truncated: bool,
    metadata: Metadata,
    /// The smallest time to live of the answer section, in seconds.
    ttl: Option<u32>,
    answers: usize,
    authorities: usize,
    soa: Option<Soa>,
}

/// The numbers of a zone's start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Soa {
    serial: u32,
    refresh: i32,
    retry: i32,
    expire: i32,
    minimum: u32,
}

impl Answer {
    /// What `message` from `server` says about records of type `asked`.
    pub(super) fn new(server: SocketAddr, message: &Message, asked: RecordType, truncated: bool) -> Self {
        let metadata = message.metadata;
        let wanted = |record: &&Record| asked == RecordType::ANY || record.record_type() == asked;
        let texts: Vec<String> = message.answers.iter().filter(wanted).map(text).collect();
        let soa = message.answers.iter().chain(&message.authorities).find_map(Soa::of);
        Self {
            server,
            rcode: rcode(metadata.response_code, texts.is_empty() && !metadata.truncation),
            truncated,
            metadata,
            ttl: message.answers.iter().map(|record| record.ttl).min(),
            answers: message.answers.len(),
            authorities: message.authorities.len(),
            soa,
            texts,
        }
    }

    /// The code as the protocol has it, without our `NODATA`.
    pub(super) fn response_code(&self) -> &str {
        if self.rcode == "NODATA" { "NOERROR" } else { &self.rcode }
    }

    /// The subject's value; `None` if this answer has none.
    fn value(&self, subject: &str) -> Option<Value<'_>> {
        let count = |items: usize| Value::Int(i64::try_from(items).unwrap_or(i64::MAX));
        let soa = self.soa.as_ref();
        Some(match subject {
            "rcode" => Value::Text(Cow::Borrowed(&self.rcode)),
            "answers" => {
                Value::List(self.texts.iter().map(|text| Value::Text(Cow::Borrowed(text.as_str()))).collect())
            }
            "ttl" => Value::Int(self.ttl?.into()),
            "authoritative" => Value::Bool(self.metadata.authoritative),
            "truncated" => Value::Bool(self.truncated),
            "recursion_available" => Value::Bool(self.metadata.recursion_available),
            "authenticated" => Value::Bool(self.metadata.authentic_data),
            "answer_count" => count(self.answers),
            "authority_count" => count(self.authorities),
            "soa.serial" => Value::Int(soa?.serial.into()),
            "soa.refresh" => Value::Int(soa?.refresh.into()),
            "soa.retry" => Value::Int(soa?.retry.into()),
            "soa.expire" => Value::Int(soa?.expire.into()),
            "soa.minimum" => Value::Int(soa?.minimum.into()),
            _ => return None,
        })
    }
}

impl Soa {
    fn of(record: &Record) -> Option<Self> {
        match &record.data {
            RData::SOA(SOA { serial, refresh, retry, expire, minimum, .. }) => Some(Self {
                serial: *serial,
                refresh: *refresh,
                retry: *retry,
                expire: *expire,
                minimum: *minimum,
            }),
            _ => None,
        }
    }
}

/// What all resolvers of a step answered, in the order of the file.
#[derive(Debug)]
pub(super) struct Answers(pub(super) Vec<Answer>);

impl Evidence for Answers {
    /// One value if all resolvers agree on it, else one a resolver in the order of the file.
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        let mut values: Vec<Option<Value<'a>>> = self.0.iter().map(|answer| answer.value(subject)).collect();
        values.dedup();
        if values.len() > 1 {
            return Reading::Many(
                self.0.iter().map(|answer| answer.value(subject).unwrap_or(Value::Null)).collect(),
            );
        }
        values.pop().flatten().map_or(Reading::Absent, Reading::One)
    }

    fn sources(&self) -> Vec<String> {
        self.0.iter().map(|answer| answer.server.to_string()).collect()
    }
}

fn rcode(code: ResponseCode, empty: bool) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        ResponseCode::NoError if empty => "NODATA",
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::YXDomain => "YXDOMAIN",
        ResponseCode::YXRRSet => "YXRRSET",
        ResponseCode::NXRRSet => "NXRRSET",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        ResponseCode::BADVERS | ResponseCode::BADSIG => "BADVERS",
        ResponseCode::BADCOOKIE => "BADCOOKIE",
        other => return Cow::Owned(format!("RCODE{}", u16::from(other))),
    })
}

/// A record's data as zone files and `dig +short` have it; the strings of a TXT record are joined, unquoted.
fn text(record: &Record) -> String {
    match &record.data {
        RData::Unknown { rdata, .. } => unknown(&rdata.anything),
        RData::NULL(null) => unknown(&null.anything),
        // Neither has a text form; neither is asked for.
        RData::OPT(_) | RData::Update0(_) => String::new(),
        data => data.to_string(),
    }
}

/// The form that RFC 3597 gives to data of a type without a form of its own.
fn unknown(bytes: &[u8]) -> String {
    let mut text = format!("\\# {} ", bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing into a String cannot fail");
    }
    text
}
