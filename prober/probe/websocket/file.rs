//! The keys and subjects of a `websocket` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, UPGRADE};
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::pattern;
use scenario::source::Spanned;
use scenario::template::{Part, Template};
use scenario::value::SubjectType;

use super::run::{MESSAGES_MAX, Round, Until, WebSocket};
use super::url;
use crate::http::file::insecure;
use crate::net::resolve::Family;
use crate::net::roots::Roots;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};
use crate::octets::{self, Encoding, Payload};

/// The most rounds of one conversation; each is a hop.
const ROUNDS_MAX: usize = 20;
const LIMIT_DEFAULT: usize = 64 * 1024;
const LIMIT_MAX: u64 = 1024 * 1024;

macro_rules! key {
    ($name:literal, $value:expr, $need:expr, $doc:literal, $example:literal) => {
        Key { name: $name, value: $value, need: $need, doc: $doc, example: $example }
    };
}

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    key!("url", KeyType::Template, Need::Required, "Where the WebSocket is.", "wss://live.example/prices"),
    key!(
        "headers",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Headers of the request that opens it.",
        "{ Origin: https://shop.example }"
    ),
    key!(
        "subprotocols",
        KeyType::OneOrMany(&KeyType::Text),
        Need::Optional,
        "The subprotocols that are offered, most wanted first; a server that chooses another one breaks the protocol.",
        "[graphql-transport-ws]"
    ),
    key!(
        "send",
        KeyType::OneOrMany(&KeyType::Template),
        Need::Optional,
        "A message, or several that are sent one after the other; binary ones where `encoding` is not text.",
        "subscribe"
    ),
    key!(
        "messages",
        KeyType::Int(0, MESSAGES_MAX),
        Need::Otherwise("as many as are sent"),
        "How many messages are waited for.",
        "1"
    ),
    key!(
        "exchange",
        KeyType::OneOrMany(&KeyType::Record(ROUND)),
        Need::Optional,
        "A conversation, round by round: what is sent, and a regular expression that a message must match before it goes on.",
        "[{ send: '{\"type\":\"connection_init\"}', expect: connection_ack }]"
    ),
    octets::KEY,
    key!(
        "wait_close",
        KeyType::Bool,
        Need::Default("false"),
        "Whether the server is to close the WebSocket by itself, which is waited for; otherwise the prober closes it.",
        "true"
    ),
    key!(
        "message_limit",
        KeyType::Size,
        Need::Default("64KiB"),
        "How long a message may be; up to 1 MiB.",
        "1MiB"
    ),
    key!(
        "ca",
        KeyType::Text,
        Need::Optional,
        "A PEM file of the authorities to trust instead of the system's.",
        "certs/internal-root.pem"
    ),
    key!(
        "insecure",
        KeyType::Text,
        Need::Optional,
        "Goes on with a certificate that does not hold, and says why that is right; shown with every run.",
        "self-signed until the move"
    ),
    key!(
        "ip",
        KeyType::Choice(&["any", "4", "6"]),
        Need::Default("any"),
        "Which version of IP is used.",
        "\"6\""
    ),
];

/// The keys of one round of a conversation.
const ROUND: &[Key] = &[
    key!("send", KeyType::Template, Need::Optional, "A message.", "subscribe"),
    key!(
        "expect",
        KeyType::Text,
        Need::Optional,
        "Messages are read until this regular expression matches in one.",
        "\"type\":\"next\""
    ),
];

macro_rules! subject {
    ($name:literal, $shape:expr, $doc:literal, $example:literal) => {
        Subject { name: $name, doc: $doc, shape: $shape, example: $example }
    };
}

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    subject!(
        "message",
        Shape::One(SubjectType::Any),
        "The last message, written as `encoding` says.",
        "{ contains: price }"
    ),
    subject!("json", Shape::JsonPath, "Values in the last message, if it is JSON.", "{ $.type: next }"),
    subject!(
        "messages",
        Shape::One(SubjectType::Texts),
        "All messages in the order they came.",
        "{ len: { gte: 2 } }"
    ),
    subject!("subprotocol", Shape::One(SubjectType::Text), "The subprotocol that the server chose.", "mqtt"),
    subject!(
        "headers",
        Shape::Header,
        "Headers of the answer that opened the WebSocket.",
        "{ Server: { contains: nginx } }"
    ),
    subject!(
        "close_code",
        Shape::One(SubjectType::Int),
        "The code with which the server closed the WebSocket; 1005 if it gave none.",
        "1000"
    ),
    subject!("close_reason", Shape::One(SubjectType::Text), "What it said about that.", "bye"),
    subject!("size", Shape::One(SubjectType::Size), "How much came in all messages.", "{ lte: 10kB }"),
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
    let headers = headers(&mut fields, report);
    let subprotocols = subprotocols(&mut fields, report);
    let rounds = match fields.list("exchange") {
        Some(given) => conversation(given, &fields, encoding, report),
        None => single(&mut fields, encoding, report).map(|round| vec![round]),
    };
    let limit = limit(&mut fields, report);
    let wait_close = fields.bool("wait_close").is_some_and(|given| given.value);
    let insecure = insecure(&mut fields, report);
    let roots = fields.text("ca").map_or(Roots::System, |given| Roots::File(given.value.into()));
    let family = match fields.choice("ip").map(|given| given.value) {
        Some("4") => Family::V4,
        Some("6") => Family::V6,
        _ => Family::Any,
    };
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
    let Some(Err(error)) = given.value.constant().map(url::parse) else { return Some(given.value) };
    let help = "for example wss://live.example/prices";
    report.push(Diagnostic::error("E171", given.span, error.to_string()).help(help));
    None
}

