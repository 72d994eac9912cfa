//! The keys and subjects of a `udp` step, and how they become an action.

use std::borrow::Cow;
use std::time::Duration;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::Spanned;
use scenario::value::SubjectType;

use super::run::{Udp, Wanted};
use crate::net::reach::Reach;
use crate::net::shared::Net;
use crate::octets::{self, Encoding, Payload};

/// The most datagrams that a step sends, and the most that it waits for.
const DATAGRAMS_MAX: i64 = 100;
/// How long replies are waited for that need not come.
const WAIT_DEFAULT: Duration = Duration::from_secs(1);

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "address",
        value: KeyType::Template,
        need: Need::Required,
        doc: "The host and the port.",
        example: "echo.example:7",
    },
    Key {
        name: "send",
        value: KeyType::OneOrMany(&KeyType::Template),
        need: Need::Required,
        doc: "A datagram, or several that are sent one after the other, each once.",
        example: "ping",
    },
    octets::KEY,
    Key {
        name: "reply",
        value: KeyType::Choice(&["required", "optional", "none"]),
        need: Need::Default("required"),
        doc: "Whether replies must come, may come, or are not waited for; a port that refuses is a failure in any case.",
        example: "optional",
    },
    Key {
        name: "replies",
        value: KeyType::Int(1, DATAGRAMS_MAX),
        need: Need::Otherwise("as many as are sent"),
        doc: "How many replies are waited for.",
        example: "1",
    },
    Key {
        name: "wait",
        value: KeyType::Duration,
        need: Need::Otherwise("to the step's timeout; 1s where no reply must come"),
        doc: "How long replies are waited for.",
        example: "500ms",
    },
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "response",
        Shape::One(SubjectType::Any),
        "The first reply, written as `encoding` says.",
        "{ starts_with: pong }",
    ),
    Subject::new(
        "responses",
        Shape::One(SubjectType::Texts),
        "All replies in the order they came.",
        "{ contains: pong }",
    ),
    Subject::new("replies", Shape::One(SubjectType::Int), "How many replies came.", "{ gte: 1 }"),
    Subject::new("size", Shape::One(SubjectType::Size), "How much came in all replies.", "{ lte: 512 }"),
];

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let encoding = Encoding::take(&mut fields);
    let send = datagrams(&mut fields, encoding, report);
    let reply = fields.choice("reply").map_or("required", |given| given.value);
    let replies = fields.int("replies");
    let wait = fields.duration("wait");
    let reach = Reach::new(fields.template("address")?, None, "echo.example:7", report);
    let send = send?;
    if let ("none", Some(replies)) = (reply, &replies) {
        let message = "`reply: none` and `replies` contradict each other";
        report.push(Diagnostic::error("E135", replies.span, message).help("leave one of them out"));
        return None;
    }
    if let Some(zero) = wait.as_ref().filter(|wait| wait.value.is_zero()) {
        report.push(Diagnostic::error("E104", zero.span, "`wait` must be more than nothing"));
        return None;
    }
    let count = replies.and_then(|given| usize::try_from(given.value).ok()).unwrap_or(send.len());
    let wanted = match reply {
        "none" => Wanted::None,
        "optional" => Wanted::Optional(count),
        _ => Wanted::Required(count),
    };
    let wait = wait.map(|given| given.value);
    let wait = if matches!(wanted, Wanted::Required(_)) { wait } else { wait.or(Some(WAIT_DEFAULT)) };
    Some(Box::new(Udp { reach: reach?, send, encoding, wanted, wait }))
}

fn datagrams(fields: &mut Fields, encoding: Encoding, report: &mut Report) -> Option<Vec<Payload>> {
    let given: Spanned<Vec<Spanned<Bound>>> = fields.list("send")?;
    if given.value.is_empty() || given.value.len() > usize::try_from(DATAGRAMS_MAX).unwrap_or(usize::MAX) {
        let message = format!("between 1 and {DATAGRAMS_MAX} datagrams can be sent");
        report.push(Diagnostic::error("E104", given.span, message));
        return None;
    }
    let each = given.value.into_iter().map(|item| {
        let Bound::Template(template) = item.value else { return None };
        Payload::new(&Spanned::new(template, item.span), encoding, "send", report)
    });
    // All of them, so that every mistake is reported.
    each.collect::<Vec<_>>().into_iter().collect()
}
