//! What a reply says, as assertions and people see it.
//!
//! A reply is kept as it was decoded; texts are made of it only where somebody looks.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{RData, Record, RecordType};
use model::address_text::socket_text;
use model::attribute::Text;
use model::outcome::{Failure, FailureClass};
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

use super::dnssec::Proof;
use super::{edns, types};
use crate::net::owner;

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

/// The words of the subject `flags`, in the order of the protocol.
pub(super) const FLAGS: &[&str] = &["aa", "tc", "rd", "ra", "ad", "cd"];

/// Who answered.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A server that the file or the system names by its address.
    Address(SocketAddr),
    /// The system's resolver as applications use it.
    System,
    /// Anyone else, for people: `tls://dns.example`, `ns1.shop.example (192.0.2.1:53)`.
    Named(Arc<str>),
}

impl Source {
    /// Who it is, for people.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Address(address) => socket_text(*address),
            Self::System => Text::const_new("system"),
            Self::Named(name) => (&**name).into(),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text())
    }
}

/// What one server answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Who answered.
    pub(super) source: Source,
    pub(super) message: Message,
    /// Where in its answer section the records are that answer the question; several subjects ask.
    pub(super) answering: Box<[usize]>,
    /// The type that was asked for.
    pub(super) asked: RecordType,
    /// Whether a reply over UDP before it was cut off.
    pub(super) truncated: bool,
    /// Whether it is the system's, which shows addresses and nothing else of DNS.
    pub(super) plain: bool,
    /// From the first byte that was sent to the last of the reply, connections included.
    pub(super) took: Duration,
    /// What the zone's SOA record says, if it was asked for beside the question.
    pub(super) zone_soa: Option<Box<Record>>,
    /// What validation came to and how long it took, if it was asked for.
    pub(super) proof: Option<(Proof, Duration)>,
}

