//! `control` of the project file and of its regions: what the prober looks at to know of its own health.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::text;
use crate::bind::{Binder, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Holds, Key, KeyType, Need};
use crate::source::Spanned;
use crate::tree::Node;
use crate::units::{show_duration, spell_duration};

/// How often control targets are looked at where the file does not say.
pub const EVERY_DEFAULT: Duration = Duration::from_secs(10);
/// The longest that one look may take where the file does not say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Longer than this a run would wait too long to be settled.
const TIMEOUT_MAX: Duration = Duration::from_secs(8);
/// More often than this the looking itself would be a load.
const EVERY_MIN: Duration = Duration::from_millis(500);
/// Less often than this a doubt would reach too far back.
const EVERY_MAX: Duration = Duration::from_mins(5);
/// The most control targets of a region.
const TARGETS_MAX: usize = 10;
/// The port of name servers.
const DNS_PORT: u16 = 53;

/// What the prober looks at to know of its own health.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlFile {
    /// How often.
    pub every: Duration,
    /// The longest that one look may take.
    pub timeout: Duration,
    /// The steps, still as trees.
    pub(crate) targets: Vec<Node>,
    /// The name that the system's resolver is asked for.
    pub canary: Option<CanaryFile>,
}

/// A name whose addresses are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryFile {
    /// The name.
    pub name: String,
    /// Who else is asked.
    pub resolver: Option<SocketAddr>,
    /// What the answer must be.
    pub answers: BTreeSet<IpAddr>,
}

/// The keys under `canary`.
const CANARY_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Text,
        need: Need::Required,
        doc: "A name of your own whose addresses seldom change.",
        example: "canary.shop.example",
    },
    Key {
        name: "resolver",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "A second resolver, `address` or `address:port`; if it says otherwise, the system's is in doubt.",
        example: "192.0.2.53",
    },
    Key {
        name: "answers",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("what the second resolver says"),
        doc: "The addresses that it must have.",
        example: "[192.0.2.10]",
    },
];

/// The keys under `control`.
pub(super) const CONTROL_KEYS: &[Key] = &[
    Key {
        name: "every",
        value: KeyType::Duration,
        need: Need::Default("10s"),
        doc: "How often control targets are looked at; after a bad run, sooner.",
        example: "10s",
    },
    Key {
        name: "timeout",
        value: KeyType::Duration,
        need: Need::Default("5s"),
        doc: "The longest that one look may take; at most `every`, and 8s.",
        example: "3s",
    },
    Key {
        name: "targets",
        value: KeyType::Held(Holds::Steps),
        need: Need::Optional,
        doc: "Steps that must pass if the prober's own network is in order: three or more places that have nothing in common, over TLS or with an `expect`, as a portal that stands in the way answers plain HTTP too.",
        example: "[{ http: https://anchor.example/ }, { tcp: \"192.0.2.1:443\" }]",
    },
    Key {
        name: "canary",
        value: KeyType::Record(CANARY_KEYS),
        need: Need::Optional,
        doc: "A name that the system's resolver is asked for, to know whether it can be believed.",
        example: "{ name: canary.shop.example, resolver: 192.0.2.53 }",
    },
];

/// The key of the project file, and of a region.
pub(super) const CONTROL: Key = Key {
    name: "control",
    value: KeyType::Record(CONTROL_KEYS),
    need: Need::Otherwise("a control target on loopback alone"),
    doc: "What the server looks at to tell its own faults from its targets': while two of three fail, nothing counts as bad.",
    example: "{ targets: [{ http: https://anchor.example/ }], canary: { name: canary.shop.example } }",
};

/// What a `control` map says; wrong parts are reported and left out.
pub(super) fn read(node: &Node, binder: &mut Binder<'_, '_>) -> ControlFile {
    let (mut fields, _) = binder.entries(node, node.span, CONTROL_KEYS, &Place::under("control"));
    let every = every(&mut fields, binder.report);
    let timeout = timeout(&mut fields, every, binder.report);
    let targets = node.get("targets").map(|node| targets(node, binder.report)).unwrap_or_default();
    let canary = fields.record("canary").and_then(|canary| read_canary(canary.value, binder.report));
    ControlFile { every, timeout, targets, canary }
}

fn every(fields: &mut Fields, report: &mut Report) -> Duration {
    let Some(given) = fields.duration("every") else { return EVERY_DEFAULT };
    if !(EVERY_MIN..=EVERY_MAX).contains(&given.value) {
        let (least, most) = (show_duration(EVERY_MIN), show_duration(EVERY_MAX));
        let message = format!("control targets are looked at every {least} to {most}");
        report.push(Diagnostic::error("E104", given.span, message).help("write every: 10s, or leave it out"));
    }
    given.value
}

fn timeout(fields: &mut Fields, every: Duration, report: &mut Report) -> Duration {
    let Some(given) = fields.duration("timeout") else { return TIMEOUT_DEFAULT.min(every) };
    let most = every.min(TIMEOUT_MAX);
    if given.value.is_zero() || given.value > most {
        let message = "a look at a control target must end before the next one is due, and within 8 s";
        let shown = spell_duration(most);
        report.push(
            Diagnostic::error("E112", given.span, message).help(format!("write timeout: {shown} or less")),
        );
    }
    given.value
}

fn targets(node: &Node, report: &mut Report) -> Vec<Node> {
    let Some(items) = node.list().filter(|items| !items.is_empty()) else {
        let message = format!("expected a list of steps, found {}", node.describe());
        let problem = Diagnostic::error("E103", node.span, message);
        report.push(problem.help("write targets:, and under it - http: https://anchor.example/"));
        return Vec::new();
    };
    if items.len() > TARGETS_MAX {
        let message = format!("{} control targets, and {TARGETS_MAX} are the most", items.len());
        report.push(Diagnostic::error("E117", items[TARGETS_MAX].span, message));
    }
    items.iter().take(TARGETS_MAX).cloned().collect()
}

fn read_canary(mut fields: Fields, report: &mut Report) -> Option<CanaryFile> {
    let resolver = fields.text("resolver").and_then(|given| resolver(&given, report));
    let answers = fields.list("answers").map(|list| list.value).unwrap_or_default();
    let answers = answers.into_iter().filter_map(|item: Spanned<Bound>| {
        let given = text(item)?;
        let parsed = given.value.parse().ok();
        if parsed.is_none() {
            let message = format!("`{}` is not an IP address", model::outcome::cut(given.value, 60));
            report.push(Diagnostic::error("E123", given.span, message).help("write answers: [192.0.2.10]"));
        }
        parsed
    });
    let answers = answers.collect();
    Some(CanaryFile { name: fields.text("name")?.value, resolver, answers })
}

fn resolver(given: &Spanned<String>, report: &mut Report) -> Option<SocketAddr> {
    let text = given.value.as_str();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let parsed = text.parse().ok();
    let parsed = parsed.or_else(|| Some(SocketAddr::new(bare.parse().ok()?, DNS_PORT)));
    if parsed.is_none() {
        let message =
            format!("`{}` is not the address of a resolver", model::outcome::cut(text.to_owned(), 60));
        let help = "write an address like 192.0.2.53, \"192.0.2.53:5353\" or \"[2001:db8::53]:53\"";
        report.push(Diagnostic::error("E123", given.span, message).help(help));
    }
    parsed
}
