//! The keys and subjects of an `icmp` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject, Wants};
use scenario::source::Spanned;
use scenario::template::Template;
use scenario::value::SubjectType;

use super::echo::PAYLOAD_MIN;
use super::run::{Icmp, Whom};
use crate::net::address::Host;
use crate::net::keys;
use crate::net::resolve::Family;
use crate::net::shared::Net;

const COUNT_DEFAULT: u16 = 3;
const COUNT_MAX: i64 = 100;
const INTERVAL_DEFAULT: Duration = Duration::from_millis(200);
/// A ping every 10 ms is what a target stands without being asked.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
const WAIT_DEFAULT: Duration = Duration::from_secs(1);
/// What `ping` of every system sends.
const SIZE_DEFAULT: usize = 56;
/// The longest payload that an IPv4 packet takes: 65,535 bytes less two headers.
const SIZE_MAX: u64 = 65_507;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "host",
        value: KeyType::Template,
        need: Need::Required,
        doc: "Who is pinged: a name or an address.",
        example: "gateway.example",
    },
    Key {
        name: "count",
        value: KeyType::Int(1, COUNT_MAX),
        need: Need::Default("3"),
        doc: "How many pings are sent, each once.",
        example: "5",
    },
    Key {
        name: "interval",
        value: KeyType::Duration,
        need: Need::Default("200ms"),
        doc: "The time from one ping to the next; at least 10 ms.",
        example: "1s",
    },
    Key {
        name: "wait",
        value: KeyType::Duration,
        need: Need::Default("1s"),
        doc: "How long after the last ping replies are waited for.",
        example: "500ms",
    },
    Key {
        name: "size",
        value: KeyType::Size,
        need: Need::Default("56"),
        doc: "How much a ping carries beside its headers; 16 to 65507 bytes.",
        example: "1400",
    },
    keys::IP,
];

macro_rules! subject {
    ($name:literal, $kind:expr, $doc:literal, $example:literal) => {
        Subject::new($name, Shape::One($kind), $doc, $example)
    };
}

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    subject!("replies", SubjectType::Int, "How many pings came back.", "{ gte: 2 }"),
    subject!("loss", SubjectType::Percent, "The share of pings that did not come back.", "{ lte: 20% }"),
    subject!("rtt_min", SubjectType::Duration, "The shortest round trip.", "{ lt: 20ms }")
        .wanting(Wants::AtMost),
    subject!("rtt_avg", SubjectType::Duration, "The mean round trip.", "{ lt: 50ms }").wanting(Wants::AtMost),
    subject!("rtt_max", SubjectType::Duration, "The longest round trip.", "{ lt: 100ms }")
        .wanting(Wants::AtMost),
    subject!(
        "jitter",
        SubjectType::Duration,
        "The mean difference between a round trip and the one before it.",
        "{ lt: 10ms }"
    )
    .wanting(Wants::AtMost),
];

/// `icmp: gateway.example` is its host.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("host", 0..text.len())]
}

/// The failure that a broken assertion stands for: that nothing came back is a timeout where nobody asked about it.
pub(super) fn classify(
    subject: &str,
    actual: &str,
    implied: bool,
) -> Option<(FailureClass, Cow<'static, str>)> {
    let silent = implied && subject == "replies" && actual == "0";
    silent.then_some((FailureClass::Timeout, Cow::Borrowed("timeout")))
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let count = fields.int("count").and_then(|given| u16::try_from(given.value).ok());
    let interval = interval(&mut fields, report);
    let wait = fields.duration("wait").map_or(WAIT_DEFAULT, |given| given.value);
    let size = size(&mut fields, report);
    let family = keys::family(&mut fields);
    let whom = whom(fields.template("host")?, family, report);
    Some(Box::new(Icmp {
        whom: whom?,
        family,
        count: count.unwrap_or(COUNT_DEFAULT),
        interval: interval?,
        wait,
        size: size?,
    }))
}

fn interval(fields: &mut Fields, report: &mut Report) -> Option<Duration> {
    let Some(given) = fields.duration("interval") else { return Some(INTERVAL_DEFAULT) };
    if given.value >= INTERVAL_MIN {
        return Some(given.value);
    }
    let message = "pings are sent at least 10 ms apart";
    report.push(Diagnostic::error("E104", given.span, message).help("write interval: 10ms or more"));
    None
}

fn size(fields: &mut Fields, report: &mut Report) -> Option<usize> {
    let Some(given) = fields.size("size") else { return Some(SIZE_DEFAULT) };
    if (PAYLOAD_MIN as u64..=SIZE_MAX).contains(&given.value) {
        return usize::try_from(given.value).ok();
    }
    let message = format!("a ping carries {PAYLOAD_MIN} to {SIZE_MAX} bytes");
    report.push(Diagnostic::error("E104", given.span, message));
    None
}

fn whom(given: Spanned<Template>, family: Family, report: &mut Report) -> Option<Whom> {
    let Some(text) = given.value.constant() else { return Some(Whom::Later(given.value)) };
    match Host::parse(text) {
        Ok(Host::Ip(ip)) if !family.has(ip) => {
            let message = format!("{ip} is not an address of the family that `ip` asks for");
            report.push(Diagnostic::error("E179", given.span, message).help("leave `ip` out"));
            None
        }
        Ok(host) => Some(Whom::Now(host)),
        Err(error) => {
            let help = "write a name or an address without scheme and port, like gateway.example";
            report.push(Diagnostic::error("E178", given.span, error.to_string()).help(help));
            None
        }
    }
}
