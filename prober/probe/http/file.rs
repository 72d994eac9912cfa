//! The keys and subjects of an `http` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields, Key, KeyType, Need};
use scenario::kind::{Action, Shape, Subject};
use scenario::source::{Span, Spanned};
use scenario::template::{Part, Template};
use scenario::value::SubjectType;

use super::client::Client;
use super::connect::Manner;
use super::request::{BodyPlan, RequestPlan, Version};
use super::run::Http;
use super::target::{Target, UrlError};
use crate::net::address::Host;
use crate::net::resolve::Family;
use crate::net::roots::Roots;
use crate::net::shared::Net;
use crate::net::tls::{TlsChoice, Verify};

/// How many redirects are followed if the author says nothing.
const FOLLOW: u32 = 5;
/// How much of a body is read if the author says nothing.
const BODY_BYTES_MAX: u64 = 1 << 20;
/// The most that an author may ask to be read.
const BODY_BYTES_LIMIT: u64 = 64 << 20;

macro_rules! key {
    ($name:literal, $value:expr, $need:expr, $doc:literal, $example:literal) => {
        Key { name: $name, value: $value, need: $need, doc: $doc, example: $example }
    };
}

/// The keys of the map form.
pub(super) const KEYS: &[Key] = &[
    key!("method", KeyType::Text, Need::Default("GET"), "The method.", "POST"),
    key!(
        "url",
        KeyType::Template,
        Need::Required,
        "What is asked, with its scheme.",
        "https://shop.example/"
    ),
    key!(
        "headers",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Headers of the request; they take the place of a default of the same name.",
        "{ Accept: application/json }"
    ),
    key!(
        "query",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "Parameters added to the URL, encoded as they must be.",
        "{ q: blue shoes }"
    ),
    key!("json", KeyType::Json, Need::Optional, "The body, sent as JSON.", "{ sku: TEST-SKU }"),
    key!(
        "form",
        KeyType::Map(&KeyType::Template),
        Need::Optional,
        "The body, sent as the fields of a form.",
        "{ user: probe }"
    ),
    key!("body", KeyType::Template, Need::Optional, "The body, sent as it is.", "ping"),
    key!(
        "follow",
        KeyType::Int(0, 20),
        Need::Default("5"),
        "How many redirects are followed; one more is a failure, and 0 looks at the redirect itself.",
        "0"
    ),
    key!(
        "http_version",
        KeyType::Choice(&["auto", "1.1", "2"]),
        Need::Default("auto"),
        "Which version is spoken; auto takes HTTP/2 if the server offers it in TLS.",
        "\"1.1\""
    ),
    key!(
        "ca",
        KeyType::Text,
        Need::Optional,
        "A PEM file of authorities to trust in place of the system's; read where the prober runs.",
        "certs/ca.pem"
    ),
    key!(
        "insecure",
        KeyType::Text,
        Need::Optional,
        "Goes on with a certificate that does not hold, and says why that is right; shown with every run.",
        "self-signed until the move"
    ),
    key!(
        "ip",
        KeyType::Choice(&["any", "4", "6"]),
        Need::Default("any"),
        "Which version of IP is used.",
        "\"6\""
    ),
    key!(
        "host",
        KeyType::Text,
        Need::Optional,
        "The name to ask for at the URL's address: in the header Host, in TLS and in the certificate.",
        "shop.example"
    ),
    key!(
        "body_limit",
        KeyType::Size,
        Need::Default("1MiB"),
        "How much of the body is read; beyond it the body cannot be looked at.",
        "4MiB"
    ),
];

/// The versions of HTTP from least to most.
const VERSIONS: &[&str] = &["0.9", "1.0", "1.1", "2"];

macro_rules! subject {
    ($name:literal, $shape:expr, $doc:literal, $example:literal) => {
        Subject { name: $name, doc: $doc, shape: $shape, example: $example }
    };
}

/// What assertions may look at.
pub(super) const SUBJECTS: &[Subject] = &[
    subject!("status", Shape::One(SubjectType::Status), "The status code, after redirects.", "[200, 204]"),
    subject!("headers", Shape::Header, "Headers of the answer.", "{ Content-Type: { contains: json } }"),
    subject!("json", Shape::JsonPath, "Values in a JSON body.", "{ $.status: UP }"),
    subject!("body", Shape::One(SubjectType::Any), "The body as a text.", "{ contains: Welcome }"),
    subject!("size", Shape::One(SubjectType::Size), "The length of the body.", "{ lte: 100kB }"),
    subject!(
        "http_version",
        Shape::One(SubjectType::Ordered(VERSIONS)),
        "The version of HTTP that the server spoke.",
        "{ gte: \"1.1\" }"
    ),
    subject!("redirects", Shape::One(SubjectType::Int), "How many redirects were followed.", "{ lte: 1 }"),
    subject!("url", Shape::One(SubjectType::Text), "The URL after redirects.", "{ ends_with: /home }"),
    subject!(
        "expires_in",
        Shape::One(SubjectType::Duration),
        "How long the server's certificate is still valid.",
        "{ gte: 14d }"
    ),
];

