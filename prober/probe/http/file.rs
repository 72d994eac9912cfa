//! The keys and subjects of an `http` step, and how they become an action.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use model::outcome::FailureClass;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Bound, Fields};
use scenario::kind::Action;
use scenario::source::{Span, Spanned};
use scenario::template::{Part, Template};

use super::auth::{self, AuthPlan};
use super::client::Client;
use super::connect::Manner;
use super::every;
use super::given;
use super::parts::{BodyPlan, Content, PartPlan};
use super::request::{RequestPlan, Version};
use super::run::Http;
use super::target::{Target, UrlError};
use super::way;
use crate::net::address::Host;
use crate::net::each;
use crate::net::keys::{self, Refused};
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

/// The keys of which one may give the body.
const BODIES: [&str; 5] = ["json", "form", "body", "multipart", "file"];

/// Makes the action.
pub(super) fn compile(mut fields: Fields, report: &mut Report) -> Option<Box<dyn Action<Net>>> {
    let body_at = BODIES.into_iter().find_map(|key| fields.span_of(key));
    let body_without_method = body_at.filter(|_| !fields.has("method"));
    let method = method(&mut fields, report);
    let url = url(&mut fields, report);
    let headers = given::headers("headers", &given::OF_HTTP, &mut fields, report);
    let query = pairs(&mut fields, "query").unwrap_or_default();
    let body = body(&mut fields, report);
    let body_bytes_max = body_limit(&mut fields, report);
    let insecure = keys::insecure(&mut fields, report);
    let host = keys::host("host", &mut fields, report);
    let roots = keys::trust(&mut fields, report);
    let follow = fields.int("follow").and_then(|given| u32::try_from(given.value).ok()).unwrap_or(FOLLOW);
    let auth = sign_in(&mut fields, headers.as_deref(), report);
    let content_type = content_type(&mut fields, report);
    let compression = fields.bool("compression").is_none_or(|given| given.value);
    let (name, mut headers, insecure) = (host.ok()?, headers?, insecure.ok()?);
    let version = version(&mut fields, report)?;
    let manner = manner(&mut fields, version, roots?, insecure.is_some());
    let url = url?;
    check_family(&url, fields.span, manner.family, report)?;
    if let Some(name) = &name
        && !headers.iter().any(|(known, _)| known == http::header::HOST)
    {
        headers.push((http::header::HOST, Template::text(name.to_string())));
    }
    let request = RequestPlan {
        method: method?,
        url,
        query,
        headers,
        body: body?,
        content_type: content_type.ok()?,
        compression,
        kept: OnceLock::new(),
    };
    let manner = way::named(manner, name, &mut fields, report)?;
    let way = way::plan(&mut fields, report)?;
    let every = each::asked(&mut fields);
    if let Some(given) = &every
        && !every::check(way.proxy.is_some(), given.span, report)
    {
        return None;
    }
    let client = Client { manner, body_bytes_max: body_bytes_max? };
    let every_address = every.is_some();
    let http = Http { request, client, way, auth: auth.ok()?, follow, insecure, every_address };
    super::lint::check(&http, fields.span, report);
    if let Some(at) = body_without_method {
        super::lint::body_without_method(at, report);
    }
    Some(Box::new(http))
}

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
    super::lint::fragment(&given, report);
    if !fields.has("connect_to") {
        super::lint::scheme(&given, report);
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

fn pairs(fields: &mut Fields, key: &str) -> Option<Vec<(String, Template)>> {
    let given = fields.map(key)?;
    let pairs = given.value.into_iter().filter_map(|(name, value)| match value.value {
        Bound::Template(value) => Some((name.value, value)),
        _ => None,
    });
    Some(pairs.collect())
}

fn body(fields: &mut Fields, report: &mut Report) -> Option<BodyPlan> {
    let given: Vec<_> = BODIES.into_iter().filter(|key| fields.has(key)).collect();
    if let [first, second, ..] = given.as_slice() {
        let span = fields.take(second).map_or(fields.span, |given| given.span);
        let message = format!("`{first}` and `{second}` are both the body");
        let help = "keep one of json, form, body, multipart and file";
        report.push(Diagnostic::error("E175", span, message).help(help));
        return None;
    }
    if let Some(json) = fields.json("json") {
        super::lint::quoted_json(&json, report);
        return Some(BodyPlan::Json(json.value));
    }
    if let Some(form) = pairs(fields, "form") {
        return Some(BodyPlan::Form(form));
    }
    if let Some(parts) = fields.list("multipart") {
        let parts: Vec<_> = parts.value.into_iter().map(|part| part_of(part, report)).collect();
        return parts.into_iter().collect::<Option<Vec<_>>>().map(BodyPlan::Multipart);
    }
    if let Some(path) = fields.template("file") {
        return Some(BodyPlan::File(path.value));
    }
    Some(fields.template("body").map_or(BodyPlan::None, |text| BodyPlan::Text(text.value)))
}

/// What the body is called, if that is said.
fn content_type(fields: &mut Fields, report: &mut Report) -> Result<Option<Template>, Refused> {
    match fields.template("content_type") {
        Some(given) if !given::fits(&given.value) => {
            report.push(no_content_type(given.span));
            Err(Refused)
        }
        given => Ok(given.map(|given| given.value)),
    }
}

fn no_content_type(at: Span) -> Diagnostic {
    let message = "the content type has a line break or control character in it";
    Diagnostic::error("E209", at, message).help("like image/png")
}

/// One part of a multipart body.
fn part_of(given: Spanned<Bound>, report: &mut Report) -> Option<PartPlan> {
    let Bound::Record(mut fields) = given.value else { return None };
    let name = fields.text("name")?.value;
    let filename = fields.text("filename").map(|given| given.value);
    let content_type = fields.text("content_type");
    if let Some(kind) = &content_type
        && HeaderValue::from_str(&kind.value).is_err()
    {
        report.push(no_content_type(kind.span));
        return None;
    }
    let content = match (fields.template("value"), fields.template("file")) {
        (Some(value), None) => Content::Value(value.value),
        (None, Some(path)) => Content::File(path.value),
        _ => {
            let message =
                format!("the part `{}` needs either `value` or `file`", model::outcome::cut(name, 60));
            report.push(Diagnostic::error("E175", given.span, message));
            return None;
        }
    };
    Some(PartPlan { name, content, filename, content_type: content_type.map(|given| given.value) })
}

/// How the step signs in.
fn sign_in(
    fields: &mut Fields,
    headers: Option<&[(HeaderName, Template)]>,
    report: &mut Report,
) -> Result<Option<AuthPlan>, Refused> {
    let span = fields.span;
    let plan = auth::file::auth(fields, report)?;
    let twice =
        plan.is_some() && headers.is_some_and(|given| given.iter().any(|(name, _)| name == AUTHORIZATION));
    if twice {
        let message = "`auth` and the header Authorization both sign in";
        report.push(Diagnostic::error("E183", span, message).help("leave one of them out"));
        return Err(Refused);
    }
    Ok(plan)
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

/// What is offered where the author says nothing about the version.
const OFFERS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What most steps ask of TLS; one for all of them.
static USUAL: LazyLock<Arc<TlsChoice>> = LazyLock::new(|| {
    let alpn = OFFERS.iter().map(|offer| offer.to_vec()).collect();
    Arc::new(TlsChoice { alpn, ..TlsChoice::default() })
});

/// `None` if the report says why the version cannot be spoken.
fn version(fields: &mut Fields, report: &mut Report) -> Option<Version> {
    let Some(given) = fields.choice("http_version") else { return Some(Version::Auto) };
    match given.value {
        "1.1" => Some(Version::H1),
        "2" => Some(Version::H2),
        #[cfg(feature = "http3")]
        "3" if fields.has("proxy") => {
            let message = "`proxy` and HTTP/3 exclude each other";
            let problem = Diagnostic::error("E135", given.span, message);
            report.push(problem.help("no proxy here passes QUIC on: leave one of them out"));
            None
        }
        #[cfg(feature = "http3")]
        "3" => Some(Version::H3),
        #[cfg(not(feature = "http3"))]
        "3" => {
            let message = "this prober was built without HTTP/3";
            let problem = Diagnostic::error("E106", given.span, message);
            report.push(problem.help("build it with `--features http3`, or write http_version: auto"));
            None
        }
        _ => Some(Version::Auto),
    }
}

fn manner(fields: &mut Fields, version: Version, roots: Roots, insecure: bool) -> Manner {
    let family = keys::family(fields);
    let offers: &[&[u8]] = match version {
        Version::Auto => &OFFERS,
        Version::H1 => &[b"http/1.1"],
        Version::H2 => &[b"h2"],
        #[cfg(feature = "http3")]
        Version::H3 => &[b"h3"],
    };
    let tls = TlsChoice {
        roots,
        alpn: offers.iter().map(|offer| offer.to_vec()).collect(),
        verify: if insecure { Verify::Record } else { Verify::Enforce },
        ..TlsChoice::default()
    };
    let tls = if tls == **USUAL { Arc::clone(&USUAL) } else { Arc::new(tls) };
    Manner { version, family, tls, ..Manner::default() }
}
