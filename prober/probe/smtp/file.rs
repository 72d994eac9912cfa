//! The keys and subjects of an `smtp` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::form::{Extent, Form};
use scenario::kind::{Action, Shape, Subject};
use scenario::value::SubjectType;

use super::run::{Secure, Smtp};
use crate::net::address::Host;
use crate::net::keys;
use crate::net::ports::Begin;
use crate::net::reach::Reach;
use crate::net::shared::Net;
use crate::net::starttls::Protocol;
use crate::net::tls::TlsChoice;

/// The ports of mail servers (RFC 5321 and RFC 8314).
const PORT: u16 = 25;
const PORT_IMPLICIT: u16 = 465;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key::new(
        "address",
        KeyType::Template,
        Need::Required,
        "The host, and the port if it is not 25 (465 with `tls: implicit`).",
        "mail.example:587",
    ),
    Key::new(
        "hello",
        KeyType::Text,
        Need::Default("localhost"),
        "What the prober calls itself in EHLO: a name or [address].",
        "probe.example",
    ),
    Key::new(
        "tls",
        KeyType::Choice(&["none", "starttls", "implicit"]),
        Need::Default("none"),
        "Whether the connection is encrypted: not at all, after STARTTLS, or from the first byte.",
        "starttls",
    ),
    Key::new(
        "server_name",
        KeyType::Text,
        Need::Otherwise("the host"),
        "The name that the certificate must be for.",
        "mail.example",
    ),
    keys::TRUST,
    keys::CA,
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new("code", Shape::One(SubjectType::Int), "The code of the greeting.", "220"),
    Subject::new("banner", Shape::One(SubjectType::Text), "The text of the greeting.", "{ contains: ESMTP }"),
    Subject::new(
        "capabilities",
        Shape::One(SubjectType::Texts),
        "What the server says after EHLO that it can do, a line each; after STARTTLS what it says then.",
        "{ contains: STARTTLS }",
    ),
];

/// `smtp: mail.example` is its address.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("address", 0..text.len())]
}

/// The failure that a broken assertion stands for: the code says itself what went wrong where nobody asked about it.
pub(super) fn classify(
    subject: &str,
    actual: &str,
    implied: bool,
) -> Option<(FailureClass, Cow<'static, str>)> {
    (subject == "code" && implied).then(|| (FailureClass::Protocol, Cow::Owned(format!("smtp.{actual}"))))
}

/// What a step shows has no codes in front: those of a greeting and of EHLO's answer are the wire's own (RFC 5321,
/// section 4.2).
pub(super) fn form(subject: &str, value: &str, extent: Extent) -> Form {
    let bare = match subject {
        "capabilities" => value.strip_prefix("250"),
        // Inside of its text a greeting may have any number.
        "banner" if extent == Extent::Whole => value.strip_prefix("220"),
        _ => None,
    };
    match bare.and_then(|rest| rest.strip_prefix(['-', ' '])).map(str::trim) {
        Some("") => Form::Never("leave the code out, and write what the server says behind it".into()),
        Some(bare) => Form::Written(bare.to_owned()),
        None => Form::Fits,
    }
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let secure = match fields.choice("tls").map(|given| given.value) {
        Some("starttls") => Secure::StartTls,
        Some("implicit") => Secure::Implicit,
        _ => Secure::No,
    };
    let hello = hello(&mut fields, report);
    if secure == Secure::No
        && let Some(key) = ["trust", "ca", "server_name"].into_iter().find(|key| fields.has(key))
    {
        let span = fields.span_of(key).unwrap_or(fields.span);
        let message = format!("`{key}` says something about TLS, and there is none");
        report.push(Diagnostic::error("E135", span, message).help("write tls: starttls or tls: implicit"));
        return None;
    }
    let name = keys::host("server_name", &mut fields, report);
    let roots = keys::trust(&mut fields, report)?;
    let port = if secure == Secure::Implicit { PORT_IMPLICIT } else { PORT };
    let address = fields.template("address")?;
    let at = address.span;
    let reach = Reach::new(address, Some(port), "mail.example:587", report);
    if let Some(Reach::Now(place)) = &reach {
        let begin = match secure {
            Secure::No => Begin::Never,
            Secure::StartTls => Begin::After(Protocol::Smtp),
            Secure::Implicit => Begin::AtOnce,
        };
        begin.check(place.port, at, report, |usual| match usual {
            Begin::AtOnce => format!("write smtp: {{ address: \"{place}\", tls: implicit }}"),
            Begin::After(Protocol::Smtp) => format!("write smtp: {{ address: \"{place}\", tls: starttls }}"),
            _ => "mail is at port 25, 465 or 587".to_owned(),
        });
    }
    let tls = TlsChoice { roots, ..TlsChoice::default() };
    Some(Box::new(Smtp { reach: reach?, hello: hello?, secure, name: name.ok()?, tls }))
}

fn hello(fields: &mut Fields, report: &mut Report) -> Option<String> {
    let Some(given) = fields.text("hello") else { return Some("localhost".to_owned()) };
    let literal = given.value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match literal {
        Some(inner) => inner.strip_prefix("IPv6:").unwrap_or(inner).parse::<std::net::IpAddr>().is_ok(),
        None => matches!(Host::parse(&given.value), Ok(Host::Name(_))),
    };
    if fits {
        return Some(given.value);
    }
    let message = "EHLO takes a name or an address in brackets";
    report.push(Diagnostic::error("E178", given.span, message).help("like probe.example or [192.0.2.7]"));
    None
}