/// `http: https://shop.example/` or `http: HEAD https://shop.example/`.
pub(super) fn short(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len().max(start);
    let word = text[start..end].find(' ').map(|blank| start + blank);
    match word {
        Some(blank) if text[start..blank].bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            let url = end - text[blank..end].trim_start().len();
            vec![("method", start..blank), ("url", url..end)]
        }
        _ => vec![("url", start..end)],
    }
}

/// The failure that a broken assertion stands for.
pub(super) fn classify(
    subject: &str,
    actual: &str,
    implied: bool,
) -> Option<(FailureClass, Cow<'static, str>)> {
    match subject {
        // Nobody asked about the status: the code itself says what went wrong.
        "status" if implied => Some((FailureClass::Protocol, Cow::Owned(actual.to_owned()))),
        "headers" => Some((FailureClass::Incorrect, Cow::Borrowed("assert.header"))),
        _ => None,
    }
}

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let method = method(&mut fields, report);
    let url = url(&mut fields, report);
    let headers = headers(&mut fields, report);
    let query = pairs(&mut fields, "query").unwrap_or_default();
    let body = body(&mut fields, report);
    let body_bytes_max = body_limit(&mut fields, report);
    let insecure = insecure(&mut fields, report);
    let host = host(&mut fields, report);
    let follow = fields.int("follow").and_then(|given| u32::try_from(given.value).ok()).unwrap_or(FOLLOW);
    let (name, mut headers, insecure) = (host.ok()?, headers?, insecure.ok()?);
    let manner = manner(&mut fields, insecure.is_some());
    let url = url?;
    check_family(&url, fields.span, manner.family, report)?;
    if let Some(name) = &name
        && !headers.iter().any(|(known, _)| known == http::header::HOST)
    {
        headers.push((http::header::HOST, Template::text(name.to_string())));
    }
    let request = RequestPlan { method: method?, url, query, headers, body: body?, kept: OnceLock::new() };
    let manner = Manner { name, ..manner };
    let client = Client { manner, body_bytes_max: body_bytes_max? };
    let http = Http { request, client, follow, insecure };
    super::lint::check(&http, fields.span, report);
    Some(Box::new(http))
}

/// A key whose value is wrong; the report says how.
struct Refused;

fn method(fields: &mut Fields, report: &mut Report) -> Option<Method> {
    let Some(given) = fields.text("method") else { return Some(Method::GET) };
    let message = format!("`{}` is not a method", given.value);
    match Method::from_bytes(given.value.as_bytes()) {
        Ok(Method::CONNECT) | Err(_) => {
            let help = "like GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS";
            report.push(Diagnostic::error("E172", given.span, message).help(help));
            None
        }
        Ok(_) if given.value.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            let help = format!("methods are written in capitals: {}", given.value.to_ascii_uppercase());
            report.push(Diagnostic::error("E172", given.span, message).help(help));
            None
        }
        Ok(method) => Some(method),
    }
}

fn url(fields: &mut Fields, report: &mut Report) -> Option<Template> {
    let given = fields.template("url")?;
    let wrong = match given.value.constant() {
        Some(text) => Target::parse(text).err(),
        None => wrong_start(&given.value),
    };
    if let Some(error) = wrong {
        report.push(Diagnostic::error("E171", given.span, error.to_string()).help(error.help()));
        return None;
    }
    Some(given.value)
}

/// `None` if the URL has an address that is not of the family asked for; the report says so.
fn check_family(url: &Template, span: Span, family: Family, report: &mut Report) -> Option<()> {
    let target = url.constant().and_then(|text| Target::parse(text).ok());
    match target.map(|target| target.address.host) {
        Some(Host::Ip(ip)) if !family.has(ip) => {
            let message = format!("{ip} is not an address of the family that `ip` asks for");
            report.push(Diagnostic::error("E179", span, message).help("leave `ip` out, or use a host name"));
            None
        }
        _ => Some(()),
    }
}

/// What is wrong with the text before the first hole, if that can be said already.
fn wrong_start(url: &Template) -> Option<UrlError> {
    let Some(Part::Text(start)) = url.parts().first() else { return None };
    match start.split_once("://") {
        None if start.contains(['/', '.', ':', '?']) => Some(UrlError::NoScheme),
        Some((scheme, _)) if !matches!(&*scheme.to_ascii_lowercase(), "http" | "https") => {
            Some(UrlError::Scheme(scheme.to_owned()))
        }
        _ if start.chars().any(char::is_whitespace) => Some(UrlError::Blank("blank")),
        _ => None,
    }
}

