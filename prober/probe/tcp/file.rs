//! The keys and subjects of a `tcp` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::Spanned;
use scenario::value::SubjectType;

use super::run::{Reading, Round, Tcp};
use crate::net::reach::Reach;
use crate::net::shared::Net;
use crate::net::{each, keys};
use crate::octets::{self, Encoding, Payload};
use crate::rounds::{self, Said};

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "address",
        value: KeyType::Template,
        need: Need::Required,
        doc: "The host and the port.",
        example: "mail.example:25",
    },
    Key {
        name: "send",
        value: KeyType::Template,
        need: Need::Optional,
        doc: "What is sent once connected; `\\r`, `\\n`, `\\t`, `\\0` and `\\\\` stand for the characters.",
        example: "\"PING\\r\\n\"",
    },
    Key {
        name: "read_until",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The answer is read up to and with this, written as in `send`.",
        example: "\"\\n\"",
    },
    Key {
        name: "read",
        value: KeyType::Bool,
        need: Need::Optional,
        doc: "Whether an answer is read; true if there is `send` or `read_until`.",
        example: "true",
    },
    Key {
        name: "exchange",
        value: KeyType::OneOrMany(&KeyType::Record(ROUND)),
        need: Need::Optional,
        doc: "A conversation, round by round: what is sent, and a regular expression that what comes must match before it goes on.",
        example: "[{ expect: \"^220 \" }, { send: \"EHLO probe\\r\\n\", expect: \"(?m)^250 \" }]",
    },
    octets::KEY,
    Key {
        name: "read_limit",
        value: KeyType::Size,
        need: Need::Default("64KiB"),
        doc: "How much is read at most; up to 1 MiB.",
        example: "1kB",
    },
    keys::IP,
    each::KEY,
];

/// The keys of one round of a conversation.
const ROUND: &[Key] = &[
    Key {
        name: "send",
        value: KeyType::Template,
        need: Need::Optional,
        doc: "What is sent; nothing if it is left out.",
        example: "\"EHLO probe\\r\\n\"",
    },
    Key {
        name: "expect",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "What comes is read until this regular expression matches in it; `(?m)` makes `^` and `$` those of lines.",
        example: "\"(?m)^250 \"",
    },
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "response",
        Shape::One(SubjectType::Any),
        "What the server sent, written as `encoding` says; in a text, bytes that are not UTF-8 are shown as �.",
        "{ starts_with: \"220\" }",
    ),
    Subject::new(
        "responses",
        Shape::One(SubjectType::Texts),
        "The same, one for each round of an `exchange`.",
        "{ any: { contains: STARTTLS } }",
    ),
    Subject::new("size", Shape::One(SubjectType::Size), "How much the server sent.", "{ gt: 0 }"),
];

/// `tcp: mail.example:25` is its address.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("address", 0..text.len())]
}

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let encoding = Encoding::take(&mut fields);
    let rounds = match fields.list("exchange") {
        Some(given) => conversation(given, &fields, encoding, report),
        None => single(&mut fields, encoding, report).map(|round| vec![round]),
    };
    let limit = rounds::limit("read_limit", &mut fields, report);
    let family = keys::family(&mut fields);
    let every = each::asked(&mut fields).is_some();
    let reach = Reach::new(fields.template("address")?, None, "mail.example:25", report);
    Some(Box::new(Tcp { reach: reach?, family, every, rounds: rounds?, encoding, limit: limit? }))
}

/// What `send`, `read` and `read_until` say.
fn single(fields: &mut Fields, encoding: Encoding, report: &mut Report) -> Option<Round> {
    let send = fields.template("send");
    let send = send.map(|given| Payload::new(&given, encoding, "send", report).ok_or(())).transpose();
    let until = fields.text("read_until").map(|given| marker(&given, encoding, report).ok_or(())).transpose();
    let read = fields.bool("read");
    let (send, until) = (send.ok()?, until.ok()?);
    if let (Some(read), Some(_)) = (&read, &until)
        && !read.value
    {
        let message = "`read: false` and `read_until` contradict each other";
        report.push(Diagnostic::error("E135", read.span, message).help("leave one of them out"));
        return None;
    }
    let wanted = read.map_or(send.is_some() || until.is_some(), |given| given.value);
    let reading = match until {
        Some(until) => Reading::Until(until.into()),
        None if wanted => Reading::UntilQuiet,
        None => Reading::Nothing,
    };
    Some(Round { send, reading })
}

/// The rounds of `exchange`.
fn conversation(
    given: Spanned<Vec<Spanned<Bound>>>,
    fields: &Fields,
    encoding: Encoding,
    report: &mut Report,
) -> Option<Vec<Round>> {
    let rounds = rounds::take(given, (fields, &["send", "read_until", "read"]), encoding, report)?;
    let round = |Said { send, expected }| Round {
        send,
        reading: expected.map_or(Reading::Nothing, Reading::Matching),
    };
    Some(rounds.into_iter().map(round).collect())
}

fn marker(given: &Spanned<String>, encoding: Encoding, report: &mut Report) -> Option<Vec<u8>> {
    let bytes = encoding.bytes(given, "read_until", report)?;
    if bytes.is_empty() {
        report.push(Diagnostic::error("E104", given.span, "`read_until` is empty"));
        return None;
    }
    Some(bytes)
}
