//! The keys and subjects of a `grpc` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE};
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::template::{Part, Template};
use scenario::value::SubjectType;

use super::message::{CODES, SERVICE_MAX, SERVING};
use super::run::Grpc;
use crate::http::client::Client;
use crate::http::connect::Manner;
use crate::http::file::insecure;
use crate::http::keys::IDENTITY;
use crate::http::request::Version;
use crate::http::way;
use crate::net::address::Host;
use crate::net::reach::Reach;
use crate::net::resolve::Family;
use crate::net::roots::Roots;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};

/// The longest answer that is read: a message of a few bytes.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

macro_rules! key {
    ($name:literal, $value:expr, $need:expr, $doc:literal, $example:literal) => {
        Key { name: $name, value: $value, need: $need, doc: $doc, example: $example }
    };
}

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    key!("address", KeyType::Template, Need::Required, "The host and the port.", "orders.example:443"),
    key!(
        "service",
        KeyType::Template,
        Need::Otherwise("the server as a whole"),
        "The service that is asked about, by its full name.",
        "shop.Orders"
    ),
    key!("tls", KeyType::Bool, Need::Default("true"), "Whether the connection is encrypted.", "false"),
    key!(
        "metadata",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Headers of the call; the values of names that end in -bin are Base64.",
        "{ x-tenant: test }"
    ),
    key!(
        "server_name",
        KeyType::Text,
        Need::Otherwise("the host"),
        "The name that is asked for, in the call and in TLS, and that the certificate must be for.",
        "orders.example"
    ),
    key!(
        "ca",
        KeyType::Text,
        Need::Optional,
        "A PEM file of the authorities to trust instead of the system's.",
        "certs/internal-root.pem"
    ),
    key!(
        "insecure",
        KeyType::Text,
        Need::Optional,
        "Goes on with a certificate that does not hold, and says why that is right; shown with every run.",
        "self-signed until the move"
    ),
    key!(
        "client_certificate",
        KeyType::Record(IDENTITY),
        Need::Optional,
        "What is shown to a server that asks who the client is.",
        "{ cert: certs/probe.pem, key: certs/probe.key }"
    ),
    key!(
        "ip",
        KeyType::Choice(&["any", "4", "6"]),
        Need::Default("any"),
        "Which version of IP is used.",
        "\"6\""
    ),
];

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "status",
        doc: "What the server says of the service; SERVICE_UNKNOWN also for the code NOT_FOUND, nothing for other codes than OK.",
        shape: Shape::One(SubjectType::Choice(SERVING)),
        example: "SERVING",
    },
    Subject {
        name: "grpc_status",
        doc: "How the call ended: the name of its status code.",
        shape: Shape::One(SubjectType::Choice(CODES)),
        example: "OK",
    },
    Subject {
        name: "message",
        doc: "What the server says about the status code.",
        shape: Shape::One(SubjectType::Text),
        example: "{ contains: maintenance }",
    },
    Subject {
        name: "metadata",
        doc: "Headers and trailers of the answer.",
        shape: Shape::Header,
        example: "{ X-Version: { exists: true } }",
    },
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
    let metadata = metadata(&mut fields, report);
    let insecure = insecure(&mut fields, report);
    let name = fields.text("server_name").map(|given| {
        Host::parse(&given.value).map_err(|error| {
            let help = "write a name like orders.example, without scheme and port";
            report.push(Diagnostic::error("E178", given.span, error.to_string()).help(help));
        })
    });
    let secure = fields.bool("tls").is_none_or(|given| given.value);
    if !secure {
        plain(&fields, report)?;
    }
    let roots = fields.text("ca").map_or(Roots::System, |given| Roots::File(given.value.into()));
    let family = match fields.choice("ip").map(|given| given.value) {
        Some("4") => Family::V4,
        Some("6") => Family::V6,
        _ => Family::Any,
    };
    let way = way::plan(&mut fields, report);
    let reach = Reach::new(fields.template("address")?, None, "orders.example:443", report);
    if let Some(service) = &service
        && service.value.constant().is_some_and(|text| text.len() > SERVICE_MAX)
    {
        let message = "the name of the service is longer than 1024 bytes";
        report.push(Diagnostic::error("E104", service.span, message));
        return None;
    }
    let (name, insecure) = (name.transpose().ok()?, insecure.ok()?);
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
    let key = ["ca", "insecure", "client_certificate"].into_iter().find(|key| fields.has(key));
    let Some(key) = key else { return Some(()) };
    let span = fields.span_of(key).unwrap_or(fields.span);
    let message = format!("`{key}` says something about TLS, and `tls: false` wants none");
    report.push(Diagnostic::error("E135", span, message).help("leave one of them out"));
    None
}

/// The headers of the call; `None` if the report says which cannot be sent.
fn metadata(fields: &mut Fields, report: &mut Report) -> Option<Vec<(HeaderName, Template)>> {
    let Some(given) = fields.map("metadata") else { return Some(Vec::new()) };
    let mut headers = Some(Vec::with_capacity(given.value.len()));
    for (name, value) in given.value {
        let Bound::Template(value) = value.value else { continue };
        let parsed = HeaderName::from_bytes(name.value.as_bytes()).ok();
        let ours =
            |name: &HeaderName| [CONTENT_TYPE, HOST, TE].contains(name) || name.as_str().starts_with("grpc-");
        let fits = value.parts().iter().all(|part| match part {
            Part::Text(text) => HeaderValue::from_str(text).is_ok(),
            Part::Hole(..) => true,
        });
        let (code, message) = match parsed {
            None => ("E173", format!("`{}` cannot be the name of a header", name.value)),
            Some(parsed) if ours(&parsed) => {
                ("E173", format!("the header {parsed} belongs to the call and cannot be set"))
            }
            Some(parsed) if !fits => {
                let what = "has a line break or control character in it";
                ("E209", format!("the value of header {parsed} {what}"))
            }
            Some(parsed) => {
                if let Some(headers) = &mut headers {
                    headers.push((parsed, value));
                }
                continue;
            }
        };
        report.push(Diagnostic::error(code, name.span, message).help("like authorization or x-tenant"));
        headers = None;
    }
    headers
}
