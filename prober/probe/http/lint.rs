//! Requests that work and are risky: warnings, never silence.

use http::Method;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::JsonTemplate;
use scenario::source::{Span, Spanned};
use scenario::template::{Hole, Part, Template};

use super::parts::{BodyPlan, Content};
use super::request::RequestPlan;
use super::run::Http;
use super::target::Target;
use crate::net::address::Host;
use crate::net::keys;
use crate::net::ports;

/// Parts of paths behind which a POST signs in or asks, and leaves nothing behind.
const LEAVES_NOTHING: [&str; 14] = [
    "login", "logout", "signin", "sign-in", "sessions", "session", "token", "oauth", "auth", "search",
    "query", "graphql", "validate", "verify",
];
/// Parts of header names whose values let their holder in.
const LETS_IN: [&str; 4] = ["api-key", "apikey", "auth", "token"];

/// Looks at what is sent; `at` is the step's kind.
pub(super) fn check(http: &Http, at: Span, report: &mut Report) {
    let request = &http.request;
    if leaves_unmarked(request) {
        let problem = Diagnostic::warning("W345", at, "what this POST creates cannot be told from real data");
        report.push(
            problem
                .label("there is no ${run.id} in it")
                .help("put it into what is created, such as note: synthetic ${run.id}, or into a header: Idempotency-Key: ${run.id}"),
        );
    }
    if http.auth.is_none() && !lets_in(request) {
        return;
    }
    if in_the_clear(&request.url) {
        let problem =
            Diagnostic::warning("W346", at, "credentials are sent over plain http, to another machine");
        report.push(problem.label("everyone on the way can read them").help("write https://"));
    }
    if http.insecure.is_some() {
        keys::shown_to_anyone(at, report);
    }
}

/// A POST with a body, without `${run.id}`, and not about something that an earlier step has made.
fn leaves_unmarked(request: &RequestPlan) -> bool {
    if request.method != Method::POST || matches!(request.body, BodyPlan::None) {
        return false;
    }
    let url: String = request.url.parts().iter().filter_map(text).collect();
    let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let asks = path.split('/').any(|part| LEAVES_NOTHING.contains(&part));
    !asks
        && !any_hole(request, true, |hole| matches!(hole, Hole::RunId))
        && !any_hole(request, false, |hole| matches!(hole, Hole::Capture(_)))
}

fn lets_in(request: &RequestPlan) -> bool {
    let named = |name: &HeaderName| {
        [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
            || LETS_IN.iter().any(|part| name.as_str().contains(part))
    };
    request.headers.iter().any(|(name, _)| named(name))
        || any_hole(request, true, |hole| matches!(hole, Hole::Secret(_)))
}

/// `json: '{"id": 1}'`: to the server that is one text, as `"{\"id\": 1}"`, and no object.
pub(super) fn quoted_json(given: &Spanned<JsonTemplate>, report: &mut Report) {
    let whole: String = match &given.value {
        JsonTemplate::Constant(serde_json::Value::String(text)) => text.clone(),
        // Whatever stands in a hole, quotes and brackets around it are the author's.
        JsonTemplate::Text(template) => {
            template.parts().iter().map(|part| text(part).unwrap_or("0")).collect()
        }
        _ => return,
    };
    let value = serde_json::from_str(&whole);
    if matches!(value, Ok(serde_json::Value::Object(_) | serde_json::Value::Array(_))) {
        let problem = Diagnostic::warning(
            "W360",
            given.span,
            "this is sent as one text in quotes, not as the JSON in it",
        );
        report.push(problem.help("write it without the quotes around it: YAML reads JSON as it is"));
    }
}

/// A body beside no method: other tools take POST for granted then.
pub(super) fn body_without_method(at: Span, report: &mut Report) {
    let problem =
        Diagnostic::warning("W364", at, "this body is sent with GET, and most servers do not look at it");
    report.push(problem.help("write method: POST, or method: GET if that is meant"));
}

/// What only a browser looks at: no server is ever sent it.
pub(super) fn fragment(url: &Spanned<Template>, report: &mut Report) {
    if url.value.parts().iter().filter_map(text).any(|text| text.contains('#')) {
        let problem = Diagnostic::warning("W361", url.span, "what stands behind `#` is never sent");
        report.push(problem.help("leave it out; write %23 where the path itself has a `#`"));
    }
}

/// A port at which the other scheme is usual.
pub(super) fn scheme(url: &Spanned<Template>, report: &mut Report) {
    let Some(target) = origin(&url.value) else { return };
    ports::check_scheme((target.secure, target.address.port), url.span, ["http", "https"], report);
}

/// Whether the URL is http and its host is known and another machine.
fn in_the_clear(url: &Template) -> bool {
    match origin(url).filter(|target| !target.secure).map(|target| target.address.host) {
        Some(Host::Ip(ip)) => !ip.is_loopback(),
        Some(Host::Name(name)) => !(&*name == "localhost" || name.ends_with(".localhost")),
        None => false,
    }
}

/// The URL up to its path, so that holes behind it do not matter; `None` if there is one before.
fn origin(url: &Template) -> Option<Target> {
    let start = url.parts().first().and_then(text)?;
    let host = start.find("://")? + "://".len();
    let origin = match start[host..].find(['/', '?', '#']) {
        Some(end) => &start[..host + end],
        None if url.constant().is_some() => start,
        None => return None,
    };
    Target::parse(origin).ok()
}

fn text(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Hole(..) => None,
    }
}

/// Whether any hole of the request is such a one; its headers are looked at only if asked for.
fn any_hole(request: &RequestPlan, headers: bool, wanted: fn(&Hole) -> bool) -> bool {
    let holds = |template: &Template| {
        template.parts().iter().any(|part| matches!(part, Part::Hole(hole, _) if wanted(hole)))
    };
    let body = match &request.body {
        BodyPlan::None => false,
        BodyPlan::Text(text) | BodyPlan::File(text) => holds(text),
        BodyPlan::Multipart(parts) => {
            parts.iter().any(|part| matches!(&part.content, Content::Value(value) if holds(value)))
        }
        BodyPlan::Json(json) => any_in(json, &holds),
        BodyPlan::Form(fields) => fields.iter().any(|(_, value)| holds(value)),
    };
    body || holds(&request.url)
        || request.query.iter().any(|(_, value)| holds(value))
        || (headers && request.headers.iter().any(|(_, value)| holds(value)))
}

fn any_in(json: &JsonTemplate, holds: &dyn Fn(&Template) -> bool) -> bool {
    match json {
        JsonTemplate::Constant(_) => false,
        JsonTemplate::Text(template) => holds(template),
        JsonTemplate::List(items) => items.iter().any(|item| any_in(item, holds)),
        JsonTemplate::Object(entries) => entries.iter().any(|(_, value)| any_in(value, holds)),
    }
}