impl Answer {
    /// The word of [`RCODES`], or `RCODE11` for a code without a name.
    pub(super) fn rcode(&self) -> Cow<'static, str> {
        let empty = !self.message.metadata.truncation && self.records().next().is_none();
        rcode(self.message.metadata.response_code, empty)
    }

    /// The code as the protocol has it, without our `NODATA`.
    pub(super) fn response_code(&self) -> Cow<'static, str> {
        rcode(self.message.metadata.response_code, false)
    }

    /// Whether what `subject` is may have been in the part of the reply that was cut off.
    fn hides(&self, subject: &str) -> bool {
        let head = &self.message.metadata;
        head.truncation
            && match subject {
                // With a record it is no NODATA.
                "rcode" => head.response_code == ResponseCode::NoError && self.records().next().is_none(),
                "answers" | "ttl" | "ttl.max" => true,
                _ => subject.ends_with("_count") || subject.ends_with("_section"),
            }
    }

    /// The records of the asked type, in the order they were served.
    fn records(&self) -> impl Iterator<Item = &Record> {
        let answering = self.answering.iter().map(|place| &self.message.answers[*place]);
        answering.filter(|record| self.asked == RecordType::ANY || record.record_type() == self.asked)
    }

    /// The failure of aliases that lead nowhere: what would look like an empty answer is a mistake in a zone.
    pub(super) fn endless_aliases(&self) -> Option<Failure> {
        let query = self.message.queries.first().filter(|_| !self.message.metadata.truncation)?;
        let why = owner::endless(query, &self.message.answers)?;
        let message = format!("{} answered with {why}", self.source);
        Some(Failure::new(FailureClass::Dns, "dns.no_answer", message))
    }

    /// Where an answer without records leads: to other name servers, or to another name.
    fn led_to(&self) -> Option<String> {
        let head = &self.message.metadata;
        let is_missing = head.response_code == ResponseCode::NXDomain;
        if !is_missing && head.response_code != ResponseCode::NoError
            || head.truncation
            || self.records().next().is_some()
        {
            return None;
        }
        let query = self.message.queries.first()?;
        let last = owner::names(query, &self.message.answers).last().filter(|last| *last != query.name());
        if let Some(name) = last {
            // The code is of the last name, not of the one that was asked for (RFC 6604, section 3).
            let why = if is_missing { "does not exist" } else { "has no such record here" };
            return Some(format!("its alias {name} {why}"));
        }
        if is_missing {
            return None;
        }
        let authorities = &self.message.authorities;
        let of = |kind| authorities.iter().find(|record| record.record_type() == kind);
        // With a SOA record it says itself that there is none (RFC 2308, section 2.2).
        let referral = of(RecordType::NS).filter(|_| !head.authoritative && of(RecordType::SOA).is_none())?;
        Some(format!("it refers to the name servers of {}", referral.name))
    }

    /// How long the answer and the aliases on the way to it may be kept, in seconds.
    fn ttls(&self) -> impl Iterator<Item = u32> {
        let answers = self.message.answers.as_slice();
        let query = self.message.queries.first();
        let names: Vec<_> = query.map(|query| owner::names(query, answers).collect()).unwrap_or_default();
        let counts = move |record: &&Record| names.iter().any(|name| owner::is_same(name, &record.name));
        // A time with the top bit set is none (RFC 2181, section 8).
        let seconds = |ttl: u32| if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl };
        answers.iter().filter(counts).map(move |record| seconds(record.ttl))
    }

    /// The same as text.
    pub(super) fn texts(&self) -> impl Iterator<Item = Text> {
        self.records().map(types::text)
    }

    fn soa(&self) -> Option<&SOA> {
        let mut all = self
            .zone_soa
            .iter()
            .map(|record| &**record)
            .chain(&self.message.answers)
            .chain(&self.message.authorities);
        all.find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa),
            _ => None,
        })
    }

    /// The set flags by their names, in the order of the protocol.
    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let head = self.message.metadata;
        let all = [
            head.authoritative,
            head.truncation,
            head.recursion_desired,
            head.recursion_available,
            head.authentic_data,
            head.checking_disabled,
        ];
        FLAGS.iter().zip(all).filter_map(|(name, set)| set.then_some(*name))
    }

    /// The subject's value; `None` if this answer has none.
    fn value(&self, subject: &str) -> Option<Value<'_>> {
        match subject {
            "rcode" => return Some(Value::Text(self.rcode())),
            "answers" => return Some(list(self.texts().map(String::from))),
            "answer_count" => return Some(count(self.message.answers.len())),
            "query_time" => return Some(Value::Duration(self.took)),
            _ if self.plain => return None,
            _ => {}
        }
        let head = &self.message.metadata;
        Some(match subject {
            "ttl" => Value::Int(self.ttls().min()?.into()),
            "ttl.max" => Value::Int(self.ttls().max()?.into()),
            "flags" => list(self.flags().map(str::to_owned)),
            "authoritative" => Value::Bool(head.authoritative),
            "truncated" => Value::Bool(self.truncated || head.truncation),
            "recursion_desired" => Value::Bool(head.recursion_desired),
            "recursion_available" => Value::Bool(head.recursion_available),
            "authenticated" => Value::Bool(head.authentic_data),
            "checking_disabled" => Value::Bool(head.checking_disabled),
            "answer_section" => section(&self.message.answers),
            "authority_count" => count(self.message.authorities.len()),
            "authority_section" => section(&self.message.authorities),
            "additional_count" => count(self.message.additionals.len()),
            "additional_section" => section(&self.message.additionals),
            _ => return self.rarer_value(subject),
        })
    }

    fn rarer_value(&self, subject: &str) -> Option<Value<'_>> {
        let proof = || self.proof.as_ref().map(|(proof, _)| proof);
        let edns = self.message.edns.as_ref();
        Some(match subject {
            "soa.serial" => Value::Int(self.soa()?.serial.into()),
            "soa.refresh" => Value::Int(self.soa()?.refresh.into()),
            "soa.retry" => Value::Int(self.soa()?.retry.into()),
            "soa.expire" => Value::Int(self.soa()?.expire.into()),
            "soa.minimum" => Value::Int(self.soa()?.minimum.into()),
            "nsid" => Value::Text(edns::nsid(&self.message)?.into()),
            "extended_errors" => list(edns::errors(&self.message).into_iter()),
            "edns" => Value::Bool(edns.is_some()),
            "edns.payload" => Value::Int(edns?.max_payload().into()),
            "edns.dnssec_ok" => Value::Bool(edns?.flags().dnssec_ok),
            "client_subnet" => Value::Text(edns::subnet(&self.message)?.into()),
            "dnssec" => Value::Text(Cow::Borrowed(proof()?.state.as_str())),
            "dnssec.reason" => Value::Text(Cow::Borrowed(proof()?.reason.as_str())),
            "validation_time" => Value::Duration(self.proof.as_ref()?.1),
            _ => return None,
        })
    }

    /// What makes a broken assertion about `subject` plain, if this answer says it.
    fn remark(&self, subject: &str) -> Option<String> {
        match subject {
            "dnssec" | "dnssec.reason" => {
                let (proof, _) = self.proof.as_ref()?;
                (!proof.detail.is_empty()).then(|| proof.detail.clone())
            }
            "rcode" | "answers" => {
                let said = [edns::errors(&self.message), self.led_to().into_iter().collect()].concat();
                (!said.is_empty()).then(|| said.join(", "))
            }
            _ => None,
        }
    }
}