fn headers(fields: &mut Fields, report: &mut Report) -> Option<Vec<(HeaderName, Template)>> {
    let Some(given) = fields.map("headers") else { return Some(Vec::new()) };
    let mut headers = Some(Vec::with_capacity(given.value.len()));
    for (name, value) in given.value {
        let Bound::Template(value) = value.value else { continue };
        let ours = |name: &HeaderName| {
            [CONNECTION, HOST, UPGRADE].contains(name) || name.as_str().starts_with("sec-websocket-")
        };
        let fits = value.parts().iter().all(|part| match part {
            Part::Text(text) => HeaderValue::from_str(text).is_ok(),
            Part::Hole(..) => true,
        });
        let (code, message) = match HeaderName::from_bytes(name.value.as_bytes()) {
            Err(_) => ("E173", format!("`{}` cannot be the name of a header", name.value)),
            Ok(parsed) if ours(&parsed) => {
                ("E173", format!("the header {parsed} belongs to the handshake and cannot be set"))
            }
            Ok(parsed) if !fits => {
                let what = "has a line break or control character in it";
                ("E209", format!("the value of header {parsed} {what}"))
            }
            Ok(parsed) => {
                if let Some(headers) = &mut headers {
                    headers.push((parsed, value));
                }
                continue;
            }
        };
        report.push(Diagnostic::error(code, name.span, message).help("like Origin or Authorization"));
        headers = None;
    }
    headers
}

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

/// The rounds of `exchange`, which stands alone.
fn conversation(
    given: Spanned<Vec<Spanned<Bound>>>,
    fields: &Fields,
    encoding: Encoding,
    report: &mut Report,
) -> Option<Vec<Round>> {
    if let Some(key) = ["send", "messages"].into_iter().find(|key| fields.has(key)) {
        let message = format!("`{key}` and `exchange` both say what is said and heard");
        let span = fields.span_of(key).unwrap_or(given.span);
        let help = "leave one of them out; a round has its own `send`";
        report.push(Diagnostic::error("E135", span, message).help(help));
        return None;
    }
    if !(1..=ROUNDS_MAX).contains(&given.value.len()) {
        let message = format!("a conversation has between 1 and {ROUNDS_MAX} rounds");
        report.push(Diagnostic::error("E104", given.span, message));
        return None;
    }
    let rounds: Vec<_> = given.value.into_iter().map(|item| round(item, encoding, report)).collect();
    rounds.into_iter().collect()
}

fn round(given: Spanned<Bound>, encoding: Encoding, report: &mut Report) -> Option<Round> {
    let Bound::Record(mut fields) = given.value else { return None };
    let send = fields.template("send");
    let send = send.map(|given| Payload::new(&given, encoding, "send", report).ok_or(())).transpose();
    let expected = fields.text("expect").map(|given| {
        pattern::compile_bytes(&given.value, given.span).map_err(|mistake| report.push(mistake))
    });
    let (send, expected) = (send.ok()?, expected.transpose().ok()?);
    if send.is_none() && expected.is_none() {
        let message = "a round says what is sent, what is expected, or both";
        report.push(Diagnostic::error("E104", given.span, message).help("add send or expect"));
        return None;
    }
    let until = expected.map_or(Until::Count(0), Until::Match);
    Some(Round { send: send.into_iter().collect(), until })
}

fn limit(fields: &mut Fields, report: &mut Report) -> Option<usize> {
    let Some(given) = fields.size("message_limit") else { return Some(LIMIT_DEFAULT) };
    if (1..=LIMIT_MAX).contains(&given.value) {
        return usize::try_from(given.value).ok();
    }
    report.push(Diagnostic::error("E104", given.span, "`message_limit` must be between 1 byte and 1 MiB"));
    None
}
