//! Conversations, round by round: what is sent, and what must come before it goes on.
//!
//! Kinds that hold one share it, so that the key `exchange` means the same in all of them.

use regex::bytes::Regex;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields};
use scenario::pattern;
use scenario::source::Spanned;

use crate::octets::{Encoding, Payload};

/// The most rounds of one conversation; each is a hop.
const ROUNDS_MAX: usize = 20;
/// How much of an answer is read where the author says nothing.
const LIMIT_DEFAULT: usize = 64 * 1024;
/// The most that may be read.
const LIMIT_MAX: u64 = 1024 * 1024;

/// One round; at least one of the two is there.
pub(crate) struct Said {
    /// What is sent.
    pub(crate) send: Option<Payload>,
    /// What must come.
    pub(crate) expected: Option<Regex>,
}

/// The rounds of `exchange`, beside which none of the keys in `others` may stand; `None` if the report says what is
/// wrong.
pub(crate) fn take(
    given: Spanned<Vec<Spanned<Bound>>>,
    (fields, others): (&Fields, &[&str]),
    encoding: Encoding,
    report: &mut Report,
) -> Option<Vec<Said>> {
    if let Some(key) = others.iter().find(|key| fields.has(key)) {
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
    let rounds: Vec<_> = given.value.into_iter().map(|item| one(item, encoding, report)).collect();
    rounds.into_iter().collect()
}

fn one(given: Spanned<Bound>, encoding: Encoding, report: &mut Report) -> Option<Said> {
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
    Some(Said { send, expected })
}

/// How many bytes the key `key` lets be read; `None` if the report says that it is out of bounds.
pub(crate) fn limit(key: &str, fields: &mut Fields, report: &mut Report) -> Option<usize> {
    let Some(given) = fields.size(key) else { return Some(LIMIT_DEFAULT) };
    if (1..=LIMIT_MAX).contains(&given.value) {
        return usize::try_from(given.value).ok();
    }
    let message = format!("`{key}` must be between 1 byte and 1 MiB");
    report.push(Diagnostic::error("E104", given.span, message));
    None
}
