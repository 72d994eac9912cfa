//! The keys and subjects of a `dns` step, and how they become an action.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use hickory_proto::rr::RecordType;
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::Spanned;
use scenario::template::Template;
use scenario::value::SubjectType;

use super::answer::RCODES;
use super::question::{Question, record_type};
use super::run::{Asking, Dns};
use crate::net::shared::Net;

const PORT: u16 = 53;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Template,
        need: Need::Required,
        doc: "The name that is asked for; for type PTR it may be an address.",
        example: "shop.example",
    },
    Key {
        name: "type",
        value: KeyType::Text,
        need: Need::Default("A"),
        doc: "The record type: A, AAAA, CAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, any other name, or TYPEnnn.",
        example: "AAAA",
    },
    Key {
        name: "resolvers",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("the system's"),
        doc: "Which servers are asked, as `address` or `address:port`; `expect` holds for each of them.",
        example: "[192.0.2.53, \"198.51.100.53:5353\"]",
    },
    Key {
        name: "transport",
        value: KeyType::Choice(&["udp", "tcp"]),
        need: Need::Default("udp"),
        doc: "How it is asked; a reply over UDP that was cut off is asked for again over TCP.",
        example: "tcp",
    },
    Key {
        name: "recursion",
        value: KeyType::Bool,
        need: Need::Default("true"),
        doc: "Whether the server is to find the answer for us; false asks only for what it knows itself.",
        example: "false",
    },
];

macro_rules! subject {
    ($name:literal, $kind:expr, $doc:literal, $example:literal) => {
        Subject { name: $name, doc: $doc, shape: Shape::One($kind), example: $example }
    };
}

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    subject!(
        "rcode",
        SubjectType::Choice(RCODES),
        "The response code; NODATA is NOERROR without a record of the asked type.",
        "NOERROR"
    ),
    subject!(
        "answers",
        SubjectType::Texts,
        "The records of the asked type as zone files write them, names with their final dot.",
        "{ equals_set: [203.0.113.10] }"
    ),
    subject!("ttl", SubjectType::Int, "The smallest time to live in the answer, in seconds.", "{ lte: 300 }"),
    subject!("authoritative", SubjectType::Bool, "Whether the server answers for the zone itself.", "true"),
    subject!("truncated", SubjectType::Bool, "Whether the reply over UDP was cut off.", "false"),
    subject!("recursion_available", SubjectType::Bool, "Whether the server offers recursion.", "false"),
    subject!("authenticated", SubjectType::Bool, "Whether the resolver says it validated DNSSEC.", "true"),
    subject!(
        "answer_count",
        SubjectType::Int,
        "How many records the answer has, aliases included.",
        "{ gte: 2 }"
    ),
    subject!(
        "authority_count",
        SubjectType::Int,
        "How many records the authority section has.",
        "{ gte: 1 }"
    ),
    subject!("soa.serial", SubjectType::Int, "The serial number of the zone.", "{ gte: 2026010100 }"),
    subject!("soa.refresh", SubjectType::Int, "The zone's refresh time in seconds.", "{ lte: 86400 }"),
    subject!("soa.retry", SubjectType::Int, "The zone's retry time in seconds.", "{ lte: 7200 }"),
    subject!("soa.expire", SubjectType::Int, "The zone's expiry time in seconds.", "{ gte: 604800 }"),
    subject!(
        "soa.minimum",
        SubjectType::Int,
        "The zone's time for negative answers in seconds.",
        "{ lte: 3600 }"
    ),
    Subject {
        name: "agree",
        doc: "Subjects that all resolvers must say the same of; records may come in any order.",
        shape: Shape::Agree,
        example: "[soa.serial]",
    },
];

/// `dns: shop.example` is its name.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("name", 0..text.len())]
}

/// The failure that a broken assertion stands for.
pub(super) fn classify(subject: &str, actual: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    match subject {
        "rcode" => error_type(actual).map(|kind| (FailureClass::Dns, kind)),
        "answers" => Some((FailureClass::Incorrect, Cow::Borrowed("assert.answer"))),
        _ => None,
    }
}

/// The error type of the first unusual code in `actual`, which may list several resolvers' codes.
fn error_type(actual: &str) -> Option<Cow<'static, str>> {
    let mut words = actual.split(|letter: char| !letter.is_ascii_alphanumeric());
    let word =
        words.find(|word| *word != "NOERROR" && (RCODES.contains(word) || word.starts_with("RCODE")))?;
    Some(match word {
        "NXDOMAIN" => Cow::Borrowed("dns.nxdomain"),
        "SERVFAIL" => Cow::Borrowed("dns.servfail"),
        "REFUSED" => Cow::Borrowed("dns.refused"),
        "NODATA" => Cow::Borrowed("dns.no_answer"),
        other => Cow::Owned(format!("dns.{}", other.to_ascii_lowercase())),
    })
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let kind = kind(&mut fields, report);
    let resolvers = resolvers(&mut fields, report);
    let recursion = fields.bool("recursion").is_none_or(|given| given.value);
    let over_tcp = fields.choice("transport").is_some_and(|given| given.value == "tcp");
    let name = fields.template("name")?;
    let kind = kind?;
    let asking = asking(name, kind, recursion, report);
    Some(Box::new(Dns { asking: asking?, kind, recursion, over_tcp, resolvers: resolvers? }))
}

fn kind(fields: &mut Fields, report: &mut Report) -> Option<RecordType> {
    let Some(given) = fields.text("type") else { return Some(RecordType::A) };
    let kind = record_type(&given.value);
    if kind.is_none() {
        let message = format!("`{}` is not a record type that can be asked for", given.value);
        let known = "A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, SOA, SRV, SVCB, TLSA, TXT and any TYPEnnn";
        report.push(Diagnostic::error("E105", given.span, message).help(format!("known are {known}")));
    }
    kind
}

fn resolvers(fields: &mut Fields, report: &mut Report) -> Option<Vec<SocketAddr>> {
    let Some(given) = fields.list("resolvers") else { return Some(Vec::new()) };
    if given.value.is_empty() {
        report.push(
            Diagnostic::error("E104", given.span, "`resolvers` is an empty list")
                .help("leave the key out to ask the system's resolvers"),
        );
        return None;
    }
    let all = given.value.iter().map(|item| resolver(item, report)).collect::<Vec<_>>();
    all.into_iter().collect()
}

fn resolver(item: &Spanned<Bound>, report: &mut Report) -> Option<SocketAddr> {
    let Bound::Text(text) = &item.value else { return None };
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = text.parse::<SocketAddr>().ok();
    let address = address.or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, PORT)));
    if address.is_none_or(|address| address.port() == 0) {
        let message = format!("`{text}` is not the address of a resolver");
        let help = "write an address like 192.0.2.53, \"192.0.2.53:5353\" or \"[2001:db8::53]:53\"";
        report.push(Diagnostic::error("E123", item.span, message).help(help));
        return None;
    }
    address
}

fn asking(name: Spanned<Template>, kind: RecordType, recursion: bool, report: &mut Report) -> Option<Asking> {
    let Some(text) = name.value.constant() else { return Some(Asking::Later(name.value)) };
    match Question::new(text, kind, recursion) {
        Ok(question) => Some(Asking::Now(text.into(), question)),
        Err(error) => {
            let diagnostic = Diagnostic::error("E131", name.span, error.to_string());
            report.push(diagnostic.help("write a name like shop.example, without scheme, port and path"));
            None
        }
    }
}
