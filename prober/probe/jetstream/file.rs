//! The keys and subjects of a `jetstream` step, and how they become an action.

use std::borrow::Cow;

use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::{Span, Spanned};
use scenario::template::Template;
use scenario::value::SubjectType;

use super::run::{JetStream, SignIn};
use super::session::{is_stream, is_subject};
use crate::net::keys;
use crate::net::reach::Reach;
use crate::net::shared::Net;
use crate::net::tls::TlsChoice;

/// The port of NATS.
const PORT: u16 = 4222;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key::new(
        "address",
        KeyType::Template,
        Need::Required,
        "The host, and the port if it is not 4222.",
        "nats.example",
    ),
    Key::new("stream", KeyType::Template, Need::Required, "The stream's name.", "ORDERS"),
    Key::new(
        "subject",
        KeyType::Template,
        Need::Otherwise("all subjects of the stream"),
        "Of which subject the last message is looked at; `*` stands for a part, `>` at the end for all that follow.",
        "orders.confirmed",
    ),
    Key::new("domain", KeyType::Text, Need::Optional, "The JetStream domain that the stream is in.", "hub"),
    Key::new("user", KeyType::Template, Need::Optional, "Who signs in, with `password`.", "probe"),
    Key::new(
        "password",
        KeyType::Template,
        Need::Optional,
        "The password of `user`.",
        "${secrets.nats_password}",
    ),
    Key::new("token", KeyType::Template, Need::Optional, "A token that signs in.", "${secrets.nats_token}"),
    Key::new(
        "tls",
        KeyType::Bool,
        Need::Default("false"),
        "Whether the connection is encrypted; a server that wants TLS refuses one that is not.",
        "true",
    ),
    keys::TRUST,
    keys::CA,
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "last",
        Shape::One(SubjectType::Any),
        "When the last message was stored; nothing if there is none.",
        "{ newer_than: 15m }",
    ),
    Subject::new(
        "sequence",
        Shape::One(SubjectType::Int),
        "The number of the last message in the stream.",
        "{ advances: { within: 1h } }",
    ),
    Subject::new(
        "count",
        Shape::One(SubjectType::Int),
        "How many messages there are: of the `subject`, or in the whole stream.",
        "{ gte: 1 }",
    ),
    Subject::new(
        "message_subject",
        Shape::One(SubjectType::Text),
        "The subject of the last message; only where the step names a `subject`.",
        "{ starts_with: orders. }",
    ),
    Subject::new(
        "size",
        Shape::One(SubjectType::Size),
        "How much all messages of the stream have together.",
        "{ lte: 1GiB }",
    ),
];

/// A broken assertion is `incorrect`, `assert.SUBJECT`.
pub(super) fn classify(_: &str, _: &str, _: bool) -> Option<(FailureClass, Cow<'static, str>)> {
    None
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let reach = Reach::new(fields.template("address")?, Some(PORT), "nats.example:4222", report);
    let stream = named(fields.template("stream"), report, is_stream, "the name of a stream");
    let subject = match fields.template("subject") {
        None => Some(None),
        given => named(given, report, is_subject, "a subject").map(Some),
    };
    let domain = match fields.text("domain") {
        None => Some(None),
        Some(given) if is_stream(&given.value) => Some(Some(given.value)),
        Some(given) => {
            report.push(not(given.span, "the name of a domain"));
            None
        }
    };
    let sign_in = sign_in(&mut fields, report);
    let secure = fields.bool("tls").is_some_and(|given| given.value);
    if !secure && let Some(key) = ["trust", "ca"].into_iter().find(|key| fields.has(key)) {
        let span = fields.span_of(key).unwrap_or(fields.span);
        let message = format!("`{key}` says something about TLS, and there is none");
        report.push(Diagnostic::error("E135", span, message).help("write tls: true"));
        return None;
    }
    let roots = keys::trust(&mut fields, report)?;
    let tls = secure.then(|| TlsChoice { roots, ..TlsChoice::default() });
    Some(Box::new(JetStream {
        reach: reach?,
        stream: stream?,
        subject: subject?,
        domain: domain?,
        sign_in: sign_in?,
        tls,
    }))
}

/// A name that may have holes.
fn named(
    given: Option<Spanned<Template>>,
    report: &mut Report,
    fits: fn(&str) -> bool,
    what: &str,
) -> Option<Template> {
    let given = given?;
    if given.value.constant().is_none_or(fits) {
        return Some(given.value);
    }
    report.push(not(given.span, what));
    None
}

fn not(span: Span, what: &str) -> Diagnostic {
    let message = format!("this is not {what}");
    Diagnostic::error("E104", span, message)
        .help("letters, digits, `-` and `_`; the parts of a subject have dots between them")
}

fn sign_in(fields: &mut Fields, report: &mut Report) -> Option<SignIn> {
    let (user, password) = (fields.template("user"), fields.template("password"));
    let token = fields.template("token");
    for secret in [&password, &token].into_iter().flatten() {
        if secret.value.constant().is_some() {
            let message = "credentials stand in this file";
            let help = "keep it as a secret and write ${secrets.NAME}";
            report.push(Diagnostic::error("E180", secret.span, message).masked().help(help));
            return None;
        }
    }
    match (user, password, token) {
        (None, None, None) => Some(SignIn::Nobody),
        (None, None, Some(token)) => Some(SignIn::Token(token.value)),
        (Some(user), Some(password), None) => Some(SignIn::User(user.value, password.value)),
        _ => {
            let message = "`user` and `password` belong together, and `token` stands alone";
            report.push(Diagnostic::error("E183", fields.span, message).help("leave one of them out"));
            None
        }
    }
}
