//! The keys of a `tls` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::Action;
use scenario::source::Spanned;

use super::defect::Defect;
use super::run::Tls;
use super::subjects::VERSIONS;
use crate::net::ports::Begin;
use crate::net::reach::Reach;
use crate::net::shared::Net;
use crate::net::starttls::{self, Protocol};
use crate::net::tls::{TlsChoice, Verify, Versions};
use crate::net::{each, keys};

/// The longest name of an application protocol (RFC 7301), in bytes.
const ALPN_MAX: usize = 255;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key::new("address", KeyType::Template, Need::Required, "The host and the port.", "shop.example:443"),
    Key::new(
        "server_name",
        KeyType::Text,
        Need::Otherwise("the host"),
        "The name that is asked for and that the certificate must be for.",
        "shop.example",
    ),
    Key::new(
        "starttls",
        KeyType::Choice(starttls::WORDS),
        Need::Optional,
        "The protocol in which TLS is asked for first, where the port does not begin with it.",
        "smtp",
    ),
    Key::new(
        "alpn",
        KeyType::OneOrMany(&KeyType::Text),
        Need::Optional,
        "The application protocols that are offered, most wanted first.",
        "[h2, http/1.1]",
    ),
    Key::new(
        "min_version",
        KeyType::Choice(VERSIONS),
        Need::Default("TLS1.2"),
        "The oldest protocol version that is offered; older ones are found by the subject `accepts`.",
        "TLS1.3",
    ),
    Key::new(
        "max_version",
        KeyType::Choice(VERSIONS),
        Need::Default("TLS1.3"),
        "The newest protocol version that is offered.",
        "TLS1.2",
    ),
    keys::TRUST,
    keys::CA,
    Key::new(
        "crl",
        KeyType::Text,
        Need::Optional,
        "A file of revoked certificates, PEM or DER, that the issuer of the server's certificate has signed and \
         that somebody keeps up to date.",
        "certs/internal.crl",
    ),
    keys::IP,
    each::KEY,
];

/// `tls: shop.example:443` is its address.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("address", 0..text.len())]
}

/// The failure that a broken assertion stands for: that of the worst defect.
pub(super) fn classify(subject: &str, actual: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    let defect = match (subject, actual) {
        ("chain", word) => Defect::behind(word)?,
        ("hostname", "mismatch") => Defect::NameMismatch,
        ("defects", shown) => Defect::worst_in(shown)?,
        ("ocsp" | "crl", "revoked") => Defect::Revoked,
        _ => return None,
    };
    Some((FailureClass::Tls, Cow::Borrowed(defect.error_type())))
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let name = keys::host("server_name", &mut fields, report);
    let alpn = alpn(&mut fields, report);
    let roots = keys::trust(&mut fields, report);
    let versions = versions(&mut fields, report);
    let starttls = fields.choice("starttls").and_then(|given| Protocol::of(given.value));
    let crl = fields.text("crl").map(|given| given.value.into());
    let family = keys::family(&mut fields);
    let every = each::asked(&mut fields).is_some();
    let address = fields.template("address")?;
    let at = address.span;
    let reach = Reach::new(address, None, "shop.example:443", report);
    if let Some(Reach::Now(place)) = &reach {
        let begin = starttls.map_or(Begin::AtOnce, Begin::After);
        begin.check(place.port, at, report, |usual| match usual {
            Begin::Never => "ask another port, like 443".to_owned(),
            Begin::AtOnce => "leave `starttls` out".to_owned(),
            Begin::After(protocol) => {
                format!("write tls: {{ address: \"{place}\", starttls: {} }}", protocol.word())
            }
        });
    }
    let (roots, alpn, versions) = (roots?, alpn?, versions?);
    let choice = TlsChoice { roots, alpn, verify: Verify::Record, identity: None, crl, versions };
    Some(Box::new(Tls {
        reach: reach?,
        name: name.ok()?,
        starttls,
        family,
        every,
        choice,
        asks_versions: false,
    }))
}

fn versions(fields: &mut Fields, report: &mut Report) -> Option<Versions> {
    let (least, most) = (fields.choice("min_version"), fields.choice("max_version"));
    let word = |given: &Option<Spanned<&'static str>>| given.as_ref().map(|given| given.value);
    match (word(&least), word(&most)) {
        (Some("TLS1.3"), Some("TLS1.2")) => {
            let at = most.map(|given| given.span).unwrap_or_default();
            let message = "`max_version` is older than `min_version`";
            report.push(Diagnostic::error("E135", at, message).help("leave one of them out"));
            None
        }
        (Some("TLS1.3"), _) => Some(Versions::Only13),
        (_, Some("TLS1.2")) => Some(Versions::Only12),
        _ => Some(Versions::All),
    }
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
