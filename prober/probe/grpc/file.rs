//! The keys and subjects of a `grpc` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST, TE};
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::value::SubjectType;

use super::message::{CODES, SERVICE_MAX, SERVING};
use super::run::Grpc;
use crate::http::client::Client;
use crate::http::connect::Manner;
use crate::http::given::{self, Reserved};
use crate::http::keys::IDENTITY;
use crate::http::request::Version;
use crate::http::way;
use crate::net::keys;
use crate::net::reach::Reach;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};

/// The longest answer that is read: a message of a few bytes.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    Key::new("address", KeyType::Template, Need::Required, "The host and the port.", "orders.example:443"),
    Key::new(
        "service",
        KeyType::Template,
        Need::Otherwise("the server as a whole"),
        "The service that is asked about, by its full name.",
        "shop.Orders",
    ),
    Key::new("tls", KeyType::Bool, Need::Default("true"), "Whether the connection is encrypted.", "false"),
    Key::new(
        "metadata",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Headers of the call; the values of names that end in -bin are Base64.",
        "{ x-tenant: test }",
    ),
    Key::new(
        "server_name",
        KeyType::Text,
        Need::Otherwise("the host"),
        "The name that is asked for, in the call and in TLS, and that the certificate must be for.",
        "orders.example",
    ),
    keys::TRUST,
    keys::CA,
    keys::INSECURE,
    Key::new(
        "client_certificate",
        KeyType::Record(IDENTITY),
        Need::Optional,
        "What is shown to a server that asks who the client is.",
        "{ cert: certs/probe.pem, key: certs/probe.key }",
    ),
    keys::IP,
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject::new(
        "status",
        Shape::One(SubjectType::Choice(SERVING)),
        "What the server says of the service; SERVICE_UNKNOWN also for the code NOT_FOUND, nothing for other codes than OK.",
        "SERVING",
    ),
    Subject::new(
        "grpc_status",
        Shape::One(SubjectType::Choice(CODES)),
        "How the call ended: the name of its status code.",
        "OK",
    ),
    Subject::new(
        "message",
        Shape::One(SubjectType::Text),
        "What the server says about the status code.",
        "{ contains: maintenance }",
    ),
    Subject::new(
        "metadata",
        Shape::Header,
        "Headers and trailers of the answer.",
        "{ X-Version: { exists: true } }",
    ),
];

/// `grpc: orders.example:443` is its address.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    vec![("address", 0..text.len())]
}

/// The failure that a broken assertion stands for; what nobody asked about says itself what went wrong.
pub(super) fn classify(
    subject: &str,
    actual: &str,
    implied: bool,
) -> Option<(FailureClass, Cow<'static, str>)> {
    let words = match subject {
        "grpc_status" => CODES,
        "status" => SERVING,
        _ => return None,
    };
    let known = words.iter().find(|word| **word == actual).filter(|_| implied)?;
    Some((FailureClass::Protocol, Cow::Owned(format!("grpc.{}", known.to_ascii_lowercase()))))
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let service = fields.template("service");
    let metadata = given::headers("metadata", &OF_THE_CALL, &mut fields, report);
    let insecure = keys::insecure(&mut fields, report);
    let name = keys::host("server_name", &mut fields, report);
    let secure = fields.bool("tls").is_none_or(|given| given.value);
    if !secure {
        plain(&fields, report)?;
    }
    let roots = keys::trust(&mut fields, report)?;
    let family = keys::family(&mut fields);
    let way = way::plan(&mut fields, report);
    let reach = Reach::new(fields.template("address")?, None, "orders.example:443", report);
    if let Some(service) = &service
        && service.value.constant().is_some_and(|text| text.len() > SERVICE_MAX)
    {
        let message = "the name of the service is longer than 1024 bytes";
        report.push(Diagnostic::error("E104", service.span, message));
        return None;
    }
    let (name, insecure) = (name.ok()?, insecure.ok()?);
    let verify = if insecure.is_some() { Verify::Record } else { Verify::Enforce };
    let tls = TlsChoice { roots, alpn: vec![b"h2".to_vec()], verify, ..TlsChoice::default() };
    let manner = Manner { version: Version::H2, family, tls: Arc::new(tls), name, ..Manner::default() };
    Some(Box::new(Grpc {
        reach: reach?,
        service: service.map(|given| given.value),
        secure,
        metadata: metadata?,
        client: Client { manner, body_bytes_max: ANSWER_BYTES_MAX },
        way: way?,
        insecure,
    }))
}

/// Without TLS nothing of it can be asked for; `None` if the report says what was.
fn plain(fields: &Fields, report: &mut Report) -> Option<()> {
    let key = ["trust", "ca", "insecure", "client_certificate"].into_iter().find(|key| fields.has(key));
    let Some(key) = key else { return Some(()) };
    let span = fields.span_of(key).unwrap_or(fields.span);
    let message = format!("`{key}` says something about TLS, and `tls: false` wants none");
    report.push(Diagnostic::error("E135", span, message).help("leave one of them out"));
    None
}

/// Headers that are the call's own.
const OF_THE_CALL: Reserved = Reserved {
    whose: "call",
    is: |name| [CONTENT_TYPE, HOST, TE].contains(name) || name.as_str().starts_with("grpc-"),
    help: "leave it out: the prober sets it",
};
