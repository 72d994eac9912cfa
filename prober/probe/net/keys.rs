//! Keys that mean the same in every kind that has them, and what they say.

use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::source::{Span, Spanned};

use crate::net::address::Host;
use crate::net::resolve::Family;
use crate::net::roots::{self, Roots};

/// Whom to trust, by a word.
pub(crate) const TRUST: Key = Key::new(
    "trust",
    KeyType::Choice(roots::TRUST),
    Need::Default("system"),
    "Whose authorities are trusted: the system's, or Mozilla's as built in, the same on every machine.",
    "bundled",
);

/// Whom to trust, by a file.
pub(crate) const CA: Key = Key::new(
    "ca",
    KeyType::Text,
    Need::Optional,
    "A PEM file of authorities to trust in place of the system's; read where the prober runs.",
    "certs/ca.pem",
);

/// Why a certificate need not hold.
pub(crate) const INSECURE: Key = Key::new(
    "insecure",
    KeyType::Text,
    Need::Optional,
    "Goes on with a certificate that does not hold, and says why that is right; shown with every run.",
    "self-signed until the move",
);

/// Which addresses of a name are used.
pub(crate) const IP: Key = Key::new(
    "ip",
    KeyType::Choice(&["any", "4", "6"]),
    Need::Default("any"),
    "Which version of IP is used.",
    "\"6\"",
);

/// A mistake was reported where `None` would mean that nothing is there.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Refused;

/// What the keys [`TRUST`] and [`CA`] say; `None` after a mistake, which is reported.
pub(crate) fn trust(fields: &mut Fields, report: &mut Report) -> Option<Roots> {
    match (fields.choice(TRUST.name), fields.text(CA.name)) {
        (Some(trust), Some(_)) => {
            let message = "`trust` and `ca` both say whom to trust";
            report.push(Diagnostic::error("E135", trust.span, message).help("leave one of them out"));
            None
        }
        (None, Some(path)) => Some(Roots::File(path.value.into())),
        (Some(trust), None) if trust.value == "bundled" => Some(Roots::Bundled),
        _ => Some(Roots::System),
    }
}

/// What the key [`IP`] says.
pub(crate) fn family(fields: &mut Fields) -> Family {
    match fields.choice(IP.name).map(|given| given.value) {
        Some("4") => Family::V4,
        Some("6") => Family::V6,
        _ => Family::Any,
    }
}

/// Why the certificate need not hold, if the author says so.
///
/// # Errors
/// There is no reason in it.
pub(crate) fn insecure(fields: &mut Fields, report: &mut Report) -> Result<Option<String>, Refused> {
    let Some(given) = fields.text(INSECURE.name) else { return Ok(None) };
    if given.value.trim().is_empty() || matches!(given.value.as_str(), "true" | "yes" | "false" | "no") {
        let diagnostic =
            Diagnostic::error("E177", given.span, "`insecure` needs the reason why that is right");
        report.push(diagnostic.help("insecure: \"self-signed until the move in March\""));
        return Err(Refused);
    }
    Ok(Some(given.value))
}

/// Warns of credentials that go to a server whose certificate is not verified.
pub(crate) fn shown_to_anyone(at: Span, report: &mut Report) {
    let problem = Diagnostic::warning(
        "W347",
        at,
        "credentials are sent to whoever answers: the certificate is not verified",
    );
    report.push(problem.help("trust the authority in place of everyone: ca: certs/ca.pem"));
}

/// The host that the key `name` names, if it is there.
///
/// # Errors
/// It names none.
pub(crate) fn host(name: &str, fields: &mut Fields, report: &mut Report) -> Result<Option<Host>, Refused> {
    let Some(given) = fields.text(name) else { return Ok(None) };
    host_of(&given, report).map(Some).ok_or(Refused)
}

/// A host's name or address; `None` if the report says that it is none.
pub(crate) fn host_of(given: &Spanned<String>, report: &mut Report) -> Option<Host> {
    let error = match Host::parse(&given.value) {
        Ok(host) => return Some(host),
        Err(error) => error,
    };
    let diagnostic = Diagnostic::error("E178", given.span, error.to_string());
    report.push(diagnostic.help("a name without scheme and port, like shop.example"));
    None
}