fn headers(fields: &mut Fields, report: &mut Report) -> Option<Vec<(HeaderName, Template)>> {
    let Some(given) = fields.map("headers") else { return Some(Vec::new()) };
    let mut wrong = false;
    let mut headers = Vec::with_capacity(given.value.len());
    for (name, value) in given.value {
        let Bound::Template(value) = value.value else { continue };
        match header(&name, &value) {
            Ok(name) => headers.push((name, value)),
            Err(diagnostic) => {
                report.push(*diagnostic);
                wrong = true;
            }
        }
    }
    if wrong { None } else { Some(headers) }
}

fn header(name: &Spanned<String>, value: &Template) -> Result<HeaderName, Box<Diagnostic>> {
    let wrong = |code, message: String| Diagnostic::error(code, name.span, message);
    let parsed = HeaderName::from_bytes(name.value.as_bytes()).map_err(|_| {
        wrong("E173", format!("`{}` cannot be the name of a header", name.value))
            .help("letters, digits and dashes, like Content-Type")
    })?;
    if [CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(&parsed) {
        let message = format!("the header {parsed} belongs to the connection and cannot be set");
        return Err(Box::new(wrong("E173", message).help("it is set from the body")));
    }
    let fits = value.parts().iter().all(|part| match part {
        Part::Text(text) => HeaderValue::from_str(text).is_ok(),
        Part::Hole(..) => true,
    });
    if fits {
        Ok(parsed)
    } else {
        let message = format!("the value of header {parsed} has a line break or control character in it");
        Err(Box::new(wrong("E209", message).help("a header is one line")))
    }
}

fn pairs(fields: &mut Fields, key: &str) -> Option<Vec<(String, Template)>> {
    let given = fields.map(key)?;
    let pairs = given.value.into_iter().filter_map(|(name, value)| match value.value {
        Bound::Template(value) => Some((name.value, value)),
        _ => None,
    });
    Some(pairs.collect())
}

fn body(fields: &mut Fields, report: &mut Report) -> Option<BodyPlan> {
    let given: Vec<_> = ["json", "form", "body"].into_iter().filter(|key| fields.has(key)).collect();
    if let [first, second, ..] = given.as_slice() {
        let span = fields.take(second).map_or(fields.span, |given| given.span);
        let message = format!("`{first}` and `{second}` are both the body");
        report.push(Diagnostic::error("E175", span, message).help("keep one of json, form and body"));
        return None;
    }
    if let Some(json) = fields.json("json") {
        return Some(BodyPlan::Json(json.value));
    }
    if let Some(form) = pairs(fields, "form") {
        return Some(BodyPlan::Form(form));
    }
    Some(fields.template("body").map_or(BodyPlan::None, |text| BodyPlan::Text(text.value)))
}

fn body_limit(fields: &mut Fields, report: &mut Report) -> Option<u64> {
    let Some(given) = fields.size("body_limit") else { return Some(BODY_BYTES_MAX) };
    if given.value > BODY_BYTES_LIMIT {
        let diagnostic = Diagnostic::error("E176", given.span, "a body is read up to 64MiB at most");
        report.push(diagnostic.help("like body_limit: 4MiB"));
        return None;
    }
    Some(given.value)
}

fn insecure(fields: &mut Fields, report: &mut Report) -> Result<Option<String>, Refused> {
    let Some(given) = fields.text("insecure") else { return Ok(None) };
    if given.value.trim().is_empty() || matches!(given.value.as_str(), "true" | "yes" | "false" | "no") {
        let diagnostic =
            Diagnostic::error("E177", given.span, "`insecure` needs the reason why that is right");
        report.push(diagnostic.help("insecure: \"self-signed until the move in March\""));
        return Err(Refused);
    }
    Ok(Some(given.value))
}

fn host(fields: &mut Fields, report: &mut Report) -> Result<Option<Host>, Refused> {
    let Some(given) = fields.text("host") else { return Ok(None) };
    match Host::parse(&given.value) {
        Ok(host) => Ok(Some(host)),
        Err(error) => {
            let diagnostic = Diagnostic::error("E178", given.span, error.to_string());
            report.push(diagnostic.help("a name without scheme and port, like shop.example"));
            Err(Refused)
        }
    }
}

fn manner(fields: &mut Fields, insecure: bool) -> Manner {
    let version = match fields.choice("http_version").map(|given| given.value) {
        Some("1.1") => Version::H1,
        Some("2") => Version::H2,
        _ => Version::Auto,
    };
    let family = match fields.choice("ip").map(|given| given.value) {
        Some("4") => Family::V4,
        Some("6") => Family::V6,
        _ => Family::Any,
    };
    let offers: &[&[u8]] = match version {
        Version::Auto => &[b"h2", b"http/1.1"],
        Version::H1 => &[b"http/1.1"],
        Version::H2 => &[b"h2"],
    };
    let tls = TlsChoice {
        roots: fields.text("ca").map_or(Roots::System, |path| Roots::File(path.value.into())),
        alpn: offers.iter().map(|offer| offer.to_vec()).collect(),
        verify: if insecure { Verify::Record } else { Verify::Enforce },
    };
    Manner { version, family, tls: Arc::new(tls), name: None }
}
