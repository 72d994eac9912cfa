//! The keys and subjects of a `tls` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::Spanned;
use scenario::template::Template;
use scenario::value::SubjectType;

use super::chain::WORDS;
use super::run::{Reach, Tls};
use crate::net::address::{Host, HostPort};
use crate::net::roots::Roots;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};

/// The longest name of an application protocol (RFC 7301), in bytes.
const ALPN_MAX: usize = 255;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "address",
        value: KeyType::Template,
        need: Need::Required,
        doc: "The host and the port.",
        example: "shop.example:443",
    },
    Key {
        name: "server_name",
        value: KeyType::Text,
        need: Need::Otherwise("the host"),
        doc: "The name that is asked for and that the certificate must be for.",
        example: "shop.example",
    },
    Key {
        name: "alpn",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "The application protocols that are offered, most wanted first.",
        example: "[h2, http/1.1]",
    },
    Key {
        name: "ca",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "A PEM file of the authorities to trust instead of the system's.",
        example: "certs/internal-root.pem",
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
        "chain",
        SubjectType::Choice(WORDS),
        "Whether the served chain leads to a trusted authority today, or what is wrong with it.",
        "trusted"
    ),
    subject!(
        "hostname",
        SubjectType::Choice(&["match", "mismatch"]),
        "Whether the certificate is for the name that was asked for.",
        "match"
    ),
    subject!(
        "protocol",
        SubjectType::Ordered(&["TLS1.2", "TLS1.3"]),
        "The protocol version that was agreed on.",
        "{ gte: TLS1.2 }"
    ),
    subject!("cipher", SubjectType::Text, "The cipher suite's name.", "{ contains: GCM }"),
    subject!("alpn", SubjectType::Text, "The application protocol that the server chose.", "h2"),
    subject!(
        "expires_in",
        SubjectType::Duration,
        "How long the server's certificate is still valid; zero once it has expired.",
        "{ gte: 21d }"
    ),
    subject!(
        "chain_expires_in",
        SubjectType::Duration,
        "How long all served certificates are still valid.",
        "{ gte: 21d }"
    ),
    subject!("issuer", SubjectType::Text, "Who issued the server's certificate.", "{ contains: \"R11\" }"),
    subject!(
        "subject",
        SubjectType::Text,
        "Whom the server's certificate was issued to.",
        "{ contains: shop }"
    ),
    subject!(
        "sans",
        SubjectType::Texts,
        "The names and addresses that the certificate is for.",
        "{ contains: shop.example }"
    ),
    subject!("chain_length", SubjectType::Int, "How many certificates were served.", "{ gte: 2 }"),
    subject!("key_type", SubjectType::Text, "The certificate's key: RSA 2048, EC 256, Ed25519.", "EC 256"),
    subject!(
        "signature",
        SubjectType::Text,
        "The algorithm of the certificate's signature.",
        "{ not_contains: sha1 }"
    ),
    subject!(
        "self_signed",
        SubjectType::Bool,
        "Whether the certificate names itself as its issuer.",
        "false"
    ),
    subject!("serial", SubjectType::Text, "The certificate's serial number in hexadecimal.", "\"03A1F0\""),
];

/// `tls: shop.example:443` is its address.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("address", 0..text.len())]
}

/// The failure that a broken assertion stands for.
pub(super) fn classify(subject: &str, actual: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    let error_type = match (subject, actual) {
        ("chain", "expired") => "tls.expired",
        ("chain", "not_yet_valid") => "tls.not_yet_valid",
        ("chain", "untrusted" | "self_signed" | "missing_intermediate" | "malformed") => "tls.untrusted",
        ("hostname", "mismatch") => "tls.name_mismatch",
        _ => return None,
    };
    Some((FailureClass::Tls, Cow::Borrowed(error_type)))
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let name = fields.text("server_name").map(|given| name(&given, report).ok_or(())).transpose();
    let alpn = alpn(&mut fields, report);
    let roots = fields.text("ca").map_or(Roots::System, |given| Roots::File(given.value.into()));
    let reach = reach(fields.template("address")?, report);
    let choice = TlsChoice { roots, alpn: alpn?, verify: Verify::Record, identity: None };
    Some(Box::new(Tls { reach: reach?, name: name.ok()?, choice }))
}

fn reach(address: Spanned<Template>, report: &mut Report) -> Option<Reach> {
    let Some(text) = address.value.constant() else { return Some(Reach::Later(address.value)) };
    match HostPort::parse(text, None) {
        Ok(parsed) => Some(Reach::Now(parsed)),
        Err(error) => {
            let help = "write a host and a port, like shop.example:443";
            report.push(Diagnostic::error("E134", address.span, error.to_string()).help(help));
            None
        }
    }
}

fn name(given: &Spanned<String>, report: &mut Report) -> Option<Host> {
    let parsed = Host::parse(&given.value);
    parsed
        .map_err(|error| {
            let help = "write a name like shop.example, without scheme and port";
            report.push(Diagnostic::error("E134", given.span, error.to_string()).help(help));
        })
        .ok()
}

fn alpn(fields: &mut Fields, report: &mut Report) -> Option<Vec<Vec<u8>>> {
    let Some(given) = fields.list("alpn") else { return Some(Vec::new()) };
    let each = given.value.into_iter().map(|item| match item.value {
        Bound::Text(text) if (1..=ALPN_MAX).contains(&text.len()) => Some(text.into_bytes()),
        _ => {
            let message = "the name of an application protocol has 1 to 255 bytes";
            report.push(Diagnostic::error("E104", item.span, message).help("for example h2 or http/1.1"));
            None
        }
    });
    each.collect::<Vec<_>>().into_iter().collect()
}
