//! The keys and subjects of a `websocket` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use http::header::{CONNECTION, HOST, HeaderName, UPGRADE};
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::Spanned;
use scenario::template::Template;
use scenario::value::SubjectType;

use super::run::{MESSAGES_MAX, Round, Until, WebSocket};
use super::url;
use crate::http::given::{self, Reserved};
use crate::net::keys;
use crate::net::ports;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};
use crate::octets::{self, Encoding, Payload};
use crate::rounds::{self, Said};

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key::new(
        "url",
        KeyType::Template,
        Need::Required,
        "Where the WebSocket is.",
        "wss://live.example/prices",
    ),
    Key::new(
        "headers",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Headers of the request that opens it.",
        "{ Origin: https://shop.example }",
    ),
    Key::new(
        "subprotocols",
        KeyType::OneOrMany(&KeyType::Text),
        Need::Optional,
        "The subprotocols that are offered, most wanted first; a server that chooses another one breaks the protocol.",
        "[graphql-transport-ws]",
    ),
    Key::new(
        "send",
        KeyType::OneOrMany(&KeyType::Template),
        Need::Optional,
        "A message, or several that are sent one after the other; binary ones where `encoding` is not text.",
        "subscribe",
    ),
    Key::new(
        "messages",
        KeyType::Int(0, MESSAGES_MAX),
        Need::Otherwise("as many as are sent"),
        "How many messages are waited for.",
        "1",
    ),
    Key::new(
        "exchange",
        KeyType::OneOrMany(&KeyType::Record(ROUND)),
        Need::Optional,
        "A conversation, round by round: what is sent, and a regular expression that a message must match before it goes on.",
        "[{ send: '{\"type\":\"connection_init\"}', expect: connection_ack }]",
    ),
    octets::KEY,
    Key::new(
        "wait_close",
        KeyType::Bool,
        Need::Default("false"),
        "Whether the server is to close the WebSocket by itself, which is waited for; otherwise the prober closes it.",
        "true",
    ),
    Key::new(
        "message_limit",
        KeyType::Size,
        Need::Default("64KiB"),
        "How long a message may be; up to 1 MiB.",
        "1MiB",
    ),
    keys::TRUST,
    keys::CA,
    keys::INSECURE,
    keys::IP,
];

/// The keys of one round of a conversation.
const ROUND: &[Key] = &[
    Key::new("send", KeyType::Template, Need::Optional, "A message.", "subscribe"),
    Key::new(
        "expect",
        KeyType::Text,
        Need::Optional,
        "Messages are read until this regular expression matches in one.",
        "\"type\":\"next\"",
    ),
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "message",
        Shape::One(SubjectType::Any),
        "The last message, written as `encoding` says.",
        "{ contains: price }",
    ),
    Subject::new("json", Shape::JsonPath, "Values in the last message, if it is JSON.", "{ $.type: next }"),
    Subject::new(
        "messages",
        Shape::One(SubjectType::Texts),
        "All messages in the order they came.",
        "{ len: { gte: 2 } }",
    ),
    Subject::new(
        "subprotocol",
        Shape::One(SubjectType::Text),
        "The subprotocol that the server chose.",
        "mqtt",
    ),
    Subject::new(
        "headers",
        Shape::Header,
        "Headers of the answer that opened the WebSocket.",
        "{ Server: { contains: nginx } }",
    ),
    Subject::new(
        "close_code",
        Shape::One(SubjectType::Int),
        "The code with which the server closed the WebSocket; 1005 if it gave none.",
        "1000",
    ),
    Subject::new("close_reason", Shape::One(SubjectType::Text), "What it said about that.", "bye"),
    Subject::new("size", Shape::One(SubjectType::Size), "How much came in all messages.", "{ lte: 10kB }"),
];

/// `websocket: wss://live.example/` is its URL.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("url", 0..text.len())]
}