fn count(items: usize) -> Value<'static> {
    Value::Int(i64::try_from(items).unwrap_or(i64::MAX))
}

fn list<'a>(texts: impl Iterator<Item = String>) -> Value<'a> {
    Value::List(texts.map(|text| Value::Text(Cow::Owned(text))).collect())
}

fn section(records: &[Record]) -> Value<'static> {
    list(records.iter().map(types::line))
}

/// Where in `message` the records are that answer its question.
pub(super) fn answering(message: &Message) -> Box<[usize]> {
    match message.queries.first() {
        Some(query) => owner::places(query, &message.answers),
        // The system's resolver gives addresses without a question, and nothing but those.
        None => (0..message.answers.len()).collect(),
    }
}

/// What all servers of a step answered, in the order of the file.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) each: Vec<Answer>,
    /// The name servers of the zone, where they were looked up.
    pub(super) name_servers: Option<Vec<String>>,
}

impl Evidence for Answers {
    /// One value if all servers agree on it, else one a server in the order of the file.
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        if subject == "name_servers" {
            let names = self.name_servers.as_ref().map(|names| list(names.iter().cloned()));
            return names.map_or(Reading::Absent, Reading::One);
        }
        if let Some(cut_off) = self.each.iter().find(|answer| answer.hides(subject)) {
            return Reading::Unreadable(format!("the reply of {} was cut off", cut_off.source));
        }
        if let [only] = &self.each[..] {
            return only.value(subject).map_or(Reading::Absent, Reading::One);
        }
        let mut values: Vec<Option<Value<'a>>> =
            self.each.iter().map(|answer| answer.value(subject)).collect();
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            return Reading::Many(values.into_iter().map(|value| value.unwrap_or(Value::Null)).collect());
        }
        values.pop().flatten().map_or(Reading::Absent, Reading::One)
    }

    fn sources(&self) -> Vec<String> {
        self.each.iter().map(|answer| answer.source.to_string()).collect()
    }

    /// Of an answer such as SERVFAIL there is nothing to prove, and `rcode` is judged by itself.
    fn is_moot(&self, subject: &str) -> bool {
        subject == "dnssec" && self.each.iter().all(|answer| answer.proof.is_none())
    }

    fn explain(&self, subject: &str) -> Option<String> {
        let mut remarks: Vec<(String, Vec<&Source>)> = Vec::new();
        for answer in &self.each {
            let Some(remark) = answer.remark(subject) else { continue };
            match remarks.iter_mut().find(|(known, _)| *known == remark) {
                Some((_, sources)) => sources.push(&answer.source),
                None => remarks.push((remark, vec![&answer.source])),
            }
        }
        let all = self.each.len();
        let each = remarks.into_iter().map(|(remark, sources)| match sources.as_slice() {
            sources if sources.len() == all => remark,
            sources => {
                let sources: Vec<_> = sources.iter().map(ToString::to_string).collect();
                format!("{}: {remark}", sources.join(", "))
            }
        });
        let joined = each.collect::<Vec<_>>().join("; ");
        (!joined.is_empty()).then_some(joined)
    }
}

/// The word of [`RCODES`] for `code`, in an answer that is `empty` or not.
pub(super) fn rcode(code: ResponseCode, empty: bool) -> Cow<'static, str> {
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