/// The failure that a broken assertion stands for.
pub(super) fn classify(subject: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    (subject == "headers").then_some((FailureClass::Incorrect, Cow::Borrowed("assert.header")))
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let encoding = Encoding::take(&mut fields);
    let headers = given::headers("headers", &OF_THE_HANDSHAKE, &mut fields, report);
    let subprotocols = subprotocols(&mut fields, report);
    let rounds = match fields.list("exchange") {
        Some(given) => conversation(given, &fields, encoding, report),
        None => single(&mut fields, encoding, report).map(|round| vec![round]),
    };
    let limit = rounds::limit("message_limit", &mut fields, report);
    let wait_close = fields.bool("wait_close").is_some_and(|given| given.value);
    let insecure = keys::insecure(&mut fields, report);
    let roots = keys::trust(&mut fields, report)?;
    let family = keys::family(&mut fields);
    let place = place(fields.template("url")?, report);
    let insecure = insecure.ok()?;
    let verify = if insecure.is_some() { Verify::Record } else { Verify::Enforce };
    let tls = TlsChoice { roots, alpn: vec![b"http/1.1".to_vec()], verify, ..TlsChoice::default() };
    Some(Box::new(WebSocket {
        url: place?,
        headers: headers?,
        subprotocols: subprotocols?,
        rounds: rounds?,
        encoding,
        wait_close,
        message_bytes_max: limit?,
        tls,
        family,
        insecure,
    }))
}

fn place(given: Spanned<Template>, report: &mut Report) -> Option<Template> {
    match given.value.constant().map(url::parse) {
        Some(Err(error)) => {
            let help = "for example wss://live.example/prices";
            report.push(Diagnostic::error("E171", given.span, error.to_string()).help(help));
            return None;
        }
        Some(Ok(target)) => {
            ports::check_scheme((target.secure, target.address.port), given.span, ["ws", "wss"], report);
        }
        None => {}
    }
    Some(given.value)
}

/// Headers that are the handshake's own.
const OF_THE_HANDSHAKE: Reserved = Reserved {
    whose: "handshake",
    is: |name| [CONNECTION, HOST, UPGRADE].contains(name) || name.as_str().starts_with("sec-websocket-"),
    help: "leave it out: the prober sets it",
};

fn subprotocols(fields: &mut Fields, report: &mut Report) -> Option<Vec<String>> {
    let Some(given) = fields.list("subprotocols") else { return Some(Vec::new()) };
    // A token of HTTP, as the name of a header is.
    let each = given.value.into_iter().map(|item| match item.value {
        Bound::Text(text) if HeaderName::from_bytes(text.as_bytes()).is_ok() => Some(text),
        _ => {
            let message = "the name of a subprotocol has letters, digits, dots and dashes";
            report.push(Diagnostic::error("E104", item.span, message).help("for example mqtt"));
            None
        }
    });
    each.collect::<Vec<_>>().into_iter().collect()
}

/// What `send` and `messages` say.
fn single(fields: &mut Fields, encoding: Encoding, report: &mut Report) -> Option<Round> {
    let messages = fields.int("messages").and_then(|given| usize::try_from(given.value).ok());
    let given = fields.list("send").map(|given| given.value).unwrap_or_default();
    let each = given.into_iter().map(|item| {
        let Bound::Template(template) = item.value else { return None };
        Payload::new(&Spanned::new(template, item.span), encoding, "send", report)
    });
    let send: Vec<_> = each.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?;
    let until = Until::Count(messages.unwrap_or(send.len()));
    Some(Round { send, until })
}

/// The rounds of `exchange`.
fn conversation(
    given: Spanned<Vec<Spanned<Bound>>>,
    fields: &Fields,
    encoding: Encoding,
    report: &mut Report,
) -> Option<Vec<Round>> {
    let rounds = rounds::take(given, (fields, &["send", "messages"]), encoding, report)?;
    let round = |Said { send, expected }| Round {
        send: send.into_iter().collect(),
        until: expected.map_or(Until::Count(0), Until::Match),
    };
    Some(rounds.into_iter().map(round).collect())
}
